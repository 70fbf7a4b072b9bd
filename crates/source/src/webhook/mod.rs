//! `POST /webhook/{id}`: JSON, CDEvents and CloudEvents over HTTP, or envelopes.
//!
//! From a request's head and body to a [`Delivery`] or a [`Refusal`]. Reading the body off the network, within its
//! limits, and answering are the binary's.

mod body;
mod content;
mod envelope;

use std::collections::BTreeMap;

use fanfare_auth::{HeaderRules, Refused, RequestHeaders};
use fanfare_event::{
    Draft, FieldError, Headers, Names, Profile, from_binary, from_structured, from_structured_batch,
    is_attribute_header,
};
use jiff::Timestamp;
use serde_json::Value;

use crate::{Delivery, Intake, IntakeError};
use content::{ContentType, Mode};

/// Bytes of an `Idempotency-Key`; a longer one is refused. It is kept as long as its events are.
pub const MAX_IDEMPOTENCY_KEY: usize = 512;

/// The type of an event that came as a bare message.
pub const MESSAGE_TYPE: &str = "message";

/// The head of a request.
pub trait RequestHead: RequestHeaders {
    /// Calls `each` with the name, in lower case, and the value of every header field.
    fn for_each(&self, each: &mut dyn FnMut(&str, &[u8]));
}

/// A webhook source.
#[derive(Debug)]
pub struct Webhook {
    intake: Intake,
    profile: Profile,
    rules: HeaderRules,
    headers_to_keep: Vec<String>,
    max_body: usize,
}

/// What a request brings.
#[derive(Debug)]
pub struct Accepted {
    /// Its events.
    pub delivery: Delivery,
    /// What its publisher calls the delivery as a whole (`Idempotency-Key`).
    pub key: Option<String>,
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header rule says no.
    #[error(transparent)]
    Header(#[from] Refused),
    /// The content type is none that is understood.
    #[error("the content type is not one of {}", content::UNDERSTOOD)]
    ContentType,
    /// The content encoding is none that is understood.
    #[error("the content encoding is not gzip")]
    ContentEncoding,
    /// The body says that it is compressed, and cannot be decompressed.
    #[error("the body is not valid gzip")]
    Compression,
    /// The body is too large once decompressed.
    #[error("the body has more than {limit} bytes once decompressed")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// The `Idempotency-Key` cannot be one.
    #[error("idempotency-key {0}")]
    IdempotencyKey(&'static str),
    /// It is JSON, but not what it says it is, or not an event when it leaves the transformers.
    #[error(transparent)]
    Event(#[from] IntakeError),
}

impl Webhook {
    /// A webhook. `profile` says what a body is: with [`Profile::Envelope`] envelopes, with [`Profile::Message`] any JSON,
    /// whose type is [`MESSAGE_TYPE`], else events in any other shape.
    /// `headers_to_keep` are names in lower case; `max_body` bounds the bytes of a body once it is decompressed.
    pub fn new(
        intake: Intake,
        profile: Profile,
        rules: HeaderRules,
        headers_to_keep: Vec<String>,
        max_body: usize,
    ) -> Self {
        Self { intake, profile, rules, headers_to_keep, max_body }
    }

    /// The source.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// What can be said before the body is there, so that nobody who will be refused is listened to for long. It does
    /// not replace [`Webhook::accept`].
    pub fn check_head(&self, head: &dyn RequestHead) -> Result<(), Refusal> {
        Ok(self.rules.check_head(head)?)
    }

    /// Takes a request. `body` is as it came over the network, which is what signatures are made over.
    pub fn accept(
        &self,
        head: &dyn RequestHead,
        body: &[u8],
        now: Timestamp,
        fresh_id: impl FnMut() -> String,
    ) -> Result<Accepted, Refusal> {
        self.rules.check(head, body)?;
        let key = idempotency_key(head)?;
        let content = ContentType::read(head)?;
        let body = body::inflate(head, body, self.max_body)?;
        let payloads = match (self.profile, content.mode) {
            (Profile::Envelope, _) => envelope::read(parse(&body)?)?,
            (Profile::Message, _) => vec![message(parse(&body)?)],
            (Profile::Cdevent, Mode::Binary) => bare([binary(head, &content, &body)?]),
            (Profile::Cdevent, Mode::Plain) => bare([parse(&body)?]),
            (Profile::Cdevent, Mode::Structured) => bare([from_structured(parse(&body)?, "body")?]),
            (Profile::Cdevent, Mode::Batch) => bare(from_structured_batch(parse(&body)?)?),
        };
        let delivery = self.intake.take(payloads, &self.kept_headers(head), now, fresh_id)?;
        Ok(Accepted { delivery, key })
    }

    fn kept_headers(&self, head: &dyn RequestHead) -> Headers {
        let mut kept = BTreeMap::new();
        for name in &self.headers_to_keep {
            let values: Vec<_> = head.values(name).map(String::from_utf8_lossy).collect();
            if !values.is_empty() {
                // RFC 9110, 5.3: several lines of one field mean their values joined by a comma.
                kept.insert(name.clone(), values.join(", "));
            }
        }
        kept
    }
}

/// Payloads that say themselves what they are.
fn bare(bodies: impl IntoIterator<Item = Value>) -> Vec<Draft> {
    bodies.into_iter().map(|body| Draft { body, ..Draft::default() }).collect()
}

/// A payload that need not say what it is.
fn message(body: Value) -> Draft {
    let set = Names { kind: Some(MESSAGE_TYPE.to_owned()), ..Names::default() };
    Draft { body, set, is_enveloped: true, ..Draft::default() }
}

fn parse(body: &[u8]) -> Result<Value, Refusal> {
    // RFC 8259, 8.1: a byte order mark may be ignored.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body).map_err(|problem| Refusal::NotJson(problem.to_string()))
}

fn binary(head: &dyn RequestHead, content: &ContentType, body: &[u8]) -> Result<Value, Refusal> {
    let data = if body.is_empty() { None } else { Some(parse(body)?) };
    let mut attributes = Vec::new();
    head.for_each(&mut |name, value| {
        if is_attribute_header(name) {
            attributes.push((name.to_owned(), value.to_owned()));
        }
    });
    let attributes = attributes.iter().map(|(name, value)| (name.as_str(), value.as_slice()));
    Ok(from_binary(attributes, content.text.as_deref(), data).map_err(IntakeError::from)?)
}

/// The key of `draft-ietf-httpapi-idempotency-key-header`: a quoted string, or, as many send it, a bare one.
fn idempotency_key(head: &dyn RequestHead) -> Result<Option<String>, Refusal> {
    let mut values = head.values("idempotency-key");
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::IdempotencyKey("must not be repeated"));
    }
    let value = std::str::from_utf8(value).map_err(|_| Refusal::IdempotencyKey("must be UTF-8"))?.trim();
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    match value.len() {
        0 => Err(Refusal::IdempotencyKey("must not be empty")),
        1..=MAX_IDEMPOTENCY_KEY => Ok(Some(value.to_owned())),
        _ => Err(Refusal::IdempotencyKey("must be at most 512 bytes")),
    }
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        Self::Event(error.into())
    }
}

#[cfg(test)]
mod tests;
