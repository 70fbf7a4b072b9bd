//! What a source of type `amqp` is configured with.

use std::time::Duration;

use fanfare_event::{Object, Profile};

use super::ClientTls;
use crate::{Secret, Span};

/// A queue of an AMQP 0-9-1 broker.
#[derive(Clone, Debug, PartialEq)]
pub struct Amqp {
    /// The broker.
    pub url: AmqpUrl,
    /// What a message's body is; [`Profile::Message`]: any JSON, or any text.
    pub profile: Profile,
    /// Messages that the broker sends before it waits for acknowledgements; never 0, which would be without a limit.
    pub prefetch: u16,
    /// Messages worked on at once; more than one gives up their order.
    pub concurrency: u16,
    /// What the broker calls the consumer; `None`: what it likes.
    pub consumer_tag: Option<String>,
    /// How often both sides say that they are there; whole seconds count.
    pub heartbeat: Duration,
    /// Before the first try to connect again.
    pub reconnect_delay: Duration,
    /// Names, in lower case, of the messages' headers that travel with the event beside those that begin with `x-`.
    pub headers_to_keep: Vec<String>,
    /// What each event's metadata starts with.
    pub metadata: Object,
    /// What is consumed.
    pub queue: AmqpQueue,
    /// What the queue is bound to; `None`: its bindings are left as they are.
    pub exchange: Option<AmqpExchange>,
    /// Certificates; only where the URL says TLS.
    pub tls: Option<ClientTls>,
    /// Where the type is written.
    pub type_span: Span,
}

/// A broker's URL, in its parts. Its `Display` shows host, port and virtual host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmqpUrl {
    /// As written.
    pub text: Secret,
    /// The environment variable that it came from, if it came from one.
    pub variable: Option<String>,
    /// Whether it names a user, and perhaps a password.
    pub has_user: bool,
    /// Whether it is `amqps`.
    pub is_tls: bool,
    /// An IP address without brackets, or a name to look up.
    pub host: String,
    /// Never 0.
    pub port: u16,
    /// The virtual host.
    pub vhost: String,
    /// Who logs in; `guest` where the URL names nobody.
    pub username: Secret,
    /// The user's password.
    pub password: Secret,
}

/// A queue.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of AMQP's queue.declare")]
pub struct AmqpQueue {
    /// Its name, never empty.
    pub name: String,
    /// Whether it is made as the rest says; else it must be there.
    pub declare: bool,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
    /// Whether it goes with its last consumer.
    pub auto_delete: bool,
    /// Whether it is for one connection alone.
    pub exclusive: bool,
    /// What the broker is told beside that.
    pub arguments: Object,
}

/// An exchange, and how the queue is bound to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmqpExchange {
    /// Its name, never empty.
    pub name: String,
    /// How it routes.
    pub kind: ExchangeKind,
    /// Whether it is made as the rest says; else it must be there.
    pub declare: bool,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
    /// Whether it goes with its last binding.
    pub auto_delete: bool,
    /// The routing keys with which the queue is bound; never none.
    pub bindings: Vec<String>,
}

/// How an exchange routes (AMQP 0-9-1, 3.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeKind {
    /// By the routing key.
    Direct,
    /// To all.
    Fanout,
    /// By patterns of routing keys.
    Topic,
    /// By headers.
    Headers,
}
