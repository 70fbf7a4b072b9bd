//! Inboxclaw's dialect: YAML. It becomes a native document, key by key, and nothing behind this knows which it was. So
//! what is checked here is what the dialect itself has: its keys, its words and its numbers.

mod database;
mod interval;
mod server;
pub(crate) mod sink;
mod source;
mod variables;

use crate::building::Block;
use crate::checker::{Checker, Fields, nearest, quoted};
use crate::keys::{Describe as _, Foreign, Key, Optional, Presence, Section};
use crate::loose::Word;
use crate::mask::has_swallowed;
use crate::native::log;
use crate::shapes::{ANY_TEXT, Nested, Text};
use crate::tree::{Data, Entry, Node, Table};
use crate::{Span, mask, yaml};

use variables::Variables;

const SERVER: Key<Optional<Nested>> = Key {
    name: "server",
    doc: "The listener.",
    presence: Optional(Nested("a mapping, see [`server`](#server)"), "its defaults"),
};

const DATABASE: Key<Optional<Nested>> = Key {
    name: "database",
    doc: "Where events are kept.",
    presence: Optional(Nested("a mapping, see [`database`](#database)"), "its defaults"),
};

const SOURCES: Key<Optional<Nested>> = Key {
    name: "sources",
    doc: "Where events come from, by name.",
    presence: Optional(
        Nested("a mapping of mappings, see [`sources.NAME`](#sourcesname-of-type-webhook)"),
        "none",
    ),
};

const SINK: Key<Optional<Nested>> = Key {
    name: "sink",
    doc: "Where events go, by name.",
    presence: Optional(
        Nested("a mapping of mappings, see [`sink.NAME`](#sinkname-of-type-sse)"),
        "none, with a warning that nothing is streamed",
    ),
};

const SCHEMA: Key<Optional<Text>> =
    Key { name: "$schema", doc: "For editors; not looked at.", presence: Optional(ANY_TEXT, "none") };

static ROOT_SECTION: Section = Section {
    title: "The file",
    variant: None,
    about: "All of these may be missing.",
    example: "",
    keys: &[&SERVER, &DATABASE, &SOURCES, &SINK, &SCHEMA],
    foreign: &[Foreign::refused("sinks", "the key is `sink`, without an `s`")],
};

/// Every mapping, in the order of the reference page.
pub(crate) static SECTIONS: [&Section; 7] = [
    &ROOT_SECTION,
    &server::SECTION,
    &database::SECTION,
    &source::WEBHOOK_SECTION,
    &source::MOCK_SECTION,
    &sink::SSE_SECTION,
    &sink::HTTP_PULL_SECTION,
];

/// Reads a text. What comes out is a native document, whose values are where the text has them.
pub(crate) fn read(text: &str, file: u32, checker: &mut Checker<'_>) -> Table {
    let mut variables = Variables::new(checker.env);
    let mut document = yaml::parse(text, file, &mut variables, &mut checker.diagnostics);
    let masked = if document.is_broken {
        let masked = mask::broken(text, mask::Dialect::Inboxclaw);
        mask::take_out(&mut document.table, text, &masked);
        masked
    } else {
        mask::yaml_document(text, &document)
    };
    checker.diagnostics.set_text(file, masked);
    checker.incomplete = document.is_broken;
    for (name, span) in &variables.unset {
        let (message, help) = variables::unset_message(name);
        checker.warning(*span, message).help(help);
    }
    convert(&document.table, Span::new(file, 0..0), checker)
}

/// Takes out of a document what the environment has made pointless: a log that it has moved into memory has no file,
/// wherever this dialect would put it. What the environment says itself stays.
pub(crate) fn settle(document: &mut Table, file: u32) {
    let log = document.entries.iter_mut().find(|entry| entry.name == "log");
    let Some(Data::Table(log)) = log.map(|entry| &mut entry.node.data) else { return };
    if log.get(log::TYPE.name).is_some_and(|entry| entry.node.as_text() == Some("memory")) {
        log.entries.retain(|entry| {
            let is_made_here = entry.span.file() == file && entry.node.span.file() == file;
            !is_made_here || ![log::PATH.name, log::RETENTION.name].contains(&entry.name.as_str())
        });
    }
}

/// `start` is the place of what is missing at the top.
fn convert(document: &Table, start: Span, checker: &mut Checker<'_>) -> Table {
    let mut fields = Fields::new("the configuration", start, document);
    let mut out = Block::new(start);
    fields.get(&SCHEMA, checker);
    server::convert(sub(&mut fields, &SERVER, checker), &mut out, checker);
    database::convert(sub(&mut fields, &DATABASE, checker), &mut out, checker);
    let sources = blocks(&mut fields, &SOURCES, checker);
    out.table("sources", sources.iter().filter_map(|block| source::convert(block, checker)).collect());
    let has_sink = fields.has(SINK.name) || fields.has("sinks");
    let sink = fields.entry(SINK.name).map(|entry| &entry.node);
    let is_empty = sink.is_some_and(|node| mapping_of(node).is_some_and(|table| table.entries.is_empty()));
    if (!has_sink || is_empty) && !checker.incomplete {
        checker
            .warning(sink.map_or(start, |node| node.span), "nothing is streamed: there is no sink")
            .help("`sink: { events: { type: sse } }` streams all events at `/events/`");
    }
    let sinks = blocks(&mut fields, &SINK, checker);
    out.table("sinks", sinks.iter().filter_map(|block| sink::convert(block, checker)).collect());
    fields.finish(&ROOT_SECTION, checker);
    out.into_table()
}

