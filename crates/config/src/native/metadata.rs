//! A TOML table as a JSON object, and back.

use std::borrow::Cow;

use fanfare_event::Object;
use serde_json::{Number, Value};
use toml_writer::{ToTomlKey as _, ToTomlValue as _, TomlKeyBuilder};

use crate::checker::Checker;
use crate::keys::Read;
use crate::shapes::quote;
use crate::tree::{Data, Node, Table};

/// A table of anything. Dates and times become strings (RFC 3339).
pub(crate) struct Metadata;

impl Read for Metadata {
    type Value = Object;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<Object> {
        checker.table(key, node).map(|table| object(key, table, checker))
    }

    fn kind(&self) -> Cow<'static, str> {
        "a table of anything".into()
    }

    fn write(&self, value: &Object) -> Option<String> {
        Some(write_object(value))
    }
}

fn object(key: &str, table: &Table, checker: &mut Checker<'_>) -> Object {
    let members = table.entries.iter();
    members.map(|entry| (entry.name.clone(), json(key, &entry.node, checker))).collect()
}

fn json(key: &str, node: &Node, checker: &mut Checker<'_>) -> Value {
    match &node.data {
        Data::Text { text, .. } | Data::Datetime(text) => Value::from(text.as_str()),
        Data::Integer(Some(number)) => Value::from(*number),
        Data::Float(number) => Number::from_f64(*number).map_or_else(
            || {
                checker.error(node.span, format!("a number of `{key}` cannot be written in JSON"));
                Value::Null
            },
            Value::from,
        ),
        Data::Integer(None) => {
            checker.error(node.span, "an integer must fit 64 bits");
            Value::Null
        }
        Data::Bool(value) => Value::from(*value),
        Data::List(items) => items.iter().map(|item| json(key, item, checker)).collect(),
        Data::Table(table) => Value::Object(object(key, table, checker)),
        Data::Null | Data::Broken => Value::Null,
    }
}

fn write_object(object: &Object) -> String {
    let members = object.iter().filter_map(|(key, value)| {
        Some(format!("{} = {}", TomlKeyBuilder::new(key).as_default().to_toml_key(), write_json(value)?))
    });
    let members: Vec<_> = members.collect();
    if members.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", members.join(", ")) }
}

/// A value as TOML, which has no `null`: it is left out.
fn write_json(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => Some(write_number(number)),
        Value::String(text) => Some(quote(text)),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(write_json).collect();
            Some(format!("[{}]", items.join(", ")))
        }
        Value::Object(object) => Some(write_object(object)),
    }
}

/// Floats stay floats: `1.0` is not written as `1`.
fn write_number(number: &Number) -> String {
    match (number.as_i64(), number.as_f64()) {
        (None, Some(float)) => float.to_toml_value(),
        _ => number.to_string(),
    }
}
