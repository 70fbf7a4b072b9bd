//! A connector of type `mq` with RabbitMQ behind it: messages become events.

pub(super) mod consumer;
pub(super) mod queue;
pub(super) mod tls;

use super::connector::{Connector, DRIVER, TYPE};
use super::duration::GoDuration;
use super::flow::Routes;
use super::{Conversion, url};
use crate::building::Block;
use crate::checker::{Checker, Fields};
use crate::keys::{Foreign, Key, Optional, Or, Section};
use crate::loose::Whole;
use crate::native::source;
use crate::native::source::amqp;
use crate::native::words::check_host;
use crate::shapes::{ANY_TEXT, Hidden, Text};
use crate::tree::{Data, Entry, Node};
use crate::{Secret, Span};

use consumer::CONSUMER;
use queue::{EXCHANGE, QUEUE};
use tls::TLS;

const URL: Key<Optional<Hidden>> = Key {
    name: "url",
    doc: "Where the broker is: `amqp://user:password@host:5672/vhost`.",
    presence: Optional(Hidden, "made of the following"),
};

const HOST: Key<Or<Text>> = Key {
    name: "host",
    doc: "Its host.",
    presence: Or(Text { kind: "an IP address or a host name", check: check_host }, || "localhost".to_owned()),
};

const PORT: Key<Or<Whole>> =
    Key { name: "port", doc: "Its port.", presence: Or(Whole { min: 1, max: 65_535 }, || 5672) };

const USERNAME: Key<Or<Text>> =
    Key { name: "username", doc: "The user.", presence: Or(ANY_TEXT, || "guest".to_owned()) };

const PASSWORD: Key<Optional<Hidden>> =
    Key { name: "password", doc: "The user's password.", presence: Optional(Hidden, "`\"guest\"`") };

const VHOST: Key<Or<Text>> =
    Key { name: "vhost", doc: "The virtual host.", presence: Or(ANY_TEXT, || "/".to_owned()) };

const HEARTBEAT: Key<Optional<GoDuration>> = Key {
    name: "heartbeat",
    doc: "How often each side says that it is alive.",
    presence: Optional(GoDuration(amqp::HEARTBEAT.presence.0), "`\"10s\"`"),
};

const RECONNECT_DELAY: Key<Optional<GoDuration>> = Key {
    name: "reconnect_delay",
    doc: "How long to wait before connecting again; it doubles up to 30 seconds.",
    presence: Optional(GoDuration(amqp::RECONNECT_DELAY.presence.0), "`\"1s\"`"),
};

pub(super) static SECTION: Section = Section {
    title: "`connector`",
    variant: Some("mq"),
    about: "Takes messages from a queue of RabbitMQ. A message is acknowledged when its event is stored; one that cannot \
            be an event is rejected, to the queue's dead-letter exchange if it has one; while nothing can be stored, \
            messages stay with the broker. In a flow `input.body`, `input.headers`, `input.properties`, \
            `input.routing_key` and `input.exchange` are what the message has, and any other `input.NAME` is \
            `input.body.NAME`. What streams send is its body.",
    example: "connector \"rabbit\" {\n  type = \"mq\"\n  driver = \"rabbitmq\"\n  host = env(\"RABBIT_HOST\", \"localhost\")\n  \
              password = env(\"RABBIT_PASSWORD\", \"guest\")\n\n  queue {\n    name = \"live\"\n  }\n\n  \
              exchange {\n    name = \"events\"\n    type = \"topic\"\n    routing_key = \"#\"\n  }\n}\n\n\
              connector \"sse\" {\n  type = \"sse\"\n}\n\n\
              flow \"live_feed\" {\n  from {\n    connector = \"rabbit\"\n    operation = \"feed.*\"\n  }\n  \
              to {\n    connector = \"sse\"\n    operation = \"broadcast\"\n  }\n}\n",
    keys: &[
        &TYPE,
        &DRIVER,
        &URL,
        &HOST,
        &PORT,
        &USERNAME,
        &PASSWORD,
        &VHOST,
        &QUEUE,
        &EXCHANGE,
        &CONSUMER,
        &TLS,
        &HEARTBEAT,
        &RECONNECT_DELAY,
    ],
    foreign: &[
        Foreign::ignored("max_reconnects", "it never gives up"),
        Foreign::ignored("connection_name", "the connection has no name of its own"),
        Foreign::ignored("publisher", "nothing is published to the broker"),
    ],
};

/// The source that it is; `None` where no flow is from it.
pub(super) fn convert(
    connector: &Connector,
    flows: &[Routes],
    conversion: &mut Conversion<'_, '_>,
) -> Option<Entry> {
    let mut fields = connector.fields();
    let mut extractor = Block::new(connector.span);
    for name in [TYPE.name, DRIVER.name] {
        fields.entry(name);
    }
    extractor.text(source::TYPE.name, "amqp", connector.type_span);
    extractor.text(amqp::PROFILE.name, "message", connector.span);
    let mut settings = Block::new(connector.span);
    let is_encrypted = tls::convert(&mut fields, &mut settings, conversion);
    address(&mut fields, is_encrypted, &mut extractor, conversion.checker);
    queue::convert(&mut fields, &mut settings, conversion);
    consumer::convert(&mut fields, &mut extractor, conversion);
    for key in [&HEARTBEAT, &RECONNECT_DELAY] {
        let (value, span) = fields.get_with_span(key, conversion.checker);
        if let Some(value) = value {
            extractor.duration(key.name, value, span);
        }
    }
    for entry in settings.into_table().entries {
        extractor.entry(entry);
    }
    conversion.finish(fields, &connector.table, &SECTION);
    if !flows.iter().any(|flow| flow.from == connector.name) {
        conversion.warn_unused(connector, "no messages are taken");
        return None;
    }
    let mut native = Block::new(connector.span);
    native.block(source::EXTRACTOR.name, extractor);
    Some(native.into_entry(&connector.name))
}

/// The URL of the broker, as it is written or made of its parts.
fn address(fields: &mut Fields<'_>, is_encrypted: bool, out: &mut Block, checker: &mut Checker<'_>) {
    let (url, span) = fields.get_with_span(&URL, checker);
    let parts = [HOST.name, PORT.name, USERNAME.name, PASSWORD.name, VHOST.name];
    let is_broken = fields.entry(URL.name).is_some_and(|entry| matches!(entry.node.data, Data::Broken));
    if let Some(url) = url.filter(|url| !url.expose().is_empty()) {
        for entry in parts.into_iter().filter_map(|name| fields.entry(name)) {
            checker
                .warning(entry.span, format!("`{}` is ignored: `url` says where the broker is", entry.name))
                .also(span, "it is here");
        }
        out.node(amqp::URL.name, secret(url.expose(), span));
        return;
    }
    let host = fields.get(&HOST, checker);
    let port = fields.get(&PORT, checker);
    let username = fields.get(&USERNAME, checker);
    let password = fields.get(&PASSWORD, checker);
    let vhost = fields.get(&VHOST, checker);
    if is_broken {
        return;
    }
    let scheme = if is_encrypted { "amqps" } else { "amqp" };
    let password = password.unwrap_or_else(|| Secret::from("guest".to_owned()));
    let url = url::join(scheme, &username, &password, &host, port, &vhost);
    out.node(amqp::URL.name, secret(url.expose(), fields.span()));
}

/// A text that must not be shown where it is not written as such.
fn secret(text: &str, span: Span) -> Node {
    Node { span, data: Data::Text { text: text.to_owned(), exact: None }, raw: None }
}
