//! `[sinks.NAME]`.

use std::borrow::Cow;
use std::time::Duration;

use fanfare_event::{Profile, SinkName, TypePattern, TypePatterns};

use super::rule;
use super::source::ENABLED;
use super::words::{check_id, check_name, check_origin, check_path};
use crate::checker::{Checker, Fields, quoted};
use crate::keys::{Foreign, Key, Optional, Or, Read, Required, Section};
use crate::shapes::{Choice, Count, Flag, Items, Nested, Text, Time, quote};
use crate::tree::{Data, Entry, Node, Table};
use crate::{Cors, OnLag, Sink, SinkKind, SseSink};

/// The types, before their keys are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Sse,
}

pub(crate) const TYPE: Key<Required<Choice<Type>>> = Key {
    name: "type",
    doc: "`sse` is a stream of Server-Sent Events.",
    presence: Required(Choice {
        served: &[("sse", Type::Sse)],
        later: &["http_pull", "debug"],
        foreign: &[("clickhouse", ""), ("db", ""), ("folder", ""), ("http", ""), ("kafka", ""), ("nats", "")],
    }),
};

pub(crate) const ID: Key<Optional<Text>> = Key {
    name: "id",
    doc: "The stream is at `GET /sse/{id}`.",
    presence: Optional(
        Text { kind: "an id that can be part of a URL", check: check_id },
        "required where there is no `path`",
    ),
};

pub(crate) const PATH: Key<Optional<Text>> = Key {
    name: "path",
    doc: "The path of the stream's URL, instead of `/sse/{id}`. Unique among sinks.",
    presence: Optional(Text { kind: "the path of a URL", check: check_path }, "`/sse/{id}`"),
};

pub(crate) const MATCH: Key<Or<Patterns>> = Key {
    name: "match",
    doc: "The types of events that the stream shows: an exact type, `prefix.*` (any depth below the prefix, not the \
          prefix itself), or `*`.",
    presence: Or(Patterns, TypePatterns::any),
};

pub(crate) const PROFILE: Key<Or<Choice<Profile>>> = Key {
    name: "profile",
    doc: "How an event is written. `cdevent`: `event: cdevent`, the event's own id, and its body as JSON.",
    presence: Or(
        Choice {
            served: &[(Profile::Cdevent.name(), Profile::Cdevent)],
            later: &["envelope", "message"],
            foreign: &[],
        },
        || Profile::Cdevent,
    ),
};

pub(crate) const KEEP_ALIVE: Key<Or<Time>> = Key {
    name: "keep_alive",
    doc: "After so long a silence on a connection a comment is sent, so that proxies keep it open.",
    presence: Or(Time { min: Duration::from_millis(10), max: Duration::from_hours(24) }, || {
        Duration::from_secs(30)
    }),
};

pub(crate) const BUFFER: Key<Or<Count<usize>>> = Key {
    name: "buffer",
    doc: "How many events that it should see a client may fall behind before `on_lag`.",
    presence: Or(Count { min: 1, max: 100_000_000 }, || 1000),
};

pub(crate) const ON_LAG: Key<Or<Choice<OnLag>>> = Key {
    name: "on_lag",
    doc: "What happens to a client that falls further behind. `catch_up`: it gets what it missed from the log. \
          `notice`: it is told how many events it missed, and goes on with newer ones. `disconnect`: it is closed.",
    presence: Or(
        Choice {
            served: &[
                ("catch_up", OnLag::CatchUp),
                ("notice", OnLag::Notice),
                ("disconnect", OnLag::Disconnect),
            ],
            later: &[],
            foreign: &[],
        },
        || OnLag::CatchUp,
    ),
};

pub(crate) const REPLAY: Key<Or<Flag>> = Key {
    name: "replay",
    doc: "Whether a client that comes back with `Last-Event-ID` (the header, which wins, or `?last_event_id=`) gets \
          what it missed.",
    presence: Or(Flag, || true),
};

pub(crate) const RETRY: Key<Or<Time>> = Key {
    name: "retry",
    doc: "How long browsers are told to wait before they reconnect; each is told a little more or less.",
    presence: Or(Time { min: Duration::from_millis(1), max: Duration::from_hours(1) }, || {
        Duration::from_secs(3)
    }),
};

pub(crate) const MAX_CONNECTIONS: Key<Or<Count<usize>>> = Key {
    name: "max_connections",
    doc: "How many clients may be connected at once. One more is told to come back later.",
    presence: Or(Count { min: 1, max: 100_000_000 }, || 100_000),
};

pub(crate) const HEADERS: Key<Optional<Nested>> = Key {
    name: "headers",
    doc: "What a request's headers must be.",
    presence: Optional(Nested("a table or an array, see [Header rules](#header-rules)"), "no rules"),
};

const CORS: Key<Optional<Nested>> = Key {
    name: "cors",
    doc: "Which pages of other origins may read the stream.",
    presence: Optional(Nested("a table, see [`[sinks.NAME.cors]`](#sinksnamecors)"), "none"),
};

