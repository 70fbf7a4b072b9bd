//! `queue` and `exchange`: what messages are taken from, and what is bound to it.

use super::consumer::{CONSUMER, CREATE_IF_MISSING, QUEUE_OF_CONSUMER};
use crate::building::Block;
use crate::checker::{Checker, Fields};
use crate::keys::{Foreign, Key, Optional, Or, Required, Section};
use crate::loose::Switch;
use crate::mycel::Conversion;
use crate::native::source::amqp;
use crate::shapes::{ANY_TEXT, Choice, Nested, Text};
use crate::tree::{Data, Entry};

pub(super) const QUEUE: Key<Optional<Nested>> = Key {
    name: "queue",
    doc: "The queue: a block, or its name.",
    presence: Optional(Nested("a block or a text, see [`queue`](#queue)"), "`consumer.queue`"),
};

pub(super) const EXCHANGE: Key<Optional<Nested>> = Key {
    name: "exchange",
    doc: "The exchange that the queue is bound to: a block, or its name.",
    presence: Optional(
        Nested("a block or a text, see [`exchange`](#exchange)"),
        "none; the queue is taken as it is",
    ),
};

const NAME: Key<Required<Text>> = Key { name: "name", doc: "Its name.", presence: Required(ANY_TEXT) };

const DURABLE: Key<Or<Switch>> =
    Key { name: "durable", doc: "Whether it outlives the broker.", presence: Or(Switch, || true) };

const AUTO_DELETE: Key<Or<Switch>> =
    Key { name: "auto_delete", doc: "Whether it ends with its last user.", presence: Or(Switch, || false) };

const EXCLUSIVE: Key<Or<Switch>> = Key {
    name: "exclusive",
    doc: "Whether it is for this connection alone.",
    presence: Or(Switch, || false),
};

const ARGS: Key<Optional<Nested>> = Key {
    name: "args",
    doc: "Arguments for the broker, as `{ \"x-dead-letter-exchange\" = \"dlx\" }`.",
    presence: Optional(Nested("an object"), "none"),
};

const NO_WAIT: Foreign = Foreign::ignored("no_wait", "the broker's answer is always waited for");

pub(in crate::mycel) static QUEUE_SECTION: Section = Section {
    title: "`queue`",
    variant: None,
    about: "The queue that messages are taken from. It must be there, unless it may be created.",
    example: "",
    keys: &[&NAME, &DURABLE, &AUTO_DELETE, &EXCLUSIVE, &ARGS, &CREATE_IF_MISSING],
    foreign: &[NO_WAIT],
};

/// The types of exchanges.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Direct,
    Fanout,
    Topic,
    Headers,
}

const TYPE: Key<Or<Choice<Type>>> = Key {
    name: "type",
    doc: "How it picks queues.",
    presence: Or(
        Choice {
            served: &[
                ("direct", Type::Direct),
                ("fanout", Type::Fanout),
                ("topic", Type::Topic),
                ("headers", Type::Headers),
            ],
            later: &[],
            foreign: &[],
        },
        || Type::Direct,
    ),
};

const ROUTING_KEY: Key<Optional<Text>> = Key {
    name: "routing_key",
    doc: "Which messages it sends to the queue.",
    presence: Optional(ANY_TEXT, "the name of the queue"),
};

pub(in crate::mycel) static EXCHANGE_SECTION: Section = Section {
    title: "`exchange`",
    variant: None,
    about: "The exchange that the queue is bound to. It must be there, unless it may be created.",
    example: "",
    keys: &[&NAME, &TYPE, &DURABLE, &AUTO_DELETE, &ROUTING_KEY, &CREATE_IF_MISSING],
    foreign: &[
        NO_WAIT,
        Foreign::refused("internal", "declare it at the broker yourself, and leave `create_if_missing` out"),
        Foreign::refused("args", "declare it at the broker yourself, and leave `create_if_missing` out"),
        Foreign::refused("bind_args", "bind the queue at the broker yourself, and leave `exchange` out"),
    ],
};

