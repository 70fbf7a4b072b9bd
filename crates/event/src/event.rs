//! The event as the log keeps it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::{EventId, EventType, Headers, Object, Seq, SinkName, SourceName};

/// One fact, checked and complete but for its place in the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What names it to its publisher and to clients.
    pub id: EventId,
    /// What kind of fact it is.
    pub kind: EventType,
    /// Where the fact comes from, as the event says it (`context.source`, a CloudEvent's `source`), else
    /// `{root_url}/?source={name}`.
    pub source: Box<str>,
    /// What the fact is about (`subject.id` of a CDEvent), if the event says it.
    pub subject: Option<Box<str>>,
    /// When it happened, as the event says it, else when it came.
    pub time: Timestamp,
    /// The source in the configuration that it came through.
    pub origin: SourceName,
    /// What transformers told each other. Not sent to clients.
    pub metadata: Object,
    /// The request headers that the source keeps. Not sent to clients.
    pub headers: Headers,
    /// The fact itself: JSON, or a string.
    pub body: Value,
    /// Which sinks it goes to, and whom of their clients. Decided before the log has it; replay uses what is
    /// stored here, never today's routes. Each sink is there once, sorted by name.
    pub deliveries: Arc<[Delivery]>,
}

/// That an event goes to a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The sink.
    pub sink: SinkName,
    /// Who of its clients.
    pub audience: Audience,
}

/// Who of a sink's clients gets an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// All of them.
    Everyone,
}

impl Event {
    /// Whom of this sink's clients the event is for; `None` where it does not go there at all.
    pub fn audience(&self, sink: &SinkName) -> Option<&Audience> {
        let found = self.deliveries.binary_search_by(|delivery| delivery.sink.cmp(sink)).ok()?;
        Some(&self.deliveries[found].audience)
    }

    /// Sends the event to everyone on these sinks.
    pub fn deliver_to_everyone(&mut self, sinks: &BTreeSet<SinkName>) {
        self.deliveries =
            sinks.iter().map(|sink| Delivery { sink: sink.clone(), audience: Audience::Everyone }).collect();
    }
}

/// An event that came out of the log, and its place there.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its place.
    pub seq: Seq,
    /// The event, shared by all who read it.
    pub event: Arc<Event>,
}
