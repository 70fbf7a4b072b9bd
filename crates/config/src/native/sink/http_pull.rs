//! A sink of type `http_pull`.

use std::borrow::Cow;
use std::time::Duration;

use fanfare_event::NamePattern;
use toml_writer::{ToTomlKey as _, TomlKeyBuilder};

use super::{CORS, ENABLED, FOREIGN, HEADERS, MATCH, TYPE, parse_pattern, read_cors, read_headers};
use crate::checker::{Checker, Fields, quoted};
use crate::keys::{Key, Optional, Or, Read, Section};
use crate::native::listener::{self, LISTENER};
use crate::native::words::{URL_ID, URL_PATH};
use crate::shapes::{Flag, Nested, Text, Time};
use crate::tree::{Entry, Node};
use crate::{HttpPullSink, Span, Ttl};

pub(crate) const ID: Key<Optional<Text>> = Key {
    name: "id",
    doc: "Batches are at `GET /pull/{id}/extract`, and are confirmed at `POST /pull/{id}/mark-processed`.",
    presence: Optional(URL_ID, "required where `path` does not have both"),
};

const PATH: Key<Optional<Nested>> = Key {
    name: "path",
    doc: "The paths of its URLs.",
    presence: Optional(
        Nested("a table, see [`[sinks.NAME.path]`](#sinksnamepath)"),
        "`/pull/{id}/extract`, `/pull/{id}/mark-processed`",
    ),
};

pub(crate) const TTL_ENABLED: Key<Or<Flag>> = Key {
    name: "ttl_enabled",
    doc: "Whether events grow too old to be given out. With `false` only the log's retention ends them.",
    presence: Or(Flag, || true),
};

/// How long events may be given out.
pub(crate) const LIFETIME: Time =
    Time { min: Duration::from_millis(1), max: Duration::from_hours(24 * 36_500) };

pub(crate) const DEFAULT_TTL: Key<Or<Time>> = Key {
    name: "default_ttl",
    doc: "For how long an event is given out after the log took it, where `event_ttl` says nothing of its type.",
    presence: Or(LIFETIME, || Duration::from_hours(1)),
};

pub(crate) const EVENT_TTL: Key<Or<Lifetimes>> = Key {
    name: "event_ttl",
    doc: "The same by type: `{ \"sales.order.created\" = \"24h\", \"inventory.*\" = \"15m\" }`. The exact type \
          holds, else the longest prefix, else `*`.",
    presence: Or(Lifetimes, Vec::new),
};

pub(crate) static SECTION: Section = Section {
    title: "[sinks.NAME]",
    variant: Some("http_pull"),
    about: "Batches of events that a client fetches, and confirms once it is done with them. What is not confirmed is \
            given out again.",
    example: "[sinks.orders]\ntype = \"http_pull\"\nid = \"orders\"\nmatch = [\"sales.*\", \"inventory.*\"]\n\
              default_ttl = \"2h\"\nevent_ttl = { \"sales.order.created\" = \"24h\", \"inventory.*\" = \"15m\" }\n",
    keys: &[
        &ENABLED,
        &TYPE,
        &ID,
        &PATH,
        &LISTENER,
        &MATCH,
        &TTL_ENABLED,
        &DEFAULT_TTL,
        &EVENT_TTL,
        &HEADERS,
        &CORS,
    ],
    foreign: &FOREIGN,
};

pub(crate) const EXTRACT: Key<Optional<Text>> = Key {
    name: "extract",
    doc: "Where batches are fetched with `GET`. Unique among all endpoints.",
    presence: Optional(URL_PATH, "`/pull/{id}/extract`"),
};

pub(crate) const MARK_PROCESSED: Key<Optional<Text>> = Key {
    name: "mark_processed",
    doc: "Where they are confirmed with `POST`. Unique among all endpoints.",
    presence: Optional(URL_PATH, "`/pull/{id}/mark-processed`"),
};

