//! `@{epoch}.{seq}`: a place in one life of a log, as clients carry it in `Last-Event-ID`.

use std::fmt;
use std::sync::Arc;

use crate::Seq;

/// One life of a log's sequence: a new store, a new epoch. ASCII letters and digits, at most 64 of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(Arc<str>);

impl Epoch {
    const MAX: usize = 64;

    /// An epoch by this name, if it can be one.
    pub fn new(name: &str) -> Option<Self> {
        Self::is_valid(name).then(|| Self(name.into()))
    }

    /// The epoch that is called by this number: 16 hexadecimal digits.
    pub fn from_number(number: u64) -> Self {
        Self(format!("{number:016x}").into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn is_valid(name: &str) -> bool {
        (1..=Self::MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric())
    }
}

/// The place just behind `after` in the given epoch; `after` is `None` before the first event of all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which life of the log.
    pub epoch: Epoch,
    /// The last event that lies before this position.
    pub after: Option<Seq>,
}

impl Position {
    /// Reads `@{epoch}.{seq}`; anything else is not a position (it may be an event's id).
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, number) = text.strip_prefix('@')?.rsplit_once('.')?;
        if !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        Some(Self { epoch: Epoch::new(epoch)?, after: Seq::new(number.parse().ok()?) })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "@{}.{}", self.epoch.as_str(), self.after.map_or(0, Seq::get))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_names_an_epoch() {
        for number in [0, 7, u64::MAX] {
            let epoch = Epoch::from_number(number);
            assert_eq!(Epoch::new(epoch.as_str()), Some(epoch));
        }
    }

    #[test]
    fn reads_what_it_writes_and_nothing_else() {
        let check = |text: &str, expected: Option<(&str, u64)>| {
            let read = Position::parse(text);
            let seen = read.as_ref().map(|p| (p.epoch.as_str(), p.after.map_or(0, Seq::get)));
            assert_eq!(seen, expected, "{text:?}");
            if let Some(position) = read {
                assert_eq!(Position::parse(&position.to_string()), Some(position));
            }
        };
        check("@e1.42", Some(("e1", 42)));
        check("@e1.0", Some(("e1", 0)));
        check("@e1.18446744073709551615", Some(("e1", u64::MAX)));
        check("@e1.18446744073709551616", None);
        check("@e1.+4", None);
        check("@e1.", None);
        check("@.4", None);
        check("@a.b.4", None);
        check("e1.4", None);
        check("@", None);
        check("", None);
        check("@ü.4", None);
    }
}
