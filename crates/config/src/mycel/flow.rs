//! `flow "NAME"`: routes.

mod keys;

use super::connector::{Connector, Kind};
use super::{Conversion, target};
use crate::Span;
use crate::building::Block as Native;
use crate::checker::{Fields, nearest, quoted};
use crate::hcl::{Block, Body};
use crate::native::route;
use crate::native::source::rest;
use crate::tree::Node;

use keys::{CONNECTOR, FROM, OPERATION, Operation, SEND, TARGET, TO};
pub(super) use keys::{FROM_SECTION, SECTION, TO_SECTION};

/// A flow, before it is read.
pub(super) struct Flow {
    pub(super) name: String,
    /// Where its name is.
    pub(super) span: Span,
    block: Block,
}

/// What a flow means.
pub(super) struct Routes {
    /// The name of a connector.
    pub(super) from: String,
    pub(super) operation: Option<(String, Span)>,
    from_span: Span,
    to: Vec<To>,
}

struct To {
    /// Where the route is.
    span: Span,
    /// The name of a connector.
    name: String,
    name_span: Span,
    /// The key of `audience`, its value and where that is.
    audience: Option<(&'static str, String, Span)>,
}

impl Flow {
    pub(super) fn new((name, span): (String, Span), block: Block) -> Self {
        Self { name, span, block }
    }

