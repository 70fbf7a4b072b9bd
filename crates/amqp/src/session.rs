//! What is done on one connection: the topology is declared, and the queue is consumed.

use std::fmt::Display;
use std::path::{Path, PathBuf};

use futures_util::{FutureExt as _, StreamExt as _};
use lapin::options::{
    BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::types::{FieldTable, ShortString};
use lapin::{Channel, Connection, ErrorKind};

use crate::connect::{DEADLINE, connect};
use crate::life::{Ending, Life};
use crate::message::Message;
use crate::settings::{Exchange, ExchangeKind, Queue, Settings};
use crate::value::to_table;

/// Why nothing is consumed just now. It is tried again, whatever it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No connection came about.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The broker knows no such user, password or virtual host, or gives the user no right to it.
    #[error("the broker does not let this user in: {0}")]
    Login(String),
    /// A file of certificates cannot be used.
    #[error("{}: {problem}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The queue is not there, and is not to be made.
    #[error("there is no queue `{0}`")]
    MissingQueue(String),
    /// The exchange is not there, and is not to be made.
    #[error("there is no exchange `{0}`")]
    MissingExchange(String),
    /// The queue or the exchange is there, and is another one than was declared.
    #[error("the broker has another `{name}` than is declared: {reason}")]
    Different {
        /// Of the queue or the exchange.
        name: String,
        /// In the broker's words.
        reason: String,
    },
    /// The broker refuses something else.
    #[error("the broker refuses: {0}")]
    Refused(String),
    /// The broker stopped to deliver: somebody deleted the queue, or it moved to another node.
    #[error("the broker cancelled the consumer: its queue is gone")]
    Cancelled,
    /// The connection is lost.
    #[error("the connection is lost: {0}")]
    Lost(String),
}

/// A connection with a consumer.
pub(crate) struct Session {
    channel: Channel,
    consumer: lapin::Consumer,
    prefetch: u16,
    ending: Ending,
    /// Closed when it is dropped, which is after the channel.
    _connection: Connection,
}

impl Session {
    pub(crate) async fn open(settings: &Settings) -> Result<Self, Error> {
        let life = Life::default();
        let connection = connect(settings, &life).await?;
        let ending = life.ending();
        let opening = ending.or(Self::open_on(connection, settings, ending.clone()));
        match tokio::time::timeout(DEADLINE, opening).await {
            Ok(opened) => opened?,
            Err(_) => Err(Error::Connect(format!("no answer within {} s", DEADLINE.as_secs()))),
        }
    }

    async fn open_on(connection: Connection, settings: &Settings, ending: Ending) -> Result<Self, Error> {
        let channel = connection.create_channel().await.map_err(|error| Error::lost(&error))?;
        if let Some(exchange) = &settings.exchange {
            declare_exchange(&channel, exchange).await?;
        }
        declare_queue(&channel, &settings.queue).await?;
        if let Some(exchange) = &settings.exchange {
            bind(&channel, &settings.queue, exchange).await?;
        }
        let prefetch = settings.prefetch.get();
        let refused = |error| Error::of(&error, &settings.queue.name, None);
        channel.basic_qos(prefetch, BasicQosOptions::default()).await.map_err(refused)?;
        let (queue, tag) = (short(&settings.queue.name)?, short(&settings.consumer_tag)?);
        let consuming =
            channel.basic_consume(queue, tag, BasicConsumeOptions::default(), FieldTable::default());
        let consumer = consuming.await.map_err(refused)?;
        Ok(Self { channel, consumer, prefetch, ending, _connection: connection })
    }

    /// The next message. Nothing is lost where this is dropped before it is done.
    pub(crate) async fn next(&mut self) -> Result<Message, Error> {
        match self.ending.or(self.consumer.next()).await? {
            Some(Ok(delivery)) => Ok(Message::new(delivery, self.ending.clone())),
            Some(Err(error)) => Err(Error::lost(&error)),
            None => Err(Error::Cancelled),
        }
    }

    /// The next message, if it is here already.
    pub(crate) fn try_next(&mut self) -> Option<Result<Message, Error>> {
        self.next().now_or_never()
    }

    /// Waits until the broker has taken everything that was settled before. A channel's methods are taken in order
    /// (AMQP 0-9-1, 4.7), so an answer to any of them says so; this one changes nothing.
    pub(crate) async fn flush(&self) -> Result<(), Error> {
        let asked = self.channel.basic_qos(self.prefetch, BasicQosOptions::default());
        self.ending.or(asked).await?.map_err(|error| Error::lost(&error))
    }
}

