//! What a thread does in a turn: it looks at its sockets, its inbox and its timers, serves some of those that have work, and
//! begins anew. It waits where nobody has any.
//!
//! Two kinds of work take turns: groups that have news (`pass`), and connections that have something of their own to do
//! (`attend`): new ones, those whose sockets take something again or whose pages came, and those that are due. Each kind has
//! a budget a turn, and between turns everything else is looked at, so that neither a large group, nor many that catch up,
//! nor many keep-alives hold up the others.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Duration;

use fanfare_stream::{Batch, CloseReason, GroupId, Moment};
use mio::{Events, Poll, Token, Waker};

use crate::connection::Connection;
use crate::group::Group;
use crate::inbox::Inbox;
use crate::mail::Mail;
use crate::slab::Slab;
use crate::wheel::{Tick, Wheel};
use crate::{Owner, Thread, Window};

/// What a turn spends on each kind of work, in writes: a fraction of a millisecond.
const TURN_BUDGET: usize = 64;

/// What it spends on connections one by one while groups have news: events go on at four fifths of their pace when ten
/// thousand clients come back at once, and so do all of these in a second or so.
const BESIDE_NEWS: usize = TURN_BUDGET / 4;

/// Bytes that cost about as much to write as a write itself.
const BYTES_A_WRITE: usize = 4096;

/// Events that epoll gives at a time. Those behind them are given in the next turn.
const EVENTS: usize = 256;

/// Bytes that are read at a time of what clients send behind their requests.
const SCRATCH_BYTES: usize = 8 * 1024;

/// Places of queues that are kept while they are empty.
pub(crate) const KEPT: usize = 256;

/// Stands for the inbox; no connection has this place.
const INBOX: Token = Token(usize::MAX);

/// The state of a thread. It takes turns wherever it is called, so that tests need no thread.
pub(crate) struct Worker<O: Owner> {
    pub(crate) name: Thread,
    pub(crate) window: Arc<dyn Window>,
    pub(crate) inbox: Arc<Inbox<Mail<O>>>,
    /// How many connections it has, with those to come.
    pub(crate) count: Arc<AtomicUsize>,
    pub(crate) send_timeout: Duration,
    pub(crate) poll: Poll,
    pub(crate) connections: Slab<Connection<O>>,
    pub(crate) groups: HashMap<GroupId, Group>,
    pub(crate) wheel: Wheel,
    /// Groups that have news; each once, or gone.
    pub(crate) news: VecDeque<GroupId>,
    /// Connections that have something to do; each once, or gone.
    pub(crate) work: VecDeque<u32>,
    /// What the last of those was given, for others of its group that are where it was. It goes with news of any group,
    /// and with any group.
    pub(crate) batch: Option<Box<Batch>>,
    /// All connections end with this.
    pub(crate) ending: Option<CloseReason>,
    /// Nobody has the reactor any more.
    pub(crate) has_stopped: bool,
    /// The moment of this turn, or of the inbox since.
    pub(crate) now: Moment,
    /// What is left of a turn's budget.
    pub(crate) budget: usize,
    pub(crate) mail: Mail<O>,
    pub(crate) scratch: Box<[u8]>,
}

