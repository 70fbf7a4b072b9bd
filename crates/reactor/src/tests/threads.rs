//! With threads: what the handle does.

use super::*;
use crate::{Options, Reactor};

struct Threads {
    window: Arc<Shared>,
    reactor: Reactor<Recorder>,
    listener: TcpListener,
    failures: Arc<AtomicUsize>,
    newest: u64,
}

impl Threads {
    fn start(threads: usize) -> Self {
        let (window, failures) = (Shared::new(1000), Arc::new(AtomicUsize::new(0)));
        let options = Options { threads: threads.try_into().unwrap(), send_timeout: SEND_TIMEOUT };
        let failed = Arc::clone(&failures);
        let reactor = Reactor::start(options, &(Arc::clone(&window) as _), move || {
            failed.fetch_add(1, Ordering::Relaxed);
        });
        let listener = listen();
        Self { window, reactor: reactor.unwrap(), listener, failures, newest: 0 }
    }

    /// Behind the event with this seq.
    fn add_behind(&self, after: u64) -> Peer {
        let seat = self.reactor.choose();
        let (connection, peer) =
            connect(&self.window, &self.listener, &Wanted { after, ..Wanted::default() });
        peer.socket.set_nonblocking(false).unwrap();
        peer.socket.set_read_timeout(Some(SOON)).unwrap();
        self.reactor.add(seat, connection);
        peer
    }

    fn publish(&mut self) {
        self.newest += 1;
        let groups = self.window.push(entry(self.newest, &format!("{} ", self.newest), None));
        for thread in 0..self.reactor.desks.len() {
            self.reactor.wake(Thread(u8::try_from(thread).unwrap()), &groups);
        }
    }
}

impl Peer {
    /// Reads until it has this. Blocks.
    fn wait_for(&mut self, content: &str) {
        while self.raw.len() < HEAD.len() || self.content().len() < content.len() {
            let before = self.raw.len();
            assert!(self.read_some(1), "it ended behind {:?}", self.content());
            assert!(before < self.raw.len(), "nothing more came behind {:?}", self.content());
        }
        assert_eq!(self.content(), content);
    }

    /// Reads to the end. Blocks.
    fn wait_for_end(&mut self, reason: CloseReason) {
        while self.read_some(1) {}
        assert_eq!(self.ended(), Some(reason));
    }
}

#[test]
fn all_threads_serve_and_the_last_handle_ends_them() {
    let mut threads = Threads::start(3);
    let mut peers: Vec<_> = (0..12).map(|_| threads.add_behind(0)).collect();
    let mut on = [0; 3];
    for peer in &mut peers {
        peer.wait_for("");
        on[peer.record.id.get().unwrap().thread().index()] += 1;
    }
    assert_eq!((on, threads.reactor.connections()), ([4; 3], 12));
    // No more than a turn: nobody has pages here.
    for _ in 0..60 {
        threads.publish();
    }
    for peer in &mut peers {
        peer.wait_for(&numbers(1..=60));
    }
    drop(threads.reactor.choose());
    assert_eq!(threads.reactor.connections(), 12);
    drop(threads.reactor.clone());
    drop(threads.reactor);
    for peer in &mut peers {
        peer.wait_for_end(CloseReason::Shutdown);
    }
    assert_eq!(threads.failures.load(Ordering::Relaxed), 0);
}

/// As many as a test may open files for.
#[test]
fn hundreds_that_come_while_events_flow_miss_nothing() {
    let mut threads = Threads::start(2);
    let mut peers = Vec::new();
    for _ in 0..50 {
        threads.publish();
        for _ in 0..4 {
            peers.push((threads.newest, threads.add_behind(threads.newest)));
        }
    }
    for (after, peer) in &mut peers {
        peer.wait_for(&numbers(*after + 1..=50));
    }
    // A place that is free is the next one's.
    drop(peers.drain(..100));
    let start = Instant::now();
    while threads.reactor.connections() > 100 {
        assert!(start.elapsed() < SOON, "who goes is not noticed");
        std::thread::yield_now();
    }
    threads.reactor.end_all(CloseReason::Shutdown);
    let mut late = threads.add_behind(50);
    late.wait_for_end(CloseReason::Shutdown);
    for (_, peer) in &mut peers {
        peer.wait_for_end(CloseReason::Shutdown);
    }
    assert_eq!(threads.reactor.connections(), 0);
}

#[test]
fn a_thread_that_panics_closes_what_it_has_and_tells() {
    let mut threads = Threads::start(1);
    let (mut peer, mut other) = (threads.add_behind(0), threads.add_behind(0));
    for peer in [&mut peer, &mut other] {
        peer.wait_for("");
    }
    *peer.record.meanwhile.lock().unwrap() = Some(Box::new(|| std::panic::resume_unwind(Box::new("a bug"))));
    threads.publish();
    for peer in [&mut peer, &mut other] {
        while peer.read_some(1) {}
        assert_eq!(peer.ended(), None, "nobody can say how");
    }
    let start = Instant::now();
    while threads.failures.load(Ordering::Relaxed) == 0 {
        assert!(start.elapsed() < SOON, "the failure is not told");
        std::thread::yield_now();
    }
    // Nobody takes anything any more; what comes is dropped, and its place with it.
    let before = threads.reactor.connections();
    let late = threads.add_behind(0);
    assert_eq!((Arc::strong_count(&late.record), threads.reactor.connections()), (1, before));
    threads.publish();
}
