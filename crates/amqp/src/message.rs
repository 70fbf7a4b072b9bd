//! A message as it came, and the receipt with which it is settled.

use lapin::Acker;
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicRejectOptions};
use lapin::protocol::basic::AMQPProperties;
use lapin::types::ShortString;
use serde_json::{Map, Value};

use crate::guard::UNREADABLE;
use crate::life::Ending;
use crate::value::to_object;

/// A message that the broker waits for to be settled.
#[derive(Debug)]
pub struct Message {
    /// The body.
    pub body: Vec<u8>,
    /// The exchange that it was published to; empty for the default one.
    pub exchange: String,
    /// What it was published with.
    pub routing_key: String,
    /// Whether the broker may have sent it before.
    pub redelivered: bool,
    /// Its headers, as JSON.
    pub headers: Map<String, Value>,
    /// Its other properties, by the names of AMQP 0-9-1 with underscores; those that it does not have are not there.
    pub properties: Map<String, Value>,
    /// Why its headers and properties could not be read; they are not here then.
    pub unreadable: Option<String>,
    /// To settle it with.
    pub receipt: Receipt,
}

/// What a message is settled with, once. It means nothing any more when the connection that brought it is lost: the
/// broker then sends the message again.
#[derive(Debug)]
pub struct Receipt {
    acker: Acker,
    ending: Ending,
}

/// What becomes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The broker forgets it.
    Ack,
    /// It goes to the queue's dead-letter exchange, or, where there is none, the broker drops it.
    Reject,
    /// The broker sends it again, to whomever.
    Requeue,
}

impl Receipt {
    /// Settles a message. Where the connection is lost nothing is told; [`Consumer::next`](crate::Consumer::next) says so.
    pub async fn settle(self, outcome: Outcome) {
        // A failure is the connection's, which the consumer tells of.
        let settling = async {
            match outcome {
                Outcome::Ack => self.acker.ack(BasicAckOptions::default()).await,
                Outcome::Reject => self.acker.reject(BasicRejectOptions { requeue: false }).await,
                Outcome::Requeue => self.acker.reject(BasicRejectOptions { requeue: true }).await,
            }
        };
        let _ = self.ending.or(settling).await;
    }

    /// Acknowledges a message, and all that came before it and have not been settled.
    pub async fn ack_all(self) {
        let _ = self.ending.or(self.acker.ack(BasicAckOptions { multiple: true })).await;
    }
}

impl Message {
    pub(crate) fn new(delivery: Delivery, ending: Ending) -> Self {
        let mut headers = delivery.properties.headers().as_ref().map(to_object).unwrap_or_default();
        let unreadable = headers.remove(UNREADABLE);
        Self {
            headers,
            unreadable: unreadable.map(|problem| problem.as_str().unwrap_or_default().to_owned()),
            properties: properties(&delivery.properties),
            body: delivery.data,
            exchange: delivery.exchange.as_str().to_owned(),
            routing_key: delivery.routing_key.as_str().to_owned(),
            redelivered: delivery.redelivered,
            receipt: Receipt { acker: delivery.acker, ending },
        }
    }
}

fn properties(properties: &AMQPProperties) -> Map<String, Value> {
    let text = |text: &Option<ShortString>| text.as_ref().map(|text| Value::from(text.as_str()));
    let all = [
        ("content_type", text(properties.content_type())),
        ("content_encoding", text(properties.content_encoding())),
        ("delivery_mode", properties.delivery_mode().map(Value::from)),
        ("priority", properties.priority().map(Value::from)),
        ("correlation_id", text(properties.correlation_id())),
        ("reply_to", text(properties.reply_to())),
        ("expiration", text(properties.expiration())),
        ("message_id", text(properties.message_id())),
        ("timestamp", properties.timestamp().map(Value::from)),
        ("type", text(properties.kind())),
        ("user_id", text(properties.user_id())),
        ("app_id", text(properties.app_id())),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}
