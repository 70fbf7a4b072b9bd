//! One client that holds a stream open and checks that every event comes in order, exactly once; and the tally of what
//! all of them have seen.

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::lines::Lines;
use crate::poller::{Interest, Poller};
use crate::publisher::Series;
use crate::sources;
use crate::target::Site;
use crate::wire::{self, Body};

/// What the kernel may hold for a client that is to stall, in bytes: little, so that it stalls soon.
const STALLED_RECEIVE_BUFFER: usize = 4096;

/// What the clients of one run have seen.
pub(crate) struct Tally {
    pub(crate) series: Series,
    /// The number of the first event.
    first: u32,
    /// When each event was published, from the first on; `None` where others publish them and nobody asks how long they
    /// took.
    published: Option<Vec<Instant>>,
    /// Streams that were opened.
    pub(crate) opened: usize,
    pub(crate) delivered: u64,
    /// Events that a client had seen before, or should have seen before the one it saw last.
    pub(crate) repeated: u64,
    /// Events that a client never saw.
    pub(crate) lost: u64,
    /// Events that nobody published: what servers say about lag, gaps and errors.
    pub(crate) notices: u64,
    /// From publishing to reading, of each delivery.
    pub(crate) latencies: Vec<Duration>,
    /// Where in a line an event's name was found last.
    place: usize,
}

/// What a client asks for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) path: &'a str,
    /// The event that it says it saw last.
    pub(crate) last_event_id: Option<&'a str>,
    /// The number of the event that comes first.
    pub(crate) expected: u32,
    /// Once its stream is open, it reads nothing.
    pub(crate) stalls: bool,
}

pub(crate) struct Subscriber {
    pub(crate) stream: TcpStream,
    phase: Phase,
    lines: Lines,
    /// The number of the event that comes next.
    expected: u32,
    stalls: bool,
}

enum Phase {
    /// With the request to send.
    Connecting(String),
    /// With the part of the response's head that has come.
    Head(Vec<u8>),
    Stream(Body),
    Ended,
}

impl Subscriber {
    /// Begins to connect, and asks for the stream as soon as that is done.
    pub(crate) fn connect(site: Site, wish: Wish<'_>, poller: &Poller, token: usize) -> io::Result<Self> {
        let Wish { path, last_event_id, expected, stalls } = wish;
        let mut request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n");
        if let Some(id) = last_event_id {
            let _ = write!(request, "last-event-id: {id}\r\n");
        }
        request.push_str("\r\n");
        let (socket, is_connected) = sources::connect(site.addr, stalls.then_some(STALLED_RECEIVE_BUFFER))?;
        let mut stream = TcpStream::from(socket);
        let (phase, interest) = if is_connected {
            stream.write_all(request.as_bytes())?;
            (Phase::Head(Vec::new()), Interest::Read)
        } else {
            (Phase::Connecting(request), Interest::ReadWrite)
        };
        poller.add(&stream, token, interest)?;
        Ok(Self { stream, phase, lines: Lines::default(), expected, stalls })
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Stream(_))
    }

    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// The number of the event that comes next.
    pub(crate) fn expected(&self) -> u32 {
        self.expected
    }

    /// It has seen all events before this number, or will see no more.
    pub(crate) fn is_done(&self, end: u32) -> bool {
        self.expected >= end || self.stalls || self.has_ended()
    }

    /// Notes what it will never see before this number.
    pub(crate) fn finish(&self, end: u32, tally: &mut Tally) {
        if !self.stalls {
            tally.lost += u64::from(end.saturating_sub(self.expected));
        }
    }

    /// Does what can be done, once; to be called when its socket is ready. A stream's end is no error, a wrong answer is.
    pub(crate) fn handle(
        &mut self,
        poller: &Poller,
        token: usize,
        buffer: &mut [u8],
        tally: &mut Tally,
    ) -> io::Result<()> {
        if let Phase::Connecting(request) = &self.phase {
            if let Some(error) = self.stream.take_error()? {
                return Err(error);
            }
            match self.stream.write(request.as_bytes()) {
                // A request is far smaller than the buffer of a socket that nothing was written to.
                Ok(_) => self.phase = Phase::Head(Vec::new()),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            return poller.change(&self.stream, token, Interest::Read);
        }
        let length = match self.stream.read(buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(error),
        };
        if length == 0 {
            self.phase = Phase::Ended;
            return poller.remove(&self.stream);
        }
        self.take(buffer.get(..length).unwrap_or_default(), tally)?;
        if self.stalls && self.is_open() {
            poller.remove(&self.stream)?;
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8], tally: &mut Tally) -> io::Result<()> {
        if let Phase::Head(received) = &mut self.phase {
            received.extend_from_slice(bytes);
            let Some((head, behind)) = wire::head(received)? else { return Ok(()) };
            if !head.starts_with("HTTP/1.1 200 ") {
                return Err(io::Error::other(format!("no stream: {head}")));
            }
            let body = Body::of(head)?;
            let behind = behind.to_vec();
            self.phase = Phase::Stream(body);
            tally.opened += 1;
            return self.take(&behind, tally);
        }
        let Self { phase: Phase::Stream(body), lines, expected, .. } = self else { return Ok(()) };
        let now = Instant::now();
        body.take_off(bytes, |data| {
            lines.take(data, |line| {
                if let Some(data) = line.strip_prefix(b"data:") {
                    tally.note(expected, data, now);
                }
            });
        })
    }
}

