//! The floor server: epoll, one `send` a client and event, no HTTP library, and no memory taken for an event or a
//! delivery. It keeps nothing, checks nothing and names nothing; what a real server costs above it is what its features
//! cost.

use std::convert::Infallible;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};

use socket2::{Domain, Socket, Type};

use crate::poller::{Interest, Poller};
use crate::wire;

const LISTENER: usize = usize::MAX;

/// Connections that may wait to be accepted: what the kernel allows by default, and what the others ask for.
const BACKLOG: i32 = 4096;

/// Bytes that a client may be behind before it is closed.
const MAX_BEHIND: usize = 16 * 1024 * 1024;

const STREAM: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n";
const CREATED: &[u8] = b"HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n";
const NOT_FOUND: &[u8] = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n";

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Port on the loopback interface; 0 takes a free one.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// Serves until it is killed.
pub(crate) fn run(args: &Args) -> io::Result<Infallible> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, args.port)).into())?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from(socket);
    writeln!(io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    Floor::new(listener)?.serve()
}

struct Floor {
    listener: TcpListener,
    poller: Poller,
    /// A connection's token is its place.
    connections: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// What is read, and the event that is sent. Used for everything.
    buffer: Box<[u8]>,
    frame: Vec<u8>,
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
        let (connections, free, frame) = (Vec::new(), Vec::new(), Vec::new());
        let buffer = vec![0; 64 * 1024].into();
        Ok(Self { listener, poller, connections, free, buffer, frame, published: 0 })
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
        let mut buffer = std::mem::take(&mut self.buffer);
        let handled = self.handle_with(token, &mut buffer);
        self.buffer = buffer;
        handled
    }

    fn handle_with(&mut self, token: usize, buffer: &mut [u8]) -> io::Result<()> {
        let Some(connection) = self.connections.get_mut(token).and_then(Option::as_mut) else {
            return Ok(());
        };
        connection.send_what_waits(&self.poller, token)?;
        let length = match connection.stream.read(buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        // Only a request that came in pieces is put together, and an idle connection holds no buffer.
        let mut begun = std::mem::take(&mut connection.input);
        let rest = if begun.is_empty() {
            self.answer(token, bytes)?
        } else {
            begun.extend_from_slice(bytes);
            self.answer(token, &begun)?
        };
        if let Some(connection) = self.connections.get_mut(token).and_then(Option::as_mut)
            && !rest.is_empty()
        {
            connection.input = rest.to_vec();
        }
        Ok(())
    }

    /// Answers every whole request, and gives what is behind the last one.
    fn answer<'a>(&mut self, token: usize, mut bytes: &'a [u8]) -> io::Result<&'a [u8]> {
        while let Some(connection) = self.connections.get_mut(token).and_then(Option::as_mut)
            && let Some(request) = wire::message(bytes)?
        {
            if request.head.starts_with("GET /sse/events ") {
                connection.subscribed = true;
                connection.send(STREAM, &self.poller, token)?;
            } else if request.head.starts_with("GET /sse/quiet ") {
                connection.send(STREAM, &self.poller, token)?;
            } else if request.head.starts_with("POST /webhook/events ") {
                connection.send(CREATED, &self.poller, token)?;
                self.publish(request.body)?;
            } else {
                connection.send(NOT_FOUND, &self.poller, token)?;
            }
            bytes = bytes.get(request.length..).unwrap_or_default();
        }
        Ok(bytes)
    }

    fn publish(&mut self, data: &[u8]) -> io::Result<()> {
        self.published += 1;
        let mut frame = std::mem::take(&mut self.frame);
        write_frame(&mut frame, self.published, data)?;
        for token in 0..self.connections.len() {
            if let Some(Some(connection)) = self.connections.get_mut(token)
                && connection.subscribed
                && connection.send(&frame, &self.poller, token).is_err()
            {
                self.close(token);
            }
        }
        self.frame = frame;
        Ok(())
    }

    fn close(&mut self, token: usize) {
        if self.connections.get_mut(token).and_then(Option::take).is_some() {
            self.free.push(token);
        }
    }
}

impl Connection {
    fn send_what_waits(&mut self, poller: &Poller, token: usize) -> io::Result<()> {
        if self.behind.is_empty() {
            return Ok(());
        }
        let behind = std::mem::take(&mut self.behind);
        self.send(&behind, poller, token)?;
        if self.behind.is_empty() {
            poller.change(&self.stream, token, Interest::Read)?;
        }
        Ok(())
    }

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

/// Makes the frame one event as one chunk.
fn write_frame(frame: &mut Vec<u8>, id: u64, data: &[u8]) -> io::Result<()> {
    let digits = id.checked_ilog10().unwrap_or_default() as usize + 1;
    let size = "event: cdevent\nid: \ndata: \n\n".len() + digits + data.len();
    frame.clear();
    write!(frame, "{size:x}\r\nevent: cdevent\nid: {id}\ndata: ")?;
    frame.extend_from_slice(data);
    frame.extend_from_slice(b"\n\n\r\n");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_one_chunk() {
        let mut frame = b"of the event before".to_vec();
        for (id, expected) in [
            (9, "20\r\nevent: cdevent\nid: 9\ndata: {}x\n\n\r\n"),
            (10, "21\r\nevent: cdevent\nid: 10\ndata: {}x\n\n\r\n"),
        ] {
            write_frame(&mut frame, id, b"{}x").unwrap();
            assert_eq!(str::from_utf8(&frame).unwrap(), expected);
        }
    }
}
