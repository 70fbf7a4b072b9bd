//! What stands between the network and `lapin`, which reads nested tables by recursion without a bound and ends the
//! connection at a name that is not UTF-8: whoever may publish could end this process, or hold a queue up for ever.
//!
//! Frames (AMQP 0-9-1, 4.2.3) of content headers and deliveries are held back until they are whole, and made readable. A
//! header that is not gets another one in its place that says so, so that its message can be refused.

use std::io;

/// Tables and arrays within each other. What brokers add (`x-death`) has two.
const MAX_DEPTH: usize = 32;

/// Bytes of a frame that is held back. Brokers offer 128 KiB for a frame.
const MAX_FRAME: usize = 1 << 20;

/// The header of a message whose own could not be read; its value says why.
pub(crate) const UNREADABLE: &str = "x-fanfare-unreadable";

const METHOD: u8 = 1;
const HEADER: u8 = 2;
const HEAD: usize = 7;
const END: u8 = 0xCE;

/// Class 60, method 60: `basic.deliver`.
const DELIVER: [u8; 4] = [0, 60, 0, 60];

/// Flags of properties (4.2.6.1) from the first one on; which of them are short strings.
const CONTENT_TYPE: u16 = 15;
const HEADERS: u16 = 13;
const SHORT_STRINGS: [u16; 10] = [15, 14, 10, 9, 8, 7, 5, 4, 3, 2];

/// Bytes of the properties that are not strings.
const SIZES: [(u16, usize); 3] = [(12, 1), (11, 1), (6, 8)];

/// Bytes come in, and go out as they can be read.
#[derive(Debug, Default)]
pub(crate) struct Guard {
    /// The beginning of a frame that is held back.
    held: Vec<u8>,
    /// Bytes of a frame that passes.
    passing: usize,
    /// What is not spoken in frames: a broker that speaks another version.
    is_raw: bool,
}

impl Guard {
    /// Takes what came, and appends what may be read to `out`.
    ///
    /// # Errors
    /// A frame is larger than any that was agreed on.
    pub(crate) fn push(&mut self, mut bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        while !bytes.is_empty() {
            if self.is_raw || self.passing > 0 {
                let count = if self.is_raw { bytes.len() } else { self.passing.min(bytes.len()) };
                let (now, later) = bytes.split_at(count);
                out.extend_from_slice(now);
                self.passing = self.passing.saturating_sub(count);
                bytes = later;
                continue;
            }
            let wanted = self.wanted();
            let count = wanted.saturating_sub(self.held.len()).min(bytes.len());
            let (now, later) = bytes.split_at(count);
            self.held.extend_from_slice(now);
            bytes = later;
            if self.held.len() == HEAD {
                self.begin(out)?;
            } else if self.held.len() > HEAD && self.held.len() == self.wanted() {
                out.extend(readable(std::mem::take(&mut self.held)));
            }
        }
        Ok(())
    }

    /// How many bytes the frame has that is held back, or its head.
    fn wanted(&self) -> usize {
        match self.held.get(3..HEAD) {
            Some(size) => HEAD + size.iter().fold(0, |size, byte| size << 8 | usize::from(*byte)) + 1,
            None => HEAD,
        }
    }

    /// The head of a frame is there.
    fn begin(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        match self.held.first() {
            Some(&(METHOD | HEADER)) if self.wanted() > MAX_FRAME => {
                Err(io::Error::new(io::ErrorKind::InvalidData, "the broker sends too large a frame"))
            }
            Some(&(METHOD | HEADER)) => Ok(()),
            first => {
                self.is_raw = first == Some(&b'A');
                self.passing = self.wanted() - HEAD;
                out.append(&mut self.held);
                Ok(())
            }
        }
    }
}

/// The frame, made readable.
fn readable(mut frame: Vec<u8>) -> Vec<u8> {
    let end = frame.len().saturating_sub(1);
    let is_header = frame.first() == Some(&HEADER);
    let Some(payload) = frame.get_mut(HEAD..end) else { return frame };
    if !is_header {
        if payload.starts_with(&DELIVER) {
            replace_names(payload);
        }
        return frame;
    }
    match check(payload) {
        Ok(()) => frame,
        Err(problem) => unreadable(&frame, problem),
    }
}

