//! How long to wait between tries to connect.

use std::time::Duration;

/// The longest wait. A broker that is back is used again within it.
pub(crate) const LONGEST: Duration = Duration::from_secs(30);

/// Waits that double from try to try.
#[derive(Clone, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(first: Duration) -> Self {
        let first = first.min(LONGEST);
        Self { first, next: first }
    }

    /// The next wait: between a half and the whole of what has doubled so far, so that those who lost one broker do not
    /// come back to it at once. `random` is from 0 to 1.
    pub(crate) fn wait(&mut self, random: f64) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(LONGEST);
        whole.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0)
    }

    /// A connection came about.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_bound_and_begin_anew() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        let seconds: Vec<_> = (0..7).map(|_| backoff.wait(1.0).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30]);
        backoff.reset();
        assert_eq!(backoff.wait(0.0), Duration::from_millis(500));
        assert_eq!(backoff.wait(7.0), Duration::from_secs(2));
    }
}
