//! How far a tail has come, and what it tells of a page; the same for every log. Where pages come from is the log's own.

use fanfare_event::Seq;

use crate::{Page, Tail};

/// How far a tail has come.
#[derive(Debug)]
pub(crate) struct Reach {
    /// The seq that it reads from.
    next: Seq,
    /// Whether it has a place to be overtaken at; a tail of all that is held begins with the oldest.
    begun: bool,
}

impl Reach {
    /// Behind `after`, or, where that is `None`, before all that is held.
    pub(crate) fn behind(after: Option<Seq>) -> Self {
        Self { next: after.map_or(Seq::FIRST, Seq::next), begun: after.is_some() }
    }

    /// The seq to read from.
    pub(crate) fn next(&self) -> Seq {
        self.next
    }

    /// Takes the page that was read from [`Reach::next`], and says what is told of it.
    pub(crate) fn take(&mut self, page: Page) -> Vec<Tail> {
        let mut items = Vec::with_capacity(page.events.len() + 1);
        if self.begun && page.oldest > self.next {
            items.push(Tail::Trimmed { oldest: page.oldest });
        }
        self.begun = true;
        self.next = page.next.max(page.oldest);
        items.extend(page.events.into_iter().map(Tail::Event));
        items
    }
}
