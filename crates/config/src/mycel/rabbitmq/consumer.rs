//! `consumer`: how messages are taken.

use crate::building::Block;
use crate::checker::Fields;
use crate::keys::{Foreign, Key, Optional, Or, Section};
use crate::loose::{Switch, Whole};
use crate::mycel::Conversion;
use crate::native::source::amqp;
use crate::shapes::{ANY_TEXT, Nested, Text};

pub(super) const CONSUMER: Key<Optional<Nested>> = Key {
    name: "consumer",
    doc: "How messages are taken.",
    presence: Optional(Nested("a block, see [`consumer`](#consumer)"), "its defaults"),
};

pub(super) const QUEUE_OF_CONSUMER: Key<Optional<Text>> = Key {
    name: "queue",
    doc: "The name of the queue, where the connector has no `queue`.",
    presence: Optional(ANY_TEXT, "none"),
};

pub(super) const CREATE_IF_MISSING: Key<Or<Switch>> = Key {
    name: "create_if_missing",
    doc: "Whether it is declared; else it must be there.",
    presence: Or(Switch, || false),
};

const TAG: Key<Optional<Text>> = Key {
    name: "tag",
    doc: "What the broker calls this consumer.",
    presence: Optional(ANY_TEXT, "the broker makes one up"),
};

const PREFETCH: Key<Optional<Whole>> = Key {
    name: "prefetch",
    doc: "How many messages the broker sends before the first of them is acknowledged.",
    presence: Optional(Whole { min: 1, max: 65_535 }, "`100`"),
};

const CONCURRENCY: Key<Optional<Whole>> = Key {
    name: "concurrency",
    doc: "How many messages are worked on at once. More than 1 gives up their order.",
    presence: Optional(Whole { min: 1, max: 1024 }, "`1`"),
};

const WORKERS: Key<Optional<Whole>> = Key {
    name: "workers",
    doc: "Another name of `concurrency`.",
    presence: Optional(Whole { min: 1, max: 1024 }, "`concurrency`"),
};

const AUTO_ACK: Key<Or<Switch>> = Key {
    name: "auto_ack",
    doc: "Has no effect, with a warning where it is `true`: a message is acknowledged when its event is stored.",
    presence: Or(Switch, || false),
};

pub(in crate::mycel) static SECTION: Section = Section {
    title: "`consumer`",
    variant: None,
    about: "How messages are taken.",
    example: "",
    keys: &[&QUEUE_OF_CONSUMER, &TAG, &PREFETCH, &CONCURRENCY, &WORKERS, &AUTO_ACK, &CREATE_IF_MISSING],
    foreign: &[
        Foreign::ignored("no_local", "RabbitMQ does not know it, and nothing is published"),
        Foreign::ignored("no_wait", "the broker's answer is always waited for"),
        Foreign::ignored(
            "retry_count",
            "what cannot be stored stays with the broker, and what is no event is rejected at once",
        ),
        Foreign::refused("exclusive", "`exclusive` of `queue` keeps others away"),
        Foreign::refused("args", "policies of the broker hold for consumers too"),
        Foreign::refused(
            "dlq",
            "what is no event is rejected at once, to the queue's own dead-letter exchange: `args = { \
             \"x-dead-letter-exchange\" = \"…\" }` in `queue`, or a policy of the broker",
        ),
    ],
};

pub(super) fn convert(fields: &mut Fields<'_>, out: &mut Block, conversion: &mut Conversion<'_, '_>) {
    let Some(entry) = fields.entry(CONSUMER.name) else { return };
    let Some(table) = conversion.table(CONSUMER.name, &entry.node) else { return };
    let mut consumer = Fields::new("`consumer`", entry.span, table);
    // It has been read with the queue.
    for name in [QUEUE_OF_CONSUMER.name, CREATE_IF_MISSING.name] {
        consumer.entry(name);
    }
    let (tag, span) = consumer.get_with_span(&TAG, conversion.checker);
    if let Some(tag) = tag.filter(|tag| !tag.is_empty()) {
        out.text(amqp::CONSUMER_TAG.name, tag, span);
    }
    let (prefetch, span) = consumer.get_with_span(&PREFETCH, conversion.checker);
    if let Some(prefetch) = prefetch {
        out.integer(amqp::PREFETCH.name, prefetch, span);
    }
    if let (Some(alias), Some(key)) = (consumer.entry(WORKERS.name), consumer.entry(CONCURRENCY.name)) {
        conversion
            .checker
            .error(alias.span, "`workers` and `concurrency` are the same key")
            .also(key.span, "it is here already")
            .help("remove one of the two");
    }
    for key in [&CONCURRENCY, &WORKERS] {
        let (count, span) = consumer.get_with_span(key, conversion.checker);
        if let Some(count) = count.filter(|_| key.name == CONCURRENCY.name || !consumer.has(CONCURRENCY.name))
        {
            out.integer(amqp::CONCURRENCY.name, count, span);
        }
    }
    let (auto_ack, span) = consumer.get_with_span(&AUTO_ACK, conversion.checker);
    if auto_ack {
        conversion
            .checker
            .warning(span, "`auto_ack` is ignored: a message is acknowledged when its event is stored")
            .help("remove it; no message is lost then when this ends in between");
    }
    conversion.finish(consumer, table, &SECTION);
}
