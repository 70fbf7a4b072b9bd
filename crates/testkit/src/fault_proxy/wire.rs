//! Where a byte of a response stands: just enough of RFC 9112 and of event streams to find a place. What is not as they
//! say passes, and has no places.
//!
//! Lines of events end with LF or CRLF.

use super::fault::Place;
use crate::http::Head;

/// The start of a line that makes a block an event.
const DATA: &[u8] = b"data:";

/// How far a server has come with what it sends.
#[derive(Clone, Debug, Default)]
pub(super) struct Wire {
    part: Part,
    /// The head, or the chunk's size, as far as it has come.
    line: Vec<u8>,
    blocks: Blocks,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Part {
    #[default]
    Head,
    Size,
    Chunk {
        seen: usize,
        left: usize,
    },
    /// The line end behind a chunk has so many bytes left.
    ChunkEnd(usize),
    /// A body of known length has so many bytes left.
    Body(usize),
    /// Nobody knows what this is.
    Unknown,
}

impl Wire {
    /// Events that have passed.
    pub(super) fn events(&self) -> usize {
        self.blocks.events
    }

    /// Whether the next byte, which is this one, is at such a place.
    pub(super) fn is_at(&self, place: Place, next: u8) -> bool {
        match (place, self.part) {
            (Place::InEvent(bytes), Part::Chunk { .. }) => self.blocks.is_in_data(bytes, next),
            (Place::InChunkSize, Part::Size) => !self.line.is_empty(),
            (Place::InChunk(bytes), Part::Chunk { seen, left }) => seen == bytes || left == 1,
            _ => false,
        }
    }

    /// Whether the next byte is the first of a chunk's size.
    pub(super) fn is_before_chunk(&self) -> bool {
        self.part == Part::Size && self.line.is_empty()
    }

    pub(super) fn pass(&mut self, byte: u8) {
        self.part = match self.part {
            Part::Head => {
                self.line.push(byte);
                match self.line.strip_suffix(b"\r\n\r\n") {
                    Some(head) => {
                        let part = body(head);
                        self.line.clear();
                        part
                    }
                    None => Part::Head,
                }
            }
            Part::Size => {
                self.line.push(byte);
                match self.line.strip_suffix(b"\r\n") {
                    Some(size) => {
                        let part = chunk(size);
                        self.line.clear();
                        part
                    }
                    None => Part::Size,
                }
            }
            Part::Chunk { seen, left } => {
                self.blocks.pass(byte);
                if left == 1 { Part::ChunkEnd(2) } else { Part::Chunk { seen: seen + 1, left: left - 1 } }
            }
            Part::ChunkEnd(1) => Part::Size,
            Part::ChunkEnd(left) => Part::ChunkEnd(left - 1),
            Part::Body(1) => Part::Head,
            Part::Body(left) => Part::Body(left - 1),
            Part::Unknown => Part::Unknown,
        };
    }
}

/// What follows this head.
fn body(head: &[u8]) -> Part {
    let Ok(head) = Head::parse(head) else { return Part::Unknown };
    if head.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        return Part::Size;
    }
    match head.header("content-length").map(str::parse) {
        Some(Ok(0)) => Part::Head,
        Some(Ok(length)) => Part::Body(length),
        _ if matches!(head.status, 100..=199 | 204 | 304) => Part::Head,
        _ => Part::Unknown,
    }
}

/// What follows this line. Behind the last chunk nothing is of interest any more.
fn chunk(line: &[u8]) -> Part {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    match str::from_utf8(digits).map(|digits| usize::from_str_radix(digits.trim_end(), 16)) {
        Ok(Ok(left)) if left > 0 => Part::Chunk { seen: 0, left },
        _ => Part::Unknown,
    }
}

/// Blocks of an event stream, whatever chunks they lie in.
#[derive(Clone, Debug, Default)]
struct Blocks {
    events: usize,
    /// The block has data.
    has_data: bool,
    /// Bytes of that, in all of its lines.
    data: usize,
    /// Bytes of the line so far, up to the name of a field at most.
    line: usize,
    /// These bytes are those of [`DATA`].
    is_data: bool,
}

