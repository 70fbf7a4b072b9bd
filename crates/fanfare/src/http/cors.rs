//! Cross-origin requests (Fetch standard, 3.2): which pages of other origins may read an endpoint.

use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};

use super::body::{Body, empty};
use crate::problem::Problem;

/// Seconds for which a browser may remember a preflight; Chromium caps it at two hours.
const PREFLIGHT_MAX_AGE: &str = "7200";

/// What an endpoint allows to pages of other origins.
#[derive(Debug)]
pub(crate) struct Cors {
    any: bool,
    origins: Vec<String>,
    methods: HeaderValue,
    /// Headers that a page may send beside those that it always may.
    allowed_headers: HeaderValue,
}

impl Cors {
    /// Allows these origins (`*`: all of them, without credentials) to send these headers.
    pub(crate) fn new<'a>(origins: &[String], headers: impl IntoIterator<Item = &'a str>) -> Self {
        let mut names = vec!["accept", "authorization", "cache-control", "last-event-id"];
        names.extend(headers);
        names.sort_unstable();
        names.dedup();
        Self {
            any: origins.iter().any(|origin| origin == "*"),
            origins: origins.to_vec(),
            methods: HeaderValue::from_static("GET, HEAD"),
            // Header rules name tokens only, which are valid in a value.
            allowed_headers: HeaderValue::from_str(&names.join(", "))
                .unwrap_or(HeaderValue::from_static("authorization, last-event-id")),
        }
    }

    /// Allows these methods instead of `GET` and `HEAD`.
    pub(crate) fn methods(self, methods: &str) -> Self {
        // Methods are tokens, which are valid in a value.
        Self { methods: HeaderValue::from_str(methods).unwrap_or(self.methods), ..self }
    }

    /// Whether this is the question that a browser asks before the request proper.
    pub(crate) fn is_preflight<B>(request: &Request<B>) -> bool {
        request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ORIGIN)
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// The answer to it.
    pub(crate) fn preflight<B>(&self, request: &Request<B>) -> Response<Body> {
        let origin = request.headers().get(header::ORIGIN);
        let mut response = if self.allowed(origin).is_some() {
            let mut response = Response::new(empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            let headers = response.headers_mut();
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, self.allowed_headers.clone());
            headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(PREFLIGHT_MAX_AGE));
            response
        } else {
            Problem::new(StatusCode::FORBIDDEN, "pages of this origin may not use this")
                .with("header", "Origin")
                .into_response()
        };
        let requested = "origin, access-control-request-method, access-control-request-headers";
        self.apply(origin, response.headers_mut());
        response.headers_mut().insert(header::VARY, HeaderValue::from_static(requested));
        response
    }

    /// Adds to a response what lets the page read it; to refusals too, so that the page sees why.
    pub(crate) fn apply(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if !self.any {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        let Some(allowed) = self.allowed(origin) else { return };
        if !self.any {
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, allowed);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("last-event-id"));
    }

    /// What to say to a page of this origin: its origin, or `*`.
    fn allowed(&self, origin: Option<&HeaderValue>) -> Option<HeaderValue> {
        let origin = origin?;
        if self.any {
            return Some(HeaderValue::from_static("*"));
        }
        self.origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
    }
}
