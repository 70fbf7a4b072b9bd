//! The native dialect: TOML, a superset of cdviz-collector's. Each table of it has a file here, with its keys and
//! the code that reads them; how keys are declared is in `keys`.

mod addresses;
pub(crate) mod admin;
mod amqp_url;
mod authority;
pub(crate) mod client_tls;
pub(crate) mod endpoints;
pub(crate) mod http;
pub(crate) mod listener;
pub(crate) mod log;
mod metadata;
pub(crate) mod outgoing;
mod own_streams;
pub(crate) mod route;
pub(crate) mod rule;
pub(crate) mod signature;
pub(crate) mod sink;
pub(crate) mod source;
mod sse_url;
pub(crate) mod tls;
pub(crate) mod transformer;
mod variable;
pub(crate) mod words;

use toml_writer::{ToTomlKey as _, TomlKeyBuilder};

use crate::checker::{Checker, Fields};
use crate::keys::{Foreign, Key, Optional, Presence, Section};
use crate::mask::has_swallowed;
use crate::shapes::Nested;
use crate::tree::Table;
use crate::{Config, Span};

use transformer::{TRANSFORMER_REFS, Transformers};

macro_rules! tables {
    ($($constant:ident = $name:literal, $doc:literal, $kind:literal;)*) => {
        $(const $constant: Key<Optional<Nested>> =
            Key { name: $name, doc: $doc, presence: Optional(Nested($kind), "none") };)*
    };
}

tables! {
    HTTP = "http", "The listener.", "a table, see [`[http]`](#http)";
    LOG = "log", "Where events are kept.", "a table, see [`[log]`](#log)";
    ADMIN = "admin", "Where an operator sees and ends streams.", "a table, see [`[admin]`](#admin)";
    LISTENERS = "listeners", "More listeners.", "a table of tables, see [`[listeners.NAME]`](#listenersname)";
    SOURCES = "sources", "Where events come from.", "a table of tables, see [`[sources.NAME]`](#sourcesname)";
    TRANSFORMERS = "transformers", "Steps between a source and the log.",
        "a table of tables, see [`[transformers.NAME]`](#transformersname)";
    SINKS = "sinks", "Where events go.", "a table of tables, see [`[sinks.NAME]`](#sinksname)";
    ROUTES = "routes", "Which source feeds which sink, and whom of its clients.",
        "an array of tables, see [`[[routes]]`](#routes)";
    PIPELINE = "pipeline", "What is done for all sources.", "a table, see [`[pipeline]`](#pipeline)";
}

pub(crate) static ROOT_SECTION: Section = Section {
    title: "The file",
    variant: None,
    about: "All of these may be missing.",
    example: "",
    keys: &[&HTTP, &LISTENERS, &LOG, &SOURCES, &TRANSFORMERS, &SINKS, &ROUTES, &ADMIN, &PIPELINE],
    foreign: &[
        Foreign::ignored("state", "no source polls, so there is no state of polling to keep"),
        Foreign::ignored("remote", "nothing is fetched at the start"),
    ],
};

pub(crate) static PIPELINE_SECTION: Section = Section {
    title: "[pipeline]",
    variant: None,
    about: "What is done for all sources: the chain here comes behind a source's own.",
    example: "[pipeline]\ntransformer_refs = [\"deduplicate_on_context_id\"]\n",
    keys: &[&TRANSFORMER_REFS],
    foreign: &[Foreign::ignored(
        "queue_capacity",
        "no queue is between sources and sinks; see `[log.window]`",
    )],
};

