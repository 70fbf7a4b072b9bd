//! A server whose every byte a test says: for clients that connect by themselves. It answers nothing on its own, and takes
//! one connection at a time, each for one request.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use nix::libc::linger;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike as _};

use crate::deadline::Deadline;
use crate::http::{Stream, fields};
#[cfg(feature = "tls")]
use crate::tls::TlsServer;

/// How long the client may take to take what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of a request's head. More is an error, so that a client that never ends its head is noticed.
const MAX_HEAD: usize = 64 * 1024;

const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n\
    transfer-encoding: chunked\r\n\r\n";

/// A port of this machine on which clients are waited for. They are refused once it is dropped.
#[derive(Debug)]
pub struct Upstream {
    listener: TcpListener,
    addr: SocketAddr,
    #[cfg(feature = "tls")]
    tls: Option<TlsServer>,
}

/// A request, and the connection that it came on, which ends when this is dropped.
#[derive(Debug)]
pub struct Exchange {
    /// `GET`, say.
    pub method: String,
    /// The path and the query.
    pub target: String,
    /// Names in lower case, in the order of the wire.
    pub headers: Vec<(String, String)>,
    /// As long as `content-length` says.
    pub body: Vec<u8>,
    stream: Stream,
}

impl Upstream {
    /// On a free port.
    pub fn start() -> io::Result<Self> {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// At this address, that of one that was dropped say.
    pub fn start_at(addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr)?;
        Ok(Self {
            addr: listener.local_addr()?,
            listener,
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    /// The same, over TLS.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn with_tls(self, server: TlsServer) -> Self {
        Self { tls: Some(server), ..self }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return format!("https://{}{path}", self.addr);
        }
        format!("http://{}{path}", self.addr)
    }

    /// Waits for the next request. A connection that is closed before it has made one is none; a handshake that fails is an
    /// error.
    pub fn accept(&self, timeout: Duration) -> io::Result<Exchange> {
        let deadline = Deadline::after(timeout);
        loop {
            let tcp = self.connection(deadline)?;
            tcp.set_nodelay(true)?;
            tcp.set_write_timeout(Some(WRITE_TIMEOUT))?;
            tcp.set_read_timeout(Some(deadline.left("request")?))?;
            let stream = Stream::Tcp(tcp);
            #[cfg(feature = "tls")]
            let stream = match &self.tls {
                Some(server) => stream.serve_tls(server)?,
                None => stream,
            };
            if let Some(exchange) = Exchange::read(stream, deadline)? {
                return Ok(exchange);
            }
        }
    }

    fn connection(&self, deadline: Deadline) -> io::Result<TcpStream> {
        loop {
            let left = i64::try_from(deadline.left("request")?.as_micros()).unwrap_or(i64::MAX).max(1);
            setsockopt(&self.listener, sockopt::ReceiveTimeout, &TimeVal::microseconds(left))?;
            match self.listener.accept() {
                Ok((tcp, _)) => return Ok(tcp),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(deadline.missed("request"));
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl Exchange {
    /// `None` where the connection is closed first.
    fn read(stream: Stream, deadline: Deadline) -> io::Result<Option<Self>> {
        let mut exchange = Self {
            method: String::new(),
            target: String::new(),
            headers: Vec::new(),
            body: Vec::new(),
            stream,
        };
        let mut received = Vec::new();
        let head = loop {
            if let Some(end) = received.windows(4).position(|window| window == b"\r\n\r\n") {
                let rest = received.split_off(end + 4);
                break std::mem::replace(&mut received, rest);
            }
            if received.len() > MAX_HEAD || !exchange.receive(&mut received, deadline)? {
                return if received.is_empty() { Ok(None) } else { Err(invalid("its head does not end")) };
            }
        };
        exchange.parse(String::from_utf8_lossy(&head).trim_end_matches("\r\n"))?;
        let length = exchange.header("content-length").map_or(Ok(0), str::parse);
        let length: usize = length.map_err(|_| invalid("content-length is not a number"))?;
        while received.len() < length {
            if !exchange.receive(&mut received, deadline)? {
                return Err(invalid("its body is cut off"));
            }
        }
        exchange.body = received;
        Ok(Some(exchange))
    }

    fn parse(&mut self, head: &str) -> io::Result<()> {
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
        let (Some(method), Some(target), Some(_)) = (words.next(), words.next(), words.next()) else {
            return Err(invalid("its first line is no request line"));
        };
        (self.method, self.target) = (method, target);
        self.headers = fields(lines).map_err(invalid)?;
        Ok(())
    }

    /// The value of the first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The certificate that the client showed, in DER.
    #[cfg(feature = "tls")]
    pub fn certificate(&self) -> Option<Vec<u8>> {
        self.stream.certificate()
    }

    /// Answers with a stream, chunked, and nothing in it yet.
    pub fn stream(&mut self) -> io::Result<()> {
        self.send_raw(STREAM)
    }

    /// Sends bytes of the stream, as one chunk.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let bytes = bytes.as_ref();
        self.send_raw(&[format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat())
    }

    /// Sends these bytes and nothing else.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Ends the stream as HTTP means it, with the last chunk, and closes the connection.
    pub fn end(mut self) -> io::Result<()> {
        self.send_raw(b"0\r\n\r\n")
    }

    /// Closes the connection, wherever the stream is.
    pub fn cut(self) {}

    /// Closes the connection with a reset.
    pub fn reset(self) -> io::Result<()> {
        let at_once = linger { l_onoff: 1, l_linger: 0 };
        Ok(setsockopt(self.stream.tcp(), sockopt::Linger, &at_once)?)
    }

    /// Answers with a status, these headers and a whole body, and closes the connection.
    pub fn answer(mut self, status: u16, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> io::Result<()> {
        let body = body.as_ref();
        let mut head = format!("HTTP/1.1 {status} Scripted\r\nconnection: close\r\n");
        if status != 204 {
            let _ = write!(head, "content-length: {}\r\n", body.len());
        }
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        self.send_raw(&[head.as_bytes(), body].concat())
    }

    /// Waits until the client closes or resets the connection.
    pub fn wait_for_close(mut self, timeout: Duration) -> io::Result<()> {
        let deadline = Deadline::after(timeout);
        let mut rest = Vec::new();
        while self.receive(&mut rest, deadline)? {}
        Ok(())
    }

    /// Reads once; `false` where the connection has ended.
    fn receive(&mut self, into: &mut Vec<u8>, deadline: Deadline) -> io::Result<bool> {
        let mut buffer = [0; 16 * 1024];
        loop {
            self.stream.tcp().set_read_timeout(Some(deadline.left("bytes from the client")?))?;
            match self.stream.read(&mut buffer) {
                Ok(length) => {
                    into.extend_from_slice(buffer.get(..length).unwrap_or_default());
                    return Ok(length > 0);
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::Interrupted => {}
                    // The second is an end without a word in TLS.
                    io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => return Ok(false),
                    io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                        return Err(deadline.missed("bytes from the client"));
                    }
                    _ => return Err(error),
                },
            }
        }
    }
}

fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not an HTTP/1.1 request: {problem}"))
}
