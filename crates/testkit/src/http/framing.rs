//! How a response body is framed on the wire (RFC 9112, 6.3 and 7.1), and taking it out of its framing.

use super::{End, Head};

/// What frames a body, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// So many bytes are still to come.
    Length(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked(Chunk),
    /// Until the connection closes.
    UntilClose,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// Before or in the line with a chunk's size.
    Size,
    /// In a chunk that has so many bytes left.
    Data(u64),
    /// Before the line end behind a chunk's data.
    DataEnd,
    /// Behind the last chunk, before the empty line.
    Trailers,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Bytes of the body, never empty.
    Data(Vec<u8>),
    /// More bytes are needed.
    NeedMore,
    /// The body is complete.
    Complete,
}

impl Framing {
    pub(super) fn of(head: &Head, method: &str) -> Result<Self, &'static str> {
        if method == "HEAD" || matches!(head.status, 100..=199 | 204 | 304) {
            return Ok(Self::Length(0));
        }
        if let Some(coding) = head.header("transfer-encoding") {
            return if coding.eq_ignore_ascii_case("chunked") {
                Ok(Self::Chunked(Chunk::Size))
            } else {
                Err("transfer-encoding is not chunked")
            };
        }
        match head.header("content-length") {
            Some(length) => length.parse().map(Self::Length).map_err(|_| "content-length is not a number"),
            None => Ok(Self::UntilClose),
        }
    }

    /// What it means that the connection is closed at this point.
    pub(super) fn at_close(&self) -> End {
        if *self == Self::UntilClose { End::Closed } else { End::CutOff }
    }

    /// Takes what it can from the bytes that have come.
    pub(super) fn step(&mut self, bytes: &mut Vec<u8>) -> Result<Step, &'static str> {
        match self {
            Self::Length(0) => Ok(Step::Complete),
            Self::Length(left) => Ok(take(left, bytes)),
            Self::UntilClose if bytes.is_empty() => Ok(Step::NeedMore),
            Self::UntilClose => Ok(Step::Data(std::mem::take(bytes))),
            Self::Chunked(chunk) => chunk.step(bytes),
        }
    }
}

impl Chunk {
    fn step(&mut self, bytes: &mut Vec<u8>) -> Result<Step, &'static str> {
        loop {
            if let Self::Data(left) = self {
                if *left > 0 {
                    return Ok(take(left, bytes));
                }
                *self = Self::DataEnd;
            }
            let Some(line) = take_line(bytes) else { return Ok(Step::NeedMore) };
            match self {
                Self::Trailers if line.is_empty() => return Ok(Step::Complete),
                Self::Trailers => {}
                Self::DataEnd if line.is_empty() => *self = Self::Size,
                Self::DataEnd | Self::Data(_) => return Err("a chunk is longer than its size says"),
                Self::Size => {
                    *self = match size(&line).ok_or("a chunk's size is not hexadecimal")? {
                        0 => Self::Trailers,
                        length => Self::Data(length),
                    }
                }
            }
        }
    }
}

fn take(left: &mut u64, bytes: &mut Vec<u8>) -> Step {
    if bytes.is_empty() {
        return Step::NeedMore;
    }
    let length = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    *left -= length as u64;
    Step::Data(bytes.drain(..length).collect())
}

fn take_line(bytes: &mut Vec<u8>) -> Option<Vec<u8>> {
    let end = bytes.windows(2).position(|pair| pair == b"\r\n")?;
    let mut line: Vec<u8> = bytes.drain(..end + 2).collect();
    line.truncate(end);
    Some(line)
}

/// A chunk's size; extensions behind it are ignored.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?;
    u64::from_str_radix(str::from_utf8(digits).ok()?.trim_end(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds the wire in one piece, then byte by byte: body, and whether it is complete.
    #[track_caller]
    fn check(framing: &Framing, wire: &str, expected: Result<(&str, bool), &str>) {
        for size in [wire.len().max(1), 1] {
            assert_eq!(read(framing.clone(), wire, size), expected.map(|(b, c)| (b.to_owned(), c)), "{size}");
        }
    }

    fn read(mut framing: Framing, wire: &str, size: usize) -> Result<(String, bool), &'static str> {
        let (mut bytes, mut body) = (Vec::new(), Vec::new());
        for piece in wire.as_bytes().chunks(size).chain([&b""[..]]) {
            bytes.extend_from_slice(piece);
            loop {
                match framing.step(&mut bytes)? {
                    Step::Data(data) => body.extend(data),
                    Step::NeedMore => break,
                    Step::Complete => return Ok((String::from_utf8(body).unwrap(), true)),
                }
            }
        }
        Ok((String::from_utf8(body).unwrap(), false))
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        check(&Framing::Length(0), "", Ok(("", true)));
        check(&Framing::Length(3), "abcdef", Ok(("abc", true)));
        check(&Framing::Length(3), "ab", Ok(("ab", false)));
        check(&Framing::UntilClose, "abc", Ok(("abc", false)));

        let chunked = Framing::Chunked(Chunk::Size);
        check(&chunked, "0\r\n\r\n", Ok(("", true)));
        check(
            &chunked,
            "3\r\nabc\r\nA ;x=y\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n",
            Ok(("abc0123456789", true)),
        );
        check(&chunked, "3\r\nabc\r\n", Ok(("abc", false)));
        check(&chunked, "3\r\nabc\r\n0\r\n", Ok(("abc", false)));
        check(&chunked, "3\r\nab", Ok(("ab", false)));
        check(&chunked, "x\r\n", Err("a chunk's size is not hexadecimal"));
        check(&chunked, "1\r\nabc\r\n", Err("a chunk is longer than its size says"));
    }
}
