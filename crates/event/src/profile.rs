//! Profiles: how a sink writes an event. Here, the JSON of it; the framing around it lives in the stream crate.

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::{Object, Stored};

/// How a sink writes an event on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// cdviz-collector's: `event: cdevent`, the event's own id, the body as it is.
    Cdevent,
    /// Inboxclaw's: `event: message`, the event's place in the log as its id, the body in an envelope.
    Envelope,
    /// Mycel's: `event: message`, the event's place in the log as its id, the body as it is.
    Message,
}

/// Inboxclaw's envelope, in the order of its document.
#[derive(Serialize)]
struct Envelope<'a> {
    id: u64,
    event_id: &'a str,
    event_type: &'a str,
    entity_id: Option<&'a str>,
    created_at: String,
    data: &'a Value,
    source: EnvelopeSource<'a>,
    meta: &'a Object,
}

#[derive(Serialize)]
struct EnvelopeSource<'a> {
    id: u32,
    name: &'a str,
}

/// The member of an event's metadata that an envelope has as its own: what came in one goes out in one.
pub const ENVELOPE_META: &str = "meta";

impl Profile {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cdevent, Self::Envelope, Self::Message];

    /// The name, as the configuration spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cdevent => "cdevent",
            Self::Envelope => "envelope",
            Self::Message => "message",
        }
    }

    /// The `data` of an event: compact JSON in UTF-8, so without a line break.
    pub fn payload(self, stored: &Stored) -> Vec<u8> {
        match self {
            Self::Cdevent | Self::Message => stored.event.body.to_string().into_bytes(),
            Self::Envelope => envelope(stored),
        }
    }
}

fn envelope(stored: &Stored) -> Vec<u8> {
    let event = &stored.event;
    let nothing = Object::new();
    let envelope = Envelope {
        id: stored.seq.get(),
        event_id: event.id.as_str(),
        event_type: event.kind.as_str(),
        entity_id: event.subject.as_deref(),
        created_at: with_offset(event.time),
        data: &event.body,
        source: EnvelopeSource { id: stored.source_number.get(), name: event.origin.as_str() },
        meta: event.metadata.get(ENVELOPE_META).and_then(Value::as_object).unwrap_or(&nothing),
    };
    // Strings, numbers and JSON values with string keys always serialize.
    serde_json::to_vec(&envelope).unwrap_or_default()
}

/// As Python writes a time in UTC: whole seconds or six decimals, and `+00:00`.
fn with_offset(time: Timestamp) -> String {
    let format = if time.subsec_nanosecond() / 1000 == 0 {
        "%Y-%m-%dT%H:%M:%S+00:00"
    } else {
        "%Y-%m-%dT%H:%M:%S.%6f+00:00"
    };
    time.strftime(format).to_string()
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Draft, Event, Finish, Names, Seq, SourceName, SourceNumber};
    use serde_json::json;

    #[test]
    fn an_envelope_is_written_as_the_document_shows_it() {
        let origin = SourceName::new("web_frontend");
        let finish = Finish { origin: &origin, root_url: "http://localhost", now: Timestamp::UNIX_EPOCH };
        let name = |name: &str| Some(name.to_owned());
        let set =
            Names { kind: name("user.login"), id: name("evt_abc"), subject: name("user_1"), source: None };
        let time = "2024-03-15T10:00:00Z".parse().ok();
        let draft = Draft { body: json!({"ip": "1.2.3.4"}), set, time, ..Draft::default() };
        let event = finish.finish(draft, || "fresh".to_owned()).unwrap().event;
        let mut stored = Stored {
            seq: Seq::new(42).unwrap(),
            stored_at: Timestamp::UNIX_EPOCH,
            source_number: SourceNumber::FIRST,
            event: event.into(),
        };
        let expected = r#"{"id": 42, "event_id": "evt_abc", "event_type": "user.login", "entity_id": "user_1", "created_at": "2024-03-15T10:00:00+00:00", "data": {"ip": "1.2.3.4"}, "source": {"id": 1, "name": "web_frontend"}, "meta": {}}"#;
        let compact = expected.replace("\": ", "\":").replace(", \"", ",\"");
        let mut check = |metadata: Value, meta: &str| {
            let event = Event { metadata: metadata.as_object().unwrap().clone(), ..(*stored.event).clone() };
            stored.event = event.into();
            let written = String::from_utf8(Profile::Envelope.payload(&stored)).unwrap();
            assert_eq!(written, compact.replace("\"meta\":{}", &format!("\"meta\":{meta}")));
        };
        check(json!({}), "{}");
        check(json!({"meta": {"b": 1, "a": 2}, "more": 3}), r#"{"b":1,"a":2}"#);
        check(json!({"meta": "no object"}), "{}");
    }

    #[test]
    fn times_have_an_offset_and_six_decimals_or_none() {
        let check = |time: &str, expected: &str| assert_eq!(with_offset(time.parse().unwrap()), expected);
        check("2024-03-15T10:00:00Z", "2024-03-15T10:00:00+00:00");
        check("2024-03-15T12:00:00.5+02:00", "2024-03-15T10:00:00.500000+00:00");
        check("2024-03-15T10:00:00.0000009Z", "2024-03-15T10:00:00+00:00");
        check("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00");
    }
}
