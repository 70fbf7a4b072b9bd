//! What is the same for all sources that take HTTP requests: heads, bodies within their bound, keys, refusals. What a
//! request means is each source's own.

mod body;
mod content;

use std::collections::BTreeMap;

use fanfare_auth::{Refused, RequestHeaders};
use fanfare_event::{FieldError, Headers};
use serde_json::Value;

use crate::{Delivery, IntakeError};

pub(crate) use body::inflate;
pub(crate) use content::{ContentType, Mode, declared};

/// Bytes of an `Idempotency-Key`; a longer one is refused. It is kept as long as its events are.
pub const MAX_IDEMPOTENCY_KEY: usize = 512;

/// The head of a request.
pub trait RequestHead: RequestHeaders {
    /// Calls `each` with the name, in lower case, and the value of every header field.
    fn for_each(&self, each: &mut dyn FnMut(&str, &[u8]));
}

/// What a request brings.
#[derive(Debug)]
pub struct Accepted {
    /// Its events.
    pub delivery: Delivery,
    /// What its publisher calls the delivery as a whole (`Idempotency-Key`).
    pub key: Option<String>,
}

/// Why a request is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A header rule says no.
    #[error(transparent)]
    Header(#[from] Refused),
    /// The content type is none that is understood; this says which are.
    #[error("the content type is not {0}")]
    ContentType(&'static str),
    /// The content encoding is none that is understood.
    #[error("the content encoding is not gzip")]
    ContentEncoding,
    /// The body says that it is compressed, and cannot be decompressed.
    #[error("the body is not valid gzip")]
    Compression,
    /// The body is too large once decompressed.
    #[error("the body has more than {limit} bytes once decompressed")]
    TooLarge {
        /// The limit, in bytes.
        limit: usize,
    },
    /// The body is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// The body is JSON, but has no fields; this says what it is.
    #[error("the body must be a JSON object, or empty: this is {0}")]
    NotAnObject(&'static str),
    /// The URL cannot be read.
    #[error("`{parameter}` in the URL {problem}")]
    Url {
        /// The parameter, as it is called in the operation or written in the query.
        parameter: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The `Idempotency-Key` cannot be one.
    #[error("idempotency-key {0}")]
    IdempotencyKey(&'static str),
    /// It is JSON, but not what it says it is, or not an event when it leaves the transformers.
    #[error(transparent)]
    Event(#[from] IntakeError),
}

/// The headers of these names that a request has. Names are in lower case.
pub(crate) fn kept_headers(names: &[String], head: &dyn RequestHead) -> Headers {
    let mut kept = BTreeMap::new();
    for name in names {
        let values: Vec<_> = head.values(name).map(String::from_utf8_lossy).collect();
        if !values.is_empty() {
            // RFC 9110, 5.3: several lines of one field mean their values joined by a comma.
            kept.insert(name.clone(), values.join(", "));
        }
    }
    kept
}

pub(crate) fn parse(body: &[u8]) -> Result<Value, Refusal> {
    // RFC 8259, 8.1: a byte order mark may be ignored.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(body).map_err(|problem| Refusal::NotJson(problem.to_string()))
}

/// The key of `draft-ietf-httpapi-idempotency-key-header`: a quoted string, or, as many send it, a bare one.
pub(crate) fn idempotency_key(head: &dyn RequestHead) -> Result<Option<String>, Refusal> {
    let mut values = head.values("idempotency-key");
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Refusal::IdempotencyKey("must not be repeated"));
    }
    let value = std::str::from_utf8(value).map_err(|_| Refusal::IdempotencyKey("must be UTF-8"))?.trim();
    let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
    match value.len() {
        0 => Err(Refusal::IdempotencyKey("must not be empty")),
        1..=MAX_IDEMPOTENCY_KEY => Ok(Some(value.to_owned())),
        _ => Err(Refusal::IdempotencyKey("must be at most 512 bytes")),
    }
}

impl From<FieldError> for Refusal {
    fn from(error: FieldError) -> Self {
        Self::Event(error.into())
    }
}

#[cfg(test)]
pub(crate) mod tests;
