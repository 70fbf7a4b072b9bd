//! A client that comes back with the id of an event long ago, and checks that everything behind it comes in order,
//! exactly once. It looks at the lines that tell, and at nothing else, so that many of them can read fast.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::publisher::Series;
use crate::wire::{self, Chunked};

/// Bytes of a line that are looked at: an `id:` with its event's name.
const LOOKED_AT: usize = 96;

pub(crate) struct Replayer {
    pub(crate) stream: TcpStream,
    phase: Phase,
    lines: Lines,
    pub(crate) account: Account,
}

/// What one client has seen.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Account {
    /// The number of the event that comes next.
    pub(crate) expected: u32,
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    /// What the server itself had to say.
    pub(crate) notices: u64,
}

enum Phase {
    /// With the part of the response's head that has come.
    Head(Vec<u8>),
    Stream(Chunked),
    Ended,
}

/// The lines of a stream, wherever it was cut.
#[derive(Default)]
struct Lines {
    /// The start of a line whose end has not come.
    begun: Vec<u8>,
}

impl Replayer {
    /// Connects and asks for everything behind the event of this number.
    pub(crate) fn connect(addr: SocketAddr, series: &Series, last: u32) -> io::Result<Self> {
        let mut stream = TcpStream::connect(addr)?;
        write!(
            stream,
            "GET /sse/events HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\nlast-event-id: {}\r\n\r\n",
            series.id(last)
        )?;
        let account = Account { expected: last + 1, lost: 0, repeated: 0, notices: 0 };
        Ok(Self { stream, phase: Phase::Head(Vec::new()), lines: Lines::default(), account })
    }

    /// It has seen all events before this number, or will see no more.
    pub(crate) fn is_done(&self, end: u32) -> bool {
        self.account.expected >= end || matches!(self.phase, Phase::Ended)
    }

    /// Reads once; to be called when there is something to read.
    pub(crate) fn read(&mut self, buffer: &mut [u8], series: &Series) -> io::Result<()> {
        let length = match self.stream.read(buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(error),
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        match &mut self.phase {
            _ if bytes.is_empty() => self.phase = Phase::Ended,
            Phase::Head(received) => {
                received.extend_from_slice(bytes);
                let Some((head, behind)) = wire::head(received)? else { return Ok(()) };
                if !head.starts_with("HTTP/1.1 200 ") {
                    return Err(io::Error::other(format!("no stream: {head}")));
                }
                let behind = behind.to_vec();
                self.phase = Phase::Stream(Chunked::default());
                self.take(&behind, series)?;
            }
            Phase::Stream(_) => self.take(bytes, series)?,
            Phase::Ended => {}
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8], series: &Series) -> io::Result<()> {
        let Self { phase: Phase::Stream(chunked), lines, account, .. } = self else { return Ok(()) };
        chunked.take_off(bytes, |data| lines.take(data, |line| account.note(line, series)))
    }
}

impl Lines {
    fn take(&mut self, mut data: &[u8], mut line: impl FnMut(&[u8])) {
        while let Some(end) = data.iter().position(|byte| *byte == b'\n') {
            let (now, behind) = data.split_at(end);
            if self.begun.is_empty() {
                line(now.get(..LOOKED_AT).unwrap_or(now));
            } else {
                self.begin(now);
                line(&self.begun);
                self.begun.clear();
            }
            data = behind.get(1..).unwrap_or_default();
        }
        self.begin(data);
    }

    fn begin(&mut self, start: &[u8]) {
        let room = LOOKED_AT.saturating_sub(self.begun.len()).min(start.len());
        self.begun.extend_from_slice(start.get(..room).unwrap_or_default());
    }
}

impl Account {
    fn note(&mut self, line: &[u8], series: &Series) {
        if let Some(id) = line.strip_prefix(b"id: ") {
            match str::from_utf8(id).ok().and_then(|id| series.number(id)) {
                None => self.notices += 1,
                Some(number) if number < self.expected => self.repeated += 1,
                Some(number) => {
                    self.lost += u64::from(number - self.expected);
                    self.expected = number + 1;
                }
            }
        } else if line.strip_prefix(b"event: ").is_some_and(|kind| kind != b"cdevent") {
            self.notices += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_seen_wherever_it_is_cut() {
        let series = Series::new(1);
        let stream = format!(
            "event: cdevent\nid: {}\ndata: {{\"id: \": \"{}\"}}\n\nid: {}\n\n: keep-alive\n\nevent: gap\n\nid: {}\n",
            series.id(7),
            "x".repeat(2 * LOOKED_AT),
            series.id(7),
            series.id(9),
        );
        for size in 1..=stream.len() {
            let mut account = Account { expected: 7, lost: 0, repeated: 0, notices: 0 };
            let mut lines = Lines::default();
            for piece in stream.as_bytes().chunks(size) {
                lines.take(piece, |line| account.note(line, &series));
            }
            assert_eq!(account, Account { expected: 10, lost: 1, repeated: 1, notices: 1 }, "{size}");
        }
    }
}
