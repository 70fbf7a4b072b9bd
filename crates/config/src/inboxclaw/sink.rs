//! `sink.NAME`.

use fanfare_event::NamePatterns;

use super::interval::Interval;
use super::{NamedBlock, Types, mapping};
use crate::building::Block;
use crate::checker::{Checker, Fields, quoted};
use crate::keys::{Key, Optional, Or, Read as _, Section};
use crate::loose::{Switch, Word};
use crate::native::sink::http_pull::{self, DEFAULT_TTL as NATIVE_TTL, LIFETIME};
use crate::native::sink::sse::KEEP_ALIVE;
use crate::native::sink::{self, Patterns, TYPE_PATTERNS};
use crate::native::words::{check_path, check_url_name};
use crate::shapes::{Nested, Text};
use crate::tree::{Entry, Table};
use crate::{Severity, Span};

/// The types, before their keys are read.
#[derive(Clone, Copy)]
enum Kind {
    Sse,
    HttpPull,
}

const TYPES: Types<Kind> =
    Types { key: &TYPE, what: "sink", served: &[("sse", Kind::Sse), ("http_pull", Kind::HttpPull)] };

const TYPE: Key<Optional<Word>> = Key {
    name: "type",
    doc: "`sse` or `http_pull`.",
    presence: Optional(
        Word(&["sse", "http_pull", "command", "webhook", "win11toast"]),
        "the name of the sink",
    ),
};

const MATCH: Key<Or<Patterns>> = Key {
    name: sink::MATCH.name,
    doc: "The types of events that the sink shows, one or a list: an exact type, `prefix.*` (any depth below the \
          prefix, not the prefix itself), or `\"*\"`, which needs its quotes.",
    presence: Or(TYPE_PATTERNS, NamePatterns::any),
};

/// What may follow a sink's name in a URL.
const SUFFIX: Text = Text { kind: "the end of a URL's path", check: check_suffix };

const PATH: Key<Or<Text>> = Key {
    name: "path",
    doc: "What follows in the stream's URL: `/live` in a sink `alerts` is `GET /alerts/live`. Without it the stream is \
          at `/NAME/`.",
    presence: Or(SUFFIX, String::new),
};

const HEARTBEAT_TIMEOUT: Key<Or<Interval>> = Key {
    name: "heartbeat_timeout",
    doc: "After so long a silence on a connection an `event: heartbeat` is sent.",
    presence: Or(Interval(KEEP_ALIVE.presence.0), KEEP_ALIVE.presence.1),
};

pub(super) static SSE_SECTION: Section = Section {
    title: "`sink.NAME`",
    variant: Some("sse"),
    about: "A stream of Server-Sent Events at `GET /NAME/`, which pages of all origins may read.",
    example: "sink:\n  alerts:\n    type: sse\n    path: \"/live\"\n    match: \"alert.*\"\n    heartbeat_timeout: 15\n",
    keys: &[&TYPE, &MATCH, &PATH, &HEARTBEAT_TIMEOUT],
    foreign: &[],
};

const PULL_PATH: Key<Optional<Nested>> = Key {
    name: "path",
    doc: "What follows in the two URLs: a mapping with `extract` and `mark_processed`.",
    presence: Optional(
        Nested("a mapping of ends of URLs"),
        "`{ extract: extract, mark_processed: mark-processed }`",
    ),
};

const TTL_ENABLED: Key<Or<Switch>> = Key {
    name: http_pull::TTL_ENABLED.name,
    doc: http_pull::TTL_ENABLED.doc,
    presence: Or(Switch, http_pull::TTL_ENABLED.presence.1),
};

const DEFAULT_TTL: Key<Or<Interval>> = Key {
    name: NATIVE_TTL.name,
    doc: NATIVE_TTL.doc,
    presence: Or(Interval(LIFETIME), NATIVE_TTL.presence.1),
};

pub(crate) const EVENT_TTL: Key<Optional<Nested>> = Key {
    name: http_pull::EVENT_TTL.name,
    doc: "The same by type. The exact type holds, else the longest prefix, else `\"*\"`.",
    presence: Optional(Nested("a mapping of type patterns to intervals"), "`{}`"),
};

pub(super) static HTTP_PULL_SECTION: Section = Section {
    title: "`sink.NAME`",
    variant: Some("http_pull"),
    about: "Batches of events that a client fetches at `GET /NAME/extract`, and confirms at `POST \
            /NAME/mark-processed`.",
    example: "sink:\n  data_warehouse:\n    type: http_pull\n    path:\n      extract: \"/fetch\"\n      \
              mark_processed: \"/acknowledge\"\n    match:\n      - \"sales.order.*\"\n      - \"inventory.update\"\n    \
              ttl_enabled: true\n    default_ttl: \"2h\"\n    event_ttl:\n      \"sales.order.created\": \"24h\"\n      \
              \"inventory.*\": \"15m\"\n",
    keys: &[&TYPE, &MATCH, &PULL_PATH, &TTL_ENABLED, &DEFAULT_TTL, &EVENT_TTL],
    foreign: &[],
};

const EXTRACT: Key<Or<Text>> =
    Key { name: http_pull::EXTRACT.name, doc: "", presence: Or(SUFFIX, || "extract".to_owned()) };

