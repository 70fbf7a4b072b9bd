//! Redirects from a path to what is served beside it.

use http::{HeaderValue, Request, Response, StatusCode, header};

use super::body::{Body, empty};
use super::cors::Cors;

/// Sends a client on to `path`, with its query. 307 keeps the method and the body (RFC 9110, 15.4.8). A page of another
/// origin may follow if it may use what is there; its preflight must not be redirected (Fetch standard, 4.8), so it is
/// answered here as it would be there.
pub(crate) fn redirect<B>(path: &str, cors: Option<&Cors>, request: &Request<B>) -> Response<Body> {
    if let Some(cors) = cors.filter(|_| Cors::is_preflight(request)) {
        return cors.preflight(request);
    }
    let location = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let mut response = Response::new(empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    // Paths of the configuration and queries that have been parsed have no characters that a header cannot have.
    if let Ok(location) = HeaderValue::from_str(&location) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    if let Some(cors) = cors {
        cors.apply(request.headers().get(header::ORIGIN), response.headers_mut());
    }
    response
}
