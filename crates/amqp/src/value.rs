//! AMQP's field values (0-9-1, 4.2.5.5) as JSON, and back.

use lapin::types::{AMQPValue, FieldArray, FieldTable, LongString, ShortString};
use serde_json::{Map, Number, Value};

/// A table as an object. Bytes that are no UTF-8 are replaced by U+FFFD, numbers that JSON does not have by `null`; a
/// timestamp is its seconds since 1970.
pub(crate) fn to_object(table: &FieldTable) -> Map<String, Value> {
    table.into_iter().map(|(name, value)| (name.as_str().to_owned(), to_json(value))).collect()
}

fn to_json(value: &AMQPValue) -> Value {
    let float = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
    match value {
        AMQPValue::Boolean(value) => (*value).into(),
        AMQPValue::ShortShortInt(value) => (*value).into(),
        AMQPValue::ShortShortUInt(value) => (*value).into(),
        AMQPValue::ShortInt(value) => (*value).into(),
        AMQPValue::ShortUInt(value) => (*value).into(),
        AMQPValue::LongInt(value) => (*value).into(),
        AMQPValue::LongUInt(value) => (*value).into(),
        AMQPValue::LongLongInt(value) => (*value).into(),
        AMQPValue::Float(value) => float((*value).into()),
        AMQPValue::Double(value) => float(*value),
        AMQPValue::DecimalValue(value) => float(f64::from(value.value) / 10_f64.powi(i32::from(value.scale))),
        AMQPValue::ShortString(text) => text.as_str().into(),
        AMQPValue::LongString(text) => String::from_utf8_lossy(text.as_bytes()).into(),
        AMQPValue::ByteArray(bytes) => String::from_utf8_lossy(bytes.as_slice()).into(),
        AMQPValue::FieldArray(items) => items.as_slice().iter().map(to_json).collect(),
        AMQPValue::Timestamp(seconds) => (*seconds).into(),
        AMQPValue::FieldTable(table) => Value::Object(to_object(table)),
        AMQPValue::Void => Value::Null,
    }
}

/// An object as a table. A name that is too long for AMQP is left out: no broker knows one.
pub(crate) fn to_table(object: &Map<String, Value>) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in object {
        if let Ok(name) = ShortString::try_new(name.as_str()) {
            table.insert(name, from_json(value));
        }
    }
    table
}

fn from_json(value: &Value) -> AMQPValue {
    match value {
        Value::Null => AMQPValue::Void,
        Value::Bool(value) => AMQPValue::Boolean(*value),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            // RabbitMQ wants small numbers as such for some arguments, `x-max-priority` for one.
            (Some(integer), _) => {
                i32::try_from(integer).map_or(AMQPValue::LongLongInt(integer), AMQPValue::LongInt)
            }
            (None, float) => AMQPValue::Double(float.unwrap_or_default()),
        },
        Value::String(text) => AMQPValue::LongString(LongString::from(text.as_str())),
        Value::Array(items) => {
            AMQPValue::FieldArray(FieldArray::from(items.iter().map(from_json).collect::<Vec<_>>()))
        }
        Value::Object(object) => AMQPValue::FieldTable(to_table(object)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::types::DecimalValue;
    use serde_json::json;

    #[test]
    fn what_goes_there_comes_back() {
        let object = json!({"x-dead-letter-exchange": "dlx", "n": -1, "big": 5_000_000_000_i64, "f": 0.5, "b": true,
            "nothing": null, "list": [1, "a"], "table": {"a": 1}});
        let object = object.as_object().unwrap();
        let back = to_object(&to_table(object));
        assert_eq!(back, *object);
    }

    #[test]
    fn what_json_does_not_have() {
        let check = |value: AMQPValue, expected: Value| assert_eq!(to_json(&value), expected);
        check(AMQPValue::Double(f64::NAN), Value::Null);
        check(AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 125 }), json!(1.25));
        check(AMQPValue::LongString(LongString::from(&b"a\xff"[..])), json!("a\u{fffd}"));
        check(AMQPValue::Timestamp(7), json!(7));
    }
}
