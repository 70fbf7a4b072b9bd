//! `type = "amqp"`: a queue of an AMQP 0-9-1 broker. What its URL means is in `amqp_url`.

use std::time::Duration;

use fanfare_event::{Object, Profile};

use super::webhook::PROFILE as WEBHOOK_PROFILE;
use super::{METADATA, TYPE};
use crate::checker::{Checker, Fields};
use crate::keys::{Key, Optional, Or, Required, Section};
use crate::native::amqp_url;
use crate::native::client_tls::{self, TLS};
use crate::native::metadata::Metadata;
use crate::native::variable::{Variable, read_either};
use crate::shapes::{Choice, Count, Flag, Hidden, Items, Nested, Text, Time};
use crate::tree::Entry;
use crate::{Amqp, AmqpExchange, AmqpQueue, AmqpUrl, ExchangeKind, Span};

pub(crate) const URL: Key<Optional<Hidden>> = Key {
    name: "url",
    doc: "The broker: `amqp://user:password@host:5672/vhost`, or `amqps://` for TLS (port 5671). Without a user it is \
          `guest`, without a virtual host `/`. Characters other than letters, digits and `-._~` are percent-encoded in \
          the names and in the password. It is masked wherever it could be seen.",
    presence: Optional(Hidden, "one of `url` and `url_env` must be there"),
};

pub(crate) const URL_ENV: Key<Optional<Variable>> = Key {
    name: "url_env",
    doc: "The name of the environment variable that holds the URL. It must be set, and not empty.",
    presence: Optional(Variable, "see `url`"),
};

pub(crate) const PROFILE: Key<Or<Choice<Profile>>> = Key {
    name: WEBHOOK_PROFILE.name,
    doc: "What a message's body is. `cdevent`: a CDEvent, a CloudEvent, or any JSON with a type. `envelope`: an object \
          with `event_id`, `event_type`, `entity_id`, `occurred_at` and `data`, or an array of them. `message`: any JSON, \
          or any text; the type of such an event is the message's routing key.",
    presence: WEBHOOK_PROFILE.presence,
};

pub(crate) const PREFETCH: Key<Or<Count<u16>>> = Key {
    name: "prefetch",
    doc: "Messages that the broker sends before it waits for them to be acknowledged.",
    presence: Or(Count { min: 1, max: u16::MAX }, || 100),
};

pub(crate) const CONCURRENCY: Key<Or<Count<u16>>> = Key {
    name: "concurrency",
    doc: "Messages worked on at once. More than one gives up their order.",
    presence: Or(Count { min: 1, max: 1024 }, || 1),
};

pub(crate) const CONSUMER_TAG: Key<Optional<Text>> = Key {
    name: "consumer_tag",
    doc: "What the broker calls this consumer, where it lists them.",
    presence: Optional(SHORT_NAME, "the broker makes one up"),
};

pub(crate) const HEARTBEAT: Key<Or<Time>> = Key {
    name: "heartbeat",
    doc: "How often both sides say that they are there, in whole seconds; a broker that says nothing for twice as long is \
          taken for gone. The broker may ask for less.",
    presence: Or(Time { min: Duration::from_secs(1), max: Duration::from_hours(1) }, || {
        Duration::from_secs(10)
    }),
};

pub(crate) const RECONNECT_DELAY: Key<Or<Time>> = Key {
    name: "reconnect_delay",
    doc: "Before the first try to connect again. It doubles from try to try up to 30 seconds, and is jittered.",
    presence: Or(Time { min: Duration::from_millis(10), max: Duration::from_secs(30) }, || {
        Duration::from_secs(1)
    }),
};

pub(crate) const HEADERS_TO_KEEP: Key<Or<Items<Text>>> = Key {
    name: super::HEADERS_TO_KEEP.name,
    doc: "The names of the messages' headers that travel with the event, in any case, beside those that begin with `x-`, \
          which always do. Transformers see them in `.headers`.",
    presence: Or(Items { kind: "an array of names of headers", item: SHORT_NAME, if_empty: None }, Vec::new),
};

pub(crate) const QUEUE: Key<Required<Nested>> = Key {
    name: "queue",
    doc: "The queue that is consumed.",
    presence: Required(Nested("a table, see [`[sources.NAME.extractor.queue]`](#sourcesnameextractorqueue)")),
};

pub(crate) const EXCHANGE: Key<Optional<Nested>> = Key {
    name: "exchange",
    doc: "An exchange that the queue is bound to.",
    presence: Optional(
        Nested("a table, see [`[sources.NAME.extractor.exchange]`](#sourcesnameextractorexchange)"),
        "the queue's bindings are left as they are",
    ),
};

