//! A client that opens one stream and hands over what comes on it. It never reconnects by itself.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::{Event, Item, Parser, Silent};
use crate::deadline::Deadline;
use crate::http::{self, Body, Chunk, Connection, End, Head};

/// An open stream.
#[derive(Debug)]
pub struct Client {
    head: Head,
    body: Body,
    parser: Parser,
    ready: VecDeque<Item>,
    raw: Vec<u8>,
}

/// What a wait on a stream gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// An event that a browser would dispatch.
    Event(Event),
    /// A comment.
    Comment(String),
    /// A block without data.
    Silent(Silent),
    /// The stream is over.
    End(End),
}

impl Client {
    /// Opens a stream with these headers besides `host` and `accept: text/event-stream`.
    ///
    /// An answer that is not 200 with `text/event-stream` is an error that shows it; [`http::get`] looks closer.
    pub fn open(addr: SocketAddr, target: &str, headers: &[(&str, &str)]) -> io::Result<Self> {
        Self::open_on(Connection::open(addr)?, target, headers)
    }

    /// Opens a stream on a connection that the caller has prepared.
    pub fn open_on(mut connection: Connection, target: &str, headers: &[(&str, &str)]) -> io::Result<Self> {
        let headers = [&[("accept", "text/event-stream")], headers].concat();
        connection.send_request("GET", target, &headers, b"")?;
        let head = connection.read_head(http::TIMEOUT)?;
        let body = connection.into_body(&head, "GET")?;
        let is_stream = head.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"));
        if head.status != 200 || !is_stream {
            let (body, _) = body.read_to_end(http::TIMEOUT)?;
            let body = String::from_utf8_lossy(&body);
            return Err(io::Error::other(format!("GET {target} opened no stream: {head:?}\n{body}")));
        }
        Ok(Self { head, body, parser: Parser::new(), ready: VecDeque::new(), raw: Vec::new() })
    }

    /// The response's status and headers.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The id that a browser would reconnect with, as far as messages have been received, if not yet read.
    pub fn last_event_id(&self) -> &str {
        self.parser.last_event_id()
    }

    /// Every byte of the stream so far, out of its framing.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Waits for whatever comes next. After the end, the end again.
    pub fn next(&mut self, timeout: Duration) -> io::Result<Message> {
        self.next_until(Deadline::after(timeout), "message on the stream")
    }

    /// Waits for the next event; comments and blocks without data are skipped, the end is an error.
    pub fn next_event(&mut self, timeout: Duration) -> io::Result<Event> {
        let deadline = Deadline::after(timeout);
        loop {
            match self.next_until(deadline, "event on the stream")? {
                Message::Event(event) => return Ok(event),
                Message::Comment(_) | Message::Silent(_) => {}
                Message::End(end) => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        format!("the stream ended ({end:?}) before the next event"),
                    ));
                }
            }
        }
    }

    /// Waits for the next `count` events, see [`Self::next_event`]; the timeout is for all of them together.
    pub fn next_events(&mut self, count: usize, timeout: Duration) -> io::Result<Vec<Event>> {
        let deadline = Deadline::after(timeout);
        (0..count).map(|_| self.next_event(deadline.left("further event")?)).collect()
    }

    /// Waits for the end of the stream and gives what came before it.
    pub fn read_to_end(&mut self, timeout: Duration) -> io::Result<(Vec<Item>, End)> {
        let deadline = Deadline::after(timeout);
        let mut items = Vec::new();
        loop {
            match self.next_until(deadline, "end of the stream")? {
                Message::Event(event) => items.push(Item::Event(event)),
                Message::Comment(comment) => items.push(Item::Comment(comment)),
                Message::Silent(silent) => items.push(Item::Silent(silent)),
                Message::End(end) => return Ok((items, end)),
            }
        }
    }

    /// The connection. What was received and not read is lost with the client.
    pub fn into_connection(self) -> Connection {
        self.body.into_connection()
    }

    /// Resets the connection instead of closing it in order, as dropping the client does.
    pub fn abort(self) -> io::Result<()> {
        self.body.into_connection().abort()
    }

    fn next_until(&mut self, deadline: Deadline, waiting_for: &str) -> io::Result<Message> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Ok(item.into());
            }
            match self.body.next_until(deadline, waiting_for)? {
                Chunk::Data(data) => {
                    self.ready.extend(self.parser.push(&data));
                    self.raw.extend(data);
                }
                Chunk::End(end) => return Ok(Message::End(end)),
            }
        }
    }
}

impl From<Item> for Message {
    fn from(item: Item) -> Self {
        match item {
            Item::Event(event) => Self::Event(event),
            Item::Comment(comment) => Self::Comment(comment),
            Item::Silent(silent) => Self::Silent(silent),
        }
    }
}
