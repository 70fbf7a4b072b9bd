//! `POST /webhook/{id}`: JSON, CDEvents and CloudEvents over HTTP, or envelopes.
//!
//! From a request's head and body to a delivery or a [`Refusal`]. Reading the body off the network, within its
//! limits, and answering are the binary's.

pub(crate) mod envelope;

use fanfare_auth::HeaderRules;
use fanfare_event::{
    Draft, Names, Profile, from_binary, from_structured, from_structured_batch, is_attribute_header,
};
use jiff::Timestamp;
use serde_json::Value;

use crate::request::{
    Accepted, ContentType, Mode, Refusal, RequestHead, idempotency_key, inflate, kept_headers, parse,
};
use crate::{Intake, IntakeError};

/// The content types that are understood, for messages.
const UNDERSTOOD: &str = "one of application/json, anything ending in +json, application/cloudevents+json, \
                          application/cloudevents-batch+json";

/// The type of an event that came as a bare message.
pub const MESSAGE_TYPE: &str = "message";

/// A webhook source.
#[derive(Debug)]
pub struct Webhook {
    intake: Intake,
    profile: Profile,
    rules: HeaderRules,
    headers_to_keep: Vec<String>,
    max_body: usize,
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
        let content = ContentType::read(head).ok_or(Refusal::ContentType(UNDERSTOOD))?;
        let body = inflate(head, body, self.max_body)?;
        let payloads = match (self.profile, content.mode) {
            (Profile::Envelope, _) => envelope::read(parse(&body)?)?,
            (Profile::Message, _) => vec![message(parse(&body)?)],
            (Profile::Cdevent, Mode::Binary) => bare([binary(head, &content, &body)?]),
            (Profile::Cdevent, Mode::Plain) => bare([parse(&body)?]),
            (Profile::Cdevent, Mode::Structured) => bare([from_structured(parse(&body)?, "body")?]),
            (Profile::Cdevent, Mode::Batch) => bare(from_structured_batch(parse(&body)?)?),
        };
        let delivery =
            self.intake.take(payloads, &kept_headers(&self.headers_to_keep, head), now, fresh_id)?;
        Ok(Accepted { delivery, key })
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

#[cfg(test)]
mod tests;
