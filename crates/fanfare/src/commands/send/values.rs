//! JSON values one behind the other, read from anywhere: lines, pretty-printed, or both. Each is kept as it was written.

use std::io::{self, ErrorKind, Read};

use serde::de::IgnoredAny;
use serde_json::Deserializer;

/// Bytes of one value. It is held in memory as a whole, and a string that is never closed would be all of the input. Far more
/// than servers take (`http.max_body` is 4 MiB where nobody sets it).
const MAX_VALUE: usize = 64 << 20;

/// A value, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Value {
    /// Which of the values it is, from 1.
    pub(super) index: u64,
    /// The line that it begins in, from 1.
    pub(super) line: u64,
    /// As it was written, without white space around it.
    pub(super) text: String,
    /// Bytes of the input up to its end.
    pub(super) end: u64,
}

/// Why there is no further value.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("line {line}, column {column}: not JSON: {problem}")]
    Syntax { line: u64, column: usize, problem: String },
    #[error("line {line}: a value of more than 64 MiB")]
    TooLarge { line: u64 },
    #[error("line {line}: not UTF-8")]
    Encoding { line: u64 },
    #[error("the input cannot be read: {0}")]
    Input(#[from] io::Error),
}

/// Reads values. `R` is asked for no more than the value needs, and one byte behind a number, so that what comes slowly is
/// given as it comes; it should have a buffer.
pub(super) struct Values<R> {
    input: Recorder<R>,
    /// Values that were given.
    index: u64,
    /// The line, from 1, and the column, from 0, behind all that was taken, and the bytes up to there.
    line: u64,
    column: usize,
    end: u64,
}

const _: () = assert!(MAX_VALUE == 64 << 20, "the message says how much");

/// Remembers what was read until it is taken, and gives again what was not.
struct Recorder<R> {
    input: R,
    read: Vec<u8>,
    /// How much of `read` was given since the last time that something was taken.
    given: usize,
    /// How much is remembered; to read more is an error.
    limit: usize,
    is_full: bool,
}

impl<R: Read> Values<R> {
    pub(super) fn new(input: R) -> Self {
        Self::with_limit(input, MAX_VALUE)
    }

    fn with_limit(input: R, limit: usize) -> Self {
        let input = Recorder { input, read: Vec::new(), given: 0, limit, is_full: false };
        Self { input, index: 0, line: 1, column: 0, end: 0 }
    }

    /// The next value; `None` at the end of the input. Nothing may be asked behind an error.
    pub(super) fn next(&mut self) -> Result<Option<Value>, ReadError> {
        if !self.skip_space()? {
            return Ok(None);
        }
        let line = self.line;
        let mut values = Deserializer::from_reader(&mut self.input).into_iter::<IgnoredAny>();
        let read = values.next();
        let length = values.byte_offset();
        match read {
            None => return Ok(None),
            Some(Ok(IgnoredAny)) => {}
            Some(Err(_)) if self.input.is_full => return Err(ReadError::TooLarge { line }),
            Some(Err(error)) => return Err(self.explain(error)),
        }
        let text = String::from_utf8(self.take(length)).map_err(|_| ReadError::Encoding { line })?;
        self.index += 1;
        Ok(Some(Value { index: self.index, line, text, end: self.end }))
    }