pub(crate) static PATH_SECTION: Section = Section {
    title: "[sinks.NAME.path]",
    variant: None,
    about: "The paths of the URLs of a sink of type `http_pull`.",
    example: "[sinks.orders]\ntype = \"http_pull\"\n\n\
              [sinks.orders.path]\nextract = \"/orders/next\"\nmark_processed = \"/orders/done\"\n",
    keys: &[&EXTRACT, &MARK_PROCESSED],
    foreign: &[],
};

/// `span` is where the sink is.
pub(super) fn read(
    span: Span,
    mut fields: Fields<'_>,
    type_span: Span,
    checker: &mut Checker<'_>,
) -> HttpPullSink {
    let has_id = fields.has(ID.name);
    let paths = fields.entry(PATH.name);
    if paths.is_none() && !has_id {
        checker
            .absent(span, format!("`id` is missing in {}", fields.title()))
            .help("`id = \"orders\"` puts it at `/pull/orders/extract`; `path` puts it anywhere else");
    }
    let id = fields.get(&ID, checker);
    let paths = paths.and_then(|entry| read_paths(entry, has_id, checker));
    let (extract, mark_processed) = paths.unwrap_or_default();
    let path = |written: Option<String>, last: &str| {
        written.or_else(|| id.as_ref().map(|id| format!("/pull/{id}/{last}"))).unwrap_or_default()
    };
    let ttl_enabled = fields.get(&TTL_ENABLED, checker);
    let default = fields.get(&DEFAULT_TTL, checker);
    let by_type = fields.get(&EVENT_TTL, checker);
    let sink = HttpPullSink {
        extract_path: path(extract, "extract"),
        mark_processed_path: path(mark_processed, "mark-processed"),
        id,
        listener: listener::read(&mut fields, checker),
        matches: fields.get(&MATCH, checker),
        ttl: ttl_enabled.then_some(Ttl { default, by_type }),
        headers: read_headers(&mut fields, checker),
        cors: read_cors(&mut fields, checker),
        type_span,
    };
    fields.finish(&SECTION, checker);
    sink
}

fn read_paths(
    entry: &Entry,
    has_id: bool,
    checker: &mut Checker<'_>,
) -> Option<(Option<String>, Option<String>)> {
    let table = checker.table(PATH.name, &entry.node)?;
    let mut fields = Fields::new("`path`", entry.span, table);
    let missing = [EXTRACT.name, MARK_PROCESSED.name].into_iter().find(|name| !fields.has(name));
    if let Some(name) = missing.filter(|_| !has_id) {
        checker
            .absent(entry.span, format!("`{name}` is missing in `path`"))
            .help("`path` has both `extract` and `mark_processed` where there is no `id`");
    }
    let both = (fields.get(&EXTRACT, checker), fields.get(&MARK_PROCESSED, checker));
    fields.finish(&PATH_SECTION, checker);
    Some(both)
}

/// Durations by type pattern.
pub(crate) struct Lifetimes;

impl Read for Lifetimes {
    type Value = Vec<(NamePattern, Duration)>;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<Self::Value> {
        let table = checker.table(key, node)?;
        let lifetimes = table.entries.iter().filter_map(|entry| {
            let name = quoted(&entry.name);
            let pattern = parse_pattern(&entry.name, &name, entry.span, checker);
            let lifetime = LIFETIME.read(name.trim_matches('`'), &entry.node, checker);
            pattern.zip(lifetime)
        });
        Some(lifetimes.collect())
    }

    fn kind(&self) -> Cow<'static, str> {
        "a table of durations by type pattern".into()
    }

    fn write(&self, value: &Self::Value) -> Option<String> {
        let lifetimes = value.iter().filter_map(|(pattern, lifetime)| {
            let key = TomlKeyBuilder::new(&pattern.to_string()).as_default().to_toml_key();
            Some(format!("{key} = {}", LIFETIME.write(lifetime)?))
        });
        let lifetimes: Vec<_> = lifetimes.collect();
        Some(if lifetimes.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", lifetimes.join(", ")) })
    }
}
