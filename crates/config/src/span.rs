//! Places in the texts that a configuration was read from.

use std::ops::Range;

/// A place: a file, and a range of bytes in it.
///
/// It says where a value was written and not what it is, so all spans are equal: two configurations that mean the
/// same are equal wherever they were written.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    file: u32,
    start: u32,
    end: u32,
}

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}

impl Span {
    pub(crate) fn new(file: u32, range: Range<usize>) -> Self {
        let at = |offset: usize| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { file, start: at(range.start), end: at(range.end.max(range.start)) }
    }

    /// The part of this place from byte `start` to byte `end`, counted from its beginning; cut off at its end.
    #[must_use]
    pub fn part(self, start: usize, end: usize) -> Self {
        let range = self.range();
        let at = |offset: usize| range.start.saturating_add(offset).min(range.end);
        Self::new(self.file, at(start)..at(end))
    }

    pub(crate) fn file(self) -> u32 {
        self.file
    }

    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}
