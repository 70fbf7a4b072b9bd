//! What an event of a stream says of itself, whatever profile it comes in. Pure.

use fanfare_event::Draft;
use jiff::Timestamp;
use serde_json::Value;

/// How the data of an `error` begins that says that events were left out.
const LAGGED: &str = "lagged:";

/// An event's data, read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// Its type, as it says it, else the name that it has in the stream.
    pub(super) kind: String,
    pub(super) subject: Option<String>,
    /// When it happened, where it says so.
    pub(super) time: Option<Timestamp>,
    /// Whether it says its type itself.
    pub(super) is_typed: bool,
    /// Whether its data is JSON.
    pub(super) is_json: bool,
}

impl Reading {
    /// Reads the data of an event that has this name in the stream.
    pub(super) fn of(name: &str, data: &str) -> Self {
        let body = serde_json::from_str::<Value>(data).ok();
        let is_json = body.is_some();
        let body = body.unwrap_or_default();
        let time = time(&body);
        let envelope = |member: &str| body.get(member).and_then(Value::as_str).map(str::to_owned);
        let (kind, subject) = if let Some(kind) = envelope("event_type") {
            (Some(kind), envelope("entity_id"))
        } else {
            let names = Draft { body, ..Draft::default() }.names();
            (names.kind, names.subject)
        };
        let is_typed = kind.is_some();
        Self { kind: kind.unwrap_or_else(|| name.to_owned()), subject, time, is_typed, is_json }
    }
}

/// When a CDEvent, a CloudEvent, an envelope or a foreign payload happened.
fn time(body: &Value) -> Option<Timestamp> {
    let places = ["/context/timestamp", "/time", "/timestamp", "/created_at"];
    let text = places.iter().find_map(|place| body.pointer(place)?.as_str())?;
    // Inboxclaw's have no offset, and are in UTC.
    text.parse().or_else(|_| format!("{text}Z").parse()).ok()
}

/// What an event says that is no fact but of the stream itself, in any profile. It is told, not printed, unless it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OfStream {
    /// That it is open, or that it lives.
    Life,
    /// That so many events were left out, or that nobody knows how many.
    Missed(Option<u64>),
    /// Something else that its reader should know.
    Word,
}

impl OfStream {
    /// `None` for any other event.
    pub(super) fn of(name: &str, data: &str) -> Option<Self> {
        match name {
            "info" | "heartbeat" => Some(Self::Life),
            "gap" => Some(Self::Missed(None)),
            "error" => Some(match data.strip_prefix(LAGGED) {
                Some(rest) => {
                    Self::Missed(rest.split_whitespace().next().and_then(|count| count.parse().ok()))
                }
                None => Self::Word,
            }),
            "expiring" => Some(Self::Word),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_read_whatever_profile_it_comes_in() {
        let check = |data: &str, kind: &str, subject: Option<&str>, time: Option<&str>| {
            let reading = Reading::of("message", data);
            assert_eq!((reading.kind.as_str(), reading.subject.as_deref()), (kind, subject), "{data}");
            assert_eq!(reading.time, time.map(|time| time.parse().unwrap()), "{data}");
            assert_eq!(reading.is_typed, kind != "message");
        };
        let time = "2024-01-15T10:30:00Z";
        check(
            r#"{"context":{"type":"t","timestamp":"2024-01-15T10:30:00Z"},"subject":{"id":"s"}}"#,
            "t",
            Some("s"),
            Some(time),
        );
        check(r#"{"type":"t","subject":"s","time":"2024-01-15T11:30:00+01:00"}"#, "t", Some("s"), Some(time));
        check(
            r#"{"id":1,"event_type":"u.login","entity_id":"u1","created_at":"2024-01-15T10:30:00+00:00"}"#,
            "u.login",
            Some("u1"),
            Some(time),
        );
        check(
            r#"{"event_type":"u","entity_id":null,"created_at":"2024-01-15T10:30:00"}"#,
            "u",
            None,
            Some(time),
        );
        check(r#"{"order":1,"timestamp":"yesterday"}"#, "message", None, None);
        check("no JSON", "message", None, None);
        assert!(Reading::of("a", "[1]").is_json && !Reading::of("a", "[1").is_json);
    }

    #[test]
    fn what_a_stream_says_of_itself_is_told_from_facts() {
        let check = |name: &str, data: &str, expected: Option<OfStream>| {
            assert_eq!(OfStream::of(name, data), expected, "{name}");
        };
        check("error", "lagged: 15 messages skipped", Some(OfStream::Missed(Some(15))));
        check("error", "lagged: some", Some(OfStream::Missed(None)));
        check("error", "serialization error", Some(OfStream::Word));
        check("gap", "unknown: x", Some(OfStream::Missed(None)));
        check("expiring", "", Some(OfStream::Word));
        check("info", "connected", Some(OfStream::Life));
        check("cdevent", "lagged: 15", None);
    }
}