/// Reads a whole document. `start` is the place of what is missing at the top.
pub(crate) fn read(document: &Table, start: Span, checker: &mut Checker<'_>) -> Config {
    let mut fields = Fields::new("the configuration", start, document);
    let http_span = document.get(HTTP.name).map(|entry| entry.span);
    let http = http::read(sub(&mut fields, &HTTP, checker), checker);
    let listeners = blocks(&mut fields, &LISTENERS, checker)
        .map(|table| listener::read_all(table, checker))
        .unwrap_or_default();
    let admin = fields.entry(ADMIN.name).and_then(|entry| {
        let table = checker.table(ADMIN.name, &entry.node)?;
        Some(admin::read(Fields::new(admin::SECTION.title, entry.span, table), checker))
    });
    let log = log::read(sub(&mut fields, &LOG, checker), checker);
    let mut pipeline = sub(&mut fields, &PIPELINE, checker);
    let after = source::refs(&mut pipeline, checker);
    pipeline.finish(&PIPELINE_SECTION, checker);
    let mut transformers = Transformers::default();
    if let Some(table) = blocks(&mut fields, &TRANSFORMERS, checker) {
        transformers = Transformers::read(table, checker);
    }
    let source_blocks = blocks(&mut fields, &SOURCES, checker);
    let sources = source_blocks.map(|table| source::read_all(table, &after, &mut transformers, checker));
    let sources = sources.unwrap_or_default();
    let sink_blocks = blocks(&mut fields, &SINKS, checker);
    let sinks = sink_blocks.map(|table| sink::read_all(table, checker));
    let sinks = sinks.unwrap_or_default();
    let routes = fields.entry(ROUTES.name).map(|entry| {
        let names = route::Names { sources: route::names(source_blocks), sinks: route::names(sink_blocks) };
        route::read_all(entry, &names, &sources, &sinks, checker)
    });
    endpoints::report_shared(&sources, &sinks, checker);
    fields.finish(&ROOT_SECTION, checker);
    let transformers = transformers.all;
    let config = Config { http, listeners, log, transformers, sources, sinks, routes, admin };
    addresses::report_shared(&config, http_span, checker);
    own_streams::warn_of(&config, checker);
    config
}

/// The keys of a table at the top, or of one in such a table; where there is none, all of them have their defaults.
fn sub<'t, P: Presence>(fields: &mut Fields<'t>, key: &Key<P>, checker: &mut Checker<'_>) -> Fields<'t> {
    static EMPTY: Table = Table { entries: Vec::new() };
    let title = match fields.title().strip_suffix(']') {
        Some(outer) => format!("{outer}.{}]", key.name),
        None => format!("[{}]", key.name),
    };
    match fields.entry(key.name) {
        Some(entry) => Fields::new(title, entry.span, checker.table(key.name, &entry.node).unwrap_or(&EMPTY)),
        None => Fields::new(title, fields.span(), &EMPTY),
    }
}

/// A table of blocks with names.
fn blocks<'t, P: Presence>(
    fields: &mut Fields<'t>,
    key: &Key<P>,
    checker: &mut Checker<'_>,
) -> Option<&'t Table> {
    fields.entry(key.name).and_then(|entry| checker.table(key.name, &entry.node))
}

/// The header of a block: `[sinks.NAME]`.
pub(crate) fn title(section: &str, name: &str) -> String {
    format!("[{section}.{}]", TomlKeyBuilder::new(name).as_default().to_toml_key())
}

/// The header of a block, for a message.
fn shown_title(section: &str, name: &str) -> String {
    if has_swallowed(name) { format!("[{section}.…]") } else { title(section, name) }
}

/// Every table, in the order of the reference page.
pub(crate) static SECTIONS: [&Section; 44] = [
    &ROOT_SECTION,
    &http::SECTION,
    &tls::SECTION,
    &listener::SECTION,
    &log::SECTION,
    &log::RETENTION_SECTION,
    &log::WINDOW_SECTION,
    &source::SECTION,
    &source::EXTRACTOR_SECTION,
    &source::webhook::SECTION,
    &source::rest::SECTION,
    &source::mock::SECTION,
    &source::amqp::SECTION,
    &source::amqp::QUEUE_SECTION,
    &source::amqp::EXCHANGE_SECTION,
    &source::sse::SECTION,
    &client_tls::SECTION,
    &transformer::SECTION,
    &transformer::VRL_SECTION,
    &transformer::LOG_SECTION,
    &transformer::DEDUPLICATE_SECTION,
    &PIPELINE_SECTION,
    &sink::SECTION,
    &sink::sse::SECTION,
    &sink::jwt::SECTION,
    &sink::jwt_key::SECTION,
    &sink::http_pull::SECTION,
    &sink::http_pull::PATH_SECTION,
    &sink::CORS_SECTION,
    &route::SECTION,
    &route::AUDIENCE_SECTION,
    &admin::SECTION,
    &rule::SECTION,
    &rule::ARRAY_SECTION,
    &rule::EQUALS_SECTION,
    &rule::MATCHES_SECTION,
    &rule::SECRET_SECTION,
    &signature::SECTION,
    &signature::HEADERS_THEN_BODY_SECTION,
    &outgoing::SECTION,
    &outgoing::ARRAY_SECTION,
    &outgoing::STATIC_SECTION,
    &outgoing::SECRET_SECTION,
    &outgoing::SIGNATURE_SECTION,
];
