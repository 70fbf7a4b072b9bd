//! When to come back. Pure.

use std::time::Duration;

/// The longest wait that the client comes to by itself. A server that is back is used again within it.
const LONGEST: Duration = Duration::from_secs(30);

/// The longest wait that a server can ask for (`retry:`, `Retry-After`): a mistake there must not end a source for days.
const LONGEST_ASKED: Duration = Duration::from_mins(5);

/// The least that doubles, and the shortest wait that a server can ask for: so that one that wants us back at once is not
/// asked a thousand times a second, neither while it is down nor where it ends each stream behind its first event.
const LEAST: Duration = Duration::from_millis(100);

/// A stream that has lived so long was none of a row of failures, whatever came of it.
const PROVEN: Duration = Duration::from_secs(10);

/// How much later than its own waits the client comes at most, so that those who lost one server do not come back to it
/// at once.
const SPREAD: f64 = 0.5;

/// The same for waits that the server asks for: it knows how many it has lost and may have spread them itself, as Fanfare
/// does. Some servers ask all of them for the same.
const SPREAD_ASKED: f64 = 0.1;

/// Waits between connections: what the server asks for, doubling with each failure behind another one, and jittered.
#[derive(Clone, Debug)]
pub(crate) struct Reconnect {
    delay: Duration,
    /// Whether that is what the server asked for.
    is_asked: bool,
    max_retries: Option<u32>,
    /// Behind each other.
    failures: u32,
}

impl Reconnect {
    pub(crate) fn new(delay: Duration, max_retries: Option<u32>) -> Self {
        Self { delay: delay.min(LONGEST_ASKED), is_asked: false, max_retries, failures: 0 }
    }

    /// The server says how long to wait (`retry:`).
    pub(crate) fn asked(&mut self, delay: Duration) {
        self.delay = delay.clamp(LEAST, LONGEST_ASKED);
        self.is_asked = true;
    }

    /// Something came that moves its reader on.
    pub(crate) fn progressed(&mut self) {
        self.failures = 0;
    }

    /// A connection that lived so long has ended, or a try has failed at once. Never before what the server asked for;
    /// `random`, from 0 to 1, is how much of the spread is added. `None`: it was tried often enough.
    pub(crate) fn wait(&mut self, lived: Duration, asked: Option<Duration>, random: f64) -> Option<Duration> {
        if lived >= PROVEN {
            self.progressed();
        }
        self.failures = self.failures.saturating_add(1);
        if self.max_retries.is_some_and(|most| self.failures > most) {
            return None;
        }
        let spread = |wait: Duration, most: f64| wait.mul_f64(1.0 + random.clamp(0.0, 1.0) * most);
        let doublings = self.failures - 1;
        let own = if doublings == 0 {
            spread(self.delay, if self.is_asked { SPREAD_ASKED } else { SPREAD })
        } else {
            let factor = 2_u32.saturating_pow(doublings);
            spread(self.delay.max(LEAST).saturating_mul(factor).min(LONGEST.max(self.delay)), SPREAD)
        };
        let asked = asked.unwrap_or_default().min(LONGEST_ASKED);
        Some(own.max(spread(asked, SPREAD_ASKED)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    fn fail(reconnect: &mut Reconnect) -> Option<Duration> {
        reconnect.wait(Duration::ZERO, None, 0.0)
    }

    #[test]
    fn waits_double_to_a_bound_and_begin_anew_with_progress() {
        let mut reconnect = Reconnect::new(seconds(1), None);
        let waits: Vec<_> = (0..7).map(|_| fail(&mut reconnect).unwrap().as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
        reconnect.progressed();
        assert_eq!(fail(&mut reconnect), Some(seconds(1)));
        assert_eq!(reconnect.wait(seconds(1), None, 1.0), Some(seconds(3)), "half as much later");
        assert_eq!(reconnect.wait(PROVEN, None, 0.0), Some(seconds(1)), "it lived long enough");
        for _ in 0..100 {
            fail(&mut reconnect);
        }
        assert_eq!(fail(&mut reconnect), Some(LONGEST));
    }

    #[test]
    fn the_server_is_asked_when_it_says() {
        let mut reconnect = Reconnect::new(seconds(1), None);
        reconnect.asked(seconds(60));
        assert_eq!(fail(&mut reconnect), Some(seconds(60)));
        assert_eq!(fail(&mut reconnect), Some(seconds(60)), "its own word is the bound");
        reconnect.asked(seconds(100_000));
        assert_eq!(fail(&mut reconnect), Some(LONGEST_ASKED));
        reconnect.asked(Duration::ZERO);
        reconnect.progressed();
        assert_eq!(fail(&mut reconnect), Some(LEAST), "never at once");
        assert_eq!(fail(&mut reconnect), Some(2 * LEAST));
        assert_eq!(reconnect.wait(Duration::ZERO, Some(seconds(7)), 0.0), Some(seconds(7)));
        assert_eq!(reconnect.wait(Duration::ZERO, Some(Duration::MAX), 0.0), Some(LONGEST_ASKED));
    }

    #[test]
    fn what_the_server_asked_for_is_hardly_exceeded_the_first_time() {
        let mut reconnect = Reconnect::new(seconds(1), None);
        assert_eq!(reconnect.wait(Duration::ZERO, None, 1.0), Some(Duration::from_millis(1500)), "its own");
        reconnect.asked(seconds(3));
        reconnect.progressed();
        assert_eq!(reconnect.wait(Duration::ZERO, None, 1.0), Some(Duration::from_millis(3300)));
        assert_eq!(
            reconnect.wait(Duration::ZERO, None, 1.0),
            Some(seconds(9)),
            "twice that, and half as much"
        );
        reconnect.progressed();
        assert_eq!(
            reconnect.wait(Duration::ZERO, Some(seconds(10)), 1.0),
            Some(seconds(11)),
            "`Retry-After`"
        );
    }

    #[test]
    fn it_gives_up_after_so_many_failures_behind_each_other() {
        let mut reconnect = Reconnect::new(seconds(1), Some(2));
        assert!(fail(&mut reconnect).is_some());
        assert!(fail(&mut reconnect).is_some());
        reconnect.progressed();
        assert!(fail(&mut reconnect).is_some());
        assert!(fail(&mut reconnect).is_some());
        assert_eq!(fail(&mut reconnect), None);
        assert_eq!(fail(&mut Reconnect::new(seconds(1), Some(0))), None);
    }
}
