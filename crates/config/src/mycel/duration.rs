//! Durations as Go writes them: `30s`, `1m30s`, `1.5h`.

use std::borrow::Cow;
use std::time::Duration;

use crate::checker::{Checker, text};
use crate::keys::Read;
use crate::shapes::{Time, quote};
use crate::tree::Node;
use crate::units::format_duration;

/// What a wrong one is answered with.
const EXAMPLES: &str = "write a duration as \"30s\", \"1m30s\" or \"500ms\"";

/// Largest first.
const UNITS: [(&str, f64); 7] =
    [("h", 3.6e12), ("m", 6e10), ("s", 1e9), ("ms", 1e6), ("us", 1e3), ("\u{b5}s", 1e3), ("ns", 1.0)];

/// A duration, between the bounds of a native key.
pub(super) struct GoDuration(pub(super) Time);

impl Read for GoDuration {
    type Value = Duration;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<Duration> {
        let told = checker.diagnostics.told();
        let Some(written) = text(key, node, "a duration", checker) else {
            if let Some(problem) = checker.diagnostics.last_since(told) {
                problem.help(EXAMPLES);
            }
            return None;
        };
        let problem = match parse(written) {
            Some(value) if (self.0.min..=self.0.max).contains(&value) => return Some(value),
            Some(_) => {
                checker.error(node.span, format!("`{key}` must be {}", self.kind())).label("out of range")
            }
            None => {
                checker.error(node.span, format!("`{key}` must be a duration")).label("cannot be read as one")
            }
        };
        problem.help(EXAMPLES);
        None
    }

    fn kind(&self) -> Cow<'static, str> {
        format!("a duration from {} to {}", format_duration(self.0.min), format_duration(self.0.max)).into()
    }

    fn write(&self, value: &Duration) -> Option<String> {
        Some(quote(&format_duration(*value)))
    }
}

/// A sum of numbers with units, without spaces between them. `None` for anything else, for negative ones too.
fn parse(text: &str) -> Option<Duration> {
    if text == "0" {
        return Some(Duration::ZERO);
    }
    let (mut rest, mut nanos) = (text.strip_prefix('+').unwrap_or(text), None);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, tail) = rest.split_at(end);
        let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let number: f64 = number.parse().ok()?;
        nanos = Some(nanos.unwrap_or(0.0) + number * factor);
        rest = tail;
    }
    Duration::try_from_secs_f64(nanos? / 1e9).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_of_go() {
        let check = |text: &str, millis: Option<u64>| {
            assert_eq!(parse(text), millis.map(Duration::from_millis), "{text:?}");
        };
        check("30s", Some(30_000));
        check("1m30s", Some(90_000));
        check("1h2m3s4ms", Some(3_723_004));
        check("500ms", Some(500));
        check("1.5h", Some(5_400_000));
        check(".5s", Some(500));
        check("+1s", Some(1000));
        check("2000us", Some(2));
        check("2000\u{b5}s", Some(2));
        check("1000000ns", Some(1));
        check("0", Some(0));
        for wrong in ["", "30", "s", "1 s", "1d", "-1s", "1..5s", "1s ", "\u{663}s"] {
            check(wrong, None);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*|[0-9.hmsnu\u{b5}+-]{0,12}") {
            parse(&text);
        }

        #[test]
        fn what_is_written_is_read(hours in 0..1000_u64, minutes in 0..60_u64, seconds in 0..60_u64, millis in 0..1000_u64) {
            let total = Duration::from_millis(((hours * 60 + minutes) * 60 + seconds) * 1000 + millis);
            let read = parse(&format!("{hours}h{minutes}m{seconds}s{millis}ms")).unwrap();
            prop_assert_eq!(read.as_millis(), total.as_millis());
        }
    }
}
