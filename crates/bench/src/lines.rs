//! The lines of an event stream, wherever the network cut it. Only the start of each is kept, so that thousands of
//! clients can read fast and without memory of their own.

use std::io::BufRead as _;

/// Bytes of a line that are looked at: an event's data has its name well within them.
const LOOKED_AT: usize = 256;

#[derive(Default)]
pub(crate) struct Lines {
    /// The start of a line whose end has not come.
    begun: Vec<u8>,
    /// There is such a line. Its start may be empty.
    is_begun: bool,
}

impl Lines {
    /// Hands the start of every line that ends in `data` to `line`, in order.
    pub(crate) fn take(&mut self, mut data: &[u8], mut line: impl FnMut(&[u8])) {
        while !data.is_empty() {
            let mut rest = data;
            // Reading from memory does not fail, and this is the standard library's fast search for a byte.
            let length = rest.skip_until(b'\n').unwrap_or(data.len());
            let (now, behind) = data.split_at(length);
            data = behind;
            let Some((b'\n', now)) = now.split_last() else {
                self.begin(now);
                return;
            };
            if self.is_begun {
                self.begin(now);
                line(&self.begun);
                // An idle client holds no buffer; one whose lines are cut makes one again.
                self.begun = Vec::new();
                self.is_begun = false;
            } else {
                line(now.get(..LOOKED_AT).unwrap_or(now));
            }
        }
    }

    fn begin(&mut self, start: &[u8]) {
        self.is_begun = true;
        let room = LOOKED_AT.saturating_sub(self.begun.len()).min(start.len());
        self.begun.extend_from_slice(start.get(..room).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_seen_wherever_it_is_cut() {
        let long = format!("data: {}", "x".repeat(2 * LOOKED_AT));
        let stream = format!("event: cdevent\nid: 7\n{long}\n\n: keep-alive\n\nbegun");
        let expected = ["event: cdevent", "id: 7", &long[..LOOKED_AT], "", ": keep-alive", ""];
        for size in 1..=stream.len() {
            let (mut lines, mut seen) = (Lines::default(), Vec::new());
            for piece in stream.as_bytes().chunks(size) {
                lines.take(piece, |line| seen.push(String::from_utf8(line.to_vec()).unwrap()));
            }
            assert_eq!(seen, expected, "cut every {size} bytes");
        }
    }
}
