//! What publishers, followers and the one who kills know of each other: how far they are, and whether the server is
//! there. Everybody waits for that, nobody for a time.

use std::net::SocketAddr;
use std::sync::{Condvar, Mutex};

use fanfare_testkit::sse::Client;

use crate::LONG;

/// Steps of others for one of a slow follower. Those who keep up take half a dozen for each event.
const SLOWNESS: u64 = 20;

pub(crate) struct Run {
    pub(crate) addr: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_down: bool,
    /// Answered publications since the server was last started.
    acknowledged: u64,
    /// Events shown to followers since then.
    shown: u64,
    /// Everything that was ever acknowledged or shown: the clock of those who are slow.
    steps: u64,
    is_ending: bool,
}

impl Run {
    pub(crate) fn new(addr: SocketAddr) -> Self {
        Self { addr, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Where a stream of this sink begins now.
    pub(crate) fn position(&self, target: &str) -> String {
        Client::open(self.addr, target, &[]).unwrap().head().header("last-event-id").unwrap().to_owned()
    }

    pub(crate) fn acknowledged(&self) {
        self.change(|state| {
            state.acknowledged += 1;
            state.steps += 1;
        });
    }

    pub(crate) fn shown(&self) {
        self.change(|state| {
            state.shown += 1;
            state.steps += 1;
        });
    }

    pub(crate) fn going_down(&self) {
        self.change(|state| *state = State { is_down: true, steps: state.steps, ..State::default() });
    }

    pub(crate) fn is_up(&self) {
        self.change(|state| state.is_down = false);
    }

    /// What is under way is still published.
    pub(crate) fn stop_publishing(&self) {
        self.change(|state| state.is_ending = true);
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.state.lock().unwrap().is_ending
    }

    pub(crate) fn wait_for_acknowledgements(&self, count: u64) {
        self.wait("acknowledgements", |state| state.acknowledged >= count);
    }

    pub(crate) fn wait_for_events_shown(&self, count: u64) {
        self.wait("events shown", |state| state.shown >= count);
    }

    /// For one whose connection has failed.
    pub(crate) fn wait_for_the_server(&self) {
        self.wait("server", |state| !state.is_down);
    }

    /// For one who is slow: waits until others have done much, or nobody will any more.
    pub(crate) fn dawdle(&self) {
        let then = self.state.lock().unwrap().steps + SLOWNESS;
        self.wait("steps of others", |state| state.steps >= then || state.is_ending);
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
        self.changed.notify_all();
    }

    fn wait(&self, what: &str, is_there: impl Fn(&State) -> bool) {
        let state = self.state.lock().unwrap();
        let waited = self.changed.wait_timeout_while(state, LONG, |state| !is_there(state)).unwrap();
        // Nobody else is to fail by a lock that this panic poisons.
        let missing = waited.1.timed_out();
        drop(waited);
        assert!(!missing, "no {what} within {LONG:?}");
    }
}
