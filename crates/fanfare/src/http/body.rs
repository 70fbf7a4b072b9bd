//! Bodies of responses, and reading those of requests within their limits.

#[cfg(feature = "source_webhook")]
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
#[cfg(feature = "source_webhook")]
use hyper::body::Incoming;

/// The body of a response. Its error ends the response without a clean end: no last chunk in HTTP/1.1, a reset
/// stream in HTTP/2.
pub(crate) type Body = UnsyncBoxBody<Bytes, Ended>;

/// The server ended a stream.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the server ended the stream")]
pub(crate) struct Ended;

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

pub(crate) fn empty() -> Body {
    full(Bytes::new())
}

/// How long a body that nobody wants is read and thrown away.
#[cfg(feature = "source_webhook")]
const LINGER: Duration = Duration::from_secs(5);

/// Why a request's body could not be read.
#[cfg(feature = "source_webhook")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadError {
    /// More bytes than the limit.
    TooLarge,
    /// Not here in time.
    TooSlow,
    /// The client went away in the middle of it.
    Gone,
}

/// Reads a body of at most `limit` bytes, which must be here within `timeout`. One that is too large is discarded.
#[cfg(feature = "source_webhook")]
pub(crate) async fn read(mut body: Incoming, limit: usize, timeout: Duration) -> Result<Bytes, ReadError> {
    let reading = read_up_to(&mut body, limit);
    let read = tokio::time::timeout(timeout, reading).await.unwrap_or(Err(ReadError::TooSlow));
    if read == Err(ReadError::TooLarge) {
        discard(body);
    }
    read
}

/// Reads a body for a while, beside the answer, and throws it away. A client that is still sending when the connection
/// ends meets a reset, which takes the answer with it (RFC 9112, 9.6).
#[cfg(feature = "source_webhook")]
pub(crate) fn discard(mut body: Incoming) {
    let discarding = async move { while let Some(Ok(_)) = body.frame().await {} };
    tokio::spawn(tokio::time::timeout(LINGER, discarding));
}

#[cfg(feature = "source_webhook")]
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