const MARK_PROCESSED: Key<Or<Text>> = Key {
    name: http_pull::MARK_PROCESSED.name,
    doc: "",
    presence: Or(SUFFIX, || "mark-processed".to_owned()),
};

static PULL_PATH_SECTION: Section = Section {
    title: "`path`",
    variant: None,
    about: "",
    example: "",
    keys: &[&EXTRACT, &MARK_PROCESSED],
    foreign: &[],
};

/// A sink as a native one; `None` where its type is not served, or its name fits in no URL.
pub(super) fn convert(block: &NamedBlock<'_>, checker: &mut Checker<'_>) -> Option<Entry> {
    let Entry { name, span, .. } = block.entry;
    let mut fields = Fields::new(block.title.clone(), *span, block.table);
    let kind = TYPES.read(block, &mut fields, checker)?;
    let mut sink = Block::new(*span);
    if let Some(entry) = fields.entry(MATCH.name) {
        let told = checker.diagnostics.count(Severity::Error);
        MATCH.read(&entry.node, checker);
        if checker.diagnostics.count(Severity::Error) == told {
            sink.node(MATCH.name, entry.node.clone());
        }
    }
    match kind.kind {
        Kind::Sse => {
            sink.text(sink::TYPE.name, "sse", kind.span);
            convert_sse(name, &mut fields, &mut sink, checker);
            fields.finish(&SSE_SECTION, checker);
        }
        Kind::HttpPull => {
            sink.text(sink::TYPE.name, "http_pull", kind.span);
            convert_http_pull(name, &mut fields, &mut sink, checker);
            fields.finish(&HTTP_PULL_SECTION, checker);
        }
    }
    let mut cors = Block::new(*span);
    cors.list(sink::ALLOWED_ORIGINS.name, &["*"], *span);
    sink.block("cors", cors);
    if let Err(problem) = check_url_name(name) {
        checker
            .error(*span, "this name cannot be used for a sink")
            .label(problem)
            .help("the name is part of the URL: `GET /NAME/`");
        return None;
    }
    Some(sink.into_entry(name))
}

fn convert_sse(name: &str, fields: &mut Fields<'_>, sink: &mut Block, checker: &mut Checker<'_>) {
    let (path, span) = suffix(&PATH, fields, checker);
    sink.text("path", url(name, &path), span);
    sink.text("profile", "envelope", fields.span());
    let (heartbeat, span) = fields.get_with_span(&HEARTBEAT_TIMEOUT, checker);
    sink.duration(KEEP_ALIVE.name, heartbeat, span);
}

fn convert_http_pull(name: &str, fields: &mut Fields<'_>, sink: &mut Block, checker: &mut Checker<'_>) {
    static EMPTY: Table = Table { entries: Vec::new() };
    let entry = fields.entry(PULL_PATH.name);
    let table = entry.and_then(|entry| mapping(PULL_PATH.name, &entry.node, checker)).unwrap_or(&EMPTY);
    let mut suffixes = Fields::new("`path`", entry.map_or(fields.span(), |entry| entry.span), table);
    let mut paths = Block::new(suffixes.span());
    for key in [&EXTRACT, &MARK_PROCESSED] {
        let (suffix, span) = suffix(key, &mut suffixes, checker);
        paths.text(key.name, url(name, &suffix), span);
    }
    suffixes.finish(&PULL_PATH_SECTION, checker);
    sink.block("path", paths);
    let (enabled, span) = fields.get_with_span(&TTL_ENABLED, checker);
    sink.flag(TTL_ENABLED.name, enabled, span);
    let (ttl, span) = fields.get_with_span(&DEFAULT_TTL, checker);
    sink.duration(DEFAULT_TTL.name, ttl, span);
    if let Some(entry) = fields.entry(EVENT_TTL.name)
        && let Some(table) = mapping(EVENT_TTL.name, &entry.node, checker)
    {
        let mut by_type = Block::new(entry.span);
        for entry in &table.entries {
            convert_lifetime(entry, &mut by_type, checker);
        }
        sink.block(EVENT_TTL.name, by_type);
    }
}

fn convert_lifetime(entry: &Entry, by_type: &mut Block, checker: &mut Checker<'_>) {
    let name = quoted(&entry.name);
    let pattern = sink::parse_pattern(&entry.name, &name, entry.span, checker);
    let lifetime = Interval(LIFETIME).read(name.trim_matches('`'), &entry.node, checker);
    if let Some((pattern, lifetime)) = pattern.zip(lifetime) {
        by_type.duration(&pattern.to_string(), lifetime, entry.node.span);
    }
}

/// What follows in a URL, and where it is written.
fn suffix(key: &Key<Or<Text>>, fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> (String, Span) {
    let is_expanded = fields.entry(key.name).is_some_and(|entry| entry.node.raw.is_some());
    let (suffix, span) = fields.get_with_span(key, checker);
    let concealed = suffix.trim_matches('/');
    if is_expanded && !concealed.is_empty() {
        checker.concealed.push(concealed.to_owned());
    }
    (suffix, span)
}

/// The path of a URL: slashes are neither doubled nor lost.
fn url(name: &str, suffix: &str) -> String {
    format!("/{name}/{}", suffix.trim_start_matches('/'))
}

fn check_suffix(suffix: &str) -> Result<(), &'static str> {
    check_path(&format!("/{}", suffix.trim_start_matches('/')))
}
