//! The bytes of frames, with what HTTP/1.1 puts around them.

use std::fmt;
use std::ops::Deref;

use bytes::Bytes;

/// What ends a chunk.
const END: &[u8] = b"\r\n";

/// Bytes of the line that begins a chunk, at most: sixteen hexadecimal digits and a line break.
const MAX_SIZE_LINE: usize = 18;

/// Whole blocks of a stream, made once and shared by every client. Around them lies the framing of one chunk of HTTP/1.1
/// (RFC 9112, 7.1), so that the same bytes serve a connection with [`Frame::chunk`] as they are, and a library that frames by
/// itself with [`Frame::content`]. To look at it is to look at the content.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame {
    chunk: Bytes,
    /// Where the content begins.
    start: u8,
}

/// What begins a chunk of so many bytes.
#[derive(Clone, Copy, Debug)]
pub struct SizeLine {
    bytes: [u8; MAX_SIZE_LINE],
    start: u8,
}

impl Frame {
    /// A frame of this content, whose parts are put one behind the other. A chunk cannot be empty, because that would end
    /// the body; so is no frame.
    pub fn new(parts: &[&[u8]]) -> Self {
        let length = parts.iter().map(|part| part.len()).sum();
        let line = SizeLine::of(length);
        let mut chunk = Vec::with_capacity(line.len() + length + END.len());
        chunk.extend_from_slice(&line);
        for part in parts {
            chunk.extend_from_slice(part);
        }
        chunk.extend_from_slice(END);
        // A line has 18 bytes at most.
        Self { chunk: chunk.into(), start: u8::try_from(line.len()).unwrap_or_default() }
    }

    /// The blocks with the framing of a chunk.
    pub fn chunk(&self) -> &Bytes {
        &self.chunk
    }

    /// The blocks alone.
    pub fn content(&self) -> Bytes {
        self.chunk.slice(usize::from(self.start)..self.chunk.len() - END.len())
    }
}

impl Deref for Frame {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.chunk.get(usize::from(self.start)..self.chunk.len() - END.len()).unwrap_or_default()
    }
}

impl From<String> for Frame {
    fn from(text: String) -> Self {
        Self::new(&[text.as_bytes()])
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

impl SizeLine {
    /// The line of a chunk with so many bytes of content.
    pub fn of(length: usize) -> Self {
        let mut bytes = [0; MAX_SIZE_LINE];
        let mut start = MAX_SIZE_LINE - END.len();
        bytes[start..].copy_from_slice(END);
        let mut rest = length;
        loop {
            start -= 1;
            bytes[start] = b"0123456789abcdef"[rest % 16];
            rest /= 16;
            if rest == 0 {
                // Less than the 18 that there are.
                return Self { bytes, start: u8::try_from(start).unwrap_or_default() };
            }
        }
    }
}

impl Deref for SizeLine {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(usize::from(self.start)..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_size_is_hexadecimal_without_leading_zeros() {
        for (length, line) in
            [(0, "0\r\n"), (15, "f\r\n"), (16, "10\r\n"), (440, "1b8\r\n"), (0xabc_def0, "abcdef0\r\n")]
        {
            assert_eq!(std::str::from_utf8(&SizeLine::of(length)), Ok(line));
        }
        assert_eq!(&*SizeLine::of(usize::MAX), format!("{:x}\r\n", usize::MAX).as_bytes());
    }

    proptest! {
        #[test]
        fn a_frame_is_a_chunk_around_its_content(parts in proptest::collection::vec("[ab\r\n]{0,20}", 1..5)) {
            let content = parts.concat();
            let parts: Vec<_> = parts.iter().map(String::as_bytes).collect();
            let frame = Frame::new(&parts);
            prop_assert_eq!(&*frame, content.as_bytes());
            prop_assert_eq!(&*frame.content(), content.as_bytes());
            let chunk = format!("{:x}\r\n{content}\r\n", content.len());
            prop_assert_eq!(&**frame.chunk(), chunk.as_bytes());
        }
    }
}
