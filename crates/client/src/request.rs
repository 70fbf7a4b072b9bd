//! The request for a stream, and what of its answer is one.

use std::time::Duration;

use reqwest::header::{
    ACCEPT, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER,
};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Certificate, Client, Identity, Method, Response, StatusCode};

use crate::error::Error;
use crate::settings::{Certificates, Settings};

/// Redirects that are followed for one stream.
const MAX_REDIRECTS: usize = 10;

/// For the look-up of a name, TCP and TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a refusal that are looked at for its reason.
const MAX_REFUSAL: usize = 16 << 10;

/// Characters of a refusal's reason that are told.
const MAX_DETAIL: usize = 500;

/// For the rest of a refusal, whose reason is not worth waiting for.
const REFUSAL_TIMEOUT: Duration = Duration::from_secs(2);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// RFC 7240: `prime` asks a server that knows it to say where the stream begins, as an id without an event, and to repeat
/// where it is while nothing comes.
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// What an answer is.
pub(crate) enum Answer {
    /// A stream.
    Stream(Response),
    /// 204: there is nothing to come back for (WHATWG HTML 9.2.3).
    Nothing,
}

/// The HTTP client for a stream. Its files are read now.
pub(crate) async fn http(settings: &Settings) -> Result<Client, Error> {
    let has_headers = !settings.headers.is_empty();
    let mut builder = Client::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .redirect(Policy::custom(move |attempt| follow(attempt, has_headers)))
        // What led somewhere else may have a token in its query.
        .referer(false)
        .user_agent(settings.user_agent.as_str())
        // Each stream is a connection of its own: one that was left is in an unknown state.
        .pool_max_idle_per_host(0)
        .tcp_nodelay(true);
    if settings.url.is_local() {
        builder = builder.no_proxy();
    }
    if let Some(Certificates { ca, identity }) = &settings.tls {
        if let Some(ca) = ca {
            let authorities = Certificate::from_pem_bundle(&read(ca).await?)
                .map_err(|error| Error::Settings(format!("{} is no PEM file: {error}", ca.display())))?;
            if authorities.is_empty() {
                return Err(Error::Settings(format!("{} has no certificate in PEM", ca.display())));
            }
            builder = builder.tls_certs_only(authorities);
        }
        if let Some((certificate, key)) = identity {
            let pem = [read(key).await?, read(certificate).await?].join(&b'\n');
            let identity = Identity::from_pem(&pem).map_err(|_| {
                Error::Settings(format!(
                    "{} and {} are no certificate and its private key in PEM",
                    certificate.display(),
                    key.display()
                ))
            })?;
            builder = builder.identity(identity);
        }
    }
    builder.build().map_err(|error| Error::unanswered(&error))
}

async fn read(path: &std::path::Path) -> Result<Vec<u8>, Error> {
    let read = tokio::fs::read(path).await;
    read.map_err(|error| Error::Settings(format!("{} cannot be read: {error}", path.display())))
}

/// Headers may be secrets, and are sent with every redirect: so they go nowhere else. What began encrypted stays so.
fn follow(attempt: Attempt<'_>, has_headers: bool) -> reqwest::redirect::Action {
    let Some(from) = attempt.previous().last() else { return attempt.follow() };
    let to = attempt.url();
    if attempt.previous().len() > MAX_REDIRECTS {
        attempt.error("there are too many")
    } else if from.scheme() == "https" && to.scheme() != "https" {
        attempt.error("it leads from https to http")
    } else if has_headers && from.origin() != to.origin() {
        attempt.error("it leads to another origin, for which the headers are not meant")
    } else {
        attempt.follow()
    }
}

/// Asks for the stream behind a position.
pub(crate) async fn ask(http: &Client, settings: &Settings, position: Option<&str>) -> Result<Answer, Error> {
    let method = Method::from_bytes(settings.method.as_bytes())
        .map_err(|_| Error::Settings(format!("{:?} is no method", settings.method)))?;
    let mut headers = HeaderMap::new();
    for header in &settings.headers {
        let name = HeaderName::from_bytes(header.name.as_bytes());
        let value = HeaderValue::from_bytes(&header.value);
        let (Ok(name), Ok(mut value)) = (name, value) else {
            return Err(Error::Settings(format!("the header {:?} cannot be sent", header.name)));
        };
        value.set_sensitive(true);
        headers.append(name, value);
    }
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(PREFER, HeaderValue::from_static("prime"));
    if let Some(Ok(position)) = position.map(|position| HeaderValue::from_bytes(position.as_bytes())) {
        headers.insert(LAST_EVENT_ID, position);
    }
    let mut request = http.request(method, settings.url.get().clone()).headers(headers);
    if !settings.body.is_empty() {
        request = request.body(settings.body.clone());
    }
    let response = match tokio::time::timeout(settings.read_timeout, request.send()).await {
        Ok(sent) => sent.map_err(|error| Error::unanswered(&error))?,
        Err(_) => return Err(Error::Silent(settings.read_timeout)),
    };
    check(response).await
}

async fn check(response: Response) -> Result<Answer, Error> {
    match response.status() {
        StatusCode::OK => {}
        StatusCode::NO_CONTENT => return Ok(Answer::Nothing),
        status => {
            let retry_after = retry_after(&response);
            let detail = tokio::time::timeout(REFUSAL_TIMEOUT, detail(response)).await.ok().flatten();
            return Err(Error::Refused { status: status.as_u16(), detail, retry_after });
        }
    }
    let text = |name| {
        response.headers().get(name).map(|value| printable(&String::from_utf8_lossy(value.as_bytes())))
    };
    match text(CONTENT_ENCODING) {
        Some(encoding) if !encoding.eq_ignore_ascii_case("identity") => return Err(Error::Encoded(encoding)),
        _ => {}
    }
    let kind = text(CONTENT_TYPE).unwrap_or_else(|| "missing".to_owned());
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("text/event-stream") {
        Ok(Answer::Stream(response))
    } else {
        Err(Error::ContentType(kind))
    }
}

/// The position that a stream says it starts behind.
pub(crate) fn position(response: &Response) -> Option<&str> {
    response.headers().get(LAST_EVENT_ID)?.to_str().ok().filter(|id| !id.is_empty())
}

/// In seconds; a date would need this machine's clock to be right.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// What a refusal says of itself (RFC 9457).
async fn detail(mut response: Response) -> Option<String> {
    let mut body = Vec::new();
    while let Ok(Some(part)) = response.chunk().await {
        body.extend_from_slice(&part);
        if body.len() > MAX_REFUSAL {
            return None;
        }
    }
    let problem: serde_json::Value = serde_json::from_slice(&body).ok()?;
    let detail = problem.get("detail").or_else(|| problem.get("title"))?.as_str()?;
    Some(printable(detail))
}

/// A text of the other side, for messages: short, in one line, and in the order that it has.
fn printable(text: &str) -> String {
    // Unicode's bidirectional controls (UAX #9) show what follows in another order.
    let reorders = |c: char| matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().take(MAX_DETAIL).map(|c| if c.is_control() || reorders(c) { ' ' } else { c }).collect()
}
