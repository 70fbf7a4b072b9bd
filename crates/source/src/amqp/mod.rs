//! A message of an AMQP 0-9-1 broker: JSON, CDEvents and CloudEvents, envelopes, or anything that is text.
//!
//! From a message to a [`Delivery`] or a [`Refusal`], and whether a redelivered message has been stored before
//! ([`Unconfirmed`]). Consuming and settling are the binary's.

mod attributes;
mod unconfirmed;

use std::collections::BTreeMap;

use fanfare_event::{
    Draft, EventType, FieldError, Headers, Names, Object, Profile, from_attributes, from_structured,
    from_structured_batch,
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::request::{Mode, declared};
use crate::webhook::{MESSAGE_TYPE, envelope};
use crate::{Delivery, Intake, IntakeError};

pub use unconfirmed::{Fingerprint, InvalidPosition, Unconfirmed};

/// What an event's metadata has of its message.
const METADATA: &str = "amqp";

/// A source of messages.
#[derive(Debug)]
pub struct Amqp {
    intake: Intake,
    profile: Profile,
    headers_to_keep: Vec<String>,
    max_body: usize,
}

/// A message as it came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Message {
    /// The body.
    pub body: Vec<u8>,
    /// The exchange that it was published to; empty for the default one.
    pub exchange: String,
    /// What it was published with.
    pub routing_key: String,
    /// Whether the broker may have sent it before.
    pub redelivered: bool,
    /// Its headers.
    pub headers: Object,
    /// Its other properties by their names in AMQP, with underscores: `message_id`, `content_type`, …
    pub properties: Object,
}

/// Why a message is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The body is too large.
    #[error("the body has more than {limit} bytes")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body is compressed.
    #[error("the body's content_encoding is none that is understood: bodies must not be compressed")]
    ContentEncoding,
    /// The body is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// The body is neither JSON nor text.
    #[error("the body is neither JSON nor UTF-8")]
    NotText,
    /// It is JSON, but not what it says it is, or not an event when it leaves the transformers.
    #[error(transparent)]
    Event(#[from] IntakeError),
}

impl Message {
    /// What its publisher calls it (`message_id`).
    pub fn id(&self) -> Option<&str> {
        self.property("message_id")
    }

    /// What is the same when it is delivered again. What the broker says of the delivery is not in it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self)
    }

    fn property(&self, name: &str) -> Option<&str> {
        self.properties.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }
}

impl Amqp {
    /// A source. `profile` says what a body is: with [`Profile::Envelope`] envelopes, with [`Profile::Message`] any JSON or
    /// text, whose type is its routing key, else events in any other shape. `headers_to_keep` are names in lower case;
    /// `max_body` bounds the bytes of a body.
    pub fn new(intake: Intake, profile: Profile, headers_to_keep: Vec<String>, max_body: usize) -> Self {
        Self { intake, profile, headers_to_keep, max_body }
    }

    /// The source.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// Takes a message. Its operation is its routing key. `fresh_id` gives ids that nobody had before.
    pub fn accept(
        &self,
        message: &Message,
        now: Timestamp,
        fresh_id: impl FnMut() -> String,
    ) -> Result<Delivery, Refusal> {
        if message.body.len() > self.max_body {
            return Err(Refusal::TooLarge { limit: self.max_body });
        }
        if is_compressed(message) {
            return Err(Refusal::ContentEncoding);
        }
        let mut drafts = match self.profile {
            Profile::Envelope => envelope::read(parse(&message.body)?)?,
            Profile::Message => vec![plain(message)?],
            Profile::Cdevent => events(message)?,
        };
        let metadata = metadata(message);
        for draft in &mut drafts {
            draft.metadata.insert(METADATA.to_owned(), metadata.clone());
        }
        let mut delivery = self.intake.take(drafts, &self.kept_headers(message), now, fresh_id)?;
        delivery.operation = Some(message.routing_key.as_str().into());
        Ok(delivery)
    }

    fn kept_headers(&self, message: &Message) -> Headers {
        let mut kept: Headers = BTreeMap::new();
        for (name, value) in &message.headers {
            let name = name.to_lowercase();
            if !name.starts_with("x-") && !self.headers_to_keep.contains(&name) {
                continue;
            }
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            // Names that differ by case are one header here; their values are joined as those of a request are.
            kept.entry(name).and_modify(|first| *first = format!("{first}, {text}")).or_insert(text);
        }
        kept
    }
}

fn metadata(message: &Message) -> Value {
    json!({
        "exchange": message.exchange,
        "routing_key": message.routing_key,
        "redelivered": message.redelivered,
        "headers": message.headers,
        "properties": message.properties,
    })
}

/// Many write `utf-8` there, which compresses nothing.
fn is_compressed(message: &Message) -> bool {
    let encoding = message.property("content_encoding").unwrap_or_default().to_ascii_lowercase();
    matches!(encoding.as_str(), "gzip" | "x-gzip" | "deflate" | "br" | "zstd" | "compress")
}

/// A message that need not say what it is.
fn plain(message: &Message) -> Result<Draft, Refusal> {
    let kind = EventType::new(&message.routing_key).map_or(MESSAGE_TYPE, |_| message.routing_key.as_str());
    let set = Names { kind: Some(kind.to_owned()), ..Names::default() };
    Ok(Draft { body: json_or_text(&message.body)?, set, is_enveloped: true, ..Draft::default() })
}

/// Events that say themselves what they are.
fn events(message: &Message) -> Result<Vec<Draft>, Refusal> {
    let content_type = message.property("content_type");
    let mode = content_type.and_then(declared);
    let attributes = attributes::read(&message.headers)?;
    let bodies = match mode {
        Some(Mode::Structured) => vec![from_structured(parse(&message.body)?, "body")?],
        Some(Mode::Batch) => from_structured_batch(parse(&message.body)?)?,
        _ if attributes.contains_key("specversion") => {
            let is_json = content_type.is_none() || mode.is_some();
            let data = match (message.body.as_slice(), is_json) {
                ([], _) => None,
                (body, true) => Some(parse(body)?),
                (body, false) => Some(json_or_text(body)?),
            };
            vec![from_attributes(attributes, content_type, data, attributes::field)?]
        }
        // Publishers often say nothing of a body, or something that is not so.
        _ => vec![parse(&message.body)?],
    };
    Ok(bodies.into_iter().map(|body| Draft { body, ..Draft::default() }).collect())
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    // RFC 8259, 8.1: a byte order mark may be ignored.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body).map_err(|problem| Refusal::NotJson(problem.to_string()))
}

fn json_or_text(body: &[u8]) -> Result<Value, Refusal> {
    match parse(body) {
        Ok(json) => Ok(json),
        Err(_) => std::str::from_utf8(body).map(Value::from).map_err(|_| Refusal::NotText),
    }
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        Self::Event(error.into())
    }
}

#[cfg(test)]
mod tests;
