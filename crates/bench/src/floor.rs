//! The floor server: epoll, one `send` a client and event, no HTTP library. It keeps nothing, checks nothing and
//! names nothing; what a real server costs above it is what its features cost.

use std::convert::Infallible;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use crate::poller::{Interest, Poller};
use crate::wire;

const LISTENER: usize = usize::MAX;

/// Bytes that a client may be behind before it is closed.
const MAX_BEHIND: usize = 16 * 1024 * 1024;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Port on the loopback interface; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// Serves until it is killed.
pub(crate) fn run(args: &Args) -> io::Result<Infallible> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, args.port))?;
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    Floor::new(listener)?.serve()
}

struct Floor {
    listener: TcpListener,
    poller: Poller,
    /// A connection's token is its place.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    buffer: Box<[u8]>,
    published: u64,
}

struct Connection {
    stream: TcpStream,
    subscribed: bool,
    /// The part of a request that has come.
    input: Vec<u8>,
    /// What the socket had no room for.
    behind: Vec<u8>,
}

impl Floor {
    fn new(listener: TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let poller = Poller::new()?;
        poller.add(&listener, LISTENER, Interest::Read)?;
        let buffer = vec![0; 64 * 1024].into();
        Ok(Self { listener, poller, connections: Vec::new(), free: Vec::new(), buffer, published: 0 })
    }

    fn serve(mut self) -> io::Result<Infallible> {
        let mut ready = Vec::new();
        loop {
            self.poller.wait(None, &mut ready)?;
            for token in ready.drain(..) {
                if token == LISTENER {
                    self.accept()?;
                } else if self.handle(token).is_err() {
                    self.close(token);
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let token = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                self.connections.len() - 1
            });
            self.poller.add(&stream, token, Interest::Read)?;
            let connection = Connection { stream, subscribed: false, input: Vec::new(), behind: Vec::new() };
            if let Some(place) = self.connections.get_mut(token) {
                *place = Some(connection);
            }
        }
    }

    /// Sends what waits, reads what has come, and answers it. An error ends the connection.
    fn handle(&mut self, token: usize) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(token).and_then(Option::as_mut) else {
            return Ok(());
        };
        if !connection.behind.is_empty() {
            let behind = std::mem::take(&mut connection.behind);
            connection.send(&behind, &self.poller, token)?;
            if connection.behind.is_empty() {
                self.poller.change(&connection.stream, token, Interest::Read)?;
            }
        }
        let length = match connection.stream.read(&mut self.buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        connection.input.extend_from_slice(self.buffer.get(..length).unwrap_or_default());

        while let Some(connection) = self.connections.get_mut(token).and_then(Option::as_mut)
            && let Some(request) = wire::message(&connection.input)?
        {
            let end = request.length;
            let mut event = None;
            let answer: &[u8] = if request.head.starts_with("GET /sse/events ") {
                connection.subscribed = true;
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
            } else if request.head.starts_with("POST /webhook/events ") {
                self.published += 1;
                event = Some(frame(self.published, request.body));
                b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n"
            } else {
                b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
            };
            connection.input.drain(..end);
            // An idle connection holds no buffer.
            connection.input.shrink_to_fit();
            connection.send(answer, &self.poller, token)?;
            if let Some(event) = event {
                self.publish(&event);
            }
        }
        Ok(())
    }

    fn publish(&mut self, frame: &[u8]) {
        for token in 0..self.connections.len() {
            if let Some(Some(connection)) = self.connections.get_mut(token)
                && connection.subscribed
                && connection.send(frame, &self.poller, token).is_err()
            {
                self.close(token);
            }
        }
    }

    fn close(&mut self, token: usize) {
        if self.connections.get_mut(token).and_then(Option::take).is_some() {
            self.free.push(token);
        }
    }
}

impl Connection {
    fn send(&mut self, bytes: &[u8], poller: &Poller, token: usize) -> io::Result<()> {
        let sent = match &*self.behind {
            [] => match self.stream.write(bytes) {
                Ok(sent) => sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            },
            _ => 0,
        };
        let rest = bytes.get(sent..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(());
        }
        if self.behind.len() + rest.len() > MAX_BEHIND {
            return Err(ErrorKind::TimedOut.into());
        }
        self.behind.extend_from_slice(rest);
        poller.change(&self.stream, token, Interest::ReadWrite)
    }
}

/// One event as one chunk.
fn frame(id: u64, data: &[u8]) -> Vec<u8> {
    let head = format!("event: cdevent\nid: {id}\ndata: ");
    let size = format!("{:x}\r\n", head.len() + data.len() + 2);
    [size.as_bytes(), head.as_bytes(), data, b"\n\n\r\n"].concat()
}