pub(crate) static SECTION: Section = Section {
    title: "[sources.NAME.extractor]",
    variant: Some("amqp"),
    about: "Consumes a queue of RabbitMQ, or of another AMQP 0-9-1 broker. A message is acknowledged once the log has it. \
            [AMQP](amqp.md) tells what becomes of it otherwise.",
    example: "[sources.orders.extractor]\ntype = \"amqp\"\nurl = \"amqp://fanfare:change-me@localhost:5672/\"\n\
              profile = \"message\"\nqueue = { name = \"orders\" }\n",
    keys: &[
        &TYPE,
        &URL,
        &URL_ENV,
        &PROFILE,
        &QUEUE,
        &EXCHANGE,
        &PREFETCH,
        &CONCURRENCY,
        &CONSUMER_TAG,
        &HEARTBEAT,
        &RECONNECT_DELAY,
        &TLS,
        &HEADERS_TO_KEEP,
        &METADATA,
    ],
    foreign: &[],
};

/// Bytes of a name (AMQP 0-9-1, 4.2.5.3: a short string).
const MAX_SHORT_STRING: usize = 255;

/// A name of a thing that the broker knows.
const SHORT_NAME: Text = Text { kind: "a name of 1 to 255 bytes", check: check_short_name };

/// What messages are routed by; it may be empty.
const ROUTING_KEY: Text = Text { kind: "a routing key of at most 255 bytes", check: check_short_string };

pub(crate) const QUEUE_NAME: Key<Required<Text>> =
    Key { name: "name", doc: "Its name.", presence: Required(SHORT_NAME) };

pub(crate) const DECLARE: Key<Or<Flag>> = Key {
    name: "declare",
    doc: "`false`: it must be there; until it is, the source keeps trying. `true`: it is made with what the other keys \
          here say, and must be like that where it is there already.",
    presence: Or(Flag, || false),
};

pub(crate) const DURABLE: Key<Or<Flag>> =
    Key { name: "durable", doc: "Whether it survives a restart of the broker.", presence: Or(Flag, || true) };

pub(crate) const AUTO_DELETE: Key<Or<Flag>> = Key {
    name: "auto_delete",
    doc: "Whether the broker removes it once nobody uses it any more.",
    presence: Or(Flag, || false),
};

pub(crate) const EXCLUSIVE: Key<Or<Flag>> = Key {
    name: "exclusive",
    doc: "Whether it is for this connection alone, and removed with it.",
    presence: Or(Flag, || false),
};

pub(crate) const ARGUMENTS: Key<Or<Metadata>> = Key {
    name: "arguments",
    doc: "What the broker is told beside that: `x-dead-letter-exchange`, `x-queue-type`, `x-max-length`, …",
    presence: Or(Metadata, Object::new),
};

pub(crate) static QUEUE_SECTION: Section = Section {
    title: "[sources.NAME.extractor.queue]",
    variant: None,
    about: "The queue that is consumed. A message that cannot be an event is rejected: it goes to the queue's dead-letter \
            exchange, or, where it has none, is dropped by the broker.",
    example: "[sources.orders.extractor]\ntype = \"amqp\"\nurl = \"amqp://localhost\"\n\n\
              [sources.orders.extractor.queue]\nname = \"orders\"\ndeclare = true\n\
              arguments = { \"x-dead-letter-exchange\" = \"dead-letters\" }\n",
    keys: &[&QUEUE_NAME, &DECLARE, &DURABLE, &AUTO_DELETE, &EXCLUSIVE, &ARGUMENTS],
    foreign: &[],
};

pub(crate) const EXCHANGE_TYPE: Key<Or<Choice<ExchangeKind>>> = Key {
    name: "type",
    doc: "How it routes.",
    presence: Or(
        Choice {
            served: &[
                ("topic", ExchangeKind::Topic),
                ("direct", ExchangeKind::Direct),
                ("fanout", ExchangeKind::Fanout),
                ("headers", ExchangeKind::Headers),
            ],
            later: &[],
            foreign: &[],
        },
        || ExchangeKind::Topic,
    ),
};

pub(crate) const BINDINGS: Key<Optional<Items<Text>>> = Key {
    name: "bindings",
    doc: "The routing keys with which the queue is bound to it; of a topic exchange patterns, in which `*` is one word and \
          `#` any number of them. Bindings that are there already stay.",
    presence: Optional(
        Items {
            kind: "an array of routing keys",
            item: ROUTING_KEY,
            if_empty: Some("leave `exchange` out where the queue is bound already"),
        },
        "`[\"#\"]` for a topic exchange, `[\"\"]` for others",
    ),
};

pub(crate) static EXCHANGE_SECTION: Section = Section {
    title: "[sources.NAME.extractor.exchange]",
    variant: None,
    about: "An exchange that the queue is bound to, at every connect.",
    example: "[sources.orders.extractor]\ntype = \"amqp\"\nurl = \"amqp://localhost\"\n\
              queue = { name = \"orders\", declare = true }\n\n\
              [sources.orders.extractor.exchange]\nname = \"events\"\ntype = \"topic\"\nbindings = [\"order.*\"]\n",
    keys: &[&QUEUE_NAME, &EXCHANGE_TYPE, &DECLARE, &DURABLE, &AUTO_DELETE, &BINDINGS],
    foreign: &[],
};