/// A mapping with a name: a source or a sink.
struct NamedBlock<'t> {
    entry: &'t Entry,
    /// What messages call it: `sink.alerts`.
    title: String,
    table: &'t Table,
}

static EMPTY: Table = Table { entries: Vec::new() };

/// The keys of a mapping at the top; where it is missing or empty, all of them have their defaults.
fn sub<'t, P: Presence>(fields: &mut Fields<'t>, key: &Key<P>, checker: &mut Checker<'_>) -> Fields<'t> {
    let title = format!("`{}`", key.name);
    match fields.entry(key.name) {
        Some(entry) => {
            Fields::new(title, entry.span, mapping(key.name, &entry.node, checker).unwrap_or(&EMPTY))
        }
        None => Fields::new(title, fields.span(), &EMPTY),
    }
}

fn blocks<'t, P: Presence>(
    fields: &mut Fields<'t>,
    key: &Key<P>,
    checker: &mut Checker<'_>,
) -> Vec<NamedBlock<'t>> {
    let table = fields.entry(key.name).and_then(|entry| mapping(key.name, &entry.node, checker));
    let entries = table.iter().flat_map(|table| &table.entries);
    let blocks = entries.filter_map(|entry| {
        let name = if has_swallowed(&entry.name) { "…" } else { &entry.name };
        let title = format!("{}.{name}", key.name);
        let table = mapping(&title, &entry.node, checker)?;
        Some(NamedBlock { entry, title: format!("`{title}`"), table })
    });
    blocks.collect()
}

/// The mapping that a value is; nothing at all is an empty one.
fn mapping_of(node: &Node) -> Option<&Table> {
    match &node.data {
        Data::Table(table) => Some(table),
        Data::Null => Some(&EMPTY),
        _ => None,
    }
}

/// The mapping that a value is, or `None` after saying that it is none.
fn mapping<'t>(key: &str, node: &'t Node, checker: &mut Checker<'_>) -> Option<&'t Table> {
    let table = mapping_of(node);
    if table.is_none() {
        checker.wrong_type(key, node, "a mapping");
    }
    table
}

/// What a block is, before its keys are read.
struct Type<T> {
    kind: T,
    span: Span,
}

/// What types of blocks there are.
struct Types<T: 'static> {
    /// `source` or `sink`.
    what: &'static str,
    /// Its words are all types of Inboxclaw, those that are not served included.
    key: &'static Key<Optional<Word>>,
    served: &'static [(&'static str, T)],
}

impl<T: Copy> Types<T> {
    /// The type of a block, which is its name where it says nothing else.
    fn read(
        &self,
        block: &NamedBlock<'_>,
        fields: &mut Fields<'_>,
        checker: &mut Checker<'_>,
    ) -> Option<Type<T>> {
        let what = self.what;
        let served: Vec<_> = self.served.iter().map(|(name, _)| *name).collect();
        let list = || format!("served: {}", crate::checker::list(&served));
        let find = |name: &str| self.served.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind);
        let is_foreign = |name: &str| self.key.words().contains(&name);
        let Some(written) = fields.entry(self.key.name) else {
            let Entry { name, span, .. } = block.entry;
            if let Some(kind) = find(name) {
                return Some(Type { kind, span: *span });
            }
            if is_foreign(name) {
                checker
                    .error(*span, format!("{what} type `{name}` is not served"))
                    .label("its type is its name, because it says no other")
                    .help(list());
            } else {
                let keys = block.table.entries.iter().filter(|entry| !has_swallowed(&entry.name));
                let misspelt = keys
                    .map(|entry| entry.name.as_str())
                    .find(|key| nearest(key, std::iter::once(self.key.name)).is_some());
                let help = match misspelt {
                    Some(key) => format!("did you mean `type` by `{key}`?"),
                    None => list(),
                };
                checker
                    .absent(*span, format!("`type` is missing in {}", block.title))
                    .label("without it the name is the type, and there is none of this name")
                    .help(help);
            }
            return None;
        };
        let node = &written.node;
        let name = self.key.read(node, checker)?;
        if let Some(kind) = find(&name) {
            return Some(Type { kind, span: node.span });
        }
        // What came out of a variable is not shown.
        let shown = if node.raw.is_some() { "that this names".to_owned() } else { quoted(&name) };
        if is_foreign(&name) {
            checker.error(node.span, format!("{what} type {shown} is not served")).help(list());
        } else {
            let near = || crate::checker::suggest(&name, &served, "served");
            let help = if node.raw.is_some() { list() } else { near() };
            checker.error(node.span, format!("unknown {what} type {shown}")).help(help);
        }
        None
    }
}
