//! Reading the bodies of requests within their limits.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::problem::Problem;

/// How long a body that nobody wants is read and thrown away.
const LINGER: Duration = Duration::from_secs(5);

/// What a request's body must keep to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    /// In bytes.
    max: usize,
    /// For all of it to be here.
    timeout: Duration,
}

impl BodyLimits {
    pub(crate) fn new(http: &fanfare_config::Http) -> Self {
        Self { max: http.max_body, timeout: http.body_timeout }
    }

    /// Reads a body, or says what is wrong with it.
    pub(crate) async fn read(self, body: Incoming) -> Result<Bytes, Problem> {
        read(body, self.max, self.timeout).await.map_err(|error| {
            let problem = match error {
                ReadError::TooLarge => too_large(self.max),
                ReadError::TooSlow => {
                    let seconds = self.timeout.as_secs_f32();
                    let detail = format!("the body was not here after {seconds} s");
                    Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
                }
                ReadError::Gone => {
                    Problem::new(StatusCode::BAD_REQUEST, "the body ended before it was complete")
                }
            };
            problem.closing()
        })
    }
}

pub(crate) fn too_large(limit: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {limit} bytes"))
}

/// Why a request's body could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReadError {
    /// More bytes than the limit.
    TooLarge,
    /// Not here in time.
    TooSlow,
    /// The client went away in the middle of it.
    Gone,
}

/// Reads a body of at most `limit` bytes, which must be here within `timeout`. One that is too large is discarded.
async fn read(mut body: Incoming, limit: usize, timeout: Duration) -> Result<Bytes, ReadError> {
    let reading = read_up_to(&mut body, limit);
    let read = tokio::time::timeout(timeout, reading).await.unwrap_or(Err(ReadError::TooSlow));
    if read == Err(ReadError::TooLarge) {
        discard(body);
    }
    read
}

/// Reads a body for a while, beside the answer, and throws it away. A client that is still sending when the connection
/// ends meets a reset, which takes the answer with it (RFC 9112, 9.6).
pub(crate) fn discard(mut body: Incoming) {
    let discarding = async move { while let Some(Ok(_)) = body.frame().await {} };
    tokio::spawn(tokio::time::timeout(LINGER, discarding));
}

async fn read_up_to(body: &mut Incoming, limit: usize) -> Result<Bytes, ReadError> {
    let announced = http_body::Body::size_hint(body).lower();
    if announced > limit as u64 {
        return Err(ReadError::TooLarge);
    }
    match http_body_util::Limited::new(body, limit).collect().await {
        Ok(read) => Ok(read.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Err(ReadError::TooLarge),
        Err(_) => Err(ReadError::Gone),
    }
}
