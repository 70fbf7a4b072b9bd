//! CloudEvents attributes in a message's headers: binary mode of the AMQP binding 1.0 (3.1), which is written for AMQP 1.0;
//! over AMQP 0-9-1 its publishers put the application properties into the headers.

use std::collections::BTreeMap;

use fanfare_event::limits::MAX_ATTRIBUTE;
use fanfare_event::{FieldError, Object};
use jiff::Timestamp;
use serde_json::Value;

/// What stands before an attribute's name: as the binding has it (3.1.3.1), as it has it for those whose names cannot have
/// a colon, and as HTTP has it, which many use here too.
const PREFIXES: [&str; 3] = ["cloudEvents:", "cloudEvents_", "ce-"];

/// The attributes of a message. Which is not there twice under two names.
pub(super) fn read(headers: &Object) -> Result<BTreeMap<String, String>, FieldError> {
    let mut attributes = BTreeMap::new();
    for (header, value) in headers {
        let Some(name) = PREFIXES.into_iter().find_map(|prefix| strip(header, prefix)) else { continue };
        let name = name.to_ascii_lowercase();
        let text = text(&name, value).ok_or_else(|| {
            FieldError::new(header.as_str(), "must be a string, a number, a flag or a timestamp")
        })?;
        if text.len() > MAX_ATTRIBUTE {
            return Err(FieldError::new(header.as_str(), format!("must be at most {MAX_ATTRIBUTE} bytes")));
        }
        if attributes.insert(name, text).is_some() {
            return Err(FieldError::new(header.as_str(), "must not be repeated"));
        }
    }
    Ok(attributes)
}

/// What messages call an attribute.
pub(super) fn field(attribute: &str) -> String {
    format!("cloudEvents:{attribute}")
}

fn strip<'h>(header: &'h str, prefix: &str) -> Option<&'h str> {
    let (start, name) = header.split_at_checked(prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then_some(name)
}

fn text(name: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        // A timestamp of AMQP: seconds since 1970.
        Value::Number(number) if name == "time" => {
            Timestamp::from_second(number.as_i64()?).ok().map(|time| time.to_string())
        }
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
