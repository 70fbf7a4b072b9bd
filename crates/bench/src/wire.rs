//! The little HTTP/1.1 that a benchmark needs on both its ends: whole messages with a `content-length`, and
//! chunked encoding taken off without a copy.

use std::io;

/// A complete request or response at the start of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    /// The first line and the headers.
    pub(crate) head: &'a str,
    pub(crate) body: &'a [u8],
    /// Of head and body together.
    pub(crate) length: usize,
}

/// Reads a message, or says that it is not complete.
pub(crate) fn message(bytes: &[u8]) -> io::Result<Option<Message<'_>>> {
    let Some((head, behind)) = head(bytes)? else { return Ok(None) };
    let length: usize = match header(head, "content-length") {
        Some(length) => length.parse().map_err(|_| invalid("content-length is not a number"))?,
        None => 0,
    };
    Ok(behind.get(..length).map(|body| Message { head, body, length: bytes.len() - behind.len() + length }))
}

/// Reads a head, and gives it and what is behind its empty line.
pub(crate) fn head(bytes: &[u8]) -> io::Result<Option<(&str, &[u8])>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let (head, behind) = bytes.split_at(end);
    let head = str::from_utf8(head).map_err(|_| invalid("a head is not UTF-8"))?;
    Ok(Some((head, behind.get(4..).unwrap_or_default())))
}

/// The value of the first header of this name, in any case.
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").skip(1).find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// How a stream's body is framed.
#[derive(Debug)]
pub(crate) enum Body {
    Chunked(Chunked),
    /// It ends with the connection.
    Plain,
}

impl Body {
    /// As a response's head says.
    pub(crate) fn of(head: &str) -> io::Result<Self> {
        match header(head, "transfer-encoding") {
            Some("chunked") => Ok(Self::Chunked(Chunked::default())),
            Some(_) => Err(invalid("a transfer-encoding that this does not know")),
            None if header(head, "content-length").is_some() => {
                Err(invalid("a response that ends, not a stream"))
            }
            None => Ok(Self::Plain),
        }
    }

    /// Hands every run of data to `data`, in order.
    pub(crate) fn take_off(&mut self, bytes: &[u8], mut data: impl FnMut(&[u8])) -> io::Result<()> {
        match self {
            Self::Chunked(chunked) => chunked.take_off(bytes, data),
            Self::Plain => {
                data(bytes);
                Ok(())
            }
        }
    }
}

/// Takes chunked encoding off a stream (RFC 9112, 7.1), wherever it was cut.
#[derive(Debug, Default)]
pub(crate) struct Chunked {
    place: Place,
}

#[derive(Debug, Default)]
enum Place {
    #[default]
    SizeStart,
    Size(usize),
    Data(usize),
    /// The line end behind a chunk's data.
    DataEnd,
    /// Behind the last chunk.
    End,
}

impl Chunked {
    /// Hands every run of data to `data`, in order.
    pub(crate) fn take_off(&mut self, mut bytes: &[u8], mut data: impl FnMut(&[u8])) -> io::Result<()> {
        while let Some((first, rest)) = bytes.split_first() {
            if let Place::Data(left) = &mut self.place {
                let (now, later) = bytes.split_at((*left).min(bytes.len()));
                data(now);
                *left -= now.len();
                bytes = later;
                if *left == 0 {
                    self.place = Place::DataEnd;
                }
                continue;
            }
            bytes = rest;
            self.place = match (&self.place, first) {
                (Place::Size(0), b'\n') | (Place::End, _) => Place::End,
                (Place::Size(size), b'\n') => Place::Data(*size),
                (Place::Size(size), b'\r') => Place::Size(*size),
                (Place::SizeStart, digit) => Place::Size(add_digit(0, *digit)?),
                (Place::Size(size), digit) => Place::Size(add_digit(*size, *digit)?),
                (Place::DataEnd, b'\r') => Place::DataEnd,
                (Place::DataEnd, b'\n') => Place::SizeStart,
                (Place::DataEnd | Place::Data(_), _) => {
                    return Err(invalid("a chunk is longer than its size says"));
                }
            }
        }
        Ok(())
    }
}

fn add_digit(size: usize, digit: u8) -> io::Result<usize> {
    let digit = char::from(digit).to_digit(16).ok_or_else(|| invalid("a chunk's size is not hexadecimal"))?;
    size.checked_mul(16)
        .and_then(|size| size.checked_add(digit as usize))
        .ok_or_else(|| invalid("a chunk's size is beyond all bounds"))
}

pub(crate) fn invalid(problem: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_complete_with_its_body() {
        let check = |bytes: &str, expected: Option<(&str, usize)>| {
            let read = message(bytes.as_bytes()).unwrap();
            assert_eq!(read.map(|m| (str::from_utf8(m.body).unwrap(), m.length)), expected, "{bytes:?}");
        };
        check("", None);
        check("GET / HTTP/1.1\r\nhost: x\r\n", None);
        check("GET / HTTP/1.1\r\nhost: x\r\n\r\n", Some(("", 27)));
        check("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\na", None);
        check("POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nabc", Some(("ab", 40)));
        assert!(message(b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n").is_err());
    }

    #[test]
    fn chunks_come_off_wherever_they_are_cut() {
        let wire = b"3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n";
        for size in 1..=wire.len() {
            let (mut chunked, mut data) = (Chunked::default(), Vec::new());
            for piece in wire.chunks(size) {
                chunked.take_off(piece, |bytes| data.extend_from_slice(bytes)).unwrap();
            }
            assert_eq!(data, b"abc0123456789", "cut every {size} bytes");
        }
    }

    #[test]
    fn a_body_is_framed_as_its_head_says() {
        let check = |headers: &str, expected: Option<&str>| {
            let taken = Body::of(&format!("HTTP/1.1 200 OK\r\n{headers}")).and_then(|mut body| {
                let mut data = Vec::new();
                body.take_off(b"1\r\na\r\n", |bytes| data.extend_from_slice(bytes))?;
                Ok(String::from_utf8(data).unwrap())
            });
            assert_eq!(taken.ok().as_deref(), expected, "{headers}");
        };
        check("Transfer-Encoding: chunked", Some("a"));
        check("Content-Type: text/event-stream", Some("1\r\na\r\n"));
        check("Transfer-Encoding: gzip", None);
        check("Content-Length: 5", None);
    }

    #[test]
    fn what_is_not_chunked_is_an_error() {
        for wire in ["event: x", "1\r\nabc\r\n", "fffffffffffffffff\r\n"] {
            assert!(Chunked::default().take_off(wire.as_bytes(), |_| ()).is_err(), "{wire}");
        }
    }
}
