//! What is said of messages that are refused: at once, and then now and then how many.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use fanfare_event::SourceName;
use tracing::warn;

/// Between two lines about one kind of refusal. A queue or a stream full of bad messages must not fill the disk.
const QUIET: Duration = Duration::from_secs(10);

/// What is wrong with messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    /// It is not what the profile says.
    Body,
    /// A transformer refuses it, or what comes out of it is not an event.
    Event,
    /// It does not say whom it is for.
    Route,
    /// The log cannot take it.
    Log,
}

#[derive(Debug)]
pub(super) struct Refusals {
    /// What becomes of a message that is refused.
    consequence: &'static str,
    kinds: HashMap<Kind, Told>,
    /// Since the start.
    total: u64,
}

#[derive(Debug)]
struct Told {
    at: Instant,
    /// Since then.
    untold: u64,
}

impl Refusals {
    pub(super) fn new(consequence: &'static str) -> Self {
        Self { consequence, kinds: HashMap::new(), total: 0 }
    }

    /// A message was refused. `problem` must not quote its body.
    pub(super) fn refused(&mut self, source: &SourceName, kind: Kind, problem: &str, now: Instant) {
        if let Some(count) = self.count(kind, now) {
            let Self { consequence, total, .. } = self;
            warn!(%source, problem, messages = count, total, "refused: {consequence}");
        }
    }

    /// How many refusals a line is to tell of; `None` while none is to be written.
    fn count(&mut self, kind: Kind, now: Instant) -> Option<u64> {
        self.total += 1;
        let Some(told) = self.kinds.get_mut(&kind) else {
            self.kinds.insert(kind, Told { at: now, untold: 0 });
            return Some(1);
        };
        told.untold += 1;
        if now.saturating_duration_since(told.at) < QUIET {
            return None;
        }
        told.at = now;
        Some(std::mem::take(&mut told.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_at_once_and_then_now_and_then() {
        let start = Instant::now();
        let mut refusals = Refusals::new("it is gone");
        let mut check = |kind, seconds, expected| {
            assert_eq!(refusals.count(kind, start + Duration::from_secs(seconds)), expected);
        };
        check(Kind::Body, 0, Some(1));
        check(Kind::Body, 1, None);
        check(Kind::Route, 1, Some(1));
        check(Kind::Body, 9, None);
        check(Kind::Body, 10, Some(3));
        check(Kind::Body, 11, None);
        check(Kind::Route, 30, Some(1));
    }
}
