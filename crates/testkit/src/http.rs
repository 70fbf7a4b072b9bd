//! A blocking HTTP/1.1 client that hides nothing: it sends the bytes it is given, shows the headers in their
//! order, and says how a body ended.
//!
//! No redirects, no pools, no retries.

mod body;
mod connection;
mod framing;
mod head;
mod stream;

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

pub use body::{Body, Chunk};
pub use connection::Connection;
pub use head::Head;
pub(crate) use head::fields;
pub(crate) use stream::Stream;

/// How long [`get`], [`post`] and [`request`] wait for a whole response.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// How a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// All of `content-length`, or the last chunk.
    Complete,
    /// The connection was closed or reset before that.
    CutOff,
    /// The connection was closed where nothing else marks the end.
    Closed,
}

/// A response with its whole body.
#[derive(Clone, Debug)]
pub struct Response {
    /// Status and headers.
    pub head: Head,
    /// The body, out of its framing.
    pub body: Vec<u8>,
    /// How the body ended.
    pub end: End,
}

impl Response {
    /// The status code.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The value of the first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The body, where it is UTF-8; else with replacement characters.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Sends a `GET` on a new connection and reads the whole response.
pub fn get(addr: SocketAddr, target: &str, headers: &[(&str, &str)]) -> io::Result<Response> {
    request(addr, "GET", target, headers, b"")
}

/// Sends a `POST` on a new connection and reads the whole response. A content type is sent only if it is in `headers`.
pub fn post(
    addr: SocketAddr,
    target: &str,
    headers: &[(&str, &str)],
    body: impl AsRef<[u8]>,
) -> io::Result<Response> {
    request(addr, "POST", target, headers, body.as_ref())
}

/// Sends a request on a new connection and reads the whole response.
///
/// `host` is added where `headers` has none, `content-length` where there is a body and `headers` frames none.
pub fn request(
    addr: SocketAddr,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<Response> {
    let connection = Connection::open(addr)?;
    connection.exchange(method, target, headers, body, TIMEOUT).map(|(response, _)| response)
}

fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not an HTTP/1.1 response: {problem}"))
}
