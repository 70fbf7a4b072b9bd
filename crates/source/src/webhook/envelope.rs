//! Envelopes: what an event is called beside its data, as Inboxclaw's own sources give it, and as its envelope shows it.

use fanfare_event::limits::MAX_REFERENCE;
use fanfare_event::{Draft, ENVELOPE_META, EventId, EventType, FieldError, Names, Object};
use jiff::Timestamp;
use serde_json::Value;

/// What an envelope may have. What streams and Inboxclaw's webhook sink send has `id`, `created_at`, `source` and `meta`
/// too, so that one server can send to another.
const MEMBERS: [&str; 9] =
    ["event_id", "event_type", "entity_id", "occurred_at", "created_at", "data", "meta", "id", "source"];

/// Characters of an unknown member that are shown, and looked at to guess which one is meant.
const SHOWN: usize = 64;

/// The drafts of an envelope, or of an array of them. Each is checked here, where its place in the body is known.
pub(crate) fn read(body: Value) -> Result<Vec<Draft>, FieldError> {
    match body {
        Value::Object(envelope) => Ok(vec![draft(envelope, "")?]),
        Value::Array(envelopes) => envelopes
            .into_iter()
            .enumerate()
            .map(|(index, envelope)| match envelope {
                Value::Object(envelope) => draft(envelope, &format!("[{index}].")),
                _ => Err(FieldError::new(format!("[{index}]"), "must be an object: an envelope")),
            })
            .collect(),
        _ => Err(FieldError::new("body", "must be an object, an envelope, or an array of them")),
    }
}

/// `at` is what stands before a member's name in messages.
fn draft(mut envelope: Object, at: &str) -> Result<Draft, FieldError> {
    let field = |member: &str| format!("{at}{member}");
    // What is misspelled would be lost, and nobody told.
    if let Some(unknown) = envelope.keys().find(|key| !MEMBERS.contains(&key.as_str())) {
        let unknown: String = unknown.chars().take(SHOWN).collect();
        let hint = nearest(&unknown).map_or_else(String::new, |near| format!(" (is `{near}` meant?)"));
        let problem =
            format!("is not a member of an envelope{hint}; what is the event's own belongs in `data`");
        return Err(FieldError::new(field(&unknown), problem));
    }
    let kind = match envelope.remove("event_type") {
        None | Some(Value::Null) => return Err(FieldError::new(field("event_type"), "is missing")),
        Some(Value::String(kind)) => kind,
        Some(_) => return Err(FieldError::new(field("event_type"), "must be a string")),
    };
    EventType::new(&kind).map_err(|problem| FieldError::new(field("event_type"), problem.to_string()))?;
    let id = word(envelope.remove("event_id"), || field("event_id"))?;
    if let Some(id) = &id {
        EventId::new(id).map_err(|problem| FieldError::new(field("event_id"), problem.to_string()))?;
    }
    let subject = word(envelope.remove("entity_id"), || field("entity_id"))?;
    if subject.as_ref().is_some_and(|subject| subject.len() > MAX_REFERENCE) {
        return Err(FieldError::new(field("entity_id"), format!("must be at most {MAX_REFERENCE} bytes")));
    }
    let occurred_at = time(envelope.get("occurred_at"), || field("occurred_at"))?;
    let created_at = time(envelope.get("created_at"), || field("created_at"))?;
    let mut metadata = Object::new();
    match envelope.remove("meta") {
        None | Some(Value::Null) => {}
        Some(Value::Object(meta)) if meta.is_empty() => {}
        Some(meta @ Value::Object(_)) => {
            metadata.insert(ENVELOPE_META.to_owned(), meta);
        }
        Some(_) => return Err(FieldError::new(field("meta"), "must be an object")),
    }
    let body = match envelope.remove("data") {
        None | Some(Value::Null) => Value::Object(Object::new()),
        Some(data @ Value::Object(_)) => data,
        Some(_) => return Err(FieldError::new(field("data"), "must be an object")),
    };
    Ok(Draft {
        metadata,
        body,
        set: Names { kind: Some(kind), id, source: None, subject },
        time: occurred_at.or(created_at),
        is_enveloped: true,
        ..Draft::default()
    })
}

/// A string or a whole number; absent, null and empty all mean missing.
fn word(value: Option<Value>, field: impl Fn() -> String) -> Result<Option<String>, FieldError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(word)) => Ok(Some(word).filter(|word| !word.is_empty())),
        Some(Value::Number(number)) if number.is_u64() || number.is_i64() => Ok(Some(number.to_string())),
        Some(_) => Err(FieldError::new(field(), "must be a string or a whole number")),
    }
}