impl Tally {
    pub(crate) fn new(series: Series, first: u32) -> Self {
        Self {
            series,
            first,
            published: Some(Vec::new()),
            opened: 0,
            delivered: 0,
            repeated: 0,
            lost: 0,
            notices: 0,
            latencies: Vec::new(),
            place: 0,
        }
    }

    /// For clients of events that others publish.
    pub(crate) fn untimed(series: Series) -> Self {
        Self { published: None, ..Self::new(series, 0) }
    }

    /// Takes note of the next event, and gives its number.
    pub(crate) fn publish(&mut self, now: Instant) -> u32 {
        let number = self.end();
        self.published.get_or_insert_default().push(now);
        number
    }

    /// Behind the last number that was published.
    pub(crate) fn end(&self) -> u32 {
        let published = self.published.as_ref().map_or(0, Vec::len);
        self.first.saturating_add(u32::try_from(published).unwrap_or(u32::MAX))
    }

    pub(crate) fn last_published(&self) -> Option<Instant> {
        self.published.as_ref()?.last().copied()
    }

    fn note(&mut self, expected: &mut u32, data: &[u8], now: Instant) {
        let number = self.series.number(data, &mut self.place);
        let latency = number.and_then(|number| {
            let published = self.published.as_ref()?;
            let published = published.get(usize::try_from(number.checked_sub(self.first)?).ok()?)?;
            Some(now.saturating_duration_since(*published))
        });
        match number {
            Some(number) if latency.is_some() || self.published.is_none() => {
                if number < *expected {
                    self.repeated += 1;
                    return;
                }
                self.lost += u64::from(number - *expected);
                *expected = number.saturating_add(1);
                self.delivered += 1;
                self.latencies.extend(latency);
            }
            _ => self.notices += 1,
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
            let mut tally = Tally { published: Some(vec![now; 5]), ..Tally::new(Series::new(1), 0) };
            let mut next = 0;
            for number in seen {
                tally.note(&mut next, format!(r#" {{"id":"bench-1-{number:010}"}}"#).as_bytes(), now);
            }
            assert_eq!((tally.delivered, tally.lost, tally.repeated, tally.notices), expected, "{seen:?}");
            assert_eq!(tally.latencies.len() as u64, tally.delivered);
        };
        check(&[0, 1, 2], (3, 0, 0, 0));
        check(&[0, 0, 1], (2, 0, 1, 0));
        check(&[0, 3, 4], (3, 2, 0, 0));
        check(&[0, 2, 1], (2, 1, 1, 0));
        check(&[0, 5], (1, 0, 0, 1));
    }

    #[test]
    fn what_others_publish_has_no_latency() {
        let mut tally = Tally::untimed(Series::new(1));
        let mut next = 7;
        for number in [7, 8, 10] {
            tally.note(&mut next, format!("bench-1-{number:010}").as_bytes(), Instant::now());
        }
        assert_eq!((tally.delivered, tally.lost, tally.notices, tally.latencies.len()), (3, 1, 0, 0));
    }
}
