//! Bodies of responses. Those of requests are read in `request_body`.

use std::fmt;
use std::net::TcpStream;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

/// The body of a response. Its error ends the response without a clean end: no last chunk in HTTP/1.1, a reset
/// stream in HTTP/2.
#[derive(Debug)]
pub(crate) struct Body(Kind);

#[derive(Debug)]
enum Kind {
    Full(Full<Bytes>),
    Frames(UnsyncBoxBody<Bytes, Ended>),
    Takeover(Takeover),
}

/// Takes a connection's socket, and what the response's head is on the wire, which is not written yet. Dropped where the
/// connection ends before that.
pub(crate) struct Takeover(Box<dyn FnOnce(TcpStream, Bytes) + Send>);

impl Takeover {
    pub(super) fn take(self, stream: TcpStream, head: Bytes) {
        (self.0)(stream, head);
    }
}

impl fmt::Debug for Takeover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Takeover")
    }
}

/// The server ended a stream.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the server ended the stream")]
pub(crate) struct Ended;

impl Body {
    /// What this yields.
    pub(crate) fn new(frames: impl http_body::Body<Data = Bytes, Error = Ended> + Send + 'static) -> Self {
        Self(Kind::Frames(frames.boxed_unsync()))
    }

    /// Written by somebody else, to the connection's socket. Only for requests whose [`Peer`](super::Peer) may be taken over.
    pub(crate) fn takes_over(take: impl FnOnce(TcpStream, Bytes) + Send + 'static) -> Self {
        Self(Kind::Takeover(Takeover(Box::new(take))))
    }

    /// Who wants the socket, or else the body as it is.
    pub(super) fn into_takeover(self) -> Result<Takeover, Self> {
        match self.0 {
            Kind::Takeover(takeover) => Ok(takeover),
            kind => Err(Self(kind)),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        match &mut self.0 {
            Kind::Full(full) => Pin::new(full).poll_frame(cx).map_err(|never| match never {}),
            Kind::Frames(frames) => Pin::new(frames).poll_frame(cx),
            // There is nobody who would take the socket.
            Kind::Takeover(_) => Poll::Ready(Some(Err(Ended))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Full(full) => full.is_end_stream(),
            Kind::Frames(frames) => frames.is_end_stream(),
            Kind::Takeover(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Full(full) => full.size_hint(),
            Kind::Frames(frames) => frames.size_hint(),
            Kind::Takeover(_) => SizeHint::default(),
        }
    }
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Body(Kind::Full(Full::new(bytes.into())))
}

pub(crate) fn empty() -> Body {
    full(Bytes::new())
}
