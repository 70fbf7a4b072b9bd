//! What publishers, followers and the one who kills know of each other: how far they are, and which ends of the chain are
//! there. Everybody waits for that, nobody for a time.

use std::net::SocketAddr;
use std::sync::{Condvar, Mutex};

use crate::LONG;

/// Events that publishers may be before what the last instance shows, so that they publish until the end, and the rest is
/// soon there.
const LEAD: u64 = 2000;

pub(crate) struct Run {
    pub(crate) first: SocketAddr,
    pub(crate) last: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

/// See [`Run::publishing`].
pub(crate) struct Publishing<'a>(&'a Run);

#[derive(Default)]
struct State {
    is_down: bool,
    /// Events acknowledged by the first instance.
    acknowledged: u64,
    /// Events shown by the last one.
    shown: u64,
    is_ending: bool,
}

impl Run {
    pub(crate) fn new(first: SocketAddr, last: SocketAddr) -> Self {
        Self { first, last, state: Mutex::default(), changed: Condvar::new() }
    }

    pub(crate) fn acknowledged(&self, events: usize) {
        self.change(|state| state.acknowledged += events as u64);
    }

    pub(crate) fn shown(&self) {
        self.change(|state| state.shown += 1);
    }

    pub(crate) fn set_is_down(&self, is_down: bool) {
        self.change(|state| state.is_down = is_down);
    }

    /// Publishers publish until this is dropped, which a panic does too; what is under way is still published.
    pub(crate) fn publishing(&self) -> Publishing<'_> {
        Publishing(self)
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.state.lock().unwrap().is_ending
    }

    /// Waits for so many more.
    pub(crate) fn wait_for_acknowledged(&self, more: u64) {
        let then = self.state.lock().unwrap().acknowledged + more;
        self.wait("acknowledgements", |state| state.acknowledged >= then);
    }

    /// Waits for so many more.
    pub(crate) fn wait_for_shown(&self, more: u64) {
        let then = self.state.lock().unwrap().shown + more;
        self.wait("events shown", |state| state.shown >= then);
    }

    /// For one whose connection has failed.
    pub(crate) fn wait_for_the_servers(&self) {
        self.wait("server", |state| !state.is_down);
    }

    /// For one who publishes: waits until the last instance is not too far behind.
    pub(crate) fn wait_for_the_last(&self) {
        self.wait("events shown", |state| state.acknowledged < state.shown + LEAD || state.is_ending);
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

impl Drop for Publishing<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.is_ending = true);
    }
}