    /// Goes to the next byte that is no white space (RFC 8259, 2), if there is one.
    fn skip_space(&mut self) -> io::Result<bool> {
        loop {
            let mut byte = [0];
            match self.input.read(&mut byte) {
                Ok(0) => return Ok(false),
                Ok(_) if matches!(byte, [b' ' | b'\t' | b'\r' | b'\n']) => drop(self.take(1)),
                Ok(_) => {
                    self.input.given = 0;
                    return Ok(true);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Takes so many bytes of what was read; the rest will be read again.
    fn take(&mut self, length: usize) -> Vec<u8> {
        let rest = self.input.read.split_off(length.min(self.input.read.len()));
        let taken = std::mem::replace(&mut self.input.read, rest);
        self.input.given = 0;
        self.end += taken.len() as u64;
        for byte in &taken {
            if *byte == b'\n' {
                self.line += 1;
                self.column = 0;
            } else {
                self.column += 1;
            }
        }
        taken
    }

    /// Its place is counted from the value's start.
    fn explain(&self, error: serde_json::Error) -> ReadError {
        if error.is_io() {
            return ReadError::Input(error.into());
        }
        let place = format!(" at line {} column {}", error.line(), error.column());
        let problem = error.to_string();
        let problem = problem.strip_suffix(&place).unwrap_or(&problem).to_owned();
        let first = if error.line() <= 1 { self.column } else { 0 };
        let line = self.line + (error.line() as u64).saturating_sub(1);
        ReadError::Syntax { line, column: first + error.column(), problem }
    }
}

impl<R: Read> Read for Recorder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.given == self.read.len() {
            if self.read.len() == self.limit {
                self.is_full = true;
                return Err(ErrorKind::FileTooLarge.into());
            }
            let room = buffer.len().min(self.limit - self.read.len());
            let count = self.input.read(&mut buffer[..room])?;
            self.read.extend_from_slice(&buffer[..count]);
            self.given += count;
            return Ok(count);
        }
        let again = &self.read[self.given..];
        let count = again.len().min(buffer.len());
        buffer[..count].copy_from_slice(&again[..count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The values of a text, with their lines, and how it ends.
    fn read(text: impl AsRef<[u8]>) -> (Vec<(u64, String)>, Option<String>) {
        let mut values = Values::new(text.as_ref());
        let mut read = Vec::new();
        loop {
            match values.next() {
                Ok(Some(value)) => read.push((value.line, value.text)),
                Ok(None) => return (read, None),
                Err(error) => return (read, Some(error.to_string())),
            }
        }
    }

    #[test]
    fn values_are_kept_as_they_were_written_wherever_they_stand() {
        let check = |text: &str, expected: &[(u64, &str)]| {
            let expected = expected.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
            assert_eq!(read(text), (expected, None), "{text}");
        };
        check("", &[]);
        check(" \r\n\t ", &[]);
        check("{\"a\": 1.50}", &[(1, "{\"a\": 1.50}")]);
        check("{}\n{}\r\n\n{}\n", &[(1, "{}"), (2, "{}"), (4, "{}")]);
        check("{\n  \"a\": [\n 1\n]\n}\n{\n}{}\n", &[(1, "{\n  \"a\": [\n 1\n]\n}"), (6, "{\n}"), (7, "{}")]);
        check(
            "1 2\n-3.0e2\nnull \"x\ty\"".replace('\t', " ").as_str(),
            &[(1, "1"), (1, "2"), (2, "-3.0e2"), (3, "null"), (3, "\"x y\"")],
        );
        check(
            "{\"n\":123456789012345678901234567890,\"n\":\"\\u00e9é\"}",
            &[(1, "{\"n\":123456789012345678901234567890,\"n\":\"\\u00e9é\"}")],
        );
    }

    #[test]
    fn what_cannot_be_read_is_said_with_its_place_behind_what_can() {
        let check = |text: &[u8], before: usize, expected: &str| {
            let (values, error) = read(text);
            assert_eq!((values.len(), error.as_deref()), (before, Some(expected)));
        };
        check(b"{}\n  {\"a\" 1}\n", 1, "line 2, column 8: not JSON: expected `:`");
        check(b"{}\n{\n\"a\": ]}", 1, "line 3, column 6: not JSON: expected value");
        check(b"{}\n\n[1,", 1, "line 3, column 3: not JSON: EOF while parsing a value");
        check(b"\"\xff\"", 0, "line 1: not UTF-8");
        check(b"truefalse", 0, "line 1, column 5: not JSON: trailing characters");
    }

    #[test]
    fn a_value_without_an_end_takes_no_more_memory_than_the_limit() {
        let endless = io::Cursor::new(b"{}\n[\"1234\"]\n\"").chain(io::repeat(b'x'));
        let mut values = Values::with_limit(endless, 8);
        assert!(values.next().unwrap().is_some());
        assert!(values.next().unwrap().is_some());
        let error = values.next().unwrap_err();
        assert_eq!(error.to_string(), "line 3: a value of more than 64 MiB");
        assert_eq!(values.input.read.len(), 8);
    }

    /// Gives a byte at a time, and fails the test where it is asked beyond what it may be.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let (first, rest) = self.0.split_first().expect("no byte is asked for that is not needed");
            self.0 = rest;
            buffer[0] = *first;
            Ok(1)
        }
    }

    #[test]
    fn a_value_is_given_with_its_last_byte() {
        let mut values = Values::new(Slow(b"{\"a\":1}\n[2]"));
        assert_eq!(values.next().unwrap().unwrap().text, "{\"a\":1}");
        assert_eq!(values.next().unwrap().unwrap().text, "[2]");
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<i64>().prop_map(Into::into),
            any::<bool>().prop_map(Into::into),
            ".*".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                proptest::collection::vec((".*", inner), 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_was_written_is_read(
            values in proptest::collection::vec((json(), any::<bool>(), "[ \t\r\n]{1,3}"), 0..8)
        ) {
            let mut text = String::new();
            let mut expected = Vec::new();
            for (value, is_pretty, space) in values {
                text.push_str(&space);
                let line = 1 + text.matches('\n').count() as u64;
                let written =
                    if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
                let written = written.unwrap();
                text.push_str(&written);
                expected.push((line, written));
            }
            prop_assert_eq!(read(text), (expected, None));
        }

        #[test]
        fn no_bytes_make_it_panic_or_go_on_for_ever(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (values, _) = read(&bytes);
            prop_assert!(values.len() <= bytes.len());
        }
    }
}