/// `basic.deliver`: consumer tag, delivery tag, redelivered, exchange, routing key. In names that are not UTF-8 question marks
/// stand for what is not ASCII; their lengths stay.
fn replace_names(deliver: &mut [u8]) {
    let mut at = DELIVER.len();
    for gap in [9, 0, 0] {
        let length = deliver.get(at).copied().map_or(0, usize::from);
        let Some(name) = deliver.get_mut(at + 1..at + 1 + length) else { return };
        if std::str::from_utf8(name).is_err() {
            name.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
        }
        at += 1 + length + gap;
    }
}

/// A header for a body of the same size that says what is wrong with this one.
fn unreadable(frame: &[u8], problem: &str) -> Vec<u8> {
    let mut table = Vec::new();
    table.push(u8::try_from(UNREADABLE.len()).unwrap_or(0));
    table.extend_from_slice(UNREADABLE.as_bytes());
    table.push(b'S');
    table.extend(length(problem.len()));
    table.extend_from_slice(problem.as_bytes());
    // Class, weight and the size of the body.
    let mut payload = frame.get(HEAD..HEAD + 12).unwrap_or_default().to_vec();
    payload.extend((1_u16 << HEADERS).to_be_bytes());
    payload.extend(length(table.len()));
    payload.append(&mut table);
    let mut other = frame.get(..3).unwrap_or_default().to_vec();
    other.extend(length(payload.len()));
    other.append(&mut payload);
    other.push(END);
    other
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

/// Whether a content header (4.2.6) can be read.
fn check(payload: &[u8]) -> Result<(), &'static str> {
    let mut rest = Reader(payload);
    rest.take(12)?;
    let flags = rest.number(2)?;
    for bit in (2..=CONTENT_TYPE).rev() {
        if flags & (1 << bit) == 0 {
            continue;
        }
        if bit == HEADERS {
            let size = rest.number(4)?;
            check_table(rest.take(size)?)?;
        } else if SHORT_STRINGS.contains(&bit) {
            rest.short_string()?;
        } else if let Some((_, size)) = SIZES.iter().find(|(own, _)| *own == bit) {
            rest.take(*size)?;
        }
    }
    Ok(())
}

/// Whether a table's members can be read (4.2.5.5, as RabbitMQ has it), without recursion.
fn check_table(table: &[u8]) -> Result<(), &'static str> {
    // What is left of each, from the outermost to the innermost; whether it is a table.
    let mut open = vec![(Reader(table), true)];
    while let Some((mut rest, is_table)) = open.pop() {
        if rest.0.is_empty() {
            continue;
        }
        if is_table {
            rest.short_string()?;
        }
        let kind = rest.number(1)?;
        let kind = u8::try_from(kind).unwrap_or_default();
        let inner = match kind {
            b'V' => None,
            b't' | b'b' | b'B' => rest.take(1).map(|_| None)?,
            b's' | b'U' | b'u' => rest.take(2).map(|_| None)?,
            b'I' | b'i' | b'f' => rest.take(4).map(|_| None)?,
            b'D' => rest.take(5).map(|_| None)?,
            b'L' | b'l' | b'd' | b'T' => rest.take(8).map(|_| None)?,
            b'S' | b'x' => {
                let size = rest.number(4)?;
                rest.take(size).map(|_| None)?
            }
            b'A' | b'F' => {
                let size = rest.number(4)?;
                Some((Reader(rest.take(size)?), kind == b'F'))
            }
            _ => return Err("its headers have a value of an unknown type"),
        };
        open.push((rest, is_table));
        open.extend(inner);
        if open.len() > MAX_DEPTH {
            return Err("its headers are nested too deeply");
        }
    }
    Ok(())
}

struct Reader<'p>(&'p [u8]);

impl<'p> Reader<'p> {
    fn take(&mut self, count: usize) -> Result<&'p [u8], &'static str> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or("its properties are cut off")?;
        self.0 = rest;
        Ok(taken)
    }

    fn number(&mut self, bytes: usize) -> Result<usize, &'static str> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | usize::from(*byte)))
    }

    fn short_string(&mut self) -> Result<(), &'static str> {
        let size = self.number(1)?;
        let text = std::str::from_utf8(self.take(size)?);
        text.map(drop).map_err(|_| "one of its properties, or the name of a header, is not UTF-8")
    }
}

#[cfg(test)]
mod tests;
