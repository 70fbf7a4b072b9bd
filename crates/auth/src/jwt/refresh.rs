//! When a published set of keys is fetched: at the start, then about hourly, sooner after a failure, and when a token
//! names a key that is not known. Times are since any one moment of the caller's, on a clock that is never set back.

use std::time::Duration;

/// Between two fetches that went well. Issuers let caches hold a set for about that long.
const EVERY: Duration = Duration::from_hours(1);

/// Between two fetches that were asked for, at least: a stranger can make up names of keys as fast as a network carries
/// them. Also between one that failed and the next.
pub const MIN_PAUSE: Duration = Duration::from_secs(10);

/// Between a fetch that failed and the next, at most.
const MAX_PAUSE: Duration = Duration::from_mins(5);

/// When to fetch, of one set; there is never more than one fetch under way.
#[derive(Debug)]
pub struct Refresh {
    next: Duration,
    /// When one was asked for, and was granted, last.
    asked: Option<Duration>,
    is_under_way: bool,
    /// In a row.
    failures: u32,
}

impl Refresh {
    /// The first fetch is due now.
    pub fn new(now: Duration) -> Self {
        Self { next: now, asked: None, is_under_way: false, failures: 0 }
    }

    /// Begins a fetch, or says when the next is due. Each that begins must be told the end of.
    pub fn begin(&mut self, now: Duration) -> Result<(), Duration> {
        if now < self.next {
            return Err(self.next);
        }
        self.is_under_way = true;
        Ok(())
    }

    /// The fetch has ended, and went well or not.
    pub fn end(&mut self, now: Duration, went_well: bool) {
        self.is_under_way = false;
        self.failures = if went_well { 0 } else { self.failures.saturating_add(1) };
        let pause = match self.failures {
            0 => EVERY,
            failures => MIN_PAUSE.saturating_mul(1 << (failures - 1).min(16)).min(MAX_PAUSE),
        };
        self.next = now + pause;
    }

    /// A token names a key that is not known. Whether to wait for the end of a fetch: one is under way, or is due now.
    pub fn ask(&mut self, now: Duration) -> bool {
        if self.is_under_way || self.next <= now {
            return true;
        }
        let is_granted = self.asked.is_none_or(|asked| now.saturating_sub(asked) >= MIN_PAUSE);
        if is_granted {
            self.asked = Some(now);
            self.next = now;
        }
        is_granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_set_is_fetched_hourly_and_sooner_after_failures() {
        let start = Duration::from_secs(5);
        let mut refresh = Refresh::new(start);
        let mut now = start;
        let mut check = |went_well: bool, expected: Duration| {
            assert_eq!(refresh.begin(now), Ok(()));
            now += SECOND;
            refresh.end(now, went_well);
            assert_eq!(refresh.begin(now), Err(now + expected));
            now += expected;
        };
        check(true, EVERY);
        check(false, 10 * SECOND);
        check(false, 20 * SECOND);
        check(false, 40 * SECOND);
        check(true, EVERY);
        check(false, 10 * SECOND);
        for _ in 0..100 {
            now += MAX_PAUSE;
            refresh.begin(now).unwrap();
            refresh.end(now, false);
        }
        assert_eq!(refresh.begin(now), Err(now + MAX_PAUSE));
    }

    #[test]
    fn however_many_ask_there_is_one_fetch_within_ten_seconds() {
        let start = Duration::from_secs(5);
        let mut refresh = Refresh::new(start);
        assert!(refresh.ask(start), "the first is due: wait for it");
        refresh.begin(start).unwrap();
        assert!(refresh.ask(start), "one is under way: wait for it");
        refresh.end(start + SECOND, true);
        let fetches = (0..1000).filter(|n| {
            let now = start + SECOND + *n * (SECOND / 20);
            let waits = refresh.ask(now);
            assert_eq!(refresh.ask(now), waits, "until it begins, all wait for it");
            let begins = refresh.begin(now).is_ok();
            assert_eq!(waits, begins, "who waits, waits for something");
            if begins {
                refresh.end(now, true);
            }
            begins
        });
        assert_eq!(fetches.count(), 5, "in fifty seconds, beside the one at the start");
    }
}
