//! Names that nobody had before.

use fanfare_event::Epoch;
use jiff::Timestamp;
use uuid::Uuid;

/// An id for an event that nobody named: a `UUIDv7` (RFC 9562, 5.7).
pub(crate) fn fresh_event_id() -> String {
    Uuid::now_v7().to_string()
}

/// A number for this life of the process, unlike those before: milliseconds since 1970.
#[cfg(feature = "sink_sse")]
pub(crate) fn fresh_life(now: Timestamp) -> u64 {
    u64::try_from(now.as_millisecond()).unwrap_or(0)
}

/// A number in few characters (RFC 4648, 7, without padding and leading zeros), as `u64::from_str_radix` reads it.
#[cfg(feature = "sink_sse")]
pub(crate) fn base32(mut number: u64) -> String {
    let mut digits = Vec::new();
    loop {
        digits.extend(char::from_digit((number % 32) as u32, 32));
        number /= 32;
        if number == 0 {
            return digits.iter().rev().collect();
        }
    }
}

/// A name for this life of a log in memory.
pub(crate) fn fresh_epoch() -> Epoch {
    // The half of a UUIDv7 that is random.
    Epoch::from_number(Uuid::now_v7().as_u64_pair().1)
}

/// The first seq of a log in memory: microseconds since 1970. A log that takes fewer than a million events a second
/// stays behind the clock, so that no restart reuses a seq. Below 2⁵³ for two centuries, so a JavaScript number
/// holds it.
pub(crate) fn first_seq(now: Timestamp) -> u64 {
    u64::try_from(now.as_microsecond()).unwrap_or(0).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_life_has_an_epoch_of_its_own() {
        assert_ne!(fresh_epoch(), fresh_epoch());
    }

    #[cfg(feature = "sink_sse")]
    #[test]
    fn numbers_in_base32_are_read_back() {
        let check = |number: u64, text: &str| {
            assert_eq!(base32(number), text);
            assert_eq!(u64::from_str_radix(text, 32), Ok(number));
        };
        check(0, "0");
        check(31, "v");
        check(32, "10");
        check(u64::MAX, "fvvvvvvvvvvvv");
    }

    #[test]
    fn seqs_of_a_later_life_are_greater() {
        let at = |text: &str| first_seq(text.parse().unwrap());
        assert!(at("2024-05-01T12:00:00Z") + 999_999 < at("2024-05-01T12:00:01Z"));
        assert!(at("2100-01-01T00:00:00Z") < 1 << 53);
        assert_eq!(at("1960-01-01T00:00:00Z"), 1);
    }
}
