//! The words that name things. A value of one of these types has been checked; nothing behind it checks again.

use std::fmt;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use crate::limits::{MAX_EVENT_ID, MAX_EVENT_TYPE, MAX_NAME};

/// Why a string cannot be an id or a type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWord {
    /// Nothing is there.
    #[error("must not be empty")]
    Empty,
    /// More bytes than the limit.
    #[error("must be at most {limit} bytes")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// CR, LF, NUL or another control character: such a value would break the framing of a stream
    /// (WHATWG HTML 9.2.5) or could not come back in a header (RFC 9110, 5.5).
    #[error("must not contain control characters")]
    Control,
    /// White space at an end would be lost in a header (RFC 9110, 5.5), so a client could never resume from it.
    #[error("must not begin or end with white space")]
    Padded,
    /// `@{epoch}.{seq}` is how a stream names a position in the log.
    #[error("must not have the form @epoch.number, which names a position in the log")]
    Position,
}

/// The checks that ids and types share.
fn check_word(word: &str, limit: usize) -> Result<(), InvalidWord> {
    if word.is_empty() {
        return Err(InvalidWord::Empty);
    }
    if word.len() > limit {
        return Err(InvalidWord::TooLong { limit });
    }
    if word.chars().any(char::is_control) {
        return Err(InvalidWord::Control);
    }
    if word.trim() != word {
        return Err(InvalidWord::Padded);
    }
    Ok(())
}

macro_rules! shared_string {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The value as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

shared_string! {
    /// What names an event to its publisher and to clients: the `id:` of a stream, the `Last-Event-ID` of a
    /// client that comes back. At most [`MAX_EVENT_ID`] bytes, no control characters, never a position.
    EventId
}

shared_string! {
    /// What kind of fact an event is, `dev.cdevents.build.started.0.1.0` say. At most [`MAX_EVENT_TYPE`] bytes.
    EventType
}

shared_string! {
    /// The name of a source in the configuration.
    SourceName
}

shared_string! {
    /// The name of a sink in the configuration.
    SinkName
}

shared_string! {
    /// A room of a sink, which clients join. At most [`MAX_NAME`] bytes, no control characters.
    RoomName
}

shared_string! {
    /// A user, as publishers and clients (or their tokens) name one. At most [`MAX_NAME`] bytes, no control characters.
    UserId
}

impl RoomName {
    /// Checks a name that came from outside.
    pub fn new(name: &str) -> Result<Self, InvalidWord> {
        check_word(name, MAX_NAME)?;
        Ok(Self(name.into()))
    }
}

impl UserId {
    /// Checks an id that came from outside.
    pub fn new(id: &str) -> Result<Self, InvalidWord> {
        check_word(id, MAX_NAME)?;
        Ok(Self(id.into()))
    }
}

impl EventId {
    /// Checks an id that came from outside.
    pub fn new(id: &str) -> Result<Self, InvalidWord> {
        check_word(id, MAX_EVENT_ID)?;
        if crate::Position::parse(id).is_some() {
            return Err(InvalidWord::Position);
        }
        Ok(Self(id.into()))
    }
}

impl EventType {
    /// Checks a type that came from outside.
    pub fn new(kind: &str) -> Result<Self, InvalidWord> {
        check_word(kind, MAX_EVENT_TYPE)?;
        Ok(Self(kind.into()))
    }
}

impl SourceName {
    /// Names a source; the configuration has checked the name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }
}

impl SinkName {
    /// Names a sink; the configuration has checked the name.
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }
}

/// What a log calls a source where a name is too long: small, from 1, and the same for the log's whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceNumber(NonZeroU32);

impl SourceNumber {
    /// The number of the first source.
    pub const FIRST: Self = Self(NonZeroU32::MIN);

    /// This number; none is 0.
    pub const fn new(number: u32) -> Option<Self> {
        match NonZeroU32::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number, as it is written on the wire.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

/// A place in the log. It only grows within an epoch; holes are allowed, so nobody subtracts or counts with it.
/// `NonZero`, so that `Option<Seq>` says "before everything" at no cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Seq(NonZeroU64);

impl Seq {
    /// The smallest.
    pub const FIRST: Self = Self(NonZeroU64::MIN);

    /// The place with this number; none has the number 0.
    pub const fn new(number: u64) -> Option<Self> {
        match NonZeroU64::new(number) {
            Some(number) => Some(Self(number)),
            None => None,
        }
    }

    /// The number, as it is written on the wire.
    pub const fn get(self) -> u64 {
        self.0.get()
    }

    /// The next place. At 2⁶⁴ − 1 it stays where it is; a log that writes a million events a second gets there
    /// after half a million years.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }

    /// The place before, or none before the first.
    pub const fn previous(self) -> Option<Self> {
        Self::new(self.get() - 1)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_would_break_a_stream_or_could_not_come_back_are_refused() {
        let check = |id: &str, expected: Result<(), InvalidWord>| {
            assert_eq!(EventId::new(id).map(|_| ()), expected, "{id:?}");
        };
        check("dev.cdevents.build.started.0.1.0-12345678", Ok(()));
        check("Größe 7", Ok(()));
        check("@", Ok(()));
        check("@me", Ok(()));
        check("a@b.1", Ok(()));
        check("", Err(InvalidWord::Empty));
        check("a\nb", Err(InvalidWord::Control));
        check("a\rb", Err(InvalidWord::Control));
        check("a\0b", Err(InvalidWord::Control));
        check("a\u{85}b", Err(InvalidWord::Control));
        check(" a", Err(InvalidWord::Padded));
        check("a ", Err(InvalidWord::Padded));
        check("@epoch.1", Err(InvalidWord::Position));
        check(&"x".repeat(MAX_EVENT_ID), Ok(()));
        check(&"x".repeat(MAX_EVENT_ID + 1), Err(InvalidWord::TooLong { limit: MAX_EVENT_ID }));
    }

    #[test]
    fn a_type_has_its_own_limit() {
        assert!(EventType::new(&"t".repeat(MAX_EVENT_TYPE)).is_ok());
        assert_eq!(
            EventType::new(&"t".repeat(MAX_EVENT_TYPE + 1)),
            Err(InvalidWord::TooLong { limit: MAX_EVENT_TYPE })
        );
    }

    #[test]
    fn seq_counts_from_one_and_saturates() {
        assert_eq!(Seq::new(0), None);
        assert_eq!(Seq::FIRST.previous(), None);
        assert_eq!(Seq::FIRST.next().previous(), Some(Seq::FIRST));
        let last = Seq::new(u64::MAX).unwrap();
        assert_eq!(last.next(), last);
    }
}
