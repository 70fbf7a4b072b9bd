//! Mycel's dialect: HCL, in one file or in all files of a folder. It becomes a native document, block by block, and
//! nothing behind this knows which it was. So what is checked here is what the dialect itself has: its blocks, its keys,
//! its words and its durations.

mod connector;
mod cors;
mod duration;
pub(crate) mod files;
mod flow;
mod listeners;
mod rabbitmq;
mod rest;
mod service;
mod sse;
mod target;
mod url;
mod words;

use std::path::Path;

use crate::building::Block;
use crate::checker::{Checker, Fields, list, nearest, quoted};
use crate::hcl::{self, Body, Label, Problem};
use crate::keys::{Foreign, Key, Optional, Section};
use crate::mask::{self, Dialect};
use crate::native::sink::sse::IDENTITY;
use crate::shapes::Nested;
use crate::tree::{Data, Entry, Node, Table};
use crate::{Span, keys};

use connector::Connector;

const SERVICE: Key<Optional<Nested>> = Key {
    name: "service",
    doc: "What the service is called.",
    presence: Optional(Nested("a block, see [`service`](#service)"), "none"),
};

const CONNECTOR: Key<Optional<Nested>> = Key {
    name: "connector",
    doc: "`connector \"NAME\"`: where events come from, and where they go.",
    presence: Optional(Nested("blocks, see [`connector`](#connector-of-type-sse)"), "none"),
};

const FLOW: Key<Optional<Nested>> = Key {
    name: "flow",
    doc: "`flow \"NAME\"`: that events of one connector go to another.",
    presence: Optional(
        Nested("blocks, see [`flow`](#flow)"),
        "none, with a warning that nothing is streamed",
    ),
};

static ROOT_SECTION: Section = Section {
    title: "Blocks of a file",
    variant: None,
    about: "All of these may be missing, and stand in any file.",
    example: "",
    keys: &[&SERVICE, &CONNECTOR, &FLOW],
    foreign: &words::BLOCKS,
};

/// Every block, in the order of the reference page.
pub(crate) static SECTIONS: [&Section; 14] = [
    &ROOT_SECTION,
    &service::SECTION,
    &sse::SECTION,
    &rest::SECTION,
    &rabbitmq::SECTION,
    &rabbitmq::queue::QUEUE_SECTION,
    &rabbitmq::queue::EXCHANGE_SECTION,
    &rabbitmq::consumer::SECTION,
    &rabbitmq::tls::SECTION,
    &cors::SSE_SECTION,
    &cors::REST_SECTION,
    &flow::SECTION,
    &flow::FROM_SECTION,
    &flow::TO_SECTION,
];

/// Whether a file of this name is read as Mycel's.
pub(crate) fn is_file(name: &Path) -> bool {
    let ending = name.extension();
    ending.is_some_and(|it| it.eq_ignore_ascii_case("mycel") || it.eq_ignore_ascii_case("hcl"))
}

/// Reads the texts of a configuration, each with its file. What comes out is a native document, whose values are where
/// the texts have them. `start` is the place of what is missing.
pub(crate) fn read(texts: &[(u32, &str)], start: Span, checker: &mut Checker<'_>) -> Table {
    let (mut body, mut problems) = (Body::default(), Vec::new());
    for (file, text) in texts {
        let is_shown = |key: &str| Dialect::Mycel.shows(key);
        let mut document = hcl::parse(text, *file, checker.env, is_shown, &mut checker.diagnostics);
        let masked = if document.is_broken {
            mask::broken(text, Dialect::Mycel)
        } else {
            mask::hcl(text, &document.words)
        };
        checker.diagnostics.set_text(*file, masked);
        checker.incomplete |= document.is_broken;
        problems.append(&mut document.problems);
        body.attributes.entries.append(&mut document.body.attributes.entries);
        body.blocks.append(&mut document.body.blocks);
    }
    let mut conversion = Conversion { checker, unread: Vec::new() };
    let document = conversion.convert(body, start);
    let unread = conversion.unread;
    report(problems, &unread, checker);
    document
}

/// Warns of what holds for sinks as they are after the environment was laid over them.
pub(crate) fn settle(document: &Table, files: std::ops::RangeInclusive<u32>, checker: &mut Checker<'_>) {
    let routes = document.get("routes").map(|routes| &routes.node.data);
    let Some(Data::List(routes)) = routes else { return };
    let sinks = document.get("sinks").map(|sinks| &sinks.node.data);
    let Some(Data::Table(sinks)) = sinks else { return };
    for sink in &sinks.entries {
        let Data::Table(table) = &sink.node.data else { continue };
        let identity = table.get(IDENTITY.name);
        let is_believing =
            identity.is_some_and(|it| files.contains(&it.span.file()) && it.node.as_text() == Some("query"));
        let has_audience = routes.iter().any(|route| {
            let Data::Table(route) = &route.data else { return false };
            route.get("to").is_some_and(|to| to.node.as_text() == Some(&sink.name))
                && route.get("audience").is_some()
        });
        if is_believing && has_audience {
            let variable = sink.name.to_uppercase().replace('-', "_");
            checker
                .warning(sink.span, format!("anyone may join any room of {} and be any user", quoted(&sink.name)))
                .label("as in Mycel, `?room=`, `?rooms=` and `?user_id=` are believed")
                .help(format!(
                    "FANFARE__SINKS__{variable}__IDENTITY=jwt lets a token say who may; FANFARE__SINKS__{variable}__JWT \
                     says whose tokens"
                ));
        }
    }
}

