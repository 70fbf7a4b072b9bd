//! The native dialect: TOML, a superset of cdviz-collector's. Each table of it has a file here, with its keys and
//! the code that reads them; how keys are declared is in `keys`.

pub(crate) mod http;
pub(crate) mod log;
mod metadata;
pub(crate) mod rule;
pub(crate) mod signature;
pub(crate) mod sink;
pub(crate) mod source;
pub(crate) mod transformer;
mod variable;
pub(crate) mod words;

use toml_writer::{ToTomlKey as _, TomlKeyBuilder};

use crate::checker::{Checker, Fields};
use crate::keys::{Foreign, Key, Optional, Section};
use crate::shapes::Nested;
use crate::tree::{Entry, Table};
use crate::{Config, Http, Log, Span};

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
    SOURCES = "sources", "Where events come from.", "a table of tables, see [`[sources.NAME]`](#sourcesname)";
    TRANSFORMERS = "transformers", "Steps between a source and the log.",
        "a table of tables, see [`[transformers.NAME]`](#transformersname)";
    SINKS = "sinks", "Where events go.", "a table of tables, see [`[sinks.NAME]`](#sinksname)";
    PIPELINE = "pipeline", "What is done for all sources.", "a table, see [`[pipeline]`](#pipeline)";
}

pub(crate) static ROOT_SECTION: Section = Section {
    title: "The file",
    about: "All of these may be missing.",
    example: "",
    keys: &[&HTTP, &LOG, &SOURCES, &TRANSFORMERS, &SINKS, &PIPELINE],
    foreign: &[
        Foreign::later("listeners"),
        Foreign::later("routes"),
        Foreign::ignored("state", "no source polls, so there is no state of polling to keep"),
        Foreign::ignored("remote", "nothing is fetched at the start"),
    ],
};

pub(crate) static PIPELINE_SECTION: Section = Section {
    title: "[pipeline]",
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
    let http = fields.entry(HTTP.name).and_then(|entry| sub(entry, checker));
    let http = http.map_or_else(Http::default, |fields| http::read(fields, checker));
    let log = fields.entry(LOG.name).and_then(|entry| sub(entry, checker));
    let log = log.map_or_else(Log::default, |fields| log::read(fields, checker));
    let pipeline = fields.entry(PIPELINE.name).and_then(|entry| sub(entry, checker));
    let after = pipeline.map(|mut fields| {
        let refs = source::refs(&mut fields, checker);
        fields.finish(&PIPELINE_SECTION, checker);
        refs
    });
    let mut blocks = |key: &Key<_>, checker: &mut Checker<'_>| {
        fields.entry(key.name).and_then(|entry| checker.table(key.name, &entry.node))
    };
    let mut transformers = Transformers::default();
    if let Some(table) = blocks(&TRANSFORMERS, checker) {
        transformers = Transformers::read(table, checker);
    }
    let sources = blocks(&SOURCES, checker)
        .map(|table| source::read_all(table, &after.unwrap_or_default(), &mut transformers, checker));
    let sinks = blocks(&SINKS, checker).map(|table| sink::read_all(table, checker));
    fields.finish(&ROOT_SECTION, checker);
    Config {
        http,
        log,
        transformers: transformers.all,
        sources: sources.unwrap_or_default(),
        sinks: sinks.unwrap_or_default(),
    }
}

fn sub<'t>(entry: &'t Entry, checker: &mut Checker<'_>) -> Option<Fields<'t>> {
    let table = checker.table(&entry.name, &entry.node)?;
    Some(Fields::new(format!("[{}]", entry.name), entry.span, table))
}

/// The header of a block: `[sinks.NAME]`.
pub(crate) fn title(section: &str, name: &str) -> String {
    format!("[{section}.{}]", TomlKeyBuilder::new(name).as_default().to_toml_key())
}

/// Every table, in the order of the reference page.
pub(crate) static SECTIONS: [&Section; 20] = [
    &ROOT_SECTION,
    &http::SECTION,
    &log::SECTION,
    &log::WINDOW_SECTION,
    &source::SECTION,
    &source::WEBHOOK_SECTION,
    &transformer::SECTION,
    &transformer::VRL_SECTION,
    &transformer::LOG_SECTION,
    &transformer::DEDUPLICATE_SECTION,
    &PIPELINE_SECTION,
    &sink::SSE_SECTION,
    &sink::CORS_SECTION,
    &rule::SECTION,
    &rule::ARRAY_SECTION,
    &rule::EQUALS_SECTION,
    &rule::MATCHES_SECTION,
    &rule::SECRET_SECTION,
    &signature::SECTION,
    &signature::HEADERS_THEN_BODY_SECTION,
];
