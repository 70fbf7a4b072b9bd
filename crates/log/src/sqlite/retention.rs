//! What is kept, as a decision: from what is held and what the time is to how many of the oldest rows go. Removing them
//! is the writer's.

use std::time::Duration;

/// What is kept. What is older, and the oldest of what is more, goes; `None` is without a limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileRetention {
    /// Since the log took it.
    pub max_age: Option<Duration>,
    /// How many.
    pub max_events: Option<u64>,
    /// Of the file, without the space in it that is free and without what lies beside it (the WAL, at most
    /// [`super::WAL_BYTES`] and then as much again while it is emptied).
    pub max_bytes: Option<u64>,
}

/// What is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) rows: u64,
    /// Bytes of the file that are in use.
    pub(super) bytes: u64,
}

/// Of what is beyond a limit a bit more goes, one part in this many, so that not every commit has to remove something.
const SLACK: u64 = 64;

impl FileRetention {
    /// Whether rows go whatever their age.
    pub(super) fn is_exceeded(&self, held: Held) -> bool {
        self.max_events.is_some_and(|max| held.rows > max)
            || self.max_bytes.is_some_and(|max| held.bytes > max)
    }

    /// How many of the oldest rows go now; they were stored at these times (milliseconds since 1970). All may go by age
    /// or by bytes, `max_events` stay by count.
    pub(super) fn removable(&self, held: Held, now: i64, stored_at: impl IntoIterator<Item = i64>) -> usize {
        let by_count = match self.max_events {
            Some(max) if held.rows > max => held.rows - (max - max / SLACK),
            _ => 0,
        };
        // A row's share of the file, so that a step never takes much more than it has to.
        let by_bytes = match self.max_bytes {
            Some(max) if held.bytes > max => {
                let share = (held.bytes / held.rows.max(1)).max(1);
                (held.bytes - (max - max / SLACK)).div_ceil(share)
            }
            _ => 0,
        };
        let oldest_kept =
            self.max_age.map(|age| now.saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX)));
        let many = usize::try_from(by_count.max(by_bytes)).unwrap_or(usize::MAX);
        stored_at
            .into_iter()
            .enumerate()
            .take_while(|(index, at)| *index < many || oldest_kept.is_some_and(|kept| *at <= kept))
            .count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_by_whichever_limit_is_met() {
        let check = |retention: FileRetention, rows: u64, bytes: u64, now: i64, expected: usize| {
            let times = (0..rows.min(1000)).map(|n| i64::try_from(n * 1000).unwrap());
            let held = Held { rows, bytes };
            assert_eq!(retention.removable(held, now, times), expected, "{retention:?} {held:?} {now}");
        };
        let count = |max| FileRetention { max_events: Some(max), ..FileRetention::default() };
        check(FileRetention::default(), 10, u64::MAX, i64::MAX, 0);
        check(count(8), 8, 0, 0, 0);
        check(count(8), 9, 0, 0, 1);
        check(count(640), 640, 0, 0, 0);
        check(count(640), 641, 0, 0, 11);
        check(count(1), 5, 0, 0, 4);
        let age = FileRetention { max_age: Some(Duration::from_secs(3)), ..FileRetention::default() };
        check(age, 10, 0, 2999, 0);
        check(age, 10, 0, 3000, 1);
        check(age, 10, 0, 5500, 3);
        check(age, 10, 0, i64::MAX, 10);
        let bytes = FileRetention { max_bytes: Some(64_000), ..FileRetention::default() };
        check(bytes, 64, 64_000, 0, 0);
        check(bytes, 65, 65_000, 0, 2);
        check(bytes, 0, 65_000, 0, 0);
        check(FileRetention { max_age: age.max_age, ..count(8) }, 10, 0, 3000, 2);
    }
}
