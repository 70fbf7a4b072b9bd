//! What the publisher, the follower and the one who kills know of each other. Everybody waits for that, nobody for a time.

use std::sync::{Condvar, Mutex};

use crate::kit::LONG;

#[derive(Default)]
pub(crate) struct Run {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    broker_is_down: bool,
    server_is_down: bool,
    shown: usize,
}

impl Run {
    pub(crate) fn set_broker_is_down(&self, is_down: bool) {
        self.change(|state| state.broker_is_down = is_down);
    }

    pub(crate) fn set_server_is_down(&self, is_down: bool) {
        self.change(|state| state.server_is_down = is_down);
    }

    pub(crate) fn shown(&self, count: usize) {
        self.change(|state| state.shown = count);
    }

    pub(crate) fn wait_for_broker(&self) {
        self.wait("broker", |state| !state.broker_is_down);
    }

    pub(crate) fn wait_for_server(&self) {
        self.wait("server", |state| !state.server_is_down);
    }

    pub(crate) fn wait_for_shown(&self, count: usize) {
        self.wait("events shown", |state| state.shown >= count);
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
