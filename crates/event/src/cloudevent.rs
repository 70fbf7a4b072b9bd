//! CloudEvents 1.0 over HTTP: structured, batched and binary content mode, read into one shape.
//!
//! A CloudEvent that carries a CDEvent becomes that CDEvent. Any other becomes the JSON of its structured mode,
//! whichever mode it came in, so that clients see one shape.

use std::collections::BTreeMap;

use jiff::Timestamp;
use percent_encoding::percent_decode;
use serde_json::Value;

use crate::limits::MAX_ATTRIBUTE;
use crate::{FieldError, Object, Shape};

/// Whether a header (in lower case) carries an attribute in binary mode (HTTP binding 3.1.3.1).
pub fn is_attribute_header(name: &str) -> bool {
    name.starts_with("ce-")
}

/// The event in a structured-mode body (JSON format 3). `field` says where the CloudEvent stands, in messages.
pub fn from_structured(envelope: Value, field: &str) -> Result<Value, FieldError> {
    let Value::Object(envelope) = envelope else {
        return Err(FieldError::new(field, "must be a JSON object: a CloudEvent in structured mode"));
    };
    check(&envelope, |attribute| format!("{field}.{attribute}"))?;
    Ok(unwrap_cdevent(envelope))
}

/// The events in a batch-mode body (JSON format 4).
pub fn from_structured_batch(batch: Value) -> Result<Vec<Value>, FieldError> {
    let Value::Array(batch) = batch else {
        return Err(FieldError::new("body", "must be a JSON array: CloudEvents in batch mode"));
    };
    batch
        .into_iter()
        .enumerate()
        .map(|(index, envelope)| from_structured(envelope, &format!("body[{index}]")))
        .collect()
}

/// The event in a binary-mode request (HTTP binding 3.1): attributes from the `ce-` headers (names in lower case),
/// data from the body, which is absent where the request has none.
pub fn from_binary<'a>(
    headers: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    data_content_type: Option<&str>,
    data: Option<Value>,
) -> Result<Value, FieldError> {
    let mut attributes = BTreeMap::new();
    for (header, value) in headers {
        if let Some(name) = header.strip_prefix("ce-")
            && attributes.insert(name.to_owned(), decode_attribute(header, value)?).is_some()
        {
            return Err(FieldError::new(header, "must not be repeated"));
        }
    }
    from_attributes(attributes, data_content_type, data, |attribute| format!("ce-{attribute}"))
}

/// The event whose attributes a protocol carries beside its data. `field` says where an attribute stands, in messages.
pub fn from_attributes(
    mut attributes: BTreeMap<String, String>,
    data_content_type: Option<&str>,
    data: Option<Value>,
    field: impl Fn(&str) -> String,
) -> Result<Value, FieldError> {
    let mut envelope = Object::new();
    for name in ["specversion", "id", "source", "type", "subject", "time"] {
        if let Some(value) = attributes.remove(name) {
            envelope.insert(name.to_owned(), value.into());
        }
    }
    if let (Some(content_type), Some(_)) = (data_content_type, &data) {
        envelope.insert("datacontenttype".to_owned(), content_type.into());
    }
    for (name, value) in attributes {
        if !matches!(name.as_str(), "data" | "data_base64" | "datacontenttype") {
            envelope.insert(name, value.into());
        }
    }
    if let Some(data) = data {
        envelope.insert("data".to_owned(), data);
    }
    check(&envelope, field)?;
    Ok(unwrap_cdevent(envelope))
}

/// HTTP binding 3.1.3.2: optional double quotes, then percent-encoded UTF-8.
fn decode_attribute(header: &str, value: &[u8]) -> Result<String, FieldError> {
    let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
    let decoded = percent_decode(value)
        .decode_utf8()
        .map_err(|_| FieldError::new(header, "must be percent-encoded UTF-8"))?;
    if decoded.len() > MAX_ATTRIBUTE {
        return Err(FieldError::new(header, format!("must be at most {MAX_ATTRIBUTE} bytes")));
    }
    Ok(decoded.into_owned())
}

/// The rules of CloudEvents 1.0, 3: what must be there, and as what.
fn check(envelope: &Object, field: impl Fn(&str) -> String) -> Result<(), FieldError> {
    let text = |attribute: &str| match envelope.get(attribute) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => {
            Err(FieldError::new(field(attribute), "must not be empty"))
        }
        Some(Value::String(text)) => Ok(Some(text.as_str())),
        Some(_) => Err(FieldError::new(field(attribute), "must be a string")),
    };
    let required = |attribute: &str| {
        text(attribute)?
            .ok_or_else(|| FieldError::new(field(attribute), "is missing: a CloudEvent must have it"))
    };
    if required("specversion")? != "1.0" {
        return Err(FieldError::new(field("specversion"), "must be \"1.0\""));
    }
    for attribute in ["id", "source", "type"] {
        required(attribute)?;
    }
    for attribute in ["subject", "datacontenttype", "dataschema"] {
        text(attribute)?;
    }
    if let Some(time) = text("time")?
        && time.parse::<Timestamp>().is_err()
    {
        return Err(FieldError::new(field("time"), "must be an RFC 3339 timestamp"));
    }
    if envelope.contains_key("data") && envelope.contains_key("data_base64") {
        return Err(FieldError::new(field("data_base64"), "must not be there beside `data`"));
    }
    Ok(())
}

