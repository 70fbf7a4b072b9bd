//! Bodies of responses. Those of requests are read in `request_body`.

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
