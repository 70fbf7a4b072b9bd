//! What a session makes of what the log has for it, or of there being nothing.

use std::time::Duration;

use bytes::Bytes;
use fanfare_event::Seq;

use super::{Found, Millis, Session};
#[cfg(doc)]
use crate::Step;
use crate::{Moment, View};

/// How long to wait before asking a log again that had nothing new, or failed once. Each further failure doubles it.
pub(super) const READ_AGAIN: Duration = Duration::from_millis(500);

/// How often it doubles at most: a log that failed for long is asked every eight seconds.
const MAX_DOUBLINGS: u32 = 4;

impl Session {
    /// Takes what [`Step::Read`] asked for. Returns what is to be written of it, if anything is: whole blocks.
    pub fn found(&mut self, now: Moment, found: Found) -> Option<Bytes> {
        match found {
            Found::Page(page) => return self.page(now, &page),
            Found::Trimmed(oldest) => self.trimmed(oldest),
            Found::Nothing => self.nothing_new(now),
            Found::Failed => self.log_failed(now),
        }
        None
    }

    /// The page that was asked for, unless the cursor has moved since.
    pub(super) fn page(&mut self, now: Moment, page: &View) -> Option<Bytes> {
        let from = self.from();
        if !(page.from()..page.next()).contains(&from) {
            self.nothing_new(now);
            return None;
        }
        self.read_again(Moment::ZERO, 0);
        let (count, bytes) = page.behind(self.after);
        self.after = page.next().previous();
        self.index += count;
        if count == 0 {
            return None;
        }
        self.frames += count;
        self.silent_since = Millis::of(now);
        Some(bytes)
    }

    /// The log no longer has anything before `oldest`.
    pub(super) fn trimmed(&mut self, oldest: Seq) {
        self.read_again(Moment::ZERO, 0);
        self.after = self.after.max(oldest.previous());
        self.flags.jumped = true;
    }

    /// The log has nothing yet; it is asked again after a while.
    pub(super) fn nothing_new(&mut self, now: Moment) {
        self.read_again(now + READ_AGAIN, 0);
    }

    /// The log did not answer; it is asked again after a while.
    pub(super) fn log_failed(&mut self, now: Moment) {
        let failures = self.rare.as_ref().map_or(0, |rare| rare.failures);
        let not_before = now + READ_AGAIN * 2_u32.pow(failures.min(MAX_DOUBLINGS));
        self.read_again(not_before, failures.saturating_add(1));
    }

    fn read_again(&mut self, not_before: Moment, failures: u32) {
        if self.rare.is_some() || not_before > Moment::ZERO {
            let rare = self.rare.get_or_insert_default();
            (rare.read_not_before, rare.failures) = (not_before, failures);
        }
    }
}
