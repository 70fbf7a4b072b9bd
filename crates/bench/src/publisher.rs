//! The one connection that publishes, and the events it publishes: `CDEvent`s of a given size, numbered.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::wire;

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

    /// An event of this many bytes, or a few more where that is too little for one.
    fn event(&self, number: u32, bytes: usize) -> String {
        let id = format!("{}{number:010}", self.id_prefix);
        let head = format!(
            r#"{{"context":{{"version":"0.4.1","id":"{id}","source":"/fanfare-bench","type":"dev.cdevents.build.queued.0.2.0","timestamp":"2025-01-01T00:00:00Z"}},"subject":{{"id":"{id}","type":"build","content":{{"padding":""#
        );
        let tail = r#""}}}"#;
        let padding = "x".repeat(bytes.saturating_sub(head.len() + tail.len()));
        head + &padding + tail
    }

    /// The number of an event of this series, whatever the server has put around it.
    pub(crate) fn number(&self, data: &str) -> Option<u32> {
        let behind = data.find(&self.id_prefix)? + self.id_prefix.len();
        data.get(behind..behind + 10)?.parse().ok()
    }
}

/// A connection that publishes one event at a time and waits for its acknowledgement before the next.
pub(crate) struct Publisher {
    pub(crate) stream: TcpStream,
    /// The part of an answer that has come.
    answer: Vec<u8>,
    waiting: bool,
}

impl Publisher {
    pub(crate) fn connect(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::new(), waiting: false })
    }

    pub(crate) fn is_ready(&self) -> bool {
        !self.waiting
    }

    pub(crate) fn publish(&mut self, series: &Series, number: u32, bytes: usize) -> io::Result<()> {
        let event = series.event(number, bytes);
        let head = format!(
            "POST /webhook/events HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            event.len()
        );
        self.waiting = true;
        self.stream.write_all((head + &event).as_bytes())
    }

    /// Reads once; to be called when there is something to read.
    pub(crate) fn read(&mut self) -> io::Result<()> {
        let mut buffer = [0; 4096];
        let length = self.stream.read(&mut buffer)?;
        if length == 0 {
            return Err(wire::invalid("the server closed the publisher's connection"));
        }
        self.answer.extend_from_slice(buffer.get(..length).unwrap_or_default());
        let Some(answer) = wire::message(&self.answer)? else { return Ok(()) };
        if !answer.head.starts_with("HTTP/1.1 2") {
            let body = String::from_utf8_lossy(answer.body);
            return Err(io::Error::other(format!("an event was refused: {}\n{body}", answer.head)));
        }
        self.answer.clear();
        self.waiting = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_its_size_and_its_number() {
        let series = Series::new(7);
        for (number, bytes) in [(0, 440), (u32::MAX, 1000)] {
            let event = series.event(number, bytes);
            assert_eq!(event.len(), bytes);
            assert_eq!(series.number(&event), Some(number));
        }
        assert!(series.event(0, 0).ends_with(r#""padding":""}}}"#));
        assert_eq!(Series::new(8).number(&series.event(1, 440)), None);
        assert_eq!(series.number("lagged: 7 messages skipped"), None);
        assert_eq!(series.number("bench-7-12"), None);
    }
}
