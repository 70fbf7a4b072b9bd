//! `[[routes]]`: which source feeds which sink, and whom of its clients.

use fanfare_event::{AudienceRule, NamePatterns, SinkName, SourceName, TargetKind};

use super::sink::{Patterns, TYPE_PATTERNS};
use super::source::rest;
use crate::checker::{Checker, Fields, list, nearest, quoted, suggest};
use crate::keys::{Key, Optional, Or, Required, Section};
use crate::mask::Dialect;
use crate::shapes::{ANY_TEXT, Nested, Text};
use crate::tree::{Entry, Node, Table};
use crate::{Extractor, Identity, Route, Sink, SinkKind, Source, Span};

pub(crate) const FROM: Key<Required<Text>> =
    Key { name: "from", doc: "The source, by the name of its table.", presence: Required(ANY_TEXT) };

pub(crate) const TO: Key<Required<Text>> =
    Key { name: "to", doc: "The sink, by the name of its table.", presence: Required(ANY_TEXT) };

pub(crate) const OPERATION: Key<Optional<Text>> = Key {
    name: "operation",
    doc: "What of the source, where it has operations: of a `rest` source one of its `operations`, of an `amqp` source a \
          pattern of routing keys, in which `*` is one word and `#` any number of them.",
    presence: Optional(ANY_TEXT, "all"),
};

pub(crate) const MATCH: Key<Or<Patterns>> = Key {
    name: "match",
    doc: "The types of events that it means: an exact type, `prefix.*` (any depth below the prefix, not the prefix \
          itself), or `*`.",
    presence: Or(TYPE_PATTERNS, NamePatterns::any),
};

pub(crate) const AUDIENCE: Key<Optional<Nested>> = Key {
    name: "audience",
    doc: "Whom of the sink's clients.",
    presence: Optional(Nested("a table, see [`[routes.audience]`](#routesaudience)"), "everyone"),
};

pub(crate) static SECTION: Section = Section {
    title: "[[routes]]",
    variant: None,
    about: "Which source feeds which sink. Without any route every source feeds every sink, for everyone; with routes an \
            event goes where they say and nowhere else, and one that no route means is not kept. Where a route goes is \
            decided when an event comes in, and kept with it. `routes = []` means that nothing goes anywhere.",
    example: "[sources.orders.extractor]\ntype = \"webhook\"\nid = \"orders\"\n\n\
              [sinks.events]\ntype = \"sse\"\nid = \"events\"\nidentity = \"query\"\n\n\
              [[routes]]\nfrom = \"orders\"\nto = \"events\"\nmatch = [\"order.*\"]\naudience = { room = \".body.room\" }\n",
    keys: &[&FROM, &TO, &OPERATION, &MATCH, &AUDIENCE],
    foreign: &[],
};

pub(crate) const ROOM: Key<Optional<Text>> = Key {
    name: "room",
    doc: "Those who joined a room. A path into the event where it begins with a dot (`.body.room`, `.metadata.tenant`), \
          else the name of the room.",
    presence: Optional(ANY_TEXT, "required where there is no `user`"),
};

pub(crate) const USER: Key<Optional<Text>> = Key {
    name: "user",
    doc: "The connections of one user. A path or a name, as for `room`.",
    presence: Optional(ANY_TEXT, "required where there is no `room`"),
};

pub(crate) static AUDIENCE_SECTION: Section = Section {
    title: "[routes.audience]",
    variant: None,
    about: "Whom of a sink's clients a route means. What a path finds must be a string, a number, or an array of them. An \
            event that has nothing there is refused (422), or, where its publisher cannot be told, counted and \
            logged; it never goes to everyone. Several routes from one source to one sink are one event to all whom one \
            of them means.",
    example: "[sources.orders.extractor]\ntype = \"webhook\"\nid = \"orders\"\n\n\
              [sinks.events]\ntype = \"sse\"\nid = \"events\"\nidentity = \"query\"\n\n\
              [[routes]]\nfrom = \"orders\"\nto = \"events\"\naudience = { user = \".body.customer.id\" }\n",
    keys: &[&ROOM, &USER],
    foreign: &[],
};

