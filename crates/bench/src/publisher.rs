//! Events of a given size, numbered; the requests that publish them; and a connection that publishes one, or a burst,
//! at a time.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Instant, SystemTime};

use crate::target::Site;
use crate::wire;

/// Digits of an event's number.
const DIGITS: usize = 10;

/// Events of one run. Their ids begin with the same text and end with their number, so that a server that sees
/// several runs takes none for a repetition.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    id_prefix: String,
}

impl Series {
    pub(crate) fn new(run: u128) -> Self {
        Self { id_prefix: format!("bench-{run:x}-") }
    }

    /// A series that no server has seen.
    pub(crate) fn fresh() -> Self {
        Self::new(SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos())
    }

    /// What an event of this number is called.
    pub(crate) fn id(&self, number: u32) -> String {
        format!("{}{number:0DIGITS$}", self.id_prefix)
    }

    /// An event of this many bytes, or a few more where that is too little for one.
    pub(crate) fn event(&self, number: u32, bytes: usize) -> String {
        let id = self.id(number);
        let head = format!(
            r#"{{"context":{{"version":"0.4.1","id":"{id}","source":"/fanfare-bench","type":"dev.cdevents.build.queued.0.2.0","timestamp":"2025-01-01T00:00:00Z"}},"subject":{{"id":"{id}","type":"build","content":{{"padding":""#
        );
        let tail = r#""}}}"#;
        let padding = "x".repeat(bytes.saturating_sub(head.len() + tail.len()));
        head + &padding + tail
    }

    /// The same as a `CloudEvent` in structured mode that carries no `CDEvent`.
    fn cloud_event(&self, number: u32, bytes: usize) -> String {
        let id = self.id(number);
        let head = format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"/fanfare-bench","type":"dev.cdevents.build.queued.0.2.0","time":"2025-01-01T00:00:00Z","subject":"{id}","data":{{"padding":""#
        );
        let tail = r#""}}"#;
        let padding = "x".repeat(bytes.saturating_sub(head.len() + tail.len()));
        head + &padding + tail
    }

    /// The number of an event of this series in a line, whatever the server has put around it. `place` is where the
    /// last one was found, which is looked at first.
    pub(crate) fn number(&self, line: &[u8], place: &mut usize) -> Option<u32> {
        let prefix = self.id_prefix.as_bytes();
        if !line.get(*place..).is_some_and(|rest| rest.starts_with(prefix)) {
            *place = line.windows(prefix.len()).position(|window| window == prefix)?;
        }
        let behind = *place + prefix.len();
        let digits = line.get(behind..behind + DIGITS)?;
        digits.iter().try_fold(0u32, |number, digit| {
            let digit = char::from(*digit).to_digit(10)?;
            number.checked_mul(10)?.checked_add(digit)
        })
    }
}

/// Requests with one event or several, made once; only their numbers change.
#[derive(Debug)]
pub(crate) struct Requests {
    template: Vec<u8>,
    /// Where the digits of each event's number stand.
    places: Vec<Vec<usize>>,
}

impl Requests {
    /// One event is sent as a `CDEvent`, several as `CloudEvents` in batch mode.
    pub(crate) fn new(path: &str, series: &Series, batch: u32, bytes: usize) -> Self {
        let (content_type, body) = if batch == 1 {
            ("application/json", series.event(0, bytes))
        } else {
            let events: Vec<_> = (0..batch).map(|number| series.cloud_event(number, bytes)).collect();
            ("application/cloudevents-batch+json", format!("[{}]", events.join(",")))
        };
        let template = request(path, content_type, &body);
        let mut places = vec![Vec::new(); batch as usize];
        let mut behind = 0;
        while let Some(at) = template.get(behind..).and_then(|rest| rest.find(&series.id_prefix)) {
            behind += at + series.id_prefix.len();
            let number = template.get(behind..behind + DIGITS).and_then(|digits| digits.parse().ok());
            if let Some(places) = number.and_then(|number: usize| places.get_mut(number)) {
                places.push(behind);
            }
        }
        Self { template: template.into_bytes(), places }
    }

    pub(crate) fn template(&self) -> &[u8] {
        &self.template
    }

