//! How far sending has come, for a person: a bar on standard error from the second event on, where that is a terminal.

use std::io::{self, IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressStyle};

const KNOWN: &str = "{wide_bar} {bytes}/{total_bytes}  events {msg}  {eta} left";
const UNKNOWN: &str = "{spinner} {bytes}  events {msg}  {elapsed}";

/// The bar, or nothing where nobody would see it.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    total: Option<u64>,
    is_wanted: bool,
}

impl Progress {
    /// `total` is the bytes of the input, where they are known.
    pub(super) fn new(total: Option<u64>, is_quiet: bool) -> Self {
        Self { bar: None, total, is_wanted: !is_quiet && io::stderr().is_terminal() }
    }

    /// So many events are done, and so many bytes of the input with them.
    pub(super) fn done(&mut self, events: u64, bytes: u64) {
        if !self.is_wanted || self.total.is_some_and(|total| bytes >= total) && self.bar.is_none() {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| bar(self.total));
        bar.set_position(bytes);
        bar.set_message(events.to_string());
    }

    /// Writes something else, on whichever of the two outputs, without the bar in between.
    pub(super) fn aside<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }

    /// Says something on standard error.
    pub(super) fn say(&self, line: &str) {
        // Nobody is left to tell if standard error is gone.
        self.aside(|| drop(writeln!(io::stderr(), "{line}")));
    }

    /// Takes the bar away.
    pub(super) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (ProgressBar::new(total), KNOWN),
        None => (ProgressBar::new_spinner(), UNKNOWN),
    };
    // The templates are well-formed, as a test holds; the library's own would do.
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_templates_are_well_formed() {
        for template in [KNOWN, UNKNOWN] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
