//! Durations and sizes as people write them: `1h 30m`, `64MiB`.

use std::time::Duration;

/// What a wrong duration is answered with.
pub(crate) const DURATION_EXAMPLES: &str =
    "write a duration as \"30s\", \"1h 30m\" or \"250ms\"; a bare integer is a number of seconds";

/// What a wrong size is answered with.
pub(crate) const SIZE_EXAMPLES: &str =
    "write a size as \"64MiB\", \"512KiB\" or \"1GB\"; a bare integer is a number of bytes";

/// Largest first, so that formatting takes the first that divides.
const DURATIONS: [(&str, u64, &[&str]); 5] = [
    ("d", 86_400_000, &["day", "days"]),
    ("h", 3_600_000, &["hr", "hrs", "hour", "hours"]),
    ("m", 60_000, &["min", "mins", "minute", "minutes"]),
    ("s", 1000, &["sec", "secs", "second", "seconds"]),
    ("ms", 1, &["millis", "millisecond", "milliseconds"]),
];

const SIZES: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1000),
    ("B", 1),
];

/// Reads a sum of numbers with units; `None` for anything else, and for more than 2⁶⁴ milliseconds.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total: Option<u64> = None;
    while !rest.is_empty() {
        let (number, tail) = split_number(rest)?;
        let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(end);
        let (_, factor, _) =
            DURATIONS.iter().find(|(short, _, long)| *short == unit || long.contains(&unit))?;
        total = Some(total.unwrap_or(0).checked_add(number.checked_mul(*factor)?)?);
        rest = tail.trim_start();
    }
    total.map(Duration::from_millis)
}

/// Writes a duration in the largest unit that divides it. Less than a millisecond is cut off.
pub(crate) fn format_duration(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let fitting = DURATIONS.iter().find(|(_, factor, _)| millis > 0 && millis.is_multiple_of(*factor));
    match fitting {
        Some((unit, factor, _)) => format!("{}{unit}", millis / factor),
        None => "0s".to_owned(),
    }
}

/// Reads a number with a unit; `None` for anything else, and for more than 2⁶⁴ bytes.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let (number, unit) = split_number(text.trim())?;
    let (_, factor) = SIZES.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    number.checked_mul(*factor)
}

/// Writes a size in the largest binary unit that divides it.
pub(crate) fn format_size(bytes: u64) -> String {
    let binary = SIZES.iter().filter(|(_, factor)| factor.is_power_of_two());
    match binary.into_iter().find(|(_, factor)| bytes > 0 && bytes.is_multiple_of(*factor)) {
        Some((unit, factor)) => format!("{}{unit}", bytes / factor),
        None => "0B".to_owned(),
    }
}

/// The digits that the text starts with, and what comes behind them and behind a space.
fn split_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest.trim_start()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        let check = |text: &str, expected: Option<u64>| {
            assert_eq!(parse_duration(text), expected.map(Duration::from_millis), "{text:?}");
        };
        check("30s", Some(30_000));
        check("1h 30m", Some(5_400_000));
        check("1h30m", Some(5_400_000));
        check("250ms", Some(250));
        check("2 days 1 hour", Some(176_400_000));
        check(" 5 min ", Some(300_000));
        check("0s", Some(0));
        check("", None);
        check("30", None);
        check("s", None);
        check("-1s", None);
        check("1.5h", None);
        check("1h,30m", None);
        check("1 fortnight", None);
        check("18446744073709551615ms 1ms", None);
        check("99999999999999999999s", None);
    }

    #[test]
    fn sizes() {
        let check = |text: &str, expected: Option<u64>| assert_eq!(parse_size(text), expected, "{text:?}");
        check("64MiB", Some(64 << 20));
        check("64 mib", Some(64 << 20));
        check("1GB", Some(1_000_000_000));
        check("10B", Some(10));
        check("10", None);
        check("MiB", None);
        check("1.5MiB", None);
        check("1TiB", Some(1 << 40));
        check("1PiB", None);
        check("99999999999GiB", None);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis: u64, bytes: u64) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
            prop_assert_eq!(parse_size(&format_size(bytes)), Some(bytes));
        }

        #[test]
        fn nothing_panics(text in ".*") {
            let _ = (parse_duration(&text), parse_size(&text));
        }
    }
}
