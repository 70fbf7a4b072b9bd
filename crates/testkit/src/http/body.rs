//! A response body, read piece by piece as it comes.

use std::io;
use std::time::Duration;

use super::framing::{Framing, Step};
use super::{Connection, End, invalid};
use crate::deadline::Deadline;

/// A body of which more may come.
#[derive(Debug)]
pub struct Body {
    connection: Connection,
    framing: Framing,
    end: Option<End>,
}

/// What a wait for more of a body gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Bytes, never none. They need not be one chunk of the wire.
    Data(Vec<u8>),
    /// There is no more.
    End(End),
}

impl Body {
    pub(super) fn new(connection: Connection, framing: Framing) -> Self {
        Self { connection, framing, end: None }
    }

    /// Waits for more. After the end, the end again.
    pub fn next(&mut self, timeout: Duration) -> io::Result<Chunk> {
        self.next_until(Deadline::after(timeout), "more of the body")
    }

    /// Reads on until `last` has come, which may be in the middle of a chunk; gives everything up to and with it.
    /// What came behind it in the same chunk is given too.
    pub fn read_until(&mut self, last: &[u8], timeout: Duration) -> io::Result<Vec<u8>> {
        let deadline = Deadline::after(timeout);
        let mut body = Vec::new();
        loop {
            match self.next_until(deadline, &format!("`{}` in the body", last.escape_ascii()))? {
                Chunk::Data(data) => body.extend(data),
                Chunk::End(end) => {
                    return Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        format!(
                            "the body ended ({end:?}) without `{}`: {}",
                            last.escape_ascii(),
                            body.escape_ascii()
                        ),
                    ));
                }
            }
            if body.windows(last.len()).any(|window| window == last) {
                return Ok(body);
            }
        }
    }

    /// Reads to the end.
    pub fn read_to_end(mut self, timeout: Duration) -> io::Result<(Vec<u8>, End)> {
        let deadline = Deadline::after(timeout);
        let mut body = Vec::new();
        loop {
            match self.next_until(deadline, "end of the body")? {
                Chunk::Data(data) => body.extend(data),
                Chunk::End(end) => return Ok((body, end)),
            }
        }
    }

    /// The connection, for [`Connection::abort`] say. What was received and not read is lost with it.
    pub fn into_connection(self) -> Connection {
        self.connection
    }

    pub(crate) fn next_until(&mut self, deadline: Deadline, waiting_for: &str) -> io::Result<Chunk> {
        loop {
            if let Some(end) = self.end {
                return Ok(Chunk::End(end));
            }
            match self.framing.step(self.connection.received()).map_err(invalid)? {
                Step::Data(data) => return Ok(Chunk::Data(data)),
                Step::Complete => self.end = Some(End::Complete),
                Step::NeedMore => {
                    if !self.connection.receive(deadline, waiting_for)? {
                        self.end = Some(self.framing.at_close());
                    }
                }
            }
        }
    }
}
