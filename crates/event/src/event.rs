//! The event as the log keeps it.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use crate::{Audience, EventId, EventType, Headers, Object, Seq, SinkName, SourceName, SourceNumber};

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

impl Delivery {
    /// To everyone on these sinks; sorted, as an event keeps them.
    pub fn to_everyone(sinks: &BTreeSet<SinkName>) -> Arc<[Self]> {
        sinks.iter().map(|sink| Self { sink: sink.clone(), audience: Audience::Everyone }).collect()
    }
}

impl Event {
    /// About how many bytes of memory the event takes. Good enough to bound how many are kept.
    pub fn weight(&self) -> usize {
        let metadata: usize = self.metadata.iter().map(|(key, value)| key.len() + weight(value)).sum();
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + value.len() + WORD).sum();
        let names = self.id.as_str().len() + self.kind.as_str().len() + self.source.len();
        let targets = self.deliveries.iter().flat_map(|delivery| delivery.audience.targets());
        let targets = targets.map(|target| WORD + target.name().len()).sum::<usize>();
        size_of::<Self>() + metadata + headers + names + targets + weight(&self.body)
    }
}

/// What a small value costs beside its own bytes: a slot in a container and an allocation's header.
const WORD: usize = 48;

fn weight(value: &Value) -> usize {
    WORD + match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight).sum(),
        Value::Object(members) => members.iter().map(|(key, member)| key.len() + WORD + weight(member)).sum(),
    }
}

/// An event that came out of the log, and what the log says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its place.
    pub seq: Seq,
    /// When the log took it, to the millisecond. Not when it happened: a publisher may tell of the past.
    pub stored_at: Timestamp,
    /// The number of the source that it came through.
    pub source_number: SourceNumber,
    /// The event, shared by all who read it.
    pub event: Arc<Event>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn weight_grows_with_what_is_held() {
        let small = weight(&json!({"a": 1}));
        let large = weight(&json!({"a": 1, "b": ["x".repeat(1000)]}));
        assert!(large > small + 1000, "{small} {large}");
    }
}
