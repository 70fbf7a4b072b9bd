//! Refusals as problem details (RFC 9457).

use std::fmt;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};

use crate::http::body::{Body, full};

/// Seconds after which a client that was refused for the server's sake should try again.
const RETRY_AFTER: &str = "1";

/// A refusal, as its client sees it. What the log says of it may be more.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    detail: String,
    members: Vec<(&'static str, Value)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A refusal with what was wrong and what to do, in a sentence.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), members: Vec::new(), headers: Vec::new() }
    }

    /// Adds a member that programs can read: which header, which field.
    pub(crate) fn with(mut self, member: &'static str, value: impl Into<Value>) -> Self {
        self.members.push((member, value.into()));
        self
    }

    /// Adds a header to the response.
    pub(crate) fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// The connection ends with this response, because the rest of the request is not read.
    pub(crate) fn closing(self) -> Self {
        self.header(header::CONNECTION, "close")
    }

    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "nothing is served at this path")
    }

    /// `allow` is the methods that are allowed, with commas.
    pub(crate) fn method_not_allowed(allow: &str) -> Self {
        let mut problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, format!("the methods here are {allow}"));
        // Methods are tokens, which are valid in a value.
        problem.headers.extend(HeaderValue::from_str(allow).map(|allow| (header::ALLOW, allow)));
        problem
    }

    /// Nothing is wrong with the request; it may be sent again soon.
    pub(crate) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail).header(header::RETRY_AFTER, RETRY_AFTER)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn into_response(self) -> Response<Body> {
        let mut members = Map::new();
        members.insert("type".to_owned(), "about:blank".into());
        members.insert("title".to_owned(), self.status.canonical_reason().unwrap_or("Refused").into());
        members.insert("status".to_owned(), self.status.as_u16().into());
        members.insert("detail".to_owned(), self.detail.into());
        members.extend(self.members.into_iter().map(|(member, value)| (member.to_owned(), value)));
        let mut response = json(self.status, &Value::Object(members));
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.headers_mut().extend(self.headers);
        response
    }
}

/// For the log: the detail, which names headers, rules and fields, never values.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// A JSON response that nobody caches.
pub(crate) fn json(status: StatusCode, value: &Value) -> Response<Body> {
    json_of(status, full(Bytes::from(format!("{value}\n"))))
}

/// The same of a body that is JSON already.
pub(crate) fn json_of(status: StatusCode, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
