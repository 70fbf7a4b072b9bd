//! Posting one event, as often as it takes. Which answers are worth another try is decided in `retry`.

use std::error::Error as _;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use fanfare_auth::OutgoingHeaders;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, ClientBuilder, Response, Url};
use secrecy::ExposeSecret as _;

use super::answer::Answer;
use super::retry;

/// What names an event to the server, so that a second try stores nothing twice (`draft-ietf-httpapi-idempotency-key-header`).
pub(super) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// How long to wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one try may take. A server that is slow to store is waited for; one that is gone must not be for ever.
const TRY_TIMEOUT: Duration = Duration::from_mins(1);

/// Redirects that are followed, all of them on the origin that was asked: the headers are for nobody else.
const MAX_REDIRECTS: usize = 5;

/// Bytes that are read of an answer. A thousand events, the most that one request may become, take a tenth of it.
const MAX_ANSWER: usize = 1 << 20;

/// Where events go, and all that goes with each.
pub(super) struct Poster {
    client: Client,
    url: Url,
    headers: HeaderMap,
    /// Made of each body.
    signatures: OutgoingHeaders,
    retries: u32,
}

/// Why an event was not stored, or perhaps was.
#[derive(Debug, thiserror::Error)]
pub(super) enum PostError {
    /// The server has seen it and will not have it.
    #[error("{0}")]
    Refused(String),
    /// Every try has failed.
    #[error("{problem}{}{}", tried(*.tries), if *.maybe_stored { "; it may be stored all the same" } else { "" })]
    Failed { problem: String, tries: u32, maybe_stored: bool },
}

/// A try that failed, before the next one.
pub(super) struct Failure<'a> {
    pub(super) problem: &'a str,
    pub(super) wait: Duration,
}

/// What came of one try.
enum Try {
    Done(Answer),
    Refused(String),
    Failed { problem: String, asked: Option<Duration>, maybe_stored: bool },
}

impl Poster {
    /// `client` has the settings of TLS, if there are any.
    pub(super) fn new(
        client: ClientBuilder,
        url: Url,
        headers: Vec<(HeaderName, HeaderValue)>,
        signatures: OutgoingHeaders,
        retries: u32,
    ) -> Result<Self, String> {
        let client = client
            .user_agent(concat!("fanfare/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TRY_TIMEOUT)
            .pool_max_idle_per_host(1)
            .redirect(Policy::custom(follow))
            // The query of a URL may have a token, which is for no log of referrers.
            .referer(false)
            .build()
            .map_err(|error| cause(&error))?;
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(name, value);
        }
        all.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        Ok(Self { client, url, headers: all, signatures, retries })
    }

    /// Posts a body under a name of its own. `told` hears of each try that failed before there is another one.
    pub(super) async fn post(
        &self,
        body: String,
        key: &str,
        mut told: impl FnMut(Failure<'_>),
    ) -> Result<Answer, PostError> {
        let mut headers = self.headers.clone();
        // Of a UUID, which is valid in a header.
        headers.extend(HeaderValue::from_str(key).ok().map(|key| (IDEMPOTENCY_KEY, key)));
        for (name, value) in self.signatures.values(body.as_bytes()) {
            // Checked when they were prepared.
            let name = HeaderName::from_bytes(name.as_bytes());
            if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value.expose_secret())) {
                headers.insert(name, value);
            }
        }
        let body = bytes::Bytes::from(body);
        let mut is_open = false;
        let mut tries = 0;
        loop {
            tries += 1;
            let request = self.client.post(self.url.clone()).headers(headers.clone()).body(body.clone());
            let (mut problem, asked) = match outcome(request.send().await).await {
                Try::Done(answer) => return Ok(answer),
                Try::Refused(problem) => return Err(PostError::Refused(problem)),
                Try::Failed { problem, asked, maybe_stored } => {
                    is_open |= maybe_stored;
                    (problem, asked)
                }
            };
            let wait = retry::wait(tries, asked, rand::random());
            let Some(wait) = wait.filter(|_| tries <= self.retries) else {
                if let Some(asked) = asked.filter(|_| wait.is_none()) {
                    // Writing to a string cannot fail.
                    let _ = write!(problem, "; the server is to be asked again in {} s", asked.as_secs());
                }
                return Err(PostError::Failed { problem, tries, maybe_stored: is_open });
            };
            told(Failure { problem: &problem, wait });
            tokio::time::sleep(wait).await;
        }
    }
}

async fn outcome(sent: reqwest::Result<Response>) -> Try {
    let mut response = match sent {
        Ok(response) => response,
        Err(error) if error.is_builder() => return Try::Refused(cause(&error)),
        Err(error) => {
            let maybe_stored = !error.is_connect();
            return Try::Failed { problem: cause(&error), asked: None, maybe_stored };
        }
    };
    let status = response.status();
    let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let asked = asked.and_then(|value| retry::retry_after(value, SystemTime::now()));
    let answer = match read(&mut response).await {
        Ok(body) => Answer { status, body },
        // It says that it is done; how it says that does not matter.
        Err(_) if status.is_success() => Answer { status, body: Vec::new() },
        Err(error) => return Try::Failed { problem: cause(&error), asked, maybe_stored: true },
    };
    if status.is_success() {
        Try::Done(answer)
    } else if retry::is_temporary(status.as_u16()) {
        let maybe_stored = status != StatusCode::TOO_MANY_REQUESTS;
        Try::Failed { problem: answer.refusal(), asked, maybe_stored }
    } else if status.is_redirection() {
        Try::Refused(format!("{status}: the redirect is not followed"))
    } else {
        Try::Refused(answer.refusal())
    }
}

/// The body, so that the connection can be used again; of one that is too large the beginning.
async fn read(response: &mut Response) -> reqwest::Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = MAX_ANSWER - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == MAX_ANSWER {
            break;
        }
    }
    Ok(body)
}

/// A redirect that keeps the request as it is (RFC 9110, 15.4.8 and 15.4.9) and leads to the same server. All others would
/// make a GET of it, or tell a stranger what the headers say.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let keeps = matches!(attempt.status().as_u16(), 307 | 308);
    let is_home = attempt.previous().first().is_some_and(|first| first.origin() == attempt.url().origin());
    if keeps && is_home && attempt.previous().len() <= MAX_REDIRECTS {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

fn tried(tries: u32) -> String {
    if tries == 1 { String::new() } else { format!(" (tried {tries} times)") }
}

/// What is behind an error. Not its own text, which has the URL in it with all its secrets, nor what the library says of
/// where it met it.
fn cause(error: &reqwest::Error) -> String {
    let mut innermost = error.source();
    while let Some(further) = innermost.and_then(std::error::Error::source) {
        innermost = Some(further);
    }
    let what = if error.is_connect() { "cannot connect" } else { "no answer" };
    innermost.map_or_else(|| what.to_owned(), |cause| format!("{what}: {cause}"))
}