impl Blocks {
    fn is_in_data(&self, bytes: usize, next: u8) -> bool {
        self.is_value() && (self.data == bytes || matches!(next, b'\r' | b'\n'))
    }

    fn is_value(&self) -> bool {
        self.is_data && self.line == DATA.len()
    }

    fn pass(&mut self, byte: u8) {
        match byte {
            b'\n' if self.line == 0 => {
                *self = Self { events: self.events + usize::from(self.has_data), ..Self::default() };
            }
            b'\n' => {
                self.has_data |= self.is_value();
                self.line = 0;
            }
            b'\r' => {}
            _ if self.line < DATA.len() => {
                self.is_data = (self.line == 0 || self.is_data) && DATA.get(self.line) == Some(&byte);
                self.line += 1;
            }
            _ => self.data += usize::from(self.is_data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

    /// What has passed when this place comes for the first time behind so many events; nothing where it never does.
    #[track_caller]
    fn check(wire: &str, events: usize, place: Place, expected: Option<&str>) {
        let wire = format!("{HEAD}{wire}");
        let mut at = Wire::default();
        for (index, byte) in wire.bytes().enumerate() {
            if at.events() >= events && at.is_at(place, byte) {
                assert_eq!(wire.get(HEAD.len()..index), expected);
                return;
            }
            at.pass(byte);
        }
        assert_eq!(expected, None);
    }

    #[test]
    fn finds_places() {
        let stream = "A\r\n:\n\ndata:ab\r\n10\r\nc\nid:1\ndata:de\n\n\r\n8\r\ndata:f\n\n\r\n";
        check(stream, 0, Place::InEvent(0), Some("A\r\n:\n\ndata:"));
        check(stream, 0, Place::InEvent(1), Some("A\r\n:\n\ndata:a"));
        check(stream, 0, Place::InEvent(9), Some("A\r\n:\n\ndata:ab\r\n10\r\nc"));
        check(stream, 0, Place::InEvent(4), Some("A\r\n:\n\ndata:ab\r\n10\r\nc"));
        check(
            stream,
            1,
            Place::InEvent(1),
            Some("A\r\n:\n\ndata:ab\r\n10\r\nc\nid:1\ndata:de\n\n\r\n8\r\ndata:f"),
        );
        check(stream, 2, Place::InEvent(0), None);
        check(stream, 0, Place::InChunkSize, Some("A"));
        check(stream, 1, Place::InChunkSize, Some("A\r\n:\n\ndata:ab\r\n10\r\nc\nid:1\ndata:de\n\n\r\n8"));
        check(stream, 0, Place::InChunk(0), Some("A\r\n"));
        check(stream, 0, Place::InChunk(3), Some("A\r\n:\n\n"));
        check(stream, 0, Place::InChunk(99), Some("A\r\n:\n\ndata:a"));
    }

    #[test]
    fn finds_a_chunked_response_behind_others() {
        let answer = "HTTP/1.1 503 Busy\r\nContent-Length: 5\r\n\r\nd\r\n:1";
        let mut at = Wire::default();
        for (index, byte) in format!("{answer}{HEAD}").bytes().enumerate() {
            assert!(!at.is_before_chunk() && !at.is_at(Place::InChunk(0), byte), "{index}");
            at.pass(byte);
        }
        assert!(at.is_before_chunk());
    }

    #[test]
    fn what_is_unknown_has_no_places() {
        for head in ["HTTP/1.1 200 OK\r\n\r\n", "nonsense\r\n\r\n"] {
            let mut at = Wire::default();
            for byte in head.bytes().chain(*b"6\r\ndata:a\r\n") {
                assert!(!at.is_before_chunk() && !at.is_at(Place::InEvent(0), byte));
                at.pass(byte);
            }
        }
    }
}
