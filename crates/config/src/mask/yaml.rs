//! The text of a YAML document that could be read, masked.

use std::collections::BTreeSet;
use std::ops::Range;

use super::{Dialect, has_swallowed, hide};
use crate::native::sink::http_pull;
use crate::tree::{Data, Node, Table};
use crate::yaml::Document;

/// Masks all but keys, and values under keys whose values anyone may see. Beside scalars and comments a text has only
/// anchors, tags and punctuation.
pub(crate) fn document(text: &str, document: &Document) -> String {
    let Document { table, scalars, comments, repeated, .. } = document;
    let mut shown: BTreeSet<_> = repeated.iter().map(|range| (range.start, range.end)).collect();
    collect(table, &mut shown);
    let is_merge_key = |range: &Range<usize>| text.get(range.clone()) == Some("<<");
    let is_hidden =
        |range: &&Range<usize>| !shown.contains(&(range.start, range.end)) && !is_merge_key(range);
    // A block of text ends with the indentation of what follows it.
    let trimmed = |range: &Range<usize>| {
        let length = text.get(range.clone()).map_or(range.len(), |written| written.trim_end().len());
        range.start..range.start + length
    };
    let mut hidden: Vec<_> = scalars.iter().filter(is_hidden).map(trimmed).collect();
    hidden.extend(comments.iter().map(|range| range.start + 1..range.end));
    let mut named: Vec<_> = scalars.iter().chain(comments).collect();
    named.sort_by_key(|range| range.start);
    let mut at = 0;
    for range in named.into_iter().cloned().chain(std::iter::once(text.len()..text.len())) {
        let between = text.get(at..range.start).unwrap_or_default();
        let words = between.char_indices().filter(|(_, c)| !c.is_ascii_punctuation() && !c.is_whitespace());
        hidden.extend(words.map(|(offset, c)| at + offset..at + offset + c.len_utf8()));
        at = at.max(range.end);
    }
    hide(text, hidden)
}

fn collect(table: &Table, shown: &mut BTreeSet<(usize, usize)>) {
    for entry in &table.entries {
        if !has_swallowed(&entry.name) {
            show(entry.span.range(), shown);
        }
        collect_node(&entry.name, &entry.node, shown);
    }
}

fn collect_node(key: &str, node: &Node, shown: &mut BTreeSet<(usize, usize)>) {
    match &node.data {
        // Its keys are types of events, and its values as harmless as others under its name.
        Data::Table(table) if key == http_pull::EVENT_TTL.name => {
            for entry in &table.entries {
                if !has_swallowed(&entry.name) {
                    show(entry.span.range(), shown);
                }
                collect_node(key, &entry.node, shown);
            }
        }
        Data::Table(table) => collect(table, shown),
        Data::List(items) => items.iter().for_each(|item| collect_node(key, item, shown)),
        Data::Broken => {}
        Data::Text { text, .. }
            if has_swallowed(text) || text.contains(['\n', '#']) || text.contains(": ") => {}
        _ if Dialect::Inboxclaw.known().shown.contains(key) => show(node.span.range(), shown),
        _ => {}
    }
}

fn show(range: Range<usize>, shown: &mut BTreeSet<(usize, usize)>) {
    shown.insert((range.start, range.end));
}
