//! A worker that takes its turns without a thread, under a clock that tests move, with real sockets. What it is like with
//! threads lives in `threads`.

mod delivery;
mod endings;
mod memory;
mod pages;
mod passes;
mod peer;
mod properties;
mod threads;

use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare_event::{
    Audience, Delivery, Epoch, EventType, NamePatterns, Profile, RoomName, Seq, SinkName, Target,
};
use fanfare_stream::{
    Client, CloseReason, Entry, Fanout, Found, Frames, GroupId, Moment, OnLag, PageCache, Session,
    SessionOptions, Start, Subscription, WindowLimits,
};
use mio::Events;

use crate::inbox::Inbox;
use crate::mail::{Command, Mail};
use crate::worker::Worker;
use crate::{ConnectionId, NewConnection, Owner, Seat, Thread, Window};
use peer::HEAD;

pub(crate) use peer::Peer;

/// How long anything may take that has no reason to.
const SOON: Duration = Duration::from_secs(20);

pub(crate) const SEND_TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Events of a page.
const PAGE: usize = 10;

/// A window with a clock of its own.
pub(crate) struct Shared {
    pub(crate) fanout: Mutex<Fanout>,
    now: Mutex<Moment>,
    /// How often somebody looked.
    pub(crate) looks: AtomicUsize,
}

/// What a connection's owner was told, and says.
#[derive(Default)]
pub(crate) struct Record {
    pub(crate) id: OnceLock<ConnectionId>,
    pub(crate) ending: OnceLock<CloseReason>,
    pub(crate) after: Mutex<Option<Seq>>,
    pub(crate) reads: Mutex<Vec<Seq>>,
    /// Why it ended, and how many frames it was given until then.
    pub(crate) ended: Mutex<Option<(CloseReason, u64)>>,
    /// What happens elsewhere as soon as the cursor has moved again.
    pub(crate) meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

pub(crate) struct Recorder(Arc<Record>, Arc<Shared>);

pub(crate) struct World {
    pub(crate) window: Arc<Shared>,
    pub(crate) worker: Worker<Recorder>,
    pub(crate) inbox: Arc<Inbox<Mail<Recorder>>>,
    events: Events,
    listener: TcpListener,
    /// All that was published.
    pub(crate) log: Vec<Entry>,
}

/// How a connection is, where that matters.
#[derive(Default)]
pub(crate) struct Wanted {
    pub(crate) room: Option<&'static str>,
    /// Behind the event with this seq.
    pub(crate) after: u64,
    /// Bytes that the kernel keeps for the socket, about.
    pub(crate) send_buffer: Option<usize>,
    pub(crate) retry: Option<Duration>,
}

impl Shared {
    pub(crate) fn new(events: usize) -> Arc<Self> {
        let limits = WindowLimits { events, bytes: 64 << 20 };
        Arc::new(Self {
            fanout: Mutex::new(Fanout::new(limits, None)),
            now: Mutex::new(Moment::ZERO),
            looks: AtomicUsize::new(0),
        })
    }

    /// A session that has joined its group.
    pub(crate) fn session(&self, subscription: Subscription, wanted: &Wanted) -> Session {
        let after = Seq::new(wanted.after);
        let options = SessionOptions {
            epoch: Epoch::new("e1").unwrap(),
            profile: Profile::Cdevent,
            keep_alive: KEEP_ALIVE,
            buffer: 1000,
            on_lag: OnLag::CatchUp,
        };
        let group = self.fanout.lock().unwrap().join(subscription, after);
        let client = Client { retry: wanted.retry, expires: None };
        Session::new(group, Start { after, gap: None }, Arc::new(options), client, self.now())
    }

    /// Takes an event. Returns who sees it.
    pub(crate) fn push(&self, entry: Entry) -> Vec<GroupId> {
        let mut saw = Vec::new();
        self.fanout.lock().unwrap().push(entry, |group| saw.push(group));
        saw
    }

