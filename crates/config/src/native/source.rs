//! `[sources.NAME]`: what all sources have, and what several of them do. Each type of extractor has a file here.

pub(crate) mod amqp;
pub(crate) mod mock;
pub(crate) mod rest;
pub(crate) mod sse;
pub(crate) mod webhook;

use fanfare_event::{Object, SourceName};

use super::metadata::Metadata;
use super::rule;
use super::transformer::{INLINE, TRANSFORMER_REFS, Transformers};
use super::words::{check_header_name, check_name};
use crate::checker::{Checker, Fields, quoted};
use crate::keys::{Key, Optional, Or, Required, Section};
use crate::shapes::{Choice, Flag, Items, Nested, Text};
use crate::tree::{Data, Entry, Table};
use crate::{Extractor, HeaderRule, Source, Span};

pub(crate) const ENABLED: Key<Or<Flag>> = Key {
    name: "enabled",
    doc: "`false` switches it off: it is checked, but what is wrong with it is a warning, and it does not run.",
    presence: Or(Flag, || true),
};

pub(crate) const EXTRACTOR: Key<Optional<Nested>> = Key {
    name: "extractor",
    doc: "How it receives events.",
    presence: Optional(
        Nested("a table, see [`[sources.NAME.extractor]`](#sourcesnameextractor)"),
        "it receives nothing, with a warning",
    ),
};

pub(crate) static SECTION: Section = Section {
    title: "[sources.NAME]",
    variant: None,
    about: "Where events come from. The name is in the `context.source` of events that bring none, and in the log output.",
    example: "[sources.ci]\ntransformer_refs = [\"deduplicate_on_context_id\"]\n\n\
              [sources.ci.extractor]\ntype = \"webhook\"\nid = \"ci\"\n",
    keys: &[&ENABLED, &TRANSFORMER_REFS, &INLINE, &EXTRACTOR],
    foreign: &[],
};

/// The types of extractors, before their keys are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Webhook,
    Rest,
    Mock,
    Amqp,
    Sse,
    Noop,
}

pub(crate) const TYPE: Key<Required<Choice<Type>>> = Key {
    name: "type",
    doc: "`webhook` takes `POST` requests; `rest` takes requests of an API of its own; `amqp` consumes a queue of RabbitMQ; \
          `sse` listens to a stream of Server-Sent Events; `mock` makes events itself, to try things out; `noop` receives nothing.",
    presence: Required(Choice {
        served: &[
            ("webhook", Type::Webhook),
            ("rest", Type::Rest),
            ("amqp", Type::Amqp),
            ("sse", Type::Sse),
            ("mock", Type::Mock),
            ("noop", Type::Noop),
        ],
        later: &["timer"],
        foreign: &[
            ("cli", ""),
            ("http_polling", ""),
            ("kafka", ""),
            ("nats", ""),
            ("opendal", ""),
            ("subprocess", ""),
        ],
    }),
};

pub(crate) const HEADERS_TO_KEEP: Key<Or<Items<Text>>> = Key {
    name: "headers_to_keep",
    doc: "The names of the request headers that travel with the event, in any case. Transformers see them in `.headers`.",
    presence: Or(
        Items {
            kind: "an array of names of headers",
            item: Text { kind: "the name of a header", check: check_header_name },
            if_empty: None,
        },
        Vec::new,
    ),
};

pub(crate) const METADATA: Key<Or<Metadata>> = Key {
    name: "metadata",
    doc: "What `.metadata` is for transformers at first. `metadata.context.source` is the source of events that \
          bring none.",
    presence: Or(Metadata, Object::new),
};

pub(crate) const HEADERS: Key<Optional<Nested>> = Key {
    name: "headers",
    doc: "What a request's headers must be.",
    presence: Optional(Nested("a table or an array, see [Header rules](#header-rules)"), "no rules"),
};

pub(crate) static EXTRACTOR_SECTION: Section = Section {
    title: "[sources.NAME.extractor]",
    variant: None,
    about: "How a source receives events.",
    example: "",
    keys: &[&TYPE],
    foreign: &[],
};

