//! One moment until which a wait may take, however many steps it has.

use std::io;
use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    end: Instant,
    allowed: Duration,
}

impl Deadline {
    pub(crate) fn after(allowed: Duration) -> Self {
        Self { end: Instant::now() + allowed, allowed }
    }

    /// What is left, never zero: a zero read timeout would mean "forever" to a socket.
    pub(crate) fn left(self, waiting_for: &str) -> io::Result<Duration> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(self.missed(waiting_for)) } else { Ok(left) }
    }

    /// The error of a wait that came to nothing.
    pub(crate) fn missed(self, waiting_for: &str) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, format!("no {waiting_for} within {:?}", self.allowed))
    }
}
