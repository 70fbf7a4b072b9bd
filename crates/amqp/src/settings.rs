//! What a consumer is told. Everything has been checked before it comes here.

use std::fmt;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

/// A broker, and what is consumed there.
#[derive(Clone, Debug)]
pub struct Settings {
    /// An IP address, or a name to look up.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// The virtual host.
    pub vhost: String,
    /// Who logs in.
    pub username: String,
    /// The user's password.
    pub password: Password,
    /// Whether the connection is TLS, and with which certificates.
    pub tls: Option<Certificates>,
    /// What is consumed.
    pub queue: Queue,
    /// What the queue is bound to, if anything is to be bound.
    pub exchange: Option<Exchange>,
    /// Messages that the broker sends before it waits for them to be settled.
    pub prefetch: NonZeroU16,
    /// What the broker calls the consumer; empty: what it likes.
    pub consumer_tag: String,
    /// How often both sides say that they are there. Less than a second is taken for one.
    pub heartbeat: Duration,
    /// Before the first try to connect again.
    pub reconnect_delay: Duration,
    /// What the broker shows as the connection's name.
    pub connection_name: String,
}

/// PEM files for TLS, read at every connect.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    /// The authorities that the broker's certificate may come from; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// The certificate that the broker is shown, and its private key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// A queue.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of AMQP's queue.declare")]
pub struct Queue {
    /// Its name; at most 255 bytes.
    pub name: String,
    /// Whether it is made; else it must be there.
    pub declare: bool,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
    /// Whether it goes with its last consumer.
    pub auto_delete: bool,
    /// Whether it is for this connection alone.
    pub exclusive: bool,
    /// What the broker is told beside that.
    pub arguments: Map<String, Value>,
}

/// An exchange, and how the queue is bound to it.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// Its name; at most 255 bytes.
    pub name: String,
    /// How it routes.
    pub kind: ExchangeKind,
    /// Whether it is made; else it must be there.
    pub declare: bool,
    /// Whether it survives a restart of the broker.
    pub durable: bool,
    /// Whether it goes with its last binding.
    pub auto_delete: bool,
    /// Routing keys; each at most 255 bytes.
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

/// A password. Its `Debug` says nothing.
#[derive(Clone)]
pub struct Password(String);

impl Password {
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Password {
    fn from(password: String) -> Self {
        Self(password)
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
