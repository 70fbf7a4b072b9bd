//! Threads that own the sockets of streams, from behind the head of the response to the end.
//!
//! Each connection is a socket, a [`Session`] and an [`Owner`], on one thread for all its life. A thread waits with epoll
//! for what its sockets, its timers and its inbox say; events are written from the one window that all share, to each
//! connection with one system call. How that goes on lives in `worker`; what a connection does next is decided by its
//! session, and no HTTP, no configuration and no log is known here: what is above them says what they mean.

mod attend;
mod commands;
mod connection;
mod group;
mod id;
mod inbox;
mod mail;
mod pass;
mod slab;
mod thread;
mod wheel;
mod worker;

use std::fmt;
use std::io;
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fanfare_stream::{CloseReason, Fanout, Found, GroupId, Moment, Seq, Session};

use id::Place;
use mail::Command;
use thread::Desk;

pub use id::{ConnectionId, MAX_THREADS, Thread};

/// What all connections look at.
pub trait Window: Send + Sync + 'static {
    /// Calls `look` with the window, once.
    fn look(&self, look: &mut dyn FnMut(&Fanout));

    /// The time, on the clock that sessions are given.
    fn now(&self) -> Moment;
}

/// What is known of a connection above. It is called on the connection's thread only, under no lock, and must not block:
/// all connections of the thread wait for it. One whose connection never comes to be is dropped.
pub trait Owner: Send + 'static {
    /// The first call: from now on the connection has this name.
    fn placed(&mut self, id: ConnectionId);

    /// Why the connection has to end, if it has to. Asked behind [`Owner::placed`] and [`Reactor::look`].
    fn ending(&self) -> Option<CloseReason>;

    /// Everything up to here was sent, was hidden from the subscription, or was told to be missing.
    fn has_come_to(&self, after: Option<Seq>);

    /// Get the page of `from`, as [`fanfare_stream::Step::Read`] says, and hand it to [`Reactor::answer`]. It is not
    /// asked again before that.
    fn read(&mut self, id: ConnectionId, from: Seq, in_turn: bool);

    /// The last call. The socket is closed when it returns.
    fn ended(self, reason: CloseReason, session: &Session);
}

/// A stream whose response begins.
#[derive(Debug)]
pub struct NewConnection<O> {
    /// The socket, which must not block.
    pub stream: TcpStream,
    /// The head of the response, which says that the body is chunked. It goes out with what the session says first.
    pub head: Bytes,
    /// The connection's session, which belongs to its group already.
    pub session: Session,
    /// What is above.
    pub owner: O,
}

/// How a reactor runs.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many threads; at most [`MAX_THREADS`].
    pub threads: NonZeroUsize,
    /// How long a client may take no byte of what waits for it.
    pub send_timeout: Duration,
}

/// A place on a thread that is kept for a connection. Dropped, it is given back.
#[derive(Debug)]
pub struct Seat {
    thread: Thread,
    /// How many connections the thread has, this one among them; `None` once the connection is there.
    count: Option<Arc<AtomicUsize>>,
}

/// The threads. Copies are the same reactor; with the last of them the threads end, and with them the connections that
/// are left, for [`CloseReason::Shutdown`]. Who drops that waits for it, which takes no longer than a few calls of each
/// connection's owner; it must hold nothing that they need.
pub struct Reactor<O: Owner> {
    desks: Arc<[Desk<O>]>,
}

impl<O: Owner> Reactor<O> {
    /// Starts the threads. `failed` is called where one of them panics or loses its epoll; its connections are closed by
    /// then.
    pub fn start(
        Options { threads, send_timeout }: Options,
        window: &Arc<dyn Window>,
        failed: impl Fn() + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let failed: Arc<dyn Fn() + Send + Sync> = Arc::new(failed);
        let desks = (0..threads.get()).map(|index| {
            let index = u8::try_from(index).map_err(|_| io::ErrorKind::InvalidInput)?;
            Desk::open(Thread(index), send_timeout, Arc::clone(window), Arc::clone(&failed))
        });
        Ok(Self { desks: desks.collect::<io::Result<_>>()? })
    }

    /// A place on the thread that has the fewest connections.
    pub fn choose(&self) -> Seat {
        let counts = self.desks.iter().map(|desk| &desk.count);
        let fewest = (0..).zip(counts).min_by_key(|(_, count)| count.load(Ordering::Relaxed));
        let (thread, count) = fewest.map_or((0, None), |(thread, count)| (thread, Some(Arc::clone(count))));
        if let Some(count) = &count {
            count.fetch_add(1, Ordering::Relaxed);
        }
        Seat { thread: Thread(thread), count }
    }

    /// All of them.
    pub fn threads(&self) -> impl Iterator<Item = Thread> {
        // There are no more than ids have room for.
        (0..=u8::MAX).take(self.desks.len()).map(Thread)
    }

    /// Hands a connection to its thread.
    pub fn add(&self, seat: Seat, connection: NewConnection<O>) {
        self.tell(seat.thread, Command::Add(Box::new((seat, connection))));
    }

    /// These groups have seen events. However many they are, it is one lock, and at most one wake.
    pub fn wake(&self, thread: Thread, groups: &[GroupId]) {
        if let Some(desk) = self.desks.get(thread.index()) {
            desk.leave(|mail| groups.iter().for_each(|group| mail.put_group(*group)));
        }
    }

    /// Asks the connection's owner whether it has to end, and its session what is next.
    pub fn look(&self, id: ConnectionId) {
        self.tell_of(id, Command::Look);
    }

    /// Closes the connection now, whatever it waits for. The reason is what its owner says, or that the client is gone.
    pub fn cut(&self, id: ConnectionId) {
        self.tell_of(id, Command::Cut);
    }

    /// What [`Owner::read`] asked for.
    pub fn answer(&self, id: ConnectionId, found: Found) {
        self.tell_of(id, |place| Command::Answer(place, found));
    }

    /// Ends all connections, and those that come later.
    pub fn end_all(&self, reason: CloseReason) {
        for desk in &*self.desks {
            desk.leave(|mail| mail.commands.push(Command::EndAll(reason)));
        }
    }

    /// How many connections there are, with those to come that have a seat.
    pub fn connections(&self) -> usize {
        self.desks.iter().map(|desk| desk.count.load(Ordering::Relaxed)).sum()
    }

    fn tell_of(&self, id: ConnectionId, command: impl FnOnce(Place) -> Command<O>) {
        if let Some(place) = id.place() {
            self.tell(id.thread(), command(place));
        }
    }

    fn tell(&self, thread: Thread, command: Command<O>) {
        if let Some(desk) = self.desks.get(thread.index()) {
            desk.leave(|mail| mail.commands.push(command));
        }
    }
}

impl<O: Owner> Clone for Reactor<O> {
    fn clone(&self) -> Self {
        Self { desks: Arc::clone(&self.desks) }
    }
}

impl<O: Owner> fmt::Debug for Reactor<O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reactor").field("threads", &self.desks.len()).finish_non_exhaustive()
    }
}

impl Seat {
    /// The thread that it is on: who joins a group for the connection lets this one be woken for it.
    pub fn thread(&self) -> Thread {
        self.thread
    }

    /// The connection has taken its place; from here on its thread counts it.
    pub(crate) fn taken(mut self) {
        self.count = None;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(count) = &self.count {
            count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
