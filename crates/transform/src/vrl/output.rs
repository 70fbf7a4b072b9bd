//! What a program's result means: the drafts that its event becomes.

use fanfare_event::limits::MAX_EVENTS_PER_DELIVERY;
use fanfare_event::{Draft, Headers, Names, Object};
use serde_json::Value as Json;
use vrl::value::{ObjectMap, Value};

use super::value::{Unfit, into_json};
use crate::transform::Refusal;

/// The members beside metadata, headers and body, in the order of [`names`].
pub(super) const NAMES: [&str; 4] = ["type", "id", "source", "subject"];

/// The values of [`NAMES`].
pub(super) fn names(names: &Names) -> [&Option<String>; 4] {
    [&names.kind, &names.id, &names.source, &names.subject]
}

/// The drafts of a program's result: a list of events, or null, which passes the event on. `left` is the event as
/// the program left it, `input` the event as it came, `shown` what the program was told that it is called.
pub(super) fn drafts(
    result: Value,
    left: &Value,
    input: &Draft,
    shown: &Names,
) -> Result<Vec<Draft>, Refusal> {
    let output = Output { left: left.as_object(), input, shown };
    match result {
        Value::Null => {
            let event = output.left.cloned().ok_or_else(|| unfit("event", "must stay an object"))?;
            Ok(vec![output.draft(event, "event")?])
        }
        Value::Array(events) if events.len() > MAX_EVENTS_PER_DELIVERY => {
            Err(Refusal::TooMany { limit: MAX_EVENTS_PER_DELIVERY })
        }
        Value::Array(events) => {
            let events = events.into_iter().enumerate();
            events
                .map(|(at, event)| match event {
                    Value::Object(event) => output.draft(event, &format!("result[{at}]")),
                    other => Err(kind_refused(&format!("result[{at}]"), "an event, an object", &other)),
                })
                .collect()
        }
        other => Err(kind_refused("the program's result", "a list of events, such as [.], or null", &other)),
    }
}

struct Output<'a> {
    left: Option<&'a ObjectMap>,
    input: &'a Draft,
    shown: &'a Names,
}

impl Output<'_> {
    /// An event of the result. It must have a body. Metadata and headers that it leaves out are those of the
    /// event as the program left it, so that what the program deleted there does not come back.
    fn draft(&self, mut event: ObjectMap, path: &str) -> Result<Draft, Refusal> {
        let body = event.remove("body").ok_or_else(|| unfit(path, "has no body"))?;
        let body = into_json(body, Some(&self.input.body), &format!("{path}.body"))?;
        let mut member =
            |key: &str| event.remove(key).or_else(|| self.left?.get(key).cloned()).unwrap_or(Value::Null);
        let metadata = self.metadata(member("metadata"), &format!("{path}.metadata"))?;
        let headers = headers(member("headers"), &format!("{path}.headers"))?;
        let set = self.set(&mut event, path)?;
        let Draft { time, is_enveloped, .. } = *self.input;
        Ok(Draft { metadata, headers, body, set, time, is_enveloped })
    }

    fn metadata(&self, value: Value, path: &str) -> Result<Object, Refusal> {
        // The original is needed as a value; what it costs is small beside a run of the program.
        let original = Json::Object(self.input.metadata.clone());
        match into_json(value, Some(&original), path)? {
            Json::Object(metadata) => Ok(metadata),
            Json::Null => Ok(Object::new()),
            _ => Err(unfit(path, "must be an object")),
        }
    }

    /// A name that differs from the one that was shown was set by the program. One that does not is derived again
    /// from the body, which the program may have changed.
    fn set(&self, event: &mut ObjectMap, path: &str) -> Result<Names, Refusal> {
        let mut set = self.input.set.clone();
        let slots = [&mut set.kind, &mut set.id, &mut set.source, &mut set.subject];
        for ((key, slot), shown) in NAMES.into_iter().zip(slots).zip(names(self.shown)) {
            match event.remove(key) {
                None | Some(Value::Null) => {}
                Some(value @ (Value::Bytes(_) | Value::String(_))) => {
                    let name = value.to_string_lossy();
                    if shown.as_deref() != Some(&*name) {
                        *slot = Some(name.into_owned());
                    }
                }
                Some(other) => return Err(kind_refused(&format!("{path}.{key}"), "a string", &other)),
            }
        }
        Ok(set)
    }
}

fn headers(value: Value, path: &str) -> Result<Headers, Refusal> {
    let members = match value {
        Value::Object(members) => members,
        Value::Null => return Ok(Headers::new()),
        other => return Err(kind_refused(path, "an object", &other)),
    };
    let mut headers = Headers::new();
    for (name, value) in members {
        match value {
            Value::Bytes(_) | Value::String(_) => {
                headers.insert(name.to_ascii_lowercase(), value.to_string_lossy().into_owned());
            }
            Value::Null => {}
            other => return Err(kind_refused(&format!("{path}.{name}"), "a string", &other)),
        }
    }
    Ok(headers)
}

fn unfit(path: &str, problem: &'static str) -> Refusal {
    Unfit::new(path, problem).into()
}

fn kind_refused(what: &str, expected: &str, value: &Value) -> Refusal {
    let kind = match value {
        Value::Object(_) => "an object",
        Value::Array(_) => "a list",
        Value::Null => "null",
        Value::Integer(_) | Value::Float(_) => "a number",
        Value::Boolean(_) => "a boolean",
        Value::Timestamp(_) => "a timestamp",
        Value::Bytes(_) | Value::String(_) | Value::Regex(_) => "a string",
    };
    Refusal::Unfit(format!("{what} must be {expected}, but it is {kind}"))
}
