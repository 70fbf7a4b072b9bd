//! The text of HCL that could be read, masked.

use std::ops::Range;

use super::hide;
use crate::hcl::Words;

/// Masks all but keys, kinds and labels of blocks, and values under keys whose values anyone may see. Comments are
/// masked whole, as are values; between those a text has only punctuation.
pub(crate) fn words(text: &str, words: &Words) -> String {
    let mut known: Vec<_> = words.shown.iter().chain(&words.hidden).cloned().collect();
    known.sort_by_key(|range| (range.start, range.end));
    let mut hidden = words.hidden.clone();
    let mut at = 0;
    for range in known.into_iter().chain(std::iter::once(text.len()..text.len())) {
        between(text, at..range.start, &mut hidden);
        at = at.max(range.end);
    }
    hide(text, hidden)
}

/// What is in a gap between words: comments, and nothing else that has letters.
fn between(text: &str, gap: Range<usize>, hidden: &mut Vec<Range<usize>>) {
    let Some(mut rest) = text.get(gap.clone()) else { return };
    while let Some(c) = rest.chars().next() {
        let start = gap.end - rest.len();
        let marker = ["#", "//", "/*"].into_iter().find(|marker| rest.starts_with(marker));
        let length = match marker {
            Some("/*") => rest.find("*/").unwrap_or(rest.len()),
            Some(_) => rest.find('\n').unwrap_or(rest.len()),
            None => c.len_utf8(),
        };
        match marker {
            Some(marker) => hidden.push(start + marker.len()..start + length.max(marker.len())),
            None if !c.is_ascii_punctuation() && !c.is_whitespace() => hidden.push(start..start + length),
            None => {}
        }
        rest = rest.get(length.max(1)..).unwrap_or_default();
    }
}
