//! What of a configuration's text may be shown. A secret never reaches a diagnostic, in whatever way the file around
//! it is broken: what is not known to be harmless is masked.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use crate::keys::Exposure;
use crate::native::words::is_variable_name;
use crate::native::{SECTIONS, rule};
use crate::tree::{Data, Node, Table};

/// Keys whose values anyone may see.
static SHOWN: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let keys = || SECTIONS.iter().flat_map(|section| section.keys);
    let shown = keys().filter(|key| key.exposure() == Exposure::Shown).map(|key| key.name());
    let hidden: BTreeSet<_> =
        keys().filter(|key| key.exposure() != Exposure::Shown).map(|key| key.name()).collect();
    shown.filter(|name| !hidden.contains(name)).collect()
});

/// The words that this program knows, which therefore are no secrets.
static WORDS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let keys = || SECTIONS.iter().flat_map(|section| section.keys);
    let foreign = SECTIONS.iter().flat_map(|section| section.foreign).map(|foreign| foreign.name);
    let words = keys().flat_map(|key| key.words()).chain(keys().map(|key| key.name()));
    words.chain(foreign).chain(["true", "false"]).collect()
});

/// Masks the text of a document that could be read: all that stands under a key that is not known to be harmless.
pub(crate) fn document(text: &str, document: &Table) -> String {
    let mut hidden = Vec::new();
    collect(document, &mut hidden);
    let mut masked = Masked::new(text);
    hidden.into_iter().for_each(|range| masked.hide(range));
    masked.into_text()
}

/// Masks the text `NAME=VALUE` of an environment variable whose value begins at `start`. `key` is the last one of
/// its name. A value that could not be read as TOML is a string without quotes.
pub(crate) fn variable(text: &str, start: usize, key: &str, node: &Node) -> String {
    let mut hidden = Vec::new();
    collect_node(key, &|_| None, node, &mut hidden);
    let mut masked = Masked::new(text);
    // What may have been meant as a table, and was broken off, is not harmless under any key.
    let meant_as_table = matches!(&node.data, Data::Text { text, .. } if text.starts_with(['{', '[']));
    if meant_as_table {
        masked.hide(start..text.len());
    }
    hidden.into_iter().for_each(|range| masked.hide(range));
    masked.into_text()
}

fn collect(table: &Table, hidden: &mut Vec<Range<usize>>) {
    for entry in &table.entries {
        collect_node(
            &entry.name,
            &|name| table.get(name).and_then(|entry| entry.node.as_text()),
            &entry.node,
            hidden,
        );
    }
}

/// `sibling` is the text of another key of the same table.
fn collect_node<'t>(
    key: &str,
    sibling: &dyn Fn(&str) -> Option<&'t str>,
    node: &Node,
    hidden: &mut Vec<Range<usize>>,
) {
    match &node.data {
        Data::Table(table) => collect(table, hidden),
        Data::List(items) => items.iter().for_each(|item| collect_node(key, sibling, item, hidden)),
        Data::Broken => hidden.push(node.span.range()),
        _ if SHOWN.contains(key) => {}
        Data::Text { text, .. } => {
            let names_variable =
                key == "token_env" || (key == rule::VALUE.name && sibling(rule::TYPE.name) == Some("secret"));
            if !(names_variable && is_variable_name(text)) {
                hidden.push(node.span.range());
            }
        }
        // Numbers and flags are kept readable unless a secret was asked for.
        _ if WORDS.contains(key) => hidden.push(node.span.range()),
        _ => {}
    }
}

/// Masks a text that could not be read. Shown are: words that this program knows; what stands before the first
/// `=` of a line; and a value directly behind a key whose values anyone may see.
pub(crate) fn broken(text: &str) -> String {
    let mut masked = Masked::new(text);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        broken_line(line, start, &mut masked);
        start += line.len();
    }
    masked.into_text()
}

fn broken_line(line: &str, start: usize, masked: &mut Masked<'_>) {
    let comment = line.trim_start().starts_with('#');
    let mut rest = line;
    // The name before an `=`, if nothing but white space came since.
    let mut key = "";
    let mut is_value_next = false;
    let mut is_key_next = !comment && line.contains('=');
    while let Some(first) = rest.chars().next() {
        let at = start + line.len() - rest.len();
        let token = token(rest);
        let (head, tail) = rest.split_at(token);
        rest = tail;
        let shown_value = is_value_next && SHOWN.contains(key);
        match first {
            '"' | '\'' => {
                let name = head.trim_matches(['"', '\'']);
                if !(shown_value || WORDS.contains(name)) {
                    masked.hide(at..at + head.len());
                }
                (key, is_value_next, is_key_next) = ("", false, false);
            }
            '=' => is_value_next = !key.is_empty(),
            c if is_word(c) => {
                if !(shown_value || is_key_next || WORDS.contains(head)) {
                    masked.hide(at..at + head.len());
                }
                is_key_next = false;
                (key, is_value_next) = if WORDS.contains(head) { (head, false) } else { ("", false) };
            }
            c if c.is_whitespace() => {}
            _ => {
                // A table's header shows its path.
                is_key_next = !comment && matches!(first, '[' | '.') && is_key_next;
                (key, is_value_next) = ("", false);
            }
        }
    }
}

/// Bytes of the word, the string, or the single character that a text starts with.
fn token(text: &str) -> usize {
    let mut chars = text.char_indices();
    let Some((_, first)) = chars.next() else { return 0 };
    let end = match first {
        '"' | '\'' => {
            chars.find(|(_, c)| *c == first || *c == '\n').map(|(at, c)| if c == '\n' { at } else { at + 1 })
        }
        c if is_word(c) => chars.find(|(_, c)| !is_word(*c)).map(|(at, _)| at),
        c => Some(c.len_utf8()),
    };
    end.unwrap_or(text.len())
}

/// What a secret may be made of is one word, so that no part of it is taken for a known one.
fn is_word(c: char) -> bool {
    !c.is_whitespace() && !"\"'=[]{},#.".contains(c)
}

struct Masked<'t> {
    text: &'t str,
    hidden: Vec<Range<usize>>,
}

impl<'t> Masked<'t> {
    fn new(text: &'t str) -> Self {
        Self { text, hidden: Vec::new() }
    }

    /// Hides a range, but for the quotes around it.
    fn hide(&mut self, range: Range<usize>) {
        self.hidden.push(range);
    }

    /// The text with `*` for each byte that is hidden, so that offsets stay what they are. Line breaks stay too.
    fn into_text(mut self) -> String {
        self.hidden.sort_by_key(|range| range.start);
        let mut out = String::with_capacity(self.text.len());
        let mut done = 0;
        for range in self.hidden {
            let start = range.start.max(done);
            let Some(hidden) = self.text.get(start..range.end) else { continue };
            out.push_str(self.text.get(done..start).unwrap_or_default());
            let inner = hidden.trim_start_matches(['"', '\'']);
            let opening = hidden.len() - inner.len();
            let inner = inner.trim_end_matches(['"', '\'']);
            out.push_str(hidden.get(..opening).unwrap_or_default());
            for c in inner.chars() {
                if matches!(c, '\n' | '\r') {
                    out.push(c);
                } else {
                    (0..c.len_utf8()).for_each(|_| out.push('*'));
                }
            }
            out.push_str(hidden.get(opening + inner.len()..).unwrap_or_default());
            done = range.end;
        }
        out.push_str(self.text.get(done..).unwrap_or_default());
        out
    }
}