    /// Its routes; `None` after saying what is wrong with it.
    pub(super) fn read(
        self,
        connectors: &[Connector],
        conversion: &mut Conversion<'_, '_>,
    ) -> Option<Routes> {
        let title = if crate::mask::has_swallowed(&self.name) { "…" } else { &self.name };
        let (title, header) = (format!("`flow \"{title}\"`"), self.block.header());
        let (mut from, mut to, mut rest) = (Vec::new(), Vec::new(), Body::default());
        rest.attributes = self.block.body.attributes;
        for block in self.block.body.blocks {
            match block.kind.as_str() {
                "from" => from.push(block),
                "to" => to.push(block),
                _ => rest.blocks.push(block),
            }
        }
        // Steps and the like may be there several times.
        rest.blocks.sort_by(|a, b| a.kind.cmp(&b.kind));
        rest.blocks.dedup_by(|again, first| {
            let is_same = again.kind == first.kind;
            if is_same {
                conversion.unread.push(again.span);
            }
            is_same
        });
        let rest = rest.into_table(&mut conversion.checker.diagnostics);
        let mut fields = Fields::new(title.as_str(), header, &rest);
        let has = [FROM.name, TO.name].map(|name| {
            let Some(entry) = fields.entry(name) else { return false };
            conversion.unread.push(entry.node.span);
            conversion
                .checker
                .error(entry.span, format!("`{name}` is a block"))
                .help(format!("write `{name} {{ … }}`, without the `=`"));
            true
        });
        conversion.finish(fields, &rest, &SECTION);
        if let Some(second) = from.get(1) {
            let first = from.first().map_or(header, |block| block.kind_span);
            conversion
                .checker
                .error(second.kind_span, "a flow has one `from`")
                .also(first, "it is here already")
                .help("write a second flow: an event goes to all whom one of them means, and once to each");
        }
        for (blocks, key, has) in [(&from, FROM.name, has[0]), (&to, TO.name, has[1])] {
            if blocks.is_empty() && !has {
                let help = "`from { … }` says where its events come from, and `to { … }` where they go";
                conversion.checker.absent(header, format!("`{key}` is missing in {title}")).help(help);
            }
        }
        let is_single = to.len() == 1;
        let from = from.into_iter().next().and_then(|block| read_from(block, connectors, conversion));
        let kind = from.as_ref().and_then(|from| from.kind);
        let count = to.len();
        let to: Vec<_> = to
            .into_iter()
            .filter_map(|block| {
                let span = if is_single { header } else { block.kind_span };
                read_to(block, span, kind, connectors, conversion)
            })
            .collect();
        let is_whole = to.len() == count && !to.is_empty();
        let Some(from) = from.filter(|_| is_whole) else {
            // What it would have fed is not to be called unused.
            conversion.checker.incomplete = true;
            return None;
        };
        Some(Routes { from: from.name, operation: from.operation, from_span: from.name_span, to })
    }
}

struct Origin {
    name: String,
    name_span: Span,
    /// `None` where the connector is not there.
    kind: Option<Kind>,
    operation: Option<(String, Span)>,
}

fn read_from(block: Block, connectors: &[Connector], conversion: &mut Conversion<'_, '_>) -> Option<Origin> {
    let header = block.header();
    let table = block.body.into_table(&mut conversion.checker.diagnostics);
    let mut fields = Fields::new("`from`", header, &table);
    let named = named(&mut fields, connectors, conversion);
    let kind = named.as_ref().and_then(|(connector, _)| connector.kind);
    let (operation, span) = fields.get_with_span(&OPERATION, conversion.checker);
    let is_written = fields.has(OPERATION.name);
    conversion.finish(fields, &table, &FROM_SECTION);
    let (connector, name_span) = named?;
    let operation = match kind? {
        Kind::Sse => {
            let message = format!("no events come from {}: it is of type `sse`", quoted(&connector.name));
            conversion
                .checker
                .error(name_span, message)
                .help("a flow is from a connector of type `rest` or `mq`, and to one of type `sse`");
            return None;
        }
        Kind::Rest if !is_written => {
            conversion
                .checker
                .absent(header, "`operation` is missing in `from`")
                .help("it is a method and a path, as in `\"POST /notify/:room\"`");
            return None;
        }
        Kind::Rest => {
            // Mycel takes any number of spaces.
            let operation = operation?.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Err((problem, help)) = rest::parse(&operation) {
                let shown = conversion
                    .checker
                    .error(span, "`operation` must be a method and a path, as in \"POST /notify/:room\"");
                shown.label(problem);
                if let Some(help) = help {
                    shown.help(help);
                }
                return None;
            }
            Some((operation, span))
        }
        // In Mycel a lone `*` means all keys, of any number of words.
        Kind::RabbitMq => operation.filter(|it| !matches!(it.as_str(), "" | "*" | "#")).map(|it| (it, span)),
    };
    Some(Origin { name: connector.name.clone(), name_span, kind, operation })
}

fn read_to(
    block: Block,
    span: Span,
    from: Option<Kind>,
    connectors: &[Connector],
    conversion: &mut Conversion<'_, '_>,
) -> Option<To> {
    let header = block.header();
    let table = block.body.into_table(&mut conversion.checker.diagnostics);
    let mut fields = Fields::new("`to`", header, &table);
    let named = named(&mut fields, connectors, conversion);
    let (operation, operation_span) = fields.get_with_span(&SEND, conversion.checker);
    let (target, target_span) = fields.get_with_span(&TARGET, conversion.checker);
    let has_target = fields.has(TARGET.name);
    conversion.finish(fields, &table, &TO_SECTION);
    let audience = match operation {
        Some(Operation::Broadcast) => {
            if has_target {
                conversion
                    .checker
                    .warning(target_span, "`target` is ignored: a broadcast reaches everyone")
                    .help("`operation = \"send_to_room\"` or `\"send_to_user\"` has a target");
            }
            Some(None)
        }
        None => None,
        Some(operation) => {
            let (key, word) = match operation {
                Operation::SendToUser => (route::USER.name, "send_to_user"),
                _ => (route::ROOM.name, "send_to_room"),
            };
            if !has_target {
                conversion
                    .checker
                    .absent(
                        operation_span,
                        format!("`target` is missing: `{word}` needs to know which {key}"),
                    )
                    .help(format!(
                        "`target = \"input.{key}\"` takes it from the event; anything else is its name"
                    ));
            }
            target.and_then(|target| match target::native(&target, from) {
                Ok(text) => Some(Some((key, text, target_span))),
                Err(problem) => {
                    let message = format!("`target` does not say which {key}");
                    conversion.checker.error(target_span, message).label(problem);
                    None
                }
            })
        }
    };
    let (connector, name_span) = named?;
    match connector.kind? {
        Kind::Sse => {}
        kind => {
            let word = if kind == Kind::Rest { "rest" } else { "mq" };
            let message = format!("no events go to {}: it is of type `{word}`", quoted(&connector.name));
            conversion.checker.error(name_span, message).help("a flow goes to a connector of type `sse`");
            return None;
        }
    }
    Some(To { span, name: connector.name.clone(), name_span, audience: audience? })
}

/// The connector that a block names, and where it does.
fn named<'c>(
    fields: &mut Fields<'_>,
    connectors: &'c [Connector],
    conversion: &mut Conversion<'_, '_>,
) -> Option<(&'c Connector, Span)> {
    let raw = fields.entry(CONNECTOR.name).and_then(|entry| entry.node.raw.as_ref()).is_some();
    let (name, span) = fields.get_with_span(&CONNECTOR, conversion.checker);
    let name = name?;
    if let Some(connector) = connectors.iter().find(|connector| connector.name == name) {
        return Some((connector, span));
    }
    // What came out of a variable is not shown.
    let shown = if raw { "that this names".to_owned() } else { quoted(&name) };
    let known = || connectors.iter().map(|connector| connector.name.as_str());
    let help = match nearest(&name, known()).filter(|_| !raw) {
        Some(near) => format!("did you mean `{near}`?"),
        None if connectors.is_empty() => "`connector \"NAME\" { … }` makes one".to_owned(),
        None => format!("connectors: {}", crate::checker::list(&known().collect::<Vec<_>>())),
    };
    conversion.checker.absent(span, format!("there is no connector {shown}")).help(help);
    None
}

impl Routes {
    /// The native routes that it means.
    pub(super) fn nodes(&self) -> Vec<Node> {
        let node = |to: &To| {
            let mut route = Native::new(to.span);
            route.text(route::FROM.name, self.from.as_str(), self.from_span);
            if let Some((operation, span)) = &self.operation {
                route.text(route::OPERATION.name, operation.as_str(), *span);
            }
            route.text(route::TO.name, to.name.as_str(), to.name_span);
            if let Some((key, value, span)) = &to.audience {
                let mut audience = Native::new(*span);
                audience.text(key, value.as_str(), *span);
                route.block(route::AUDIENCE.name, audience);
            }
            route.into_node()
        };
        self.to.iter().map(node).collect()
    }
}
