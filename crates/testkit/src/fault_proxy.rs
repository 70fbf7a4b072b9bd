//! A proxy in front of a server of HTTP/1.1 that does harm at places that a test names: in the middle of an event, of a
//! chunk, of a chunk's size. It knows no more of HTTP than it needs to find these.
//!
//! **What it promises.** No fault makes another event of one: a receiver that keeps to RFC 9112 and to the rules of
//! event streams either has an event as it was sent, or does not have it. Nothing protects the bytes of an event, so
//! garbage among them would be an event of somebody else's making, and nobody could tell. Therefore it stands only
//! where a chunk's size is expected and cannot be read as one, and in place of a whole response. A resetting kernel may
//! also drop what had arrived before; so does a real one.
//!
//! Faults strike in the order in which they were ordered, those of a plan behind them, one on a connection unless the
//! connection outlives it. A connection that is open takes the next fault at once where it has survived one, and else
//! when the server sends something; where that fault is about connecting, it is reset, and the next connection takes it. One that came to nothing, because the connection ended before
//! its place, is the next one's too. All that is meant for a client with one connection at a time; others share.

mod connection;
mod fault;
mod listener;
mod plan;
mod wait;
mod wire;

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

pub use fault::{Answer, Fault, Harm, Place};
pub use plan::Plan;

use crate::deadline::Deadline;

/// A running proxy. When it is dropped, its port and all its connections are closed.
#[derive(Debug)]
pub struct FaultProxy {
    addr: SocketAddr,
    shared: Arc<Shared>,
    /// Its threads hold the other end, and see that this one is closed.
    _running: UnixStream,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    faults: VecDeque<Fault>,
    plan: Option<Plan>,
    struck: Vec<Fault>,
    requests: Vec<String>,
    /// Why it serves nobody any more.
    failure: Option<String>,
}

impl FaultProxy {
    /// Listens on a free port of the loopback interface, in front of this server. It need not be there yet.
    pub fn start(server: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let addr = listener.local_addr()?;
        let (running, ended) = UnixStream::pair()?;
        let shared = Arc::new(Shared { server, state: Mutex::default(), changed: Condvar::new() });
        let threads = Arc::clone(&shared);
        thread::spawn(move || listener::run(listener, &threads, &ended));
        Ok(Self { addr, shared, _running: running })
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What is to strike, behind what was ordered before.
    pub fn order(&self, faults: impl IntoIterator<Item = Fault>) {
        self.shared.change(|state| state.faults.extend(faults));
    }

    /// Strikes with one fault of this plan after the other, behind those that are ordered.
    pub fn follow(&self, plan: Plan) {
        self.shared.change(|state| state.plan = Some(plan));
    }

    /// Forgets what is ordered and planned. A connection that has taken its fault already keeps it.
    pub fn calm(&self) {
        self.shared.change(|state| {
            state.faults.clear();
            state.plan = None;
        });
    }

    /// The faults that have struck, in their order.
    pub fn struck(&self) -> Vec<Fault> {
        self.shared.lock().struck.clone()
    }

    /// The heads of all requests so far, those that the server never saw too.
    pub fn requests(&self) -> Vec<String> {
        self.shared.lock().requests.clone()
    }

    /// Waits until so many faults have struck since it was started.
    pub fn wait_for_struck(&self, count: usize, timeout: Duration) -> io::Result<()> {
        self.shared.wait_for(&format!("fault number {count}"), timeout, |state| state.struck.len() >= count)
    }

    /// Waits until so many kinds of faults have struck since it was started.
    pub fn wait_for_kinds(&self, count: usize, timeout: Duration) -> io::Result<()> {
        self.shared.wait_for(&format!("{count} kinds of faults"), timeout, |state| {
            state.struck.iter().map(Fault::kind).collect::<BTreeSet<_>>().len() >= count
        })
    }

    /// Waits until so many requests have come since it was started.
    pub fn wait_for_requests(&self, count: usize, timeout: Duration) -> io::Result<()> {
        let is_there = |state: &State| state.requests.len() >= count;
        self.shared.wait_for(&format!("request number {count}"), timeout, is_there)
    }
}

impl Shared {
    /// What the next connection is to suffer.
    fn next_fault(&self) -> Option<Fault> {
        let mut state = self.lock();
        let ordered = state.faults.pop_front();
        ordered.or_else(|| state.plan.as_mut().map(Plan::draw))
    }

    fn note_request(&self, head: &[u8]) {
        self.change(|state| state.requests.push(String::from_utf8_lossy(head).into_owned()));
    }

    fn note_struck(&self, fault: Fault) {
        self.change(|state| state.struck.push(fault));
    }

    fn note_failure(&self, error: &io::Error) {
        self.change(|state| state.failure = Some(error.to_string()));
    }

    /// A fault that has not struck is the next one's.
    fn give_back(&self, fault: Fault) {
        self.change(|state| state.faults.push_front(fault));
    }

    fn wait_for(&self, what: &str, timeout: Duration, is_there: impl Fn(&State) -> bool) -> io::Result<()> {
        let deadline = Deadline::after(timeout);
        let mut state = self.lock();
        while !is_there(&state) {
            if let Some(failure) = &state.failure {
                return Err(io::Error::other(format!("no {what}: {failure}")));
            }
            let left = deadline.left(what)?;
            (state, _) = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// No thread panics while it holds the lock.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