    pub(crate) fn pass_time(&self, time: Duration) {
        *self.now.lock().unwrap() += time;
    }
}

/// An event for everyone, or for a room, with this frame.
pub(crate) fn entry(seq: u64, frame: &str, room: Option<&str>) -> Entry {
    let mut frames = Frames::default();
    frames.set(Profile::Cdevent, frame.to_owned().into());
    let audience = match room {
        Some(room) => Audience::Only([Target::Room(RoomName::new(room).unwrap())].into()),
        None => Audience::Everyone,
    };
    let delivery = Delivery { sink: SinkName::new("events"), audience };
    Entry {
        seq: Seq::new(seq).unwrap(),
        kind: EventType::new("a").unwrap(),
        deliveries: [delivery].into(),
        frames,
    }
}

impl Window for Shared {
    fn look(&self, look: &mut dyn FnMut(&Fanout)) {
        self.looks.fetch_add(1, Ordering::Relaxed);
        look(&self.fanout.lock().unwrap());
    }

    fn now(&self) -> Moment {
        *self.now.lock().unwrap()
    }
}

impl Owner for Recorder {
    fn placed(&mut self, id: ConnectionId) {
        self.0.id.set(id).unwrap();
    }

    fn ending(&self) -> Option<CloseReason> {
        self.0.ending.get().copied()
    }

    fn has_come_to(&self, after: Option<Seq>) {
        let before = std::mem::replace(&mut *self.0.after.lock().unwrap(), after);
        if before < after
            && let Some(meanwhile) = self.0.meanwhile.lock().unwrap().take()
        {
            meanwhile();
        }
    }

    fn read(&mut self, id: ConnectionId, from: Seq, _: bool) {
        assert_eq!(self.0.id.get(), Some(&id));
        self.0.reads.lock().unwrap().push(from);
    }

    fn ended(self, reason: CloseReason, session: &Session) {
        let before = self.0.ended.lock().unwrap().replace((reason, session.frames()));
        assert_eq!(before, None, "a connection ends once");
        self.1.fanout.lock().unwrap().leave(session.group());
    }
}

/// A segment of loopback is larger than a small buffer, and then goes by timers.
pub(crate) fn listen() -> TcpListener {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    socket2::SockRef::from(&listener).set_tcp_mss(1000).unwrap();
    listener
}

/// Both ends of a connection; the first does not block.
pub(crate) fn pair(listener: &TcpListener) -> (TcpStream, TcpStream) {
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (stream, _) = listener.accept().unwrap();
    stream.set_nonblocking(true).unwrap();
    stream.set_nodelay(true).unwrap();
    peer.set_nonblocking(true).unwrap();
    (stream, peer)
}

/// A connection to hand over, and its other end.
pub(crate) fn connect(
    window: &Arc<Shared>,
    listener: &TcpListener,
    wanted: &Wanted,
) -> (NewConnection<Recorder>, Peer) {
    let (stream, socket) = pair(listener);
    if let Some(bytes) = wanted.send_buffer {
        socket2::SockRef::from(&stream).set_send_buffer_size(bytes).unwrap();
        socket2::SockRef::from(&socket).set_recv_buffer_size(bytes * 16).unwrap();
    }
    let record = Arc::new(Record::default());
    let subscription = Subscription {
        sink: SinkName::new("events"),
        types: NamePatterns::any(),
        profile: Profile::Cdevent,
        rooms: wanted.room.iter().map(|room| RoomName::new(room).unwrap()).collect(),
        user: None,
    };
    let (session, owner) =
        (window.session(subscription.clone(), wanted), Recorder(Arc::clone(&record), Arc::clone(window)));
    let connection = NewConnection { stream, head: Bytes::from_static(HEAD.as_bytes()), session, owner };
    (connection, Peer::new(socket, subscription, record))
}

impl World {
    /// With a window of so many events.
    pub(crate) fn new(events: usize) -> Self {
        let (window, inbox) = (Shared::new(events), Arc::new(Inbox::new()));
        let count = Arc::new(AtomicUsize::new(0));
        let (worker, _) =
            Worker::new(Thread(0), Arc::clone(&window) as _, Arc::clone(&inbox), count, SEND_TIMEOUT)
                .unwrap();
        let listener = listen();
        Self { window, worker, inbox, events: Events::with_capacity(64), listener, log: Vec::new() }
    }

