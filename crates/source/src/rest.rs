//! `type = "rest"`: an operation of an API, its URL and its body → one event.
//!
//! From what is known of a request once its operation is found to a delivery or a [`Refusal`]. Finding the operation, reading
//! the body off the network, within its limits, and answering are the binary's.

use std::sync::Arc;

use fanfare_auth::HeaderRules;
use fanfare_event::{Draft, Names, Object};
use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::Intake;
use crate::request::{
    Accepted, ContentType, Refusal, RequestHead, idempotency_key, inflate, kept_headers, parse,
};

/// The content types that are understood, and what to do where it was curl's own, for messages.
const UNDERSTOOD: &str =
    "application/json, or anything ending in +json; with curl, add -H 'content-type: application/json'";

/// Characters of the name of a parameter that messages show.
const SHOWN: usize = 64;

/// A `rest` source.
#[derive(Debug)]
pub struct Rest {
    intake: Intake,
    rules: HeaderRules,
    headers_to_keep: Vec<String>,
    max_body: usize,
}

/// One of its operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// As it is written in the configuration: `POST /notify/:room`. The type of its events.
    pub name: Arc<str>,
    /// The names of the path's parameters, in the order of the path.
    pub parameters: Box<[Box<str>]>,
}

/// An operation that was called, and the URL's part in it.
#[derive(Clone, Copy, Debug)]
pub struct Call<'r> {
    /// The operation.
    pub operation: &'r Operation,
    /// What the path has for each of its parameters, as it came: an encoded slash is still encoded.
    pub path: &'r [String],
    /// What stands behind the `?`, as it came.
    pub query: Option<&'r str>,
}

impl Rest {
    /// A source. `headers_to_keep` are names in lower case; `max_body` bounds the bytes of a body once it is decompressed.
    pub fn new(intake: Intake, rules: HeaderRules, headers_to_keep: Vec<String>, max_body: usize) -> Self {
        Self { intake, rules, headers_to_keep, max_body }
    }

    /// The source.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// What can be said before the body is there. It does not replace [`Rest::accept`].
    pub fn check_head(&self, head: &dyn RequestHead) -> Result<(), Refusal> {
        Ok(self.rules.check_head(head)?)
    }

    /// Takes a request. `body` is as it came over the network, which is what signatures are made over.
    ///
    /// The event's body is the request's own (a JSON object; an empty one has no fields), then the query's values, then
    /// the path's: a later one takes the place of an earlier one of the same name, because the URL is what a gateway
    /// authorizes. Values of the URL are strings; a name that a query has several times is an array of them.
    pub fn accept(
        &self,
        call: Call<'_>,
        head: &dyn RequestHead,
        body: &[u8],
        now: Timestamp,
        fresh_id: impl FnMut() -> String,
    ) -> Result<Accepted, Refusal> {
        self.rules.check(head, body)?;
        let key = idempotency_key(head)?;
        let mut input = self.fields(head, body)?;
        input.extend(query(call.query.unwrap_or_default())?);
        for (name, value) in call.operation.parameters.iter().zip(call.path) {
            input.insert(name.to_string(), segment(name, value)?.into());
        }
        let set = Names { kind: Some(call.operation.name.to_string()), ..Names::default() };
        let draft = Draft { body: input.into(), set, is_enveloped: true, ..Draft::default() };
        let headers = kept_headers(&self.headers_to_keep, head);
        let mut delivery = self.intake.take([draft], &headers, now, fresh_id)?;
        delivery.operation = Some(Arc::clone(&call.operation.name));
        Ok(Accepted { delivery, key })
    }

    /// The fields of a body.
    fn fields(&self, head: &dyn RequestHead, body: &[u8]) -> Result<Object, Refusal> {
        let body = inflate(head, body, self.max_body)?;
        // Where nothing is sent, what it is said to be makes no difference.
        if body.is_empty() {
            return Ok(Object::new());
        }
        ContentType::read(head).ok_or(Refusal::ContentType(UNDERSTOOD))?;
        match parse(&body)? {
            Value::Object(fields) => Ok(fields),
            Value::Array(_) => Err(Refusal::NotAnObject("an array")),
            Value::String(_) => Err(Refusal::NotAnObject("a string")),
            Value::Number(_) => Err(Refusal::NotAnObject("a number")),
            Value::Bool(_) => Err(Refusal::NotAnObject("true or false")),
            Value::Null => Err(Refusal::NotAnObject("null")),
        }
    }
}

/// The values of a query (URL standard, 5.1), by name.
fn query(query: &str) -> Result<Object, Refusal> {
    let mut fields = Object::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (written, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decode(written, &written.replace('+', " "))?;
        let value = Value::from(decode(written, &value.replace('+', " "))?);
        match fields.get_mut(&name) {
            None => {
                fields.insert(name, value);
            }
            Some(Value::Array(values)) => values.push(value),
            Some(first) => *first = Value::Array(vec![first.take(), value]),
        }
    }
    Ok(fields)
}

/// The value of a parameter of the path.
fn segment(name: &str, encoded: &str) -> Result<String, Refusal> {
    let value = decode(name, encoded)?;
    match value.as_str() {
        "" => Err(refused(name, "must not be empty")),
        // Whoever resolved it on the way would have seen another path (RFC 3986, 5.2.4).
        "." | ".." => Err(refused(name, "must not be `.` or `..`, which mean another path")),
        _ => Ok(value),
    }
}

/// `name` is what messages call it.
fn decode(name: &str, encoded: &str) -> Result<String, Refusal> {
    let decoded = percent_decode_str(encoded).decode_utf8();
    decoded.map(Into::into).map_err(|_| refused(name, "must be UTF-8, percent-encoded"))
}

fn refused(name: &str, problem: &'static str) -> Refusal {
    Refusal::Url { parameter: name.chars().take(SHOWN).collect(), problem }
}

#[cfg(test)]
mod tests;