pub(super) fn read(mut fields: Fields<'_>, type_span: Span, checker: &mut Checker<'_>) -> Option<Amqp> {
    let url = read_url(&mut fields, checker);
    let profile = fields.get(&PROFILE, checker);
    let queue = fields.entry(QUEUE.name);
    if queue.is_none() {
        checker
            .absent(fields.span(), format!("`queue` is missing in {}", fields.title()))
            .help("`queue = { name = \"orders\" }` names the queue that is consumed");
    }
    let queue = queue.and_then(|entry| read_queue(entry, checker));
    let exchange = fields.entry(EXCHANGE.name).map(|entry| read_exchange(entry, checker));
    let tls = client_tls::read(&mut fields, checker);
    if let (Some(url), Some((_, span))) = (&url, &tls)
        && !url.is_tls
    {
        checker
            .error(*span, "`tls` has no use: the broker's URL begins with `amqp://`")
            .help("write `amqps://` to encrypt the connection, or leave `tls` out");
    }
    let headers_to_keep = super::read_headers_to_keep(&mut fields, &HEADERS_TO_KEEP, checker);
    let prefetch = fields.get(&PREFETCH, checker);
    let concurrency = fields.get(&CONCURRENCY, checker);
    let consumer_tag = fields.get(&CONSUMER_TAG, checker);
    let heartbeat = fields.get(&HEARTBEAT, checker);
    let reconnect_delay = fields.get(&RECONNECT_DELAY, checker);
    let metadata = fields.get(&METADATA, checker);
    fields.finish(&SECTION, checker);
    Some(Amqp {
        url: url?,
        profile,
        prefetch,
        concurrency,
        consumer_tag,
        heartbeat,
        reconnect_delay,
        headers_to_keep,
        metadata,
        queue: queue?,
        exchange: exchange.flatten(),
        tls: tls.and_then(|(tls, _)| tls),
        type_span,
    })
}

fn read_url(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Option<AmqpUrl> {
    let given = read_either(fields, &URL, &URL_ENV, "the broker's URL", checker)?;
    match amqp_url::parse(given.secret, given.variable) {
        Ok(url) => Some(url),
        Err(problem) => {
            checker
                .error(given.span, format!("the broker's URL {}", problem.what))
                .help("it looks like `amqp://user:password@host:5672/vhost`")
                .help(problem.advice);
            None
        }
    }
}

fn read_queue(entry: &Entry, checker: &mut Checker<'_>) -> Option<AmqpQueue> {
    let table = checker.table(QUEUE.name, &entry.node)?;
    let mut fields = Fields::new("`queue`", entry.span, table);
    let name = fields.get(&QUEUE_NAME, checker);
    let queue = AmqpQueue {
        name: name.unwrap_or_default(),
        declare: fields.get(&DECLARE, checker),
        durable: fields.get(&DURABLE, checker),
        auto_delete: fields.get(&AUTO_DELETE, checker),
        exclusive: fields.get(&EXCLUSIVE, checker),
        arguments: fields.get(&ARGUMENTS, checker),
    };
    fields.finish(&QUEUE_SECTION, checker);
    Some(queue)
}

fn read_exchange(entry: &Entry, checker: &mut Checker<'_>) -> Option<AmqpExchange> {
    let table = checker.table(EXCHANGE.name, &entry.node)?;
    let mut fields = Fields::new("`exchange`", entry.span, table);
    let name = fields.get(&QUEUE_NAME, checker);
    let kind = fields.get(&EXCHANGE_TYPE, checker);
    let all = if kind == ExchangeKind::Topic { "#" } else { "" };
    let exchange = AmqpExchange {
        name: name.unwrap_or_default(),
        kind,
        declare: fields.get(&DECLARE, checker),
        durable: fields.get(&DURABLE, checker),
        auto_delete: fields.get(&AUTO_DELETE, checker),
        bindings: fields.get(&BINDINGS, checker).unwrap_or_else(|| vec![all.to_owned()]),
    };
    fields.finish(&EXCHANGE_SECTION, checker);
    Some(exchange)
}

fn check_short_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() { Err("a name must not be empty") } else { check_short_string(name) }
}

fn check_short_string(text: &str) -> Result<(), &'static str> {
    if text.len() > MAX_SHORT_STRING {
        Err("at most 255 bytes (AMQP 0-9-1, 4.2.5.3)")
    } else if text.contains(char::is_control) {
        Err("must not contain control characters")
    } else {
        Ok(())
    }
}
