//! What of a configuration's text may be shown. A secret never reaches a diagnostic, in whatever way the file around
//! it is broken: what is not known to be harmless is masked.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use toml_parser::Source;
use toml_parser::lexer::TokenKind;

use crate::keys::Exposure;
use crate::native::words::is_variable_name;
use crate::native::{SECTIONS, rule, signature};
use crate::tree::{Data, Node, Table};

/// What is known of keys and words, from the sections.
struct Known {
    /// Keys whose values anyone may see.
    shown: BTreeSet<&'static str>,
    /// Keys whose values are secrets.
    secret: BTreeSet<&'static str>,
    /// The words that this program knows, which therefore are no secrets.
    words: BTreeSet<&'static str>,
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let keys = || SECTIONS.iter().flat_map(|section| section.keys);
    let names = |exposure| keys().filter(move |key| key.exposure() == exposure).map(|key| key.name());
    let foreign = || SECTIONS.iter().flat_map(|section| section.foreign).map(|foreign| foreign.name);
    let secret: BTreeSet<_> = names(Exposure::Masked).collect();
    let hidden: BTreeSet<_> = names(Exposure::VariableName).chain(secret.iter().copied()).collect();
    let shown = names(Exposure::Shown).chain(foreign()).filter(|name| !hidden.contains(name));
    let words = keys().flat_map(|key| key.words()).chain(keys().map(|key| key.name()));
    Known { shown: shown.collect(), words: words.chain(foreign()).chain(["true", "false"]).collect(), secret }
});

/// Masks the text of a document that could be read: all that stands under a key that is not known to be harmless, and
/// all comments.
pub(crate) fn document(text: &str, document: &Table) -> String {
    let mut hidden = Vec::new();
    collect(document, &mut hidden);
    // A value that was commented out is still a secret.
    let comments = Source::new(text).lex().filter(|token| token.kind() == TokenKind::Comment);
    hidden.extend(comments.map(|token| token.span().start() + 1..token.span().end()));
    hide(text, hidden)
}

/// Masks the text `NAME=VALUE` of an environment variable whose value begins at `start`. `key` is the last one of
/// its name. A value that could not be read as TOML is a string without quotes.
pub(crate) fn variable(text: &str, start: usize, key: &str, node: &Node) -> String {
    let mut hidden = Vec::new();
    collect_node(key, &|_| None, node, &mut hidden);
    // What may have been meant as a table, and was broken off, is not harmless under any key.
    if matches!(&node.data, Data::Text { text, .. } if text.starts_with(['{', '['])) {
        hidden.push(start..text.len());
    }
    hide(text, hidden)
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
        _ if KNOWN.shown.contains(key) => {}
        Data::Text { text, .. } => {
            let names_variable = key == signature::TOKEN_ENV.name
                || (key == rule::SECRET_VALUE.name && sibling(rule::TYPE.name) == Some("secret"));
            if !(names_variable && is_variable_name(text)) {
                hidden.push(node.span.range());
            }
        }
        // Nobody mistakes a number or a flag for a secret, unless under its key.
        _ if KNOWN.secret.contains(key) => hidden.push(node.span.range()),
        _ => {}
    }
}

/// Masks a text that could not be read, line by line. Shown are: the words that this program knows; the path in the
/// header of a table; the first word of a line, if an `=` comes somewhere behind it; and a value directly behind the
/// `=` of a key whose values anyone may see.
pub(crate) fn broken(text: &str) -> String {
    let mut hidden = Vec::new();
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        broken_line(line, start, &mut hidden);
        start += line.len();
    }
    hide(text, hidden)
}

fn broken_line(line: &str, start: usize, hidden: &mut Vec<Range<usize>>) {
    let content = line.trim_start();
    let mut is_header = content.starts_with('[');
    let mut is_first = !is_header && !content.starts_with('#') && line.contains('=');
    // The key that the last `=` came behind; `assigned` while nothing came behind the `=`.
    let mut key = "";
    let mut assigned = false;
    let mut rest = content;
    while let Some(first) = rest.chars().next() {
        let at = start + line.len() - rest.len();
        let (token, tail) = rest.split_at(token(rest));
        rest = tail;
        if first.is_whitespace() {
            is_header = false;
            continue;
        }
        let is_text = matches!(first, '"' | '\'');
        if is_text || is_word(first) {
            let name = token.trim_matches(['"', '\'']);
            let is_known = KNOWN.words.contains(name);
            let is_value = assigned && KNOWN.shown.contains(key);
            if !(is_known || is_value || (!is_text && (is_header || is_first))) {
                hidden.push(at..at + token.len());
            }
            key = if is_known && !is_text { name } else { "" };
            assigned = false;
        } else {
            is_header &= matches!(first, '[' | '.');
            assigned = first == '=' && !key.is_empty();
            if !assigned {
                key = "";
            }
        }
        is_first = false;
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

/// The text with `*` for each byte of the ranges, so that offsets stay what they are. Quotes around a range and line
/// breaks in it stay too.
fn hide(text: &str, mut ranges: Vec<Range<usize>>) -> String {
    ranges.sort_by_key(|range| range.start);
    let mut out = String::with_capacity(text.len());
    for range in ranges {
        let start = range.start.max(out.len());
        let Some(hidden) = text.get(start..range.end) else { continue };
        out.push_str(text.get(out.len()..start).unwrap_or_default());
        let quotes = ['"', '\''];
        let opening = hidden.len() - hidden.trim_start_matches(quotes).len();
        let closing = hidden.trim_end_matches(quotes).len().max(opening);
        for (at, c) in hidden.char_indices() {
            if at < opening || at >= closing || matches!(c, '\n' | '\r') {
                out.push(c);
            } else {
                out.extend(std::iter::repeat_n('*', c.len_utf8()));
            }
        }
    }
    out.push_str(text.get(out.len()..).unwrap_or_default());
    out
}