/// Names that there are, whether they are switched on or not.
pub(super) struct Names {
    pub(super) sources: Vec<String>,
    pub(super) sinks: Vec<String>,
}

/// Reads `[[routes]]`. Routes from or to what is switched off are left out.
pub(super) fn read_all(
    entry: &Entry,
    names: &Names,
    sources: &[Source],
    sinks: &[Sink],
    checker: &mut Checker<'_>,
) -> Vec<Route> {
    let Some(items) = crate::checker::items("routes", &entry.node, "an array of tables", checker) else {
        return Vec::new();
    };
    if items.is_empty() {
        let (why, help) = match checker.dialect {
            Dialect::Mycel => (
                "there is no flow",
                "`flow \"NAME\" { from { … } to { … } }` sends what comes from one connector to another",
            ),
            _ => ("`routes` is empty", "leave `routes` out to send the events of every source to every sink"),
        };
        if !checker.incomplete {
            checker.warning(entry.span, format!("no event goes anywhere: {why}")).help(help);
        }
        return Vec::new();
    }
    let mut used = Vec::new();
    let mut routes = Vec::new();
    for node in items {
        let Some(table) = checker.table("routes", node) else { continue };
        let route = read(node, table, names, checker);
        used.extend(route.iter().map(|route| (route.from.clone(), route.to.clone())));
        let Some(route) = route else { continue };
        let source = sources.iter().find(|source| source.name == route.from);
        let sink = sinks.iter().find(|sink| sink.name == route.to);
        if let (Some(source), Some(sink)) = (source, sink) {
            check(&route, source, sink, checker);
            routes.push(route);
        }
    }
    if checker.incomplete {
        return routes;
    }
    let unnamed = match checker.dialect {
        Dialect::Mycel => "no flow names it; events go only where flows say",
        _ => "no route names it; where there are routes, events go only where they say",
    };
    for source in sources {
        if source.extractor.is_some() && !used.iter().any(|(from, _)| *from == source.name) {
            let message = format!("the events of source {} go nowhere", quoted(source.name.as_str()));
            checker.warning(source.span, message).help(unnamed);
        }
    }
    for sink in sinks {
        if !used.iter().any(|(_, to)| *to == sink.name) {
            checker
                .warning(sink.span, format!("nothing comes to sink {}", quoted(sink.name.as_str())))
                .help(unnamed);
        }
    }
    routes
}

fn read(node: &Node, table: &Table, names: &Names, checker: &mut Checker<'_>) -> Option<Route> {
    let mut fields = Fields::new("`[[routes]]`", node.span, table);
    let from = named(&mut fields, &FROM, "source", &names.sources, checker);
    let to = named(&mut fields, &TO, "sink", &names.sinks, checker);
    let operation = fields.get_with_span(&OPERATION, checker);
    let matches = fields.get(&MATCH, checker);
    let audience = match fields.entry(AUDIENCE.name) {
        None => Some(AudienceRule::Everyone),
        Some(entry) => read_audience(entry, checker),
    };
    fields.finish(&SECTION, checker);
    Some(Route {
        span: node.span,
        from: SourceName::new(&from?),
        operation: operation.0,
        operation_span: operation.1,
        matches,
        to: SinkName::new(&to?),
        audience: audience?,
    })
}

fn named(
    fields: &mut Fields<'_>,
    key: &Key<Required<Text>>,
    what: &str,
    known: &[String],
    checker: &mut Checker<'_>,
) -> Option<String> {
    let (name, span) = fields.get_with_span(key, checker);
    let name = name?;
    if known.contains(&name) {
        return Some(name);
    }
    if !checker.incomplete {
        let known: Vec<_> = known.iter().map(String::as_str).collect();
        let help = suggest(&name, &known, &format!("{what}s"));
        checker.error(span, format!("there is no {what} {}", quoted(&name))).help(help);
    }
    None
}