    /// Numbers the events of a request from this number on; gives the one behind the last.
    pub(crate) fn number(&self, request: &mut [u8], first: u32) -> u32 {
        let mut number = first;
        for places in &self.places {
            let mut digits = [b'0'; DIGITS];
            let mut rest = number;
            for digit in digits.iter_mut().rev() {
                *digit += u8::try_from(rest % 10).unwrap_or_default();
                rest /= 10;
            }
            for place in places {
                if let Some(target) = request.get_mut(*place..*place + DIGITS) {
                    target.copy_from_slice(&digits);
                }
            }
            number += 1;
        }
        number
    }
}

fn request(path: &str, content_type: &str, body: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A connection that publishes a burst of events, or a single one, and waits for all answers before the next. The
/// requests of a burst are pipelined: written in one piece, answered in their order, so that the order of the events is
/// known.
pub(crate) struct Publisher {
    pub(crate) stream: TcpStream,
    path: &'static str,
    /// For events of this many bytes.
    requests: Option<(usize, Requests)>,
    /// What is written at once.
    burst: Vec<u8>,
    /// Of an answer, what has come.
    answer: Vec<u8>,
    /// Answers that have not come.
    waiting: u32,
    ready_since: Instant,
}

impl Publisher {
    pub(crate) fn connect(site: Site) -> io::Result<Self> {
        let stream = TcpStream::connect(site.addr)?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            path: site.paths.publish,
            requests: None,
            burst: Vec::new(),
            answer: Vec::new(),
            waiting: 0,
            ready_since: Instant::now(),
        })
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.waiting == 0
    }

    /// When the last answer came.
    pub(crate) fn ready_since(&self) -> Instant {
        self.ready_since
    }

    /// Publishes so many events of so many bytes, numbered from `first` on.
    pub(crate) fn publish(
        &mut self,
        series: &Series,
        first: u32,
        count: u32,
        bytes: usize,
    ) -> io::Result<()> {
        let requests = match self.requests.take() {
            Some((size, requests)) if size == bytes => requests,
            _ => Requests::new(self.path, series, 1, bytes),
        };
        self.burst.clear();
        for number in first..first + count {
            let start = self.burst.len();
            self.burst.extend_from_slice(requests.template());
            requests.number(self.burst.get_mut(start..).unwrap_or_default(), number);
        }
        self.requests = Some((bytes, requests));
        self.waiting = count;
        self.stream.write_all(&self.burst)
    }

    /// Reads once; to be called when there is something to read.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        let length = self.stream.read(buffer)?;
        if length == 0 {
            return Err(wire::invalid("the server closed the publisher's connection"));
        }
        self.answer.extend_from_slice(buffer.get(..length).unwrap_or_default());
        while self.waiting > 0
            && let Some(answer) = wire::message(&self.answer)?
        {
            if !answer.head.starts_with("HTTP/1.1 2") {
                let body = String::from_utf8_lossy(answer.body);
                return Err(io::Error::other(format!("an event was refused: {}\n{body}", answer.head)));
            }
            let end = answer.length;
            self.answer.drain(..end);
            self.waiting -= 1;
            self.ready_since = Instant::now();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_size_and_its_number() {
        let series = Series::new(7);
        let number = |series: &Series, line: &str| series.number(line.as_bytes(), &mut 0);
        for (count, bytes) in [(0, 440), (u32::MAX, 1000)] {
            let event = series.event(count, bytes);
            assert_eq!(event.len(), bytes);
            assert_eq!(number(&series, &event), Some(count));
        }
        assert_eq!(series.cloud_event(3, 440).len(), 440);
        assert!(series.event(0, 0).ends_with(r#""padding":""}}}"#));
        assert_eq!(number(&Series::new(8), &series.event(1, 440)), None);
        assert_eq!(number(&series, "lagged: 7 messages skipped"), None);
        assert_eq!(number(&series, "bench-7-12"), None);
        assert_eq!(number(&series, "bench-7-9999999999"), None);
    }

    #[test]
    fn a_number_is_found_where_the_last_one_was_and_elsewhere() {
        let series = Series::new(7);
        let mut place = 0;
        for (line, number, behind) in [
            ("data: bench-7-0000000001", Some(1), 6),
            ("data: bench-7-0000000002", Some(2), 6),
            ("data: x", None, 6),
            ("data: {\"id\":\"bench-7-0000000003\"}", Some(3), 13),
            ("", None, 13),
        ] {
            assert_eq!(series.number(line.as_bytes(), &mut place), number, "{line}");
            assert_eq!(place, behind, "{line}");
        }
    }

    #[test]
    fn requests_are_numbered_in_place() {
        let series = Series::new(7);
        for (batch, bytes) in [(1, 440), (3, 300)] {
            let requests = Requests::new("/events", &series, batch, bytes);
            let mut request = requests.template().to_vec();
            assert_eq!(requests.number(&mut request, 1_234_567_890), 1_234_567_890 + batch);
            let text = String::from_utf8(request).unwrap();
            for number in 0..batch {
                assert_eq!(text.matches(&series.id(1_234_567_890 + number)).count(), 2);
                assert_eq!(text.matches(&series.id(number)).count(), 0);
            }
        }
    }
}