/// Converts both. A queue may be named by `consumer` too.
pub(super) fn convert(fields: &mut Fields<'_>, out: &mut Block, conversion: &mut Conversion<'_, '_>) {
    let consumer = fields.entry(CONSUMER.name);
    let consumer = consumer.and_then(|entry| match &entry.node.data {
        Data::Table(table) => Some((entry, table)),
        _ => None,
    });
    let short = consumer.and_then(|(_, table)| table.get(QUEUE_OF_CONSUMER.name));
    let mut name = None;
    if let Some(entry) = fields.entry(QUEUE.name) {
        if let Some(short) = short {
            conversion
                .checker
                .warning(short.span, "`queue` of `consumer` is ignored: the connector has a `queue` itself")
                .also(entry.span, "it is here");
        }
        name = queue(entry, out, conversion);
    } else if let (Some(short), Some((entry, table))) = (short, consumer) {
        let mut consumer = Fields::new("`consumer`", entry.span, table);
        let (create, span) = consumer.get_with_span(&CREATE_IF_MISSING, conversion.checker);
        name = QUEUE_OF_CONSUMER.read(&short.node, conversion.checker);
        let mut block = Block::new(short.span);
        block.text_or_broken(amqp::QUEUE_NAME.name, name.clone(), short.node.span);
        block.flag(amqp::DECLARE.name, create, span);
        out.block(amqp::QUEUE.name, block);
    } else {
        conversion
            .checker
            .absent(fields.span(), format!("`queue` is missing in {}", fields.title()))
            .help("`queue { name = \"…\" }` names the queue that messages are taken from");
        out.text_or_broken(amqp::QUEUE.name, None, fields.span());
    }
    if let Some(entry) = fields.entry(EXCHANGE.name) {
        exchange(entry, name, out, conversion);
    }
}

fn queue(entry: &Entry, out: &mut Block, conversion: &mut Conversion<'_, '_>) -> Option<String> {
    let mut block = Block::new(entry.span);
    if let Some(name) = named(entry, &mut block, conversion.checker) {
        out.block(amqp::QUEUE.name, block);
        return Some(name);
    }
    let table = conversion.table(QUEUE.name, &entry.node)?;
    let mut fields = Fields::new("`queue`", entry.span, table);
    let (name, span) = fields.get_with_span(&NAME, conversion.checker);
    block.text_or_broken(amqp::QUEUE_NAME.name, name.clone(), span);
    flags(
        &mut fields,
        &[
            (&CREATE_IF_MISSING, amqp::DECLARE.name),
            (&DURABLE, amqp::DURABLE.name),
            (&AUTO_DELETE, amqp::AUTO_DELETE.name),
            (&EXCLUSIVE, amqp::EXCLUSIVE.name),
        ],
        &mut block,
        conversion.checker,
    );
    if let Some(arguments) = fields.entry(ARGS.name)
        && conversion.table(ARGS.name, &arguments.node).is_some()
    {
        block.entry(Entry { name: amqp::ARGUMENTS.name.to_owned(), ..arguments.clone() });
    }
    conversion.finish(fields, table, &QUEUE_SECTION);
    out.block(amqp::QUEUE.name, block);
    name
}

fn exchange(entry: &Entry, queue: Option<String>, out: &mut Block, conversion: &mut Conversion<'_, '_>) {
    let mut block = Block::new(entry.span);
    let mut kind = Type::Direct;
    let (mut routing_key, mut span) = (None, entry.span);
    if named(entry, &mut block, conversion.checker).is_none() {
        let Some(table) = conversion.table(EXCHANGE.name, &entry.node) else { return };
        let mut fields = Fields::new("`exchange`", entry.span, table);
        let (name, name_span) = fields.get_with_span(&NAME, conversion.checker);
        block.text_or_broken(amqp::QUEUE_NAME.name, name, name_span);
        kind = fields.get(&TYPE, conversion.checker);
        flags(
            &mut fields,
            &[
                (&CREATE_IF_MISSING, amqp::DECLARE.name),
                (&DURABLE, amqp::DURABLE.name),
                (&AUTO_DELETE, amqp::AUTO_DELETE.name),
            ],
            &mut block,
            conversion.checker,
        );
        (routing_key, span) = fields.get_with_span(&ROUTING_KEY, conversion.checker);
        conversion.finish(fields, table, &EXCHANGE_SECTION);
    }
    block.text(amqp::EXCHANGE_TYPE.name, kind.name(), span);
    // As in Mycel, a queue is bound by its name where nothing else is said.
    if let Some(key) = routing_key.filter(|key| !key.is_empty()).or(queue) {
        block.list(amqp::BINDINGS.name, &[&key], span);
    }
    out.block(amqp::EXCHANGE.name, block);
}

impl Type {
    const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Fanout => "fanout",
            Self::Topic => "topic",
            Self::Headers => "headers",
        }
    }
}

/// The name of a queue or an exchange that is nothing but a name.
fn named(entry: &Entry, block: &mut Block, checker: &mut Checker<'_>) -> Option<String> {
    let Data::Text { .. } = entry.node.data else { return None };
    let name = NAME.read(&entry.node, checker)?;
    block.text(amqp::QUEUE_NAME.name, name.as_str(), entry.node.span);
    Some(name)
}

fn flags(
    fields: &mut Fields<'_>,
    keys: &[(&Key<Or<Switch>>, &str)],
    out: &mut Block,
    checker: &mut Checker<'_>,
) {
    for (key, native) in keys {
        let (value, span) = fields.get_with_span(key, checker);
        out.flag(native, value, span);
    }
}