fn read_audience(entry: &Entry, checker: &mut Checker<'_>) -> Option<AudienceRule> {
    let table = checker.table(AUDIENCE.name, &entry.node)?;
    let mut fields = Fields::new("`audience`", entry.span, table);
    let mut rules = Vec::new();
    for (key, kind) in [(&ROOM, TargetKind::Room), (&USER, TargetKind::User)] {
        let (text, span) = fields.get_with_span(key, checker);
        if let Some(text) = text {
            match AudienceRule::parse(kind, &text) {
                Ok(rule) => rules.push(rule),
                Err(problem) => {
                    let what = format!("`{}` is neither a path nor a name", key.name);
                    checker.error(span, what).label(problem.to_string());
                    rules.push(AudienceRule::Everyone);
                }
            }
        }
    }
    let count = table.entries.len();
    fields.finish(&AUDIENCE_SECTION, checker);
    match (rules.len(), count) {
        (1, _) => rules.pop(),
        (0, 1..) => None,
        (0, _) => {
            checker
                .error(entry.node.span, "`audience` says nobody")
                .help("`{ room = \"…\" }` or `{ user = \"…\" }`; leave `audience` out for everyone");
            None
        }
        _ => {
            checker
                .error(entry.node.span, "`audience` is either a room or a user")
                .help("write two routes: an event goes to all whom one of them means, and once to each");
            None
        }
    }
}

/// What a route asks of its source and its sink.
fn check(route: &Route, source: &Source, sink: &Sink, checker: &mut Checker<'_>) {
    if let Some(operation) = &route.operation {
        check_operation(operation, route.operation_span, source, checker);
    }
    let kind = match &route.audience {
        AudienceRule::Everyone => return,
        AudienceRule::Target(target) => target.kind(),
        AudienceRule::Path(kind, _) => *kind,
    };
    match &sink.kind {
        SinkKind::HttpPull(_) => {
            let message = format!("the sink {} has no {}s", quoted(sink.name.as_str()), kind.name());
            checker.error(route.span, message).help("only sinks of type `sse` have an `audience`");
        }
        SinkKind::Sse(sse) if sse.identity == Identity::None => {
            let message =
                format!("nobody can be in a {} of sink {}", kind.name(), quoted(sink.name.as_str()));
            checker
                .warning(route.span, message)
                .help("set `identity` of the sink: `\"jwt\"` lets a token say who may join, `\"query\"` believes every client")
                .also(sink.span, "its `identity` is `\"none\"`");
        }
        SinkKind::Sse(_) => {}
    }
}

/// Whether a source has what a route asks for.
fn check_operation(operation: &str, span: Span, source: &Source, checker: &mut Checker<'_>) {
    let name = quoted(source.name.as_str());
    match &source.extractor {
        Some(Extractor::Webhook(_) | Extractor::Mock(_) | Extractor::Sse(_)) => {
            checker
                .error(span, format!("the source {name} has no operations"))
                .help("leave `operation` out; `match` tells its events by their types");
        }
        Some(Extractor::Rest(rest)) => {
            let known: Vec<_> = rest.operations.iter().map(ToString::to_string).collect();
            if !known.iter().any(|known| known == operation) {
                let shown =
                    if rest::is_operation(operation) { format!("`{operation}`") } else { quoted(operation) };
                checker
                    .error(span, format!("the source {name} has no operation {shown}"))
                    .help(suggest_operation(operation, &known));
            }
        }
        Some(Extractor::Amqp(_)) | None => {}
    }
}

/// What would be right instead of an operation that a source does not have.
fn suggest_operation(operation: &str, known: &[String]) -> String {
    let folded: Vec<_> = known.iter().map(|known| known.to_lowercase().replace('-', "_")).collect();
    let near = nearest(operation, folded.iter().map(String::as_str));
    let near = near.and_then(|near| folded.iter().zip(known).find(|(folded, _)| *folded == near));
    if let Some((_, near)) = near {
        return format!("did you mean `{near}`?");
    }
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    format!("its operations: {}", list(&known))
}

/// The names of blocks.
pub(super) fn names(table: Option<&Table>) -> Vec<String> {
    table.iter().flat_map(|table| &table.entries).map(|entry| entry.name.clone()).collect()
}
