//! Values between JSON and VRL.
//!
//! VRL's own conversion is not used: it sorts keys, and turns infinite numbers into null.
//!
//! | JSON | in a program | back in JSON |
//! |---|---|---|
//! | whole number beyond 64 bits signed | a string of its digits, as in cdviz-collector | the number, where the program left it in its place; elsewhere the string |
//! | object | keys sorted | keys in the order in which they came, new ones behind them |
//! | – | timestamp | a string as in RFC 3339 |
//! | – | regular expression | a string |
//! | – | bytes that are no UTF-8 | a string with U+FFFD in their place, as in cdviz-collector |
//! | – | an infinite number | there is none: the event is refused |

use std::fmt;

use fanfare_event::Object;
use serde_json::{Number, Value as Json};
use vrl::prelude::NotNan;
use vrl::value::{ObjectMap, Value};

use crate::transform::Refusal;

/// Levels of arrays and objects in a value. It is what JSON parsers allow by default (`serde_json`'s for one), and
/// keeps recursion over values from outside within any stack. An event beyond it is refused.
pub(crate) const MAX_DEPTH: usize = 128;

/// Why a value cannot cross.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unfit {
    /// Where: `body.subject`.
    path: String,
    problem: &'static str,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.path, self.problem)
    }
}

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit.to_string())
    }
}

impl Unfit {
    pub(crate) fn new(path: &str, problem: &'static str) -> Self {
        Self { path: path.to_owned(), problem }
    }
}

/// What a program sees of a JSON value. `path` names it in errors.
pub(crate) fn from_json(json: &Json, path: &str) -> Result<Value, Unfit> {
    take(json, MAX_DEPTH).ok_or_else(|| Unfit::new(path, TOO_DEEP))
}

/// [`from_json`] of an object.
pub(crate) fn object_from_json(object: &Object, path: &str) -> Result<Value, Unfit> {
    take_object(object, MAX_DEPTH).ok_or_else(|| Unfit::new(path, TOO_DEEP))
}

/// The JSON of a program's value. `original` is what stood in its place before the program ran, so that what the
/// program did not touch comes back as it was. `path` names it in errors.
pub(crate) fn into_json(value: Value, original: Option<&Json>, path: &str) -> Result<Json, Unfit> {
    give(value, original, MAX_DEPTH).map_err(|problem| Unfit::new(path, problem))
}

const TOO_DEEP: &str = "is nested too deeply";
const INFINITE: &str = "holds a number that is infinite, which JSON cannot";

fn take(json: &Json, depth: usize) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => take_number(number),
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(items) => {
            let depth = depth.checked_sub(1)?;
            Value::Array(items.iter().map(|item| take(item, depth)).collect::<Option<_>>()?)
        }
        Json::Object(object) => take_object(object, depth)?,
    })
}

fn take_object(object: &Object, depth: usize) -> Option<Value> {
    let depth = depth.checked_sub(1)?;
    let members = object.iter().map(|(key, member)| Some((key.as_str().into(), take(member, depth)?)));
    Some(Value::Object(members.collect::<Option<ObjectMap>>()?))
}

fn take_number(number: &Number) -> Value {
    if let Some(integer) = number.as_i64() {
        return Value::Integer(integer);
    }
    match number.as_f64().filter(|_| number.is_f64()).and_then(|float| NotNan::new(float).ok()) {
        Some(float) => Value::Float(float),
        None => Value::from(number.to_string()),
    }
}

fn give(value: Value, original: Option<&Json>, depth: usize) -> Result<Json, &'static str> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Boolean(value) => Json::Bool(value),
        Value::Integer(integer) => integer.into(),
        Value::Float(float) => Json::Number(Number::from_f64(float.into_inner()).ok_or(INFINITE)?),
        Value::Object(members) => {
            let depth = depth.checked_sub(1).ok_or(TOO_DEEP)?;
            Json::Object(give_members(members, original.and_then(Json::as_object), depth)?)
        }
        Value::Array(items) => {
            let depth = depth.checked_sub(1).ok_or(TOO_DEEP)?;
            let originals = original.and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
            let items = items.into_iter().enumerate();
            Json::Array(
                items.map(|(at, item)| give(item, originals.get(at), depth)).collect::<Result<_, _>>()?,
            )
        }
        Value::Bytes(_) | Value::String(_) | Value::Regex(_) | Value::Timestamp(_) => {
            let text = value.to_string_lossy();
            match original {
                Some(Json::Number(number)) if is_seen_as_string(number) && number.to_string() == text => {
                    Json::Number(number.clone())
                }
                _ => Json::String(text.into_owned()),
            }
        }
    })
}

fn give_members(
    mut members: ObjectMap,
    original: Option<&Object>,
    depth: usize,
) -> Result<Object, &'static str> {
    let mut object = Object::new();
    for (key, original) in original.into_iter().flatten() {
        if let Some(member) = members.remove(key.as_str()) {
            object.insert(key.clone(), give(member, Some(original), depth)?);
        }
    }
    for (key, member) in members {
        object.insert(key.into(), give(member, None, depth)?);
    }
    Ok(object)
}

/// Whether [`take_number`] made a string of it.
fn is_seen_as_string(number: &Number) -> bool {
    !number.is_i64() && !number.is_f64()
}
