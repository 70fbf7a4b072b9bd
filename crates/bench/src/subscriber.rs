//! One client that holds a stream open and checks that every event comes in order, exactly once.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use fanfare_testkit::sse::{Item, Parser};

use crate::publisher::Series;
use crate::wire::{self, Chunked};

/// What all clients of one run have seen.
pub(crate) struct Tally {
    pub(crate) series: Series,
    /// The number of the first event.
    first: u32,
    /// When each event was published, from the first on.
    published: Vec<Instant>,
    pub(crate) delivered: u64,
    /// Events that a client had seen before, or should have seen before the one it saw last.
    pub(crate) repeated: u64,
    /// Events that a client never saw.
    pub(crate) lost: u64,
    /// Events that nobody published: what servers say about lag, gaps and errors.
    pub(crate) notices: u64,
    /// From publishing to reading, of each delivery.
    pub(crate) latencies: Vec<Duration>,
}

pub(crate) struct Subscriber {
    pub(crate) stream: TcpStream,
    phase: Phase,
    parser: Parser,
    /// The number of the event that comes next.
    expected: u32,
}

enum Phase {
    /// With the part of the response's head that has come.
    Head(Vec<u8>),
    Stream(Chunked),
    Ended,
}

impl Subscriber {
    /// Connects and asks for the stream at this path; the first event on it is to have this number.
    pub(crate) fn connect(addr: SocketAddr, path: &str, expected: u32) -> io::Result<Self> {
        let mut stream = TcpStream::connect(addr)?;
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        Ok(Self { stream, phase: Phase::Head(Vec::new()), parser: Parser::new(), expected })
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Stream(_))
    }

    /// It has seen all events before this number, or will see no more.
    pub(crate) fn is_done(&self, end: u32) -> bool {
        self.expected >= end || matches!(self.phase, Phase::Ended)
    }

    /// Notes what it will never see.
    pub(crate) fn finish(&self, tally: &mut Tally) {
        tally.lost += u64::from(tally.end().saturating_sub(self.expected));
    }

    /// Reads once; to be called when there is something to read. An error is not a stream's end but a wrong answer.
    pub(crate) fn read(&mut self, buffer: &mut [u8], tally: &mut Tally) -> io::Result<()> {
        let length = match self.stream.read(buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(error),
        };
        let bytes = buffer.get(..length).unwrap_or_default();
        match &mut self.phase {
            _ if bytes.is_empty() => {
                self.phase = Phase::Ended;
                Ok(())
            }
            Phase::Head(received) => {
                received.extend_from_slice(bytes);
                let Some((head, behind)) = wire::head(received)? else { return Ok(()) };
                let chunked =
                    wire::header(head, "transfer-encoding").is_some_and(|coding| coding == "chunked");
                if !(head.starts_with("HTTP/1.1 200 ") && chunked) {
                    return Err(io::Error::other(format!("no chunked stream: {head}")));
                }
                let behind = behind.to_vec();
                self.phase = Phase::Stream(Chunked::default());
                self.take(&behind, tally)
            }
            Phase::Stream(_) => self.take(bytes, tally),
            Phase::Ended => Ok(()),
        }
    }

    fn take(&mut self, bytes: &[u8], tally: &mut Tally) -> io::Result<()> {
        let Self { phase: Phase::Stream(chunked), parser, expected, .. } = self else { return Ok(()) };
        let now = Instant::now();
        chunked.take_off(bytes, |data| {
            for item in parser.push(data) {
                if let Item::Event(event) = item {
                    tally.note(expected, &event.data, now);
                }
            }
        })
    }
}

impl Tally {
    pub(crate) fn new(series: Series, first: u32) -> Self {
        Self {
            series,
            first,
            published: Vec::new(),
            delivered: 0,
            repeated: 0,
            lost: 0,
            notices: 0,
            latencies: Vec::new(),
        }
    }

    /// Takes note of the next event, and gives its number.
    pub(crate) fn publish(&mut self, now: Instant) -> u32 {
        let number = self.end();
        self.published.push(now);
        number
    }

    /// Behind the last number.
    pub(crate) fn end(&self) -> u32 {
        self.first.saturating_add(u32::try_from(self.published.len()).unwrap_or(u32::MAX))
    }

    pub(crate) fn last_published(&self) -> Option<Instant> {
        self.published.last().copied()
    }

    fn note(&mut self, expected: &mut u32, data: &str, now: Instant) {
        let event = self.series.number(data).and_then(|number| {
            let published = self.published.get(usize::try_from(number.checked_sub(self.first)?).ok()?)?;
            Some((number, now.saturating_duration_since(*published)))
        });
        match event {
            None => self.notices += 1,
            Some((number, _)) if number < *expected => self.repeated += 1,
            Some((number, latency)) => {
                self.lost += u64::from(number - *expected);
                *expected = number.saturating_add(1);
                self.delivered += 1;
                self.latencies.push(latency);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_accounted_for() {
        let check = |seen: &[u32], expected: (u64, u64, u64, u64)| {
            let now = Instant::now();
            let mut tally = Tally { published: vec![now; 5], ..Tally::new(Series::new(1), 0) };
            let mut next = 0;
            for number in seen {
                tally.note(&mut next, &format!(r#"{{"id":"bench-1-{number:010}"}}"#), now);
            }
            assert_eq!((tally.delivered, tally.lost, tally.repeated, tally.notices), expected, "{seen:?}");
        };
        check(&[0, 1, 2], (3, 0, 0, 0));
        check(&[0, 0, 1], (2, 0, 1, 0));
        check(&[0, 3, 4], (3, 2, 0, 0));
        check(&[0, 2, 1], (2, 1, 1, 0));
        check(&[0, 5], (1, 0, 0, 1));
    }
}