pub(crate) static SSE_SECTION: Section = Section {
    title: "[sinks.NAME]",
    variant: None,
    about: "A stream of Server-Sent Events, which shows what all sources bring in.",
    example: "[sinks.builds]\ntype = \"sse\"\nid = \"builds\"\nmatch = [\"dev.cdevents.build.*\"]\nkeep_alive = \"15s\"\n",
    keys: &[
        &ENABLED,
        &TYPE,
        &ID,
        &PATH,
        &MATCH,
        &PROFILE,
        &KEEP_ALIVE,
        &BUFFER,
        &ON_LAG,
        &REPLAY,
        &RETRY,
        &MAX_CONNECTIONS,
        &HEADERS,
        &CORS,
    ],
    foreign: &[
        Foreign::later("identity"),
        Foreign::later("listener"),
        Foreign::refused(
            "transformer_refs",
            "a sink has no transformers: name them in the sources that feed it",
        ),
        Foreign::refused(
            "transformers",
            "a sink has no transformers: put them into the sources that feed it",
        ),
    ],
};

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
    about: "Which pages of other origins may read the stream (CORS). Without it no preflight is answered.",
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
    report_shared_paths(&sinks, checker);
    sinks
}

fn read(entry: &Entry, mut fields: Fields<'_>, checker: &mut Checker<'_>) -> Option<Sink> {
    let Entry { name, span, .. } = entry;
    if let Err(problem) = check_name(name) {
        checker.error(*span, "this name cannot be used for a sink").label(problem);
    }
    let (kind, type_span) = fields.get_with_span(&TYPE, checker);
    // Which keys there may be is not known without a type.
    let Type::Sse = kind?;
    let is_placed = fields.entry(ID.name).is_some() || fields.entry(PATH.name).is_some();
    if !is_placed {
        checker
            .absent(*span, format!("`id` is missing in {}", fields.title()))
            .help("`id = \"events\"` puts the stream at `/sse/events`; `path` puts it anywhere else");
    }
    let id = fields.get(&ID, checker);
    let path = fields.get(&PATH, checker);
    let headers = fields.entry(HEADERS.name);
    let sink = SseSink {
        path: path.or_else(|| id.as_ref().map(|id| format!("/sse/{id}"))).unwrap_or_default(),
        id,
        matches: fields.get(&MATCH, checker),
        profile: fields.get(&PROFILE, checker),
        keep_alive: fields.get(&KEEP_ALIVE, checker),
        buffer: fields.get(&BUFFER, checker),
        on_lag: fields.get(&ON_LAG, checker),
        replay: fields.get(&REPLAY, checker),
        retry: fields.get(&RETRY, checker),
        max_connections: fields.get(&MAX_CONNECTIONS, checker),
        headers: headers
            .map(|entry| rule::read_all(HEADERS.name, &entry.node, true, checker))
            .unwrap_or_default(),
        cors: fields.entry(CORS.name).and_then(|entry| read_cors(entry, checker)),
        type_span,
    };
    fields.finish(&SSE_SECTION, checker);
    Some(Sink { name: SinkName::new(name), span: *span, kind: SinkKind::Sse(sink) })
}

fn read_cors(entry: &Entry, checker: &mut Checker<'_>) -> Option<Cors> {
    let table = checker.table(CORS.name, &entry.node)?;
    let mut fields = Fields::new("`cors`", entry.span, table);
    let allowed_origins = fields.get(&ALLOWED_ORIGINS, checker);
    fields.finish(&CORS_SECTION, checker);
    Some(Cors { allowed_origins: allowed_origins? })
}

fn report_shared_paths(sinks: &[Sink], checker: &mut Checker<'_>) {
    let mut first = std::collections::BTreeMap::new();
    for sink in sinks {
        let SinkKind::Sse(sse) = &sink.kind else { continue };
        if sse.path.is_empty() {
            continue;
        }
        if let Some(before) = first.insert(&sse.path, sink) {
            let Sink { name, span, .. } = before;
            checker
                .error(sink.span, format!("two sinks have the URL `{}`", sse.path))
                .also(*span, format!("{} has it already", quoted(name.as_str())));
        }
    }
}

/// A type pattern, or an array of them.
pub(crate) struct Patterns;

impl Read for Patterns {
    type Value = TypePatterns;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<TypePatterns> {
        let Data::List(items) = &node.data else {
            return self.pattern(key, node, checker).map(|pattern| TypePatterns::new([pattern]));
        };
        if items.is_empty() {
            checker
                .error(node.span, format!("`{key}` must not be empty"))
                .help("leave it out to show all types");
            return None;
        }
        let patterns = (0..).zip(items);
        let read = |(index, item): (usize, &Node)| self.pattern(&format!("{key}[{index}]"), item, checker);
        let patterns: Vec<_> = patterns.filter_map(read).collect();
        Some(TypePatterns::new(patterns))
    }

    fn kind(&self) -> Cow<'static, str> {
        "a type pattern or an array of them".into()
    }

    fn write(&self, value: &TypePatterns) -> Option<String> {
        let patterns: Vec<_> = value.iter().map(|pattern| quote(&pattern.to_string())).collect();
        Some(format!("[{}]", patterns.join(", ")))
    }
}

impl Patterns {
    fn pattern(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<TypePattern> {
        let Some(text) = node.as_text() else {
            checker.wrong_type(key, node, &self.kind());
            return None;
        };
        let pattern = TypePattern::parse(text);
        let told = pattern.map_err(|problem| {
            checker.error(node.span, format!("`{key}` is no type pattern")).label(problem.to_string());
        });
        told.ok()
    }
}
