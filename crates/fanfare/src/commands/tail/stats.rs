//! How much comes, and how late. Pure: times are handed in.

use std::fmt::Write as _;
use std::time::Duration;

/// Latencies that percentiles are taken of. Of more, each has the same chance to be among them (reservoir sampling).
const SAMPLES: usize = 4096;

/// What has come so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Stats {
    events: u64,
    /// Events, and the time since the start, when the rate was last said.
    said: (u64, Duration),
    /// The age that the newest event that has a time had when it came.
    lag: Option<Duration>,
    latencies: Vec<Duration>,
    /// Events with a time.
    timed: u64,
    /// Times that the stream said that something is missing, and events that it counted.
    gaps: u64,
    missed: u64,
    reconnects: u64,
}

impl Stats {
    /// An event came, so long after it happened, where it says when. `random` is from 0 up to but not 1.
    pub(super) fn event(&mut self, latency: Option<Duration>, random: f64) {
        self.events += 1;
        let Some(latency) = latency else { return };
        self.lag = Some(latency);
        self.timed += 1;
        if self.latencies.len() < SAMPLES {
            self.latencies.push(latency);
            return;
        }
        // Algorithm R: the new one takes a place with the chance that each has.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a place among so many; one that is off by a rounding is as random"
        )]
        let place = (random * self.timed as f64) as usize;
        if let Some(sample) = self.latencies.get_mut(place) {
            *sample = latency;
        }
    }

    /// The stream said that something is missing, and perhaps how much.
    pub(super) fn gap(&mut self, missed: Option<u64>) {
        self.gaps += 1;
        self.missed = self.missed.saturating_add(missed.unwrap_or(0));
    }

    pub(super) fn reconnected(&mut self) {
        self.reconnects += 1;
    }

    /// A line for now, with the rate since the last one.
    pub(super) fn line(&mut self, elapsed: Duration) -> String {
        let (events, since) = std::mem::replace(&mut self.said, (self.events, elapsed));
        self.text(rate(self.events - events, elapsed.saturating_sub(since)))
    }

    /// A line for the end, with the rate over all.
    pub(super) fn last_line(&self, elapsed: Duration) -> String {
        self.text(rate(self.events, elapsed))
    }

    fn text(&self, rate: f64) -> String {
        let mut text = format!("events {}  {rate:.1}/s", self.events);
        // Writing to a string cannot fail.
        if let Some(lag) = self.lag {
            let _ = write!(text, "  lag {}", short(lag));
        }
        if let (Some(median), Some(tail)) = (self.percentile(50), self.percentile(99)) {
            let _ = write!(text, "  latency p50 {} p99 {}", short(median), short(tail));
        }
        let _ = write!(text, "  gaps {}  missed {}  reconnects {}", self.gaps, self.missed, self.reconnects);
        text
    }

    /// The smallest latency that so many of a hundred do not exceed.
    fn percentile(&self, of_a_hundred: usize) -> Option<Duration> {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * of_a_hundred).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied()
    }
}

fn rate(events: u64, time: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "it is shown with one digit")]
    let events = events as f64;
    if time.is_zero() { 0.0 } else { events / time.as_secs_f64() }
}

/// A duration in few characters.
fn short(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{} ms", time.as_millis()),
        10..600 => format!("{seconds} s"),
        600..36_000 => format!("{} min", seconds / 60),
        36_000..864_000 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_line_says_what_came_since_the_last_one() {
        let mut stats = Stats::default();
        assert_eq!(stats.line(ms(0)), "events 0  0.0/s  gaps 0  missed 0  reconnects 0");
        for latency in 1..=200 {
            stats.event(Some(ms(latency)), 0.0);
        }
        stats.event(None, 0.0);
        stats.gap(Some(15));
        stats.gap(None);
        stats.reconnected();
        assert_eq!(
            stats.line(ms(2000)),
            "events 201  100.5/s  lag 200 ms  latency p50 100 ms p99 198 ms  gaps 2  missed 15  reconnects 1"
        );
        assert!(stats.line(ms(3000)).starts_with("events 201  0.0/s"));
        assert!(stats.last_line(ms(4020)).starts_with("events 201  50.0/s"));
    }

    #[test]
    fn as_many_latencies_are_kept_as_there_is_room_for() {
        let mut stats = Stats::default();
        for _ in 0..SAMPLES {
            stats.event(Some(ms(1)), 0.0);
        }
        stats.event(Some(ms(7)), 0.999_999);
        assert_eq!(stats.percentile(100), Some(ms(1)), "it drew no place");
        stats.event(Some(ms(9)), 0.0);
        assert_eq!((stats.percentile(100), stats.latencies.len()), (Some(ms(9)), SAMPLES));
    }

    #[test]
    fn durations_are_short() {
        let check = |seconds: u64, expected: &str| assert_eq!(short(Duration::from_secs(seconds)), expected);
        check(0, "0 ms");
        check(9, "9000 ms");
        check(10, "10 s");
        check(600, "10 min");
        check(36_000, "10 h");
        check(864_000, "10 d");
        assert_eq!(short(Duration::MAX).split(' ').next_back(), Some("d"));
    }
}