/// A CDEvent in `data` is the event; what its context lacks, the attributes say.
fn unwrap_cdevent(mut envelope: Object) -> Value {
    if envelope.get("data").is_none_or(|data| Shape::of(data) != Shape::CdEvent) {
        return Value::Object(envelope);
    }
    let mut body = envelope.shift_remove("data").unwrap_or_default();
    if let Some(context) = body.get_mut("context").and_then(Value::as_object_mut) {
        for (key, attribute) in [("id", "id"), ("source", "source"), ("timestamp", "time")] {
            let missing = match context.get(key) {
                None | Some(Value::Null) => true,
                Some(value) => value == "" || (key == "id" && value == "0"),
            };
            if missing && let Some(value) = envelope.get(attribute).filter(|value| value.is_string()) {
                context.insert(key.to_owned(), value.clone());
            }
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const BINARY: [(&str, &[u8]); 4] =
        [("ce-specversion", b"1.0"), ("ce-id", b"a"), ("ce-source", b"/s"), ("ce-type", b"t")];

    #[test]
    fn the_three_modes_give_one_shape() {
        let envelope = json!({"specversion": "1.0", "id": "a", "source": "/s", "type": "t",
            "datacontenttype": "application/json", "data": {"n": 1}});
        assert_eq!(from_structured(envelope.clone(), "body"), Ok(envelope.clone()));
        assert_eq!(from_structured_batch(json!([envelope])), Ok(vec![envelope.clone()]));
        let binary = from_binary(BINARY, Some("application/json"), Some(json!({"n": 1})));
        assert_eq!(binary, Ok(envelope));
    }

    #[test]
    fn a_cdevent_inside_is_the_event_and_attributes_fill_its_context() {
        let data = json!({"context": {"type": "dev.cdevents.x", "id": "0"}, "subject": {"id": "s"}});
        let expected =
            json!({"context": {"type": "dev.cdevents.x", "id": "a", "source": "/s"}, "subject": {"id": "s"}});
        assert_eq!(from_binary(BINARY, None, Some(data)), Ok(expected));
        let own = json!({"context": {"type": "t", "id": "mine", "source": "here", "timestamp": "2024-01-01T00:00:00Z"}});
        assert_eq!(from_binary(BINARY, None, Some(own.clone())), Ok(own));
    }

    #[test]
    fn attributes_are_percent_decoded() {
        let mut headers = BINARY.to_vec();
        headers.push(("ce-subject", b"\"Euro%20%E2%82%AC\""));
        let event = from_binary(headers, None, None).unwrap();
        assert_eq!(event["subject"], "Euro \u{20ac}");
        assert_eq!(event.get("data"), None);
    }

    #[test]
    fn what_is_no_cloudevent_names_its_attribute() {
        let check = |change: Value, field: &str| {
            let mut envelope = json!({"specversion": "1.0", "id": "a", "source": "/s", "type": "t"});
            for (key, value) in change.as_object().unwrap() {
                envelope[key] = value.clone();
            }
            assert_eq!(from_structured(envelope, "body").unwrap_err().field, field);
        };
        check(json!({"specversion": "0.3"}), "body.specversion");
        check(json!({"id": null}), "body.id");
        check(json!({"id": 7}), "body.id");
        check(json!({"source": ""}), "body.source");
        check(json!({"type": null}), "body.type");
        check(json!({"time": "yesterday"}), "body.time");
        check(json!({"subject": ""}), "body.subject");
        check(json!({"data": 1, "data_base64": "AA=="}), "body.data_base64");

        assert_eq!(from_structured(json!([]), "body").unwrap_err().field, "body");
        assert_eq!(from_structured_batch(json!({})).unwrap_err().field, "body");
        assert_eq!(from_structured_batch(json!([1])).unwrap_err().field, "body[0]");
        assert_eq!(from_binary([BINARY[0]], None, None).unwrap_err().field, "ce-id");
        assert_eq!(from_binary([("ce-id", &b"%ff"[..])], None, None).unwrap_err().field, "ce-id");
        assert_eq!(from_binary([BINARY[1], BINARY[1]], None, None).unwrap_err().field, "ce-id");
    }
}
