//! The other end of a connection: what it takes, and what of that is content.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Instant;

use fanfare_stream::{CloseReason, Subscription};

use super::{Record, SOON, numbers};
use crate::id::Place;

/// What a response begins with here.
pub(crate) const HEAD: &str = "HTTP/1.1 200 OK\r\n\r\n";

/// The other end of a connection.
pub(crate) struct Peer {
    pub(crate) socket: TcpStream,
    /// What came, undecoded, and how much of that is decoded.
    pub(crate) raw: Vec<u8>,
    decoded: usize,
    content: String,
    pub(crate) subscription: Subscription,
    pub(crate) record: Arc<Record>,
}

impl Peer {
    pub(crate) fn new(socket: TcpStream, subscription: Subscription, record: Arc<Record>) -> Self {
        Self { socket, raw: Vec::new(), decoded: 0, content: String::new(), subscription, record }
    }

    /// Takes what has come. Returns whether more may come.
    pub(crate) fn read(&mut self) -> bool {
        self.read_some(usize::MAX)
    }

    /// Takes at most so much of it.
    pub(crate) fn read_some(&mut self, mut limit: usize) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        while limit > 0 {
            let room = limit.min(buffer.len());
            match self.socket.read(&mut buffer[..room]) {
                Ok(0) => return false,
                Ok(count) => {
                    self.raw.extend_from_slice(&buffer[..count]);
                    self.decode();
                    limit -= count;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return true,
                Err(_) => return false,
            }
        }
        true
    }

    /// Takes the content out of the chunks that are whole.
    fn decode(&mut self) {
        while let Some(text) = self.raw.get(self.decoded..).filter(|_| self.raw.len() >= HEAD.len()) {
            if self.decoded == 0 {
                assert!(text.starts_with(HEAD.as_bytes()));
                self.decoded = HEAD.len();
                continue;
            }
            let Some(end) = text.windows(2).position(|end| end == b"\r\n") else { break };
            let length = std::str::from_utf8(&text[..end]).unwrap();
            let length = usize::from_str_radix(length, 16).unwrap();
            let Some(chunk) = text.get(end + 2..end + 2 + length + 2) else { break };
            let content = chunk.strip_suffix(b"\r\n").unwrap();
            self.content.push_str(std::str::from_utf8(content).unwrap());
            self.decoded += end + 2 + length + 2;
        }
    }

    /// The content of the chunks that came whole.
    pub(crate) fn content(&self) -> &str {
        &self.content
    }

    /// Whether the end is within a chunk.
    pub(crate) fn is_cut(&self) -> bool {
        self.decoded < self.raw.len()
    }

    /// Takes what has come, without another turn, until it has so many events.
    pub(crate) fn expect(&mut self, events: u64) {
        let (start, content) = (Instant::now(), numbers(1..=events));
        while self.content() != content {
            assert!(start.elapsed() < SOON && self.read(), "{:?} and not {content:?}", self.content());
        }
    }

    pub(crate) fn place(&self) -> Place {
        self.record.id.get().unwrap().place().unwrap()
    }

    pub(crate) fn ended(&self) -> Option<CloseReason> {
        self.record.ended.lock().unwrap().map(|(reason, _)| reason)
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }
}
