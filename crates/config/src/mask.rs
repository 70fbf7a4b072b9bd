//! What of a configuration's text may be shown. A secret never reaches a diagnostic, in whatever way the file around
//! it is broken: what is not known to be harmless is masked.

mod broken;
mod hcl;
mod yaml;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use toml_parser::Source;
use toml_parser::lexer::TokenKind;

pub(crate) use broken::broken;
pub(crate) use hcl::words as hcl;
pub(crate) use yaml::document as yaml_document;

use crate::keys::{Exposure, Section};
use crate::native::sink::{http_pull, jwt_key};
use crate::native::source::{amqp, rest};
use crate::native::words::is_variable_name;
use crate::native::{route, rule, signature};
use crate::tree::{Data, Node, Table};

/// What is known of keys and words, from the sections.
struct Known {
    /// Keys whose values anyone may see.
    shown: BTreeSet<&'static str>,
    /// Keys whose values are code, which may hold anything.
    code: BTreeSet<&'static str>,
    /// Keys whose values are secrets.
    secret: BTreeSet<&'static str>,
    /// The words that this program knows, which therefore are no secrets.
    words: BTreeSet<&'static str>,
}

impl Known {
    fn new(sections: &[&'static Section]) -> Self {
        let keys = || sections.iter().flat_map(|section| section.keys);
        let names = |exposure| keys().filter(move |key| key.exposure() == exposure).map(|key| key.name());
        let foreign = || sections.iter().flat_map(|section| section.foreign).map(|foreign| foreign.name);
        let secret: BTreeSet<_> = names(Exposure::Masked).collect();
        let hidden: BTreeSet<_> = names(Exposure::VariableName).chain(secret.iter().copied()).collect();
        let shown = names(Exposure::Shown).chain(foreign()).filter(|name| !hidden.contains(name));
        let words = keys().flat_map(|key| key.words()).chain(keys().map(|key| key.name()));
        let code = names(Exposure::Code);
        Self {
            code: code.collect(),
            shown: shown.collect(),
            words: words.chain(foreign()).chain(["true", "false"]).collect(),
            secret,
        }
    }
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| Known::new(&crate::native::SECTIONS));

static KNOWN_OF_INBOXCLAW: LazyLock<Known> = LazyLock::new(|| Known::new(&crate::inboxclaw::SECTIONS));

/// Of what Mycel has and this does not, some holds secrets.
static KNOWN_OF_MYCEL: LazyLock<Known> = LazyLock::new(|| {
    let mut known = Known::new(&crate::mycel::SECTIONS);
    let keys = || crate::mycel::SECTIONS.iter().flat_map(|section| section.keys);
    known.shown.retain(|name| keys().any(|key| key.name() == *name));
    known.words.insert("env");
    known
});

/// Whose keys a text has, and how it is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// TOML.
    Native,
    /// YAML.
    Inboxclaw,
    /// HCL.
    Mycel,
}

impl Dialect {
    fn known(self) -> &'static Known {
        match self {
            Self::Native => &KNOWN,
            Self::Inboxclaw => &KNOWN_OF_INBOXCLAW,
            Self::Mycel => &KNOWN_OF_MYCEL,
        }
    }

    /// What stands between a key and its value.
    fn separator(self) -> char {
        match self {
            Self::Native | Self::Mycel => '=',
            Self::Inboxclaw => ':',
        }
    }

    /// Whether anyone may see the values of a key.
    pub(crate) fn shows(self, key: &str) -> bool {
        self.known().shown.contains(key)
    }
}

/// What a key begins with that stands where its file should be named, or a program (RFC 7468, 2).
const PEM: &str = "-----BEGIN";

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

/// Whether a text that should be a name or a word holds more than that: its quote is missing, and what it has
/// swallowed may be a secret.
pub(crate) fn has_swallowed(text: &str) -> bool {
    text.contains(['=', ':']) && text.contains(|c: char| matches!(c, '"' | '\'') || c.is_whitespace())
}

fn is_key_of_operations(key: &str) -> bool {
    key == rest::OPERATIONS.name || key == route::OPERATION.name
}

fn collect(table: &Table, hidden: &mut Vec<Range<usize>>) {
    for entry in &table.entries {
        if has_swallowed(&entry.name) {
            hidden.push(entry.span.range());
        }
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
        // Its keys are types of events, and its values as harmless as others under its name.
        Data::Table(table) if key == http_pull::EVENT_TTL.name => {
            for entry in &table.entries {
                if has_swallowed(&entry.name) {
                    hidden.push(entry.span.range());
                }
                collect_node(key, sibling, &entry.node, hidden);
            }
        }
        Data::Table(table) => collect(table, hidden),
        Data::List(items) => items.iter().for_each(|item| collect_node(key, sibling, item, hidden)),
        Data::Broken => hidden.push(node.span.range()),
        Data::Text { text, .. } if text.contains(PEM) => hidden.push(node.span.range()),
        // An operation has a colon and a space of its own.
        Data::Text { text, .. } if is_key_of_operations(key) && rest::is_operation(text) => {}
        Data::Text { text, .. } if KNOWN.shown.contains(key) && has_swallowed(text) => {
            hidden.push(node.span.range());
        }
        _ if KNOWN.shown.contains(key) || KNOWN.code.contains(key) => {}
        Data::Text { text, .. } => {
            let names_variable = key == signature::TOKEN_ENV.name
                || key == amqp::URL_ENV.name
                || key == jwt_key::SECRET_ENV.name
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

/// Takes out of a document that could not be read whole what is masked in its text, so that no message quotes it.
pub(crate) fn take_out(document: &mut Table, text: &str, masked: &str) {
    let is_shown = |range: Range<usize>| text.get(range.clone()) == masked.get(range);
    document.entries.retain(|entry| is_shown(entry.span.range()));
    for entry in &mut document.entries {
        take_out_of(&mut entry.node, text, masked);
    }
}

fn take_out_of(node: &mut Node, text: &str, masked: &str) {
    let range = node.span.range();
    match &mut node.data {
        Data::Table(table) => take_out(table, text, masked),
        Data::List(items) => items.iter_mut().for_each(|item| take_out_of(item, text, masked)),
        Data::Text { .. } if text.get(range.clone()) != masked.get(range) => node.data = Data::Broken,
        _ => {}
    }
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
