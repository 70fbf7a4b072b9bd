//! `[sources.NAME]` and its extractor.

use fanfare_event::{Object, Profile, SourceName};

use super::metadata::Metadata;
use super::rule;
use super::transformer::{INLINE, TRANSFORMER_REFS, Transformers};
use super::words::{check_header_name, check_id, check_name};
use crate::checker::{Checker, Fields, quoted};
use crate::keys::{Foreign, Key, Optional, Or, Required, Section};
use crate::shapes::{Choice, Flag, Items, Nested, Text};
use crate::tree::{Data, Entry, Table};
use crate::{Extractor, Source, Span, Webhook};

pub(crate) const ENABLED: Key<Or<Flag>> = Key {
    name: "enabled",
    doc: "`false` switches it off: it is checked, but what is wrong with it is a warning, and it does not run.",
    presence: Or(Flag, || true),
};

const EXTRACTOR: Key<Optional<Nested>> = Key {
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
    Noop,
}

pub(crate) const TYPE: Key<Required<Choice<Type>>> = Key {
    name: "type",
    doc: "`webhook` takes `POST` requests; `noop` receives nothing.",
    presence: Required(Choice {
        served: &[("webhook", Type::Webhook), ("noop", Type::Noop)],
        later: &["sse", "amqp", "mock", "rest", "timer"],
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

pub(crate) const ID: Key<Required<Text>> = Key {
    name: "id",
    doc: "The endpoint is `POST /webhook/{id}`. Unique among webhooks.",
    presence: Required(Text { kind: "an id that can be part of a URL", check: check_id }),
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

pub(crate) static WEBHOOK_SECTION: Section = Section {
    title: "[sources.NAME.extractor]",
    variant: None,
    about: "A webhook: one URL that takes events in the body of `POST` requests.",
    example: "[sources.ci.extractor]\ntype = \"webhook\"\nid = \"ci\"\nheaders_to_keep = [\"x-request-id\"]\n\
              metadata = { environment = \"production\" }\n\n\
              [sources.ci.extractor.headers]\n\"X-API-Key\" = { type = \"exists\" }\n",
    keys: &[&TYPE, &ID, &HEADERS, &HEADERS_TO_KEEP, &METADATA],
    foreign: &[
        Foreign::refused(
            "signature",
            "write it as a header rule: `[sources.NAME.extractor.headers]`, `\"X-Hub-Signature-256\" = { type = \
             \"signature\", token = \"…\", signature_prefix = \"sha256=\" }`",
        ),
        Foreign::later("listener"),
    ],
};

static NOOP_SECTION: Section = Section {
    title: "[sources.NAME.extractor]",
    variant: None,
    about: "",
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
    report_shared_ids(&sources, checker);
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
            fields.finish(&NOOP_SECTION, checker);
            None
        }
        Type::Webhook => {
            let id = fields.get(&ID, checker);
            let headers = fields.entry(HEADERS.name);
            let headers = headers.map(|entry| rule::read_all(HEADERS.name, &entry.node, false, checker));
            let mut headers_to_keep = fields.get(&HEADERS_TO_KEEP, checker);
            for name in &mut headers_to_keep {
                name.make_ascii_lowercase();
            }
            headers_to_keep.sort();
            headers_to_keep.dedup();
            let metadata = fields.get(&METADATA, checker);
            fields.finish(&WEBHOOK_SECTION, checker);
            let id = id?;
            Some(Extractor::Webhook(Webhook {
                path: format!("/webhook/{id}"),
                id: Some(id),
                profile: Profile::Cdevent,
                headers: headers.unwrap_or_default(),
                headers_to_keep,
                metadata,
                type_span,
            }))
        }
    }
}

fn report_shared_ids(sources: &[Source], checker: &mut Checker<'_>) {
    let mut first = std::collections::BTreeMap::new();
    for source in sources {
        let Some(Extractor::Webhook(webhook)) = &source.extractor else { continue };
        if let Some(before) = first.insert(&webhook.path, source) {
            let Source { name, span, .. } = before;
            checker
                .error(source.span, format!("two sources have the URL `{}`", webhook.path))
                .label("its webhook has the same `id`")
                .also(*span, format!("{} has it already", quoted(name.as_str())));
        }
    }
}
