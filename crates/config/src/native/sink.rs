//! `[sinks.NAME]`: what all types have. Each type has a file here.

pub(crate) mod http_pull;
pub(crate) mod jwt;
pub(crate) mod jwt_key;
pub(crate) mod sse;

use std::borrow::Cow;

use fanfare_event::{NamePattern, NamePatterns, SinkName};

use super::listener::LISTENER;
use super::rule;
use super::source::ENABLED;
use super::words::{check_name, check_origin};
use crate::checker::{Checker, Fields};
use crate::keys::{Foreign, Key, Optional, Or, Read, Required, Section};
use crate::shapes::{Choice, Items, Nested, Text, quote};
use crate::tree::{Data, Entry, Node, Table};
use crate::{Cors, HeaderRule, Sink, SinkKind, Span};

/// The types, before their keys are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Sse,
    HttpPull,
}

pub(crate) const TYPE: Key<Required<Choice<Type>>> = Key {
    name: "type",
    doc: "`sse` is a stream of Server-Sent Events; `http_pull` gives out batches, which are confirmed.",
    presence: Required(Choice {
        served: &[("sse", Type::Sse), ("http_pull", Type::HttpPull)],
        later: &["debug"],
        foreign: &[("clickhouse", ""), ("db", ""), ("folder", ""), ("http", ""), ("kafka", ""), ("nats", "")],
    }),
};

pub(crate) const MATCH: Key<Or<Patterns>> = Key {
    name: "match",
    doc: "The types of events that the sink shows: an exact type, `prefix.*` (any depth below the prefix, not the \
          prefix itself), or `*`.",
    presence: Or(TYPE_PATTERNS, NamePatterns::any),
};

pub(crate) const HEADERS: Key<Optional<Nested>> = Key {
    name: "headers",
    doc: "What a request's headers must be.",
    presence: Optional(Nested("a table or an array, see [Header rules](#header-rules)"), "no rules"),
};

const CORS: Key<Optional<Nested>> = Key {
    name: "cors",
    doc: "Which pages of other origins may read it.",
    presence: Optional(Nested("a table, see [`[sinks.NAME.cors]`](#sinksnamecors)"), "none"),
};

pub(crate) static SECTION: Section = Section {
    title: "[sinks.NAME]",
    variant: None,
    about: "Where events go. Without [routes](#routes) a sink shows what all sources bring in.",
    example: "",
    keys: &[&ENABLED, &TYPE, &LISTENER, &MATCH, &HEADERS, &CORS],
    foreign: &FOREIGN,
};

const FOREIGN: [Foreign; 2] = [
    Foreign::refused("transformer_refs", "a sink has no transformers: name them in the sources that feed it"),
    Foreign::refused("transformers", "a sink has no transformers: put them into the sources that feed it"),
];

pub(crate) const ALLOWED_ORIGINS: Key<Required<Items<Text>>> = Key {
    name: "allowed_origins",
    doc: "The origins, as browsers send them; `\"*\"` for all.",
    presence: Required(Items {
        kind: "an array of origins",
        item: Text { kind: "an origin, as in \"https://app.example.com\"", check: check_origin },
        if_empty: Some("leave `cors` out to allow none"),
    }),
};

pub(crate) static CORS_SECTION: Section = Section {
    title: "[sinks.NAME.cors]",
    variant: None,
    about: "Which pages of other origins may read what a sink sends (CORS). Without it no preflight is answered.",
    example: "[sinks.events]\ntype = \"sse\"\nid = \"events\"\n\n[sinks.events.cors]\nallowed_origins = [\"https://app.example.com\"]\n",
    keys: &[&ALLOWED_ORIGINS],
    foreign: &[],
};

/// Reads `[sinks]`.
pub(super) fn read_all(table: &Table, checker: &mut Checker<'_>) -> Vec<Sink> {
    let mut sinks = Vec::new();
    for entry in &table.entries {
        if let Some(table) = checker.table(&entry.name, &entry.node) {
            let mut fields = Fields::new(super::shown_title("sinks", &entry.name), entry.span, table);
            let enabled = fields.get(&ENABLED, checker);
            checker.switched_off = !enabled;
            let sink = read(entry, fields, checker);
            checker.switched_off = false;
            sinks.extend(sink.filter(|_| enabled));
        }
    }
    sinks
}

fn read(entry: &Entry, mut fields: Fields<'_>, checker: &mut Checker<'_>) -> Option<Sink> {
    let Entry { name, span, .. } = entry;
    if let Err(problem) = check_name(name) {
        checker.error(*span, "this name cannot be used for a sink").label(problem);
    }
    let (kind, type_span) = fields.get_with_span(&TYPE, checker);
    // Which keys there may be is not known without a type.
    let kind = match kind? {
        Type::Sse => SinkKind::Sse(sse::read(*span, fields, type_span, checker)),
        Type::HttpPull => SinkKind::HttpPull(http_pull::read(*span, fields, type_span, checker)),
    };
    Some(Sink { name: SinkName::new(name), span: *span, kind })
}

/// The rules for the headers of requests, which have no body.
fn read_headers(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Vec<HeaderRule> {
    let headers = fields.entry(HEADERS.name);
    headers.map(|entry| rule::read_all(HEADERS.name, &entry.node, true, checker)).unwrap_or_default()
}

/// The `cors` of a sink or a source.
pub(super) fn read_cors(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Option<Cors> {
    let entry = fields.entry(CORS.name)?;
    let table = checker.table(CORS.name, &entry.node)?;
    let mut fields = Fields::new("`cors`", entry.span, table);
    let allowed_origins = fields.get(&ALLOWED_ORIGINS, checker);
    fields.finish(&CORS_SECTION, checker);
    Some(Cors { allowed_origins: allowed_origins? })
}

/// A type pattern, or an array of them.
pub(crate) struct Patterns {
    /// What to do instead of writing none.
    pub(crate) if_empty: &'static str,
}

pub(crate) const TYPE_PATTERNS: Patterns = Patterns { if_empty: "leave it out to show all types" };

impl Read for Patterns {
    type Value = NamePatterns;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<NamePatterns> {
        let Data::List(items) = &node.data else {
            return self.pattern(key, node, checker).map(|pattern| NamePatterns::new([pattern]));
        };
        if items.is_empty() {
            checker.error(node.span, format!("`{key}` must not be empty")).help(self.if_empty);
            return None;
        }
        let patterns = (0..).zip(items);
        let read = |(index, item): (usize, &Node)| self.pattern(&format!("{key}[{index}]"), item, checker);
        let patterns: Vec<_> = patterns.filter_map(read).collect();
        Some(NamePatterns::new(patterns))
    }

    fn kind(&self) -> Cow<'static, str> {
        "a type pattern or an array of them".into()
    }

    fn write(&self, value: &NamePatterns) -> Option<String> {
        let patterns: Vec<_> = value.iter().map(|pattern| quote(&pattern.to_string())).collect();
        Some(format!("[{}]", patterns.join(", ")))
    }
}

impl Patterns {
    fn pattern(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<NamePattern> {
        let Some(text) = node.as_text() else {
            checker.wrong_type(key, node, &self.kind());
            return None;
        };
        parse_pattern(text, &format!("`{key}`"), node.span, checker)
    }
}

/// `what` is what messages call the text.
pub(crate) fn parse_pattern(
    text: &str,
    what: &str,
    span: Span,
    checker: &mut Checker<'_>,
) -> Option<NamePattern> {
    let pattern = NamePattern::parse(text);
    let told = pattern.map_err(|problem| {
        checker.error(span, format!("{what} is no type pattern")).label(problem.to_string());
    });
    told.ok()
}
