//! A small page that shows events as they come. Part of the built-in default only; static, and without a request to
//! anywhere else.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, header};

use crate::http::body::{Body, empty, full};
use crate::problem::Problem;

/// What the page may do: run its own script, use its own style, and read streams of its own origin.
const POLICY: &str = "default-src 'none'; img-src data:; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A static file at its path.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) path: &'static str,
    content_type: &'static str,
    text: &'static str,
}

/// The viewer, and what it is made of.
pub(crate) static PAGES: [Page; 3] = [
    Page { path: "/", content_type: "text/html; charset=utf-8", text: include_str!("index.html") },
    Page {
        path: "/viewer.js",
        content_type: "text/javascript; charset=utf-8",
        text: include_str!("viewer.js"),
    },
    Page { path: "/viewer.css", content_type: "text/css; charset=utf-8", text: include_str!("viewer.css") },
];

impl Page {
    pub(crate) fn answer(&self, method: &Method) -> Response<Body> {
        let body = match *method {
            Method::GET => full(Bytes::from_static(self.text.as_bytes())),
            Method::HEAD => empty(),
            _ => return Problem::method_not_allowed("GET, HEAD").into_response(),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }
}