impl<O: Owner> Worker<O> {
    pub(crate) fn new(
        name: Thread,
        window: Arc<dyn Window>,
        inbox: Arc<Inbox<Mail<O>>>,
        count: Arc<AtomicUsize>,
        send_timeout: Duration,
    ) -> io::Result<(Self, Waker)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), INBOX)?;
        let now = window.now();
        let worker = Self {
            name,
            window,
            inbox,
            count,
            send_timeout,
            poll,
            connections: Slab::new(),
            groups: HashMap::new(),
            wheel: Wheel::new(now),
            news: VecDeque::new(),
            work: VecDeque::new(),
            batch: None,
            ending: None,
            has_stopped: false,
            now,
            budget: 0,
            mail: Mail::default(),
            scratch: vec![0; SCRATCH_BYTES].into(),
        };
        Ok((worker, waker))
    }

    /// Takes turns until nobody has the reactor any more.
    pub(crate) fn run(mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while !self.has_stopped {
            self.turn(&mut events, None)?;
        }
        self.stop();
        Ok(())
    }

    /// One turn. Where there is nothing to do it waits until there is, but no longer than `patience`.
    pub(crate) fn turn(&mut self, events: &mut Events, patience: Option<Duration>) -> io::Result<()> {
        match self.poll.poll(events, self.wait(patience)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        self.now = self.window.now();
        let mut is_woken = false;
        for event in &*events {
            match u32::try_from(event.token().0) {
                Ok(index) => {
                    let is_readable = event.is_readable() || event.is_read_closed() || event.is_error();
                    self.take_event(index, is_readable, event.is_writable());
                }
                Err(_) => is_woken = true,
            }
        }
        if is_woken || self.inbox.has_mail() {
            self.take_mail();
        }
        self.take_due();
        self.serve_groups();
        self.serve_connections();
        Ok(())
    }

    /// How long to wait for something to do; not at all where there is something.
    fn wait(&self, patience: Option<Duration>) -> Option<Duration> {
        if !self.news.is_empty() || !self.work.is_empty() || self.has_stopped {
            return Some(Duration::ZERO);
        }
        let due = self.wheel.next().map(|due| due.saturating_sub(self.window.now()));
        match (due, patience) {
            (Some(due), Some(patience)) => Some(due.min(patience)),
            (due, patience) => due.or(patience),
        }
    }

    /// A socket has something to read, or takes something again. It is a hint: where it was for one that is gone, whoever
    /// has its place now finds out that there is nothing.
    ///
    /// Sockets are registered once, for changes in both directions. Of one that takes what it is given there are no
    /// changes to tell, so nothing is heard of writing but where a socket has been full, and no call is needed to ask for
    /// that.
    fn take_event(&mut self, index: u32, is_readable: bool, is_writable: bool) {
        let Some(connection) = self.connections.at(index) else { return };
        let takes_again = is_writable && connection.flags.is_full;
        connection.flags.is_full &= !is_writable;
        connection.flags.has_input |= is_readable;
        if is_readable || takes_again {
            self.queue(index);
        }
    }

    fn take_due(&mut self) {
        let Self { wheel, connections, work, now, .. } = self;
        wheel.turn(*now, |place, tick| {
            if let Some(connection) = connections.get(place)
                && connection.armed == tick
            {
                connection.armed = Tick::NEVER;
                enqueue(work, connection, place.index);
            }
        });
    }

    fn serve_connections(&mut self) {
        self.budget = if self.news.is_empty() { TURN_BUDGET } else { BESIDE_NEWS };
        while self.budget > 0
            && let Some(index) = self.work.pop_front()
        {
            if self.inbox.has_mail() {
                self.take_mail();
            }
            if self.connections.at(index).is_some_and(|connection| connection.flags.is_queued) {
                let batch = self.attend(index);
                self.batch = batch.or(self.batch.take());
            }
        }
        if self.work.is_empty() {
            self.batch = None;
            // All at once may have been in it.
            self.work.shrink_to(KEPT);
        }
    }

    fn serve_groups(&mut self) {
        self.budget = TURN_BUDGET;
        while self.budget > 0
            && let Some(group) = self.news.pop_front()
        {
            self.pass(group);
        }
    }

    /// Has a connection served by itself.
    pub(crate) fn queue(&mut self, index: u32) {
        if let Some(connection) = self.connections.at(index) {
            enqueue(&mut self.work, connection, index);
        }
    }

    /// Counts a write of so many bytes.
    pub(crate) fn spend(&mut self, bytes: usize) {
        self.budget = self.budget.saturating_sub(cost(bytes));
    }
}

/// What a write of so many bytes takes of a budget.
pub(crate) fn cost(bytes: usize) -> usize {
    1 + bytes / BYTES_A_WRITE
}

fn enqueue<O>(work: &mut VecDeque<u32>, connection: &mut Connection<O>, index: u32) {
    if !std::mem::replace(&mut connection.flags.is_queued, true) {
        work.push_back(index);
    }
}
