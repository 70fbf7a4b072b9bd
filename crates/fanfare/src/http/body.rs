//! Bodies of responses, and reading those of requests within their limits.

#[cfg(feature = "source_webhook")]
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

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

/// Reads a body of at most `limit` bytes, which must be here within `timeout`.
#[cfg(feature = "source_webhook")]
pub(crate) async fn read(
    body: hyper::body::Incoming,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, ReadError> {
    let announced = http_body::Body::size_hint(&body).lower();
    if announced > limit as u64 {
        return Err(ReadError::TooLarge);
    }
    let reading = http_body_util::Limited::new(body, limit).collect();
    match tokio::time::timeout(timeout, reading).await {
        Err(_) => Err(ReadError::TooSlow),
        Ok(Ok(read)) => Ok(read.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(ReadError::TooLarge),
        Ok(Err(_)) => Err(ReadError::Gone),
    }
}