/// Reports the values that could not be evaluated, but for those of which nobody reads anything.
fn report(problems: Vec<Problem>, unread: &[Span], checker: &mut Checker<'_>) {
    for problem in problems {
        let is_within = |outer: &&Span| {
            let (outer_range, range) = (outer.range(), problem.span.range());
            outer.file() == problem.span.file()
                && outer_range.start <= range.start
                && range.end <= outer_range.end
        };
        if unread.iter().find(is_within).is_none() {
            checker.error(problem.span, problem.message).help(problem.help);
        }
    }
}

/// The state of converting one configuration.
struct Conversion<'c, 'e> {
    checker: &'c mut Checker<'e>,
    /// Where keys and blocks are that are ignored or refused as a whole: no value in them matters.
    unread: Vec<Span>,
}

impl Conversion<'_, '_> {
    fn convert(&mut self, body: Body, start: Span) -> Table {
        for entry in &body.attributes.entries {
            self.unread.push(entry.node.span);
            self.checker.error(entry.span, format!("{} stands in no block", quoted(&entry.name))).help(
                "a configuration consists of blocks: `connector \"NAME\" { … }`, `flow \"NAME\" { … }`",
            );
        }
        let (mut connectors, mut flows): (Vec<Connector>, Vec<flow::Flow>) = (Vec::new(), Vec::new());
        for block in body.blocks {
            match block.kind.as_str() {
                "service" => service::check(block, self),
                "connector" => {
                    if let Some(name) =
                        self.name(&block, connectors.iter().map(|it| (it.name.as_str(), it.name_span)))
                    {
                        connectors.push(Connector::new(name, block, self));
                    }
                }
                "flow" => {
                    if let Some(name) = self.name(&block, flows.iter().map(|it| (it.name.as_str(), it.span)))
                    {
                        flows.push(flow::Flow::new(name, block));
                    }
                }
                _ => self.unknown(&block),
            }
        }
        let flows: Vec<_> = flows.into_iter().filter_map(|flow| flow.read(&connectors, self)).collect();
        self.document(&connectors, &flows, start)
    }

    fn document(&mut self, connectors: &[Connector], flows: &[flow::Routes], start: Span) -> Table {
        let mut out = Block::new(start);
        let (mut sources, mut sinks) = (Vec::new(), Vec::new());
        let listeners = listeners::Listeners::new(connectors, flows, self);
        for connector in connectors {
            match connector.kind {
                Some(connector::Kind::Sse) => sinks.push(sse::convert(connector, &listeners, self)),
                Some(connector::Kind::Rest) => {
                    sources.extend(rest::convert(connector, flows, &listeners, self));
                }
                Some(connector::Kind::RabbitMq) => sources.extend(rabbitmq::convert(connector, flows, self)),
                None => {}
            }
        }
        if sinks.is_empty() && !self.checker.incomplete {
            self.checker
                .warning(start, "nothing is streamed: there is no connector of type `sse`")
                .help("`connector \"events\" { … }` with `type = \"sse\"` streams at `/events` on port 3002");
        }
        listeners.write(&mut out);
        out.table("sources", sources);
        out.table("sinks", sinks);
        let routes: Vec<_> = flows.iter().flat_map(flow::Routes::nodes).collect();
        out.node("routes", Node { span: start, data: Data::List(routes), raw: None });
        out.into_table()
    }

    /// The name of a block, if it has one of its own.
    fn name<'n>(
        &mut self,
        block: &hcl::Block,
        mut taken: impl Iterator<Item = (&'n str, Span)>,
    ) -> Option<(String, Span)> {
        let kind = &block.kind;
        let [Label { text, span }] = block.labels.as_slice() else {
            self.unread.push(block.span);
            let message = if block.labels.is_empty() {
                format!("this `{kind}` has no name")
            } else {
                format!("a `{kind}` has one name")
            };
            self.checker.error(block.header(), message).help(format!("`{kind} \"NAME\" {{ … }}`"));
            return None;
        };
        if let Some((_, before)) = taken.find(|(name, _)| name == text) {
            self.unread.push(block.span);
            self.checker
                .error(*span, format!("there are two `{kind}` blocks {}", quoted(text)))
                .also(before, "it is here already")
                .help("give one of the two another name");
            return None;
        }
        Some((text.clone(), *span))
    }

    /// Says of a block that it is not served, or that nobody knows it.
    fn unknown(&mut self, block: &hcl::Block) {
        self.unread.push(block.span);
        let kind = block.kind.as_str();
        if let Some(Foreign { fate: keys::Fate::Refused(instead), .. }) =
            words::BLOCKS.iter().find(|foreign| foreign.name == kind)
        {
            self.checker.error(block.header(), format!("`{kind}` is not served")).help(*instead);
            return;
        }
        let served = ["connector", "flow", "service"];
        let known = words::BLOCKS.iter().map(|foreign| foreign.name).chain(served);
        let help = match nearest(kind, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("blocks here: {}", list(&served)),
        };
        self.checker.error(block.kind_span, format!("unknown block {}", quoted(kind))).help(help);
    }

    /// Ends the reading of a table: what it has more is reported, and its values are not.
    fn finish(&mut self, fields: Fields<'_>, table: &Table, section: &Section) {
        let known = |entry: &&Entry| section.keys.iter().any(|key| key.name() == entry.name);
        self.unread.extend(table.entries.iter().filter(|entry| !known(entry)).map(|entry| entry.node.span));
        fields.finish(section, self.checker);
    }
}