/// Reads `[sources]`. `after` is the chain of all sources, which comes behind their own.
pub(super) fn read_all(
    table: &Table,
    after: &[(String, Span)],
    transformers: &mut Transformers,
    checker: &mut Checker<'_>,
) -> Vec<Source> {
    let mut sources = Vec::new();
    for entry in &table.entries {
        if let Some(table) = checker.table(&entry.name, &entry.node) {
            let mut fields = Fields::new(super::shown_title("sources", &entry.name), entry.span, table);
            let enabled = fields.get(&ENABLED, checker);
            checker.switched_off = !enabled;
            let count = transformers.all.len();
            let source = read(entry, fields, after, transformers, checker);
            checker.switched_off = false;
            if enabled {
                sources.push(source);
            } else {
                transformers.truncate(count);
            }
        }
    }
    sources
}

fn read(
    entry: &Entry,
    mut fields: Fields<'_>,
    after: &[(String, Span)],
    transformers: &mut Transformers,
    checker: &mut Checker<'_>,
) -> Source {
    let Entry { name, span, .. } = entry;
    if let Err(problem) = check_name(name) {
        checker.error(*span, "this name cannot be used for a source").label(problem);
    }
    let mut chain = Vec::new();
    if let Some(inline) = fields.entry(INLINE.name) {
        chain.extend(transformers.read_inline(name, &inline.node, checker));
    }
    chain.extend(transformers.chain(&refs(&mut fields, checker), checker));
    chain.extend(transformers.chain(after, checker));
    let extractor = fields.entry(EXTRACTOR.name);
    let receives = extractor.is_some_and(|extractor| !matches!(extractor.node.data, Data::Broken));
    let extractor = extractor.and_then(|extractor| read_extractor(name, extractor, checker));
    if !receives && !checker.incomplete && !checker.switched_off {
        let sub = super::shown_title("sources", name).replace(']', ".extractor]");
        checker
            .warning(*span, format!("the source {} receives nothing: it has no `extractor`", quoted(name)))
            .help(format!("add a webhook: `{sub}` with `type = \"webhook\"` and `id = \"…\"`"));
    }
    fields.finish(&SECTION, checker);
    Source { name: SourceName::new(name), span: *span, transformers: chain, extractor }
}

/// The names in `transformer_refs`, each with its place.
pub(super) fn refs(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Vec<(String, Span)> {
    fields.get(&TRANSFORMER_REFS, checker);
    let Some(Data::List(items)) = fields.entry(TRANSFORMER_REFS.name).map(|entry| &entry.node.data) else {
        return Vec::new();
    };
    items.iter().filter_map(|item| Some((item.as_text()?.to_owned(), item.span))).collect()
}

fn read_extractor(source: &str, entry: &Entry, checker: &mut Checker<'_>) -> Option<Extractor> {
    let table = checker.table(EXTRACTOR.name, &entry.node)?;
    let title = super::shown_title("sources", source).replace(']', ".extractor]");
    let mut fields = Fields::new(title, entry.span, table);
    let (kind, type_span) = fields.get_with_span(&TYPE, checker);
    match kind? {
        Type::Noop => {
            checker.warning(
                type_span,
                format!("the source {} receives nothing: its type is `noop`", quoted(source)),
            );
            fields.finish(&EXTRACTOR_SECTION, checker);
            None
        }
        Type::Mock => Some(Extractor::Mock(mock::read(fields, checker))),
        Type::Amqp => amqp::read(fields, type_span, checker).map(|amqp| Extractor::Amqp(Box::new(amqp))),
        Type::Sse => sse::read(source, fields, type_span, checker).map(|sse| Extractor::Sse(Box::new(sse))),
        Type::Rest => rest::read(fields, type_span, checker).map(Extractor::Rest),
        Type::Webhook => webhook::read(fields, type_span, checker).map(Extractor::Webhook),
    }
}

/// The rules for the headers of requests.
fn read_headers(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Vec<HeaderRule> {
    let headers = fields.entry(HEADERS.name);
    headers.map(|entry| rule::read_all(HEADERS.name, &entry.node, false, checker)).unwrap_or_default()
}

/// The names of headers that travel with an event, in lower case, each once.
fn read_headers_to_keep(
    fields: &mut Fields<'_>,
    key: &Key<Or<Items<Text>>>,
    checker: &mut Checker<'_>,
) -> Vec<String> {
    let mut names = fields.get(key, checker);
    for name in &mut names {
        name.make_ascii_lowercase();
    }
    names.sort();
    names.dedup();
    names
}