    pub(crate) fn tell(&self, command: Command<Recorder>) {
        let _ = self.inbox.leave(|mail| mail.commands.push(command));
    }

    /// A connection that the worker finds in its inbox.
    pub(crate) fn add(&self, wanted: &Wanted) -> Peer {
        let (connection, peer) = connect(&self.window, &self.listener, wanted);
        self.worker.count.fetch_add(1, Ordering::Relaxed);
        let seat = Seat { thread: Thread(0), count: Some(Arc::clone(&self.worker.count)) };
        self.tell(Command::Add(Box::new((seat, connection))));
        peer
    }

    /// Gives a peer's owner the pages that it asked for, of a few events each.
    pub(crate) fn give_pages(&self, peer: &Peer) {
        let reads = std::mem::take(&mut *peer.record.reads.lock().unwrap());
        for from in reads {
            let start = usize::try_from(from.get()).unwrap() - 1;
            let entries: Vec<_> = self.log.iter().skip(start).take(PAGE).cloned().collect();
            let next = entries.last().map_or(from, |entry| entry.seq.next());
            let mut pages = PageCache::new(usize::MAX);
            pages.insert(from, next, entries);
            let found = pages.find(from, &peer.subscription).map_or(Found::Nothing, Found::Page);
            self.tell(Command::Answer(peer.place(), found));
        }
    }

    /// One that has its head and waits for events.
    pub(crate) fn join(&mut self, wanted: &Wanted) -> Peer {
        let mut peer = self.add(wanted);
        self.until("the head", |world| {
            peer.read();
            world.worker.work.is_empty() && peer.raw.len() >= HEAD.len()
        });
        peer
    }

    /// Publishes the next event to everyone, or to a room. Its content is its number and a space.
    pub(crate) fn publish(&mut self, room: Option<&str>) {
        self.publish_frame(&format!("{} ", self.log.len() + 1), room);
    }

    /// The same with so many bytes in front.
    pub(crate) fn publish_bytes(&mut self, bytes: usize) {
        self.publish_frame(&format!("{}{} ", "x".repeat(bytes), self.log.len() + 1), None);
    }

    pub(crate) fn publish_frame(&mut self, frame: &str, room: Option<&str>) {
        let entry = entry(self.log.len() as u64 + 1, frame, room);
        self.log.push(entry.clone());
        let groups = self.window.push(entry);
        let _ = self.inbox.leave(|mail| groups.into_iter().for_each(|group| mail.put_group(group)));
    }

    pub(crate) fn turn(&mut self) {
        self.worker.turn(&mut self.events, Some(Duration::from_millis(1))).unwrap();
    }

    /// Takes turns until something is so.
    pub(crate) fn until(&mut self, what: &str, mut is_so: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        while !is_so(self) {
            assert!(start.elapsed() < SOON, "waited for {what} in vain");
            self.turn();
        }
    }

    /// Takes turns until this peer has this.
    pub(crate) fn expect(&mut self, peer: &mut Peer, content: &str) {
        self.until(content, |_| {
            peer.read();
            peer.content().len() >= content.len()
        });
        assert_eq!(peer.content(), content);
    }

    /// Takes turns until this peer's connection has ended, for this reason.
    pub(crate) fn expect_end(&mut self, peer: &mut Peer, reason: CloseReason) {
        self.until(reason.name(), |_| !peer.read());
        assert_eq!(peer.ended(), Some(reason));
    }
}

/// The contents of events with these numbers.
pub(crate) fn numbers(numbers: impl IntoIterator<Item = u64>) -> String {
    numbers.into_iter().fold(String::new(), |text, number| text + &format!("{number} "))
}
