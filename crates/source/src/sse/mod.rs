//! A stream of Server-Sent Events that somebody else serves: CDEvents and other events, envelopes, or any JSON or text.
//!
//! From an event of the stream to a [`Delivery`] or a [`Refusal`], what of the stream tells that something was missed, and how
//! far the source has come ([`Position`]). Connecting and resuming are the binary's.

mod position;

use std::sync::Arc;

use fanfare_event::{Draft, EventId, EventType, FieldError, Headers, NamePatterns, Names, Profile};
use jiff::Timestamp;
use serde_json::Value;

use crate::fingerprint::Hasher;
use crate::webhook::{MESSAGE_TYPE, envelope};
use crate::{Delivery, Intake, IntakeError};

use position::shown;

pub use position::{InvalidPosition, Missed, Position};

/// What a `cdevent` stream calls each of its events. Its ids are the events' own.
const CDEVENT: &str = "cdevent";

/// What a stream calls events that tell of the stream itself. They are taken only where the configuration names them.
const OWN: [&str; 5] = ["error", "expiring", "gap", "heartbeat", "info"];

/// Bytes of an id and of a name that each event keeps in its metadata. What is longer, which no server sends for good, is
/// cut.
const MAX_KEPT: usize = 4096;

/// A source that listens to a stream.
#[derive(Debug)]
pub struct Sse {
    intake: Intake,
    profile: Profile,
    events: Option<NamePatterns>,
    url: String,
}

/// An event of a stream, as the standard dispatches it (WHATWG HTML 9.2.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// Its type; `message` where the server names none.
    pub kind: String,
    /// Its data.
    pub data: String,
    /// The last event id string: its own, or that of a block before it. `None` where there is none.
    pub last_event_id: Option<Arc<str>>,
}

/// What an event of a stream brings.
#[derive(Debug)]
pub struct Accepted {
    /// Its events. None of them is said to be named: two servers behind one stream may use one id for different events, and
    /// both are to arrive.
    pub delivery: Delivery,
    /// What is the same where the server sends this again, if it, or what it brings, has a name.
    pub key: Option<String>,
}

/// Why an event of a stream is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The data is no envelope.
    #[error("the data is not an envelope: {0}")]
    Envelope(FieldError),
    /// It is not an event when it leaves the transformers, or one of them refuses it.
    #[error(transparent)]
    Event(#[from] IntakeError),
}

impl Sse {
    /// A source. `profile` says what the data is: with [`Profile::Envelope`] envelopes, with [`Profile::Message`] any JSON or
    /// text, whose type is the name of the stream's event, else events in any other shape. `events` are the names that are
    /// taken; `None`: all but those that tell of the stream itself. `url` is shown, and must hold no secret.
    pub fn new(intake: Intake, profile: Profile, events: Option<NamePatterns>, url: String) -> Self {
        Self { intake, profile, events, url }
    }

    /// The source.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// Whether the stream's events of this name are taken.
    pub fn takes(&self, kind: &str) -> bool {
        self.events.as_ref().map_or_else(|| !OWN.contains(&kind), |events| events.matches(kind))
    }

    /// Takes an event. `missed` is what its own events are to tell. `fresh_id` gives ids that nobody had before.
    pub fn accept(
        &self,
        message: &Message,
        missed: &Missed,
        now: Timestamp,
        mut fresh_id: impl FnMut() -> String,
    ) -> Result<Accepted, Refusal> {
        let id = message.last_event_id.as_deref().map_or_else(&mut fresh_id, str::to_owned);
        let mut drafts = self.drafts(message)?;
        for draft in &mut drafts {
            let metadata = &mut draft.metadata;
            metadata.insert("sse_id".to_owned(), bounded(&id).into());
            metadata.insert("sse_event".to_owned(), bounded(&message.kind).into());
            metadata.insert("sse_url".to_owned(), self.url.as_str().into());
            if !missed.is_empty() {
                metadata.insert("sse_missed".to_owned(), missed.to_json());
            }
        }
        let mut name = message.name();
        let next_id = || name.take().map_or_else(&mut fresh_id, str::to_owned);
        let mut delivery = self.intake.take(drafts, &Headers::new(), now, next_id)?;
        let is_named = message.name().is_some() || delivery.events.iter().all(|finished| finished.named);
        for finished in &mut delivery.events {
            finished.named = false;
        }
        Ok(Accepted { delivery, key: is_named.then(|| message.key()) })
    }

    fn drafts(&self, message: &Message) -> Result<Vec<Draft>, Refusal> {
        let body = json_or_text(&message.data);
        Ok(match self.profile {
            Profile::Envelope => envelope::read(body).map_err(Refusal::Envelope)?,
            Profile::Message => {
                let kind = EventType::new(&message.kind).map_or(MESSAGE_TYPE, |_| message.kind.as_str());
                let set = Names { kind: Some(kind.to_owned()), ..Names::default() };
                vec![Draft { body, set, is_enveloped: true, ..Draft::default() }]
            }
            Profile::Cdevent => vec![Draft { body, ..Draft::default() }],
        })
    }
}

impl Message {
    /// What it tells of events that the server has not sent and will not send, if that is what it tells: short, and in one
    /// line.
    pub fn missed(&self) -> Option<String> {
        match self.kind.as_str() {
            "gap" => Some(shown(&format!("gap: {}", self.data))),
            "error" if self.data.starts_with("lagged:") => Some(shown(&self.data)),
            _ => None,
        }
    }

    /// The id that its event has on the server, where streams of its kind say that.
    fn name(&self) -> Option<&str> {
        let id = self.last_event_id.as_deref().filter(|_| self.kind == CDEVENT)?;
        EventId::new(id).is_ok().then_some(id)
    }

    fn key(&self) -> String {
        let mut hash = Hasher::default();
        for part in [&*self.kind, self.last_event_id.as_deref().unwrap_or_default(), &*self.data] {
            hash.part(part.as_bytes());
        }
        format!("sse:{}", hex::encode(hash.finish()))
    }
}

/// The beginning of a text that is kept with each event.
fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(MAX_KEPT)).unwrap_or(text)
}

/// What has a byte order mark is JSON all the same (RFC 8259, 8.1).
fn json_or_text(data: &str) -> Value {
    let json = data.strip_prefix('\u{feff}').unwrap_or(data);
    serde_json::from_str(json).unwrap_or_else(|_| data.into())
}

#[cfg(test)]
mod tests;
