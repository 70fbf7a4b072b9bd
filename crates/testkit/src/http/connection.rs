//! One connection to a server, over TCP or TLS, before a response's body is read from it.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};

use super::framing::Framing;
use super::stream::Stream;
use super::{Body, Chunk, Head, Response, invalid};
use crate::deadline::Deadline;

/// How long to wait for the connection itself, and for the peer to take what is sent. Unit: seconds, because the
/// peer is on this machine.
const IO_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a response head. More is an error, so that a server that never ends its head is noticed.
const MAX_HEAD: usize = 64 * 1024;

/// A connection on which raw bytes are sent and response heads are read.
#[derive(Debug)]
pub struct Connection {
    stream: Stream,
    /// What has come and has not been looked at.
    received: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub fn open(addr: SocketAddr) -> io::Result<Self> {
        Ok(Self { stream: Stream::Tcp(connect(addr)?), received: Vec::new() })
    }

    /// Connects, and shakes hands.
    #[cfg(feature = "tls")]
    pub fn open_tls(addr: SocketAddr, client: &crate::tls::TlsClient) -> io::Result<Self> {
        Self::open(addr)?.with_tls(client)
    }

    /// Shakes hands, over TCP.
    #[cfg(feature = "tls")]
    pub fn with_tls(self, client: &crate::tls::TlsClient) -> io::Result<Self> {
        Ok(Self { stream: self.stream.with_tls(client)?, received: self.received })
    }

    /// The certificate that the server showed, in DER.
    #[cfg(feature = "tls")]
    pub fn certificate(&self) -> Option<Vec<u8>> {
        self.stream.certificate()
    }

    /// Whether the handshake took up a former one.
    #[cfg(feature = "tls")]
    pub fn is_resumed(&self) -> bool {
        self.stream.is_resumed()
    }

    /// Asks the kernel to buffer only about so many bytes for us, so that a server soon meets a full socket.
    /// The kernel doubles the number and has a minimum of its own.
    pub fn shrink_receive_buffer(&self, bytes: usize) -> io::Result<()> {
        Ok(setsockopt(self.stream.tcp(), sockopt::RcvBuf, &bytes)?)
    }

    /// This end's address, as the server's log may name it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.tcp().local_addr()
    }

    /// Sends these bytes and nothing else.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a request in one piece, see [`super::request`].
    pub fn send_request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<()> {
        let has = |name: &str| headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
        let mut head = format!("{method} {target} HTTP/1.1\r\n");
        if !has("host") {
            let _ = write!(head, "host: {}\r\n", self.stream.tcp().peer_addr()?);
        }
        if !(body.is_empty() && method != "POST" || has("content-length") || has("transfer-encoding")) {
            let _ = write!(head, "content-length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        self.send(&[head.as_bytes(), body].concat())
    }

    /// Sends a request, see [`super::request`], and reads the whole response, of which an interim one (1xx) is no
    /// part; gives the connection back for the next request.
    pub fn exchange(
        mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
        timeout: Duration,
    ) -> io::Result<(Response, Self)> {
        let deadline = Deadline::after(timeout);
        self.send_request(method, target, headers, body)?;
        loop {
            let head = self.read_head(deadline.left("response")?)?;
            if (100..200).contains(&head.status) {
                continue;
            }
            let mut coming = self.into_body(&head, method)?;
            let mut body = Vec::new();
            loop {
                match coming.next(deadline.left("body")?)? {
                    Chunk::Data(data) => body.extend(data),
                    Chunk::End(end) => return Ok((Response { head, body, end }, coming.into_connection())),
                }
            }
        }
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&self) -> io::Result<()> {
        self.stream.tcp().shutdown(Shutdown::Write)
    }

    /// Closes with a reset instead of an orderly end.
    pub fn abort(self) -> io::Result<()> {
        let at_once = linger { l_onoff: 1, l_linger: 0 };
        Ok(setsockopt(self.stream.tcp(), sockopt::Linger, &at_once)?)
    }

    /// Reads the next response head, which may be an interim one (1xx).
    pub fn read_head(&mut self, timeout: Duration) -> io::Result<Head> {
        let deadline = Deadline::after(timeout);
        loop {
            if let Some(end) = self.received.windows(4).position(|window| window == b"\r\n\r\n") {
                let head: Vec<u8> = self.received.drain(..end + 4).collect();
                return Head::parse(head.get(..end).unwrap_or_default()).map_err(invalid);
            }
            if self.received.len() > MAX_HEAD {
                return Err(invalid("the head does not end"));
            }
            if !self.receive(deadline, "response head")? {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("closed after {} bytes of a response head", self.received.len()),
                ));
            }
        }
    }

    /// Waits for the server to close or reset the connection; what it still sends is given back.
    pub fn read_to_close(&mut self, timeout: Duration) -> io::Result<Vec<u8>> {
        let deadline = Deadline::after(timeout);
        while self.receive(deadline, "end of the connection")? {}
        Ok(std::mem::take(&mut self.received))
    }

    /// What has come and was not looked at, or else what one read brings; nothing at the end.
    pub fn read_raw(&mut self, timeout: Duration) -> io::Result<Vec<u8>> {
        if self.received.is_empty() {
            self.receive(Deadline::after(timeout), "anything at all")?;
        }
        Ok(std::mem::take(&mut self.received))
    }

    /// Reads the body that follows this head, the answer to a request with this method.
    pub fn into_body(self, head: &Head, method: &str) -> io::Result<Body> {
        Ok(Body::new(self, Framing::of(head, method).map_err(invalid)?))
    }

    pub(super) fn received(&mut self) -> &mut Vec<u8> {
        &mut self.received
    }

    /// Reads once; `false` where the connection has ended, whether by close or by reset.
    pub(super) fn receive(&mut self, deadline: Deadline, waiting_for: &str) -> io::Result<bool> {
        let mut buffer = [0; 16 * 1024];
        loop {
            self.stream.tcp().set_read_timeout(Some(deadline.left(waiting_for)?))?;
            match self.stream.read(&mut buffer) {
                Ok(length) => {
                    self.received.extend_from_slice(buffer.get(..length).unwrap_or_default());
                    return Ok(length > 0);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    // The second is an end without a word in TLS.
                    io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => return Ok(false),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                        return Err(deadline.missed(waiting_for));
                    }
                    _ => return Err(error),
                },
            }
        }
    }
}

fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&addr, IO_TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(IO_TIMEOUT))?;
    stream.set_write_timeout(Some(IO_TIMEOUT))?;
    Ok(stream)
}
