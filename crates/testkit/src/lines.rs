//! Lines of a child's output, collected by a thread of their own, so that the child never blocks on a full pipe
//! and a test can wait for a line.

use std::io::{self, BufRead as _, BufReader, Read};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::deadline::Deadline;

#[derive(Clone, Debug, Default)]
pub(crate) struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<String>,
    /// The child has closed this output.
    ended: bool,
}

impl Lines {
    /// Starts to collect. The thread ends with the output.
    pub(crate) fn collect(output: impl Read + Send + 'static) -> Self {
        let lines = Self::default();
        let collected = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                collected.lock().lines.push(String::from_utf8_lossy(&line).into_owned());
                collected.0.changed.notify_all();
            }
            collected.lock().ended = true;
            collected.0.changed.notify_all();
        });
        lines
    }

    /// Everything so far.
    pub(crate) fn all(&self) -> Vec<String> {
        self.lock().lines.clone()
    }

    /// Waits for the first line of which `pick` makes something.
    pub(crate) fn wait_for<T>(
        &self,
        what: &str,
        timeout: Duration,
        pick: impl Fn(&str) -> Option<T>,
    ) -> io::Result<T> {
        let deadline = Deadline::after(timeout);
        let mut looked_at = 0;
        let mut state = self.lock();
        loop {
            let new = state.lines.get(looked_at..).unwrap_or_default();
            if let Some(found) = new.iter().find_map(|line| pick(line)) {
                return Ok(found);
            }
            looked_at = state.lines.len();
            if state.ended {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("output ended without {what}"),
                ));
            }
            let left = deadline.left(what)?;
            (state, _) = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until the output has ended.
    pub(crate) fn wait_for_end(&self, what: &str, timeout: Duration) -> io::Result<()> {
        let deadline = Deadline::after(timeout);
        let mut state = self.lock();
        while !state.ended {
            let left = deadline.left(what)?;
            (state, _) = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
        }
        Ok(())
    }

    /// A panic in another thread that holds the lock leaves the lines as they were.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
