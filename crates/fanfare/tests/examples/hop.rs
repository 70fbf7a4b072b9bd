//! One instance that listens to another, and what becomes of events when either of them dies.

use fanfare_testkit::Server;
use fanfare_testkit::sse::Client;
use serde_json::Value;

use crate::kit::{listen, next, publish};

pub(crate) struct Hop<'a> {
    pub(crate) from: &'a mut Server,
    pub(crate) webhook: &'a str,
    pub(crate) to: &'a mut Server,
    /// Where it is seen what has arrived.
    pub(crate) stream: &'a str,
    pub(crate) headers: &'a [(&'a str, &'a str)],
}

impl Hop<'_> {
    /// Kills one side, the other and both (SIGKILL): everything arrives, once and in order. The listener listens already.
    /// Gives the ids of what was published, of which each begins with `run`.
    pub(crate) fn check_outages(self, run: &str, event: impl Fn(&str) -> Value) -> [String; 4] {
        let ids =
            ["before", "without listener", "without both", "after all"].map(|when| format!("{run}, {when}"));
        let [before, without_listener, without_both, after_all] = &ids;

        let mut seen = listen(self.to, self.stream, self.headers);
        self.publish(&event(before));
        next(&mut seen, before);

        self.to.kill().unwrap();
        self.publish(&event(without_listener));
        self.to.restart().unwrap();
        let mut seen = self.come_back(before);
        next(&mut seen, without_listener);

        self.to.kill().unwrap();
        self.publish(&event(without_both));
        self.from.kill().unwrap();
        self.to.restart().unwrap();
        let mut seen = self.come_back(without_listener);
        self.from.restart().unwrap();
        next(&mut seen, without_both);

        self.from.restart().unwrap();
        self.publish(&event(after_all));
        next(&mut seen, after_all);
        ids
    }

    fn publish(&self, event: &Value) {
        publish(self.from, self.webhook, event);
    }

    fn come_back(&self, last: &str) -> Client {
        let headers = [self.headers, &[("last-event-id", last)]].concat();
        listen(self.to, self.stream, &headers)
    }
}