async fn declare_exchange(channel: &Channel, exchange: &Exchange) -> Result<(), Error> {
    let kind = match exchange.kind {
        ExchangeKind::Direct => lapin::ExchangeKind::Direct,
        ExchangeKind::Fanout => lapin::ExchangeKind::Fanout,
        ExchangeKind::Topic => lapin::ExchangeKind::Topic,
        ExchangeKind::Headers => lapin::ExchangeKind::Headers,
    };
    let options = ExchangeDeclareOptions {
        passive: !exchange.declare,
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        ..ExchangeDeclareOptions::default()
    };
    let declared =
        channel.exchange_declare(short(&exchange.name)?, kind, options, FieldTable::default()).await;
    let missing = Error::MissingExchange(exchange.name.clone());
    declared.map_err(|error| Error::of(&error, &exchange.name, Some(missing)))
}

async fn declare_queue(channel: &Channel, queue: &Queue) -> Result<(), Error> {
    let options = QueueDeclareOptions {
        passive: !queue.declare,
        durable: queue.durable,
        exclusive: queue.exclusive,
        auto_delete: queue.auto_delete,
        nowait: false,
    };
    let declared = channel.queue_declare(short(&queue.name)?, options, to_table(&queue.arguments)).await;
    let missing = Error::MissingQueue(queue.name.clone());
    declared.map(drop).map_err(|error| Error::of(&error, &queue.name, Some(missing)))
}

async fn bind(channel: &Channel, queue: &Queue, exchange: &Exchange) -> Result<(), Error> {
    for key in &exchange.bindings {
        let (queue_name, exchange_name, key) = (short(&queue.name)?, short(&exchange.name)?, short(key)?);
        let bound = channel
            .queue_bind(queue_name, exchange_name, key, QueueBindOptions::default(), FieldTable::default())
            .await;
        bound.map_err(|error| Error::of(&error, &exchange.name, None))?;
    }
    Ok(())
}

fn short(text: &str) -> Result<ShortString, Error> {
    ShortString::try_new(text).map_err(|error| Error::Refused(error.to_string()))
}

impl Error {
    /// What to do about it, where the operator must do something.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Login(_) => Some("check the user, the password and the virtual host of `url`"),
            Self::File { .. } => Some("check the files of `tls`; they are read anew at every try"),
            Self::MissingQueue(_) => {
                Some("make it, or let it be made: `declare = true` in the source's `queue`")
            }
            Self::MissingExchange(_) => {
                Some("make it, or let it be made: `declare = true` in the source's `exchange`")
            }
            Self::Different { .. } => {
                Some("write what it is in the configuration, or use what is there: `declare = false`")
            }
            Self::Connect(_) | Self::Refused(_) | Self::Cancelled | Self::Lost(_) => None,
        }
    }

    pub(crate) fn connect(error: &lapin::Error) -> Self {
        match error.kind() {
            ErrorKind::ProtocolError(problem) => {
                let reason = problem.get_message().to_string();
                match problem.kind() {
                    AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED)
                    | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => Self::Login(reason),
                    _ => Self::Connect(reason),
                }
            }
            ErrorKind::IOError(error) => Self::Connect(error.to_string()),
            _ => Self::Connect(error.to_string()),
        }
    }

    pub(crate) fn lost(error: &lapin::Error) -> Self {
        match error.kind() {
            ErrorKind::ProtocolError(problem) => Self::Lost(problem.get_message().to_string()),
            ErrorKind::IOError(error) => Self::Lost(error.to_string()),
            _ => Self::Lost(error.to_string()),
        }
    }

    /// Of a method that names something, which may be missing.
    fn of(error: &lapin::Error, name: &str, missing: Option<Self>) -> Self {
        let ErrorKind::ProtocolError(problem) = error.kind() else { return Self::lost(error) };
        let reason = problem.get_message().to_string();
        match (problem.kind(), missing) {
            (AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND), Some(missing)) => missing,
            (AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED), _) => {
                Self::Different { name: name.to_owned(), reason }
            }
            (AMQPErrorKind::Soft(_), _) => Self::Refused(reason),
            (AMQPErrorKind::Hard(_), _) => Self::Lost(reason),
        }
    }

    pub(crate) fn file(path: &Path, problem: impl Display) -> Self {
        Self::File { path: path.to_owned(), problem: problem.to_string() }
    }
}
