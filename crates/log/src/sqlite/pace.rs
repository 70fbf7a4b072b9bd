//! How much one step of work between commits does, so that publishing never waits long for it.

use std::time::Duration;

/// What a step may take. Publishing waits for at most one.
pub(super) const STEP: Duration = Duration::from_millis(3);

/// Rows of a step, at least: less would not keep up with what comes in.
const LEAST: usize = 64;
/// And at most.
const MOST: usize = 4096;

/// Rows that a step takes on, by what the last ones took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace(usize);

impl Default for Pace {
    fn default() -> Self {
        Self(4 * LEAST)
    }
}

impl Pace {
    /// How many rows.
    pub(super) fn rows(self) -> usize {
        self.0
    }

    /// A step took so long.
    pub(super) fn took(&mut self, time: Duration) {
        if time > STEP {
            self.0 = (self.0 / 2).max(LEAST);
        } else if time < STEP / 2 {
            self.0 = (self.0 * 2).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_step_makes_the_next_smaller_within_bounds() {
        let check = |took: Duration, steps: usize, expected: usize| {
            let mut pace = Pace::default();
            (0..steps).for_each(|_| pace.took(took));
            assert_eq!(pace.rows(), expected, "{took:?}");
        };
        check(STEP * 2, 1, 2 * LEAST);
        check(STEP * 2, 9, LEAST);
        check(STEP, 9, 4 * LEAST);
        check(STEP / 9, 1, 8 * LEAST);
        check(STEP / 9, 99, MOST);
    }
}