/// RFC 3339. A time without an offset, as Python writes one that has no zone, is in UTC.
fn time(value: Option<&Value>, field: impl Fn() -> String) -> Result<Option<Timestamp>, FieldError> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text,
        Some(_) => "",
    };
    let time = text.parse().or_else(|_| format!("{text}Z").parse());
    let problem = "must be an RFC 3339 timestamp, 2024-03-15T10:00:00+00:00 say";
    time.map(Some).map_err(|_| FieldError::new(field(), problem))
}

fn nearest(unknown: &str) -> Option<&'static str> {
    let folded = unknown.to_ascii_lowercase();
    let distance = |member: &str| strsim::damerau_levenshtein(&folded, member);
    let near = MEMBERS.into_iter().min_by_key(|member| distance(member))?;
    (distance(near) <= (folded.len() / 3).max(1)).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_envelope_says_what_its_data_is_called() {
        let check = |envelope: Value, names: [Option<&str>; 3], time: Option<&str>, data: Value| {
            let drafts = read(envelope.clone()).unwrap();
            let [draft] = drafts.as_slice() else { panic!("{drafts:?}") };
            let seen = [&draft.set.kind, &draft.set.id, &draft.set.subject].map(|name| name.as_deref());
            assert_eq!(seen, names, "{envelope}");
            assert_eq!(draft.time, time.map(|time| time.parse().unwrap()), "{envelope}");
            assert_eq!((&draft.body, draft.is_enveloped), (&data, true));
        };
        let noon = Some("2024-03-15T12:00:00Z");
        check(json!({"event_type": "t"}), [Some("t"), None, None], None, json!({}));
        check(
            json!({"event_type": "t", "event_id": null, "entity_id": "", "occurred_at": null, "data": null, "meta": {}}),
            [Some("t"), None, None],
            None,
            json!({}),
        );
        check(
            json!({"event_type": "t", "event_id": 0, "entity_id": -7, "data": {"context": {"type": "x"}}}),
            [Some("t"), Some("0"), Some("-7")],
            None,
            json!({"context": {"type": "x"}}),
        );
        for text in [
            "2024-03-15T12:00:00Z",
            "2024-03-15T12:00:00",
            "2024-03-15 12:00:00.000000",
            "2024-03-15T14:00:00+02:00",
        ] {
            check(json!({"event_type": "t", "occurred_at": text}), [Some("t"), None, None], noon, json!({}));
        }
        // What a stream or Inboxclaw's webhook sink sends.
        let sent = json!({"id": 42, "event_id": "evt_abc", "event_type": "t", "entity_id": null,
            "created_at": "2024-03-15T12:00:00+00:00", "data": {"n": 1}, "source": {"id": 1, "name": "w"}, "meta": {"n": 2}});
        check(sent.clone(), [Some("t"), Some("evt_abc"), None], noon, json!({"n": 1}));
        assert_eq!(read(sent).unwrap()[0].metadata["meta"], json!({"n": 2}));
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_place() {
        let check = |body: Value, field: &str, problem: &str| {
            let error = read(body.clone()).unwrap_err();
            assert_eq!(error.field, field, "{body}");
            assert!(error.problem.contains(problem), "{error}");
        };
        check(json!("x"), "body", "object");
        check(json!([{"event_type": "t"}, 1]), "[1]", "object");
        check(json!({}), "event_type", "missing");
        check(json!([{"event_type": "t"}, {"event_type": 1}]), "[1].event_type", "string");
        check(json!({"event_type": ""}), "event_type", "empty");
        check(json!({"event_type": "t", "event_id": "a\nb"}), "event_id", "control");
        check(json!({"event_type": "t", "event_id": 1.5}), "event_id", "whole number");
        check(json!({"event_type": "t", "entity_id": []}), "entity_id", "string");
        check(json!({"event_type": "t", "entity_id": "s".repeat(MAX_REFERENCE + 1)}), "entity_id", "4096");
        check(json!({"event_type": "t", "occurred_at": "soon"}), "occurred_at", "RFC 3339");
        check(json!({"event_type": "t", "occurred_at": 1_710_504_000}), "occurred_at", "RFC 3339");
        check(json!({"event_type": "t", "data": [1]}), "data", "object");
        check(json!({"event_type": "t", "meta": 1}), "meta", "object");
        check(json!({"event_type": "t", "entityId": "e"}), "entityId", "`entity_id`");
        check(json!({"event_type": "t", "payload": {}}), "payload", "belongs in `data`");
        check(json!({"type": "t"}), "type", "belongs in `data`");
    }
}
