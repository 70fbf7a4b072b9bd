//! Intervals as people write them in Inboxclaw's files: `30s`, `1h 30m`, `1:30`, or a number of seconds.

use std::borrow::Cow;
use std::time::Duration;

use crate::checker::Checker;
use crate::keys::Read;
use crate::shapes::{Time, quote};
use crate::tree::{Data, Node};
use crate::units::format_duration;

/// What a wrong interval is answered with.
const EXAMPLES: &str = "write an interval as 30, 0.5, \"30s\", \"1h 30m\", \"2 days\" or \"1:30\"; a bare number is a number of seconds";

/// From the largest unit to the smallest, which is the order in which they may follow each other.
const UNITS: [(f64, [&str; 5]); 5] = [
    (604_800.0, ["w", "wk", "wks", "week", "weeks"]),
    (86_400.0, ["d", "dy", "dys", "day", "days"]),
    (3600.0, ["h", "hr", "hrs", "hour", "hours"]),
    (60.0, ["m", "min", "mins", "minute", "minutes"]),
    (1.0, ["s", "sec", "secs", "second", "seconds"]),
];

/// An interval within the bounds of a native duration.
pub(super) struct Interval(pub(super) Time);

impl Read for Interval {
    type Value = Duration;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<Duration> {
        let seconds = match (&node.data, node.as_text()) {
            (Data::Bool(_), _) => None,
            (Data::Integer(Some(seconds)), _) => Some(as_float(*seconds)),
            (Data::Integer(None), _) => Some(f64::INFINITY),
            (Data::Float(seconds), _) => Some(*seconds),
            (_, Some(text)) => parse(text),
            _ => {
                checker.wrong_type(key, node, "an interval");
                return None;
            }
        };
        let Some(seconds) = seconds else {
            checker
                .error(node.span, format!("`{key}` must be an interval"))
                .label("cannot be read as one")
                .help(EXAMPLES);
            return None;
        };
        let interval = to_duration(seconds).filter(|it| (self.0.min..=self.0.max).contains(it));
        if interval.is_none() {
            let problem = checker.error(node.span, format!("`{key}` must be {}", self.kind()));
            problem.label("out of range").help(EXAMPLES);
        }
        interval
    }

    fn kind(&self) -> Cow<'static, str> {
        format!("an interval from {} to {}", format_interval(self.0.min), format_interval(self.0.max)).into()
    }

    fn write(&self, value: &Duration) -> Option<String> {
        Some(quote(&format_interval(*value)))
    }
}

/// An interval as it can be written here: milliseconds have no unit.
fn format_interval(interval: Duration) -> String {
    let text = format_duration(interval);
    if text.ends_with("ms") { format!("{}s", interval.as_secs_f64()) } else { text }
}

/// Seconds to the nearest millisecond; `None` for what is negative, infinite or no number.
fn to_duration(seconds: f64) -> Option<Duration> {
    let rounded = Duration::try_from_secs_f64(seconds).ok()?.checked_add(Duration::from_micros(500))?;
    u64::try_from(rounded.as_millis()).ok().map(Duration::from_millis)
}

#[expect(clippy::cast_precision_loss, reason = "an interval beyond 2⁵³ seconds is out of range in any case")]
fn as_float(seconds: i64) -> f64 {
    seconds as f64
}

/// The seconds that a text means. Units come from the largest to the smallest, each at most once, in any case, with
/// white space, `,` or `/` between them; a clock (`1:30`, `2:03:04`) may stand behind weeks and days; and what is
/// neither is a number.
fn parse(text: &str) -> Option<f64> {
    let lower = text.trim().to_ascii_lowercase();
    let (sign, unsigned) = match lower.strip_prefix('-') {
        Some(rest) => (-1.0, rest.trim_start()),
        None => (1.0, lower.strip_prefix('+').unwrap_or(&lower).trim_start()),
    };
    let magnitude = with_units(unsigned).or_else(|| with_clock(unsigned));
    magnitude.map(|seconds| sign * seconds).or_else(|| number(&lower))
}

fn with_units(text: &str) -> Option<f64> {
    let (seconds, rest) = units(text, &UNITS);
    (rest.is_empty() && !text.is_empty()).then_some(seconds)
}

fn with_clock(text: &str) -> Option<f64> {
    let (days, rest) = units(text, &UNITS[..2]);
    let clock = if rest.len() < text.len() { long_clock(rest)? } else { clock(rest)? };
    Some(days + clock)
}

/// The sum of numbers with units at the beginning of a text, and what follows it.
fn units<'t>(text: &'t str, units: &[(f64, [&str; 5])]) -> (f64, &'t str) {
    let (mut seconds, mut rest) = (0.0, text);
    for (factor, names) in units {
        let Some((number, after)) = one_unit(rest, names) else { continue };
        seconds += number * factor;
        rest = after.trim_start();
        // The last unit has nothing to be separated from.
        if *factor > 1.0 {
            rest = rest.strip_prefix([',', '/']).unwrap_or(rest).trim_start();
        }
    }
    (seconds, rest)
}

fn one_unit<'t>(text: &'t str, names: &[&str]) -> Option<(f64, &'t str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (number, rest) = text.split_at(end);
    let rest = rest.trim_start();
    let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
    let (unit, rest) = rest.split_at(end);
    if names.contains(&unit) { Some((number.parse().ok()?, rest)) } else { None }
}

/// `:SS`, `MM:SS`, `H:MM:SS`, `D:HH:MM:SS` or `D-HH:MM:SS`.
fn clock(text: &str) -> Option<f64> {
    if let Some(seconds) = text.strip_prefix(':') {
        return clock_seconds(seconds);
    }
    if let Some((days, rest)) = text.split_once('-') {
        return day_clock(days, rest);
    }
    match text.matches(':').count() {
        1 => {
            let (minutes, seconds) = text.split_once(':')?;
            Some(digits(minutes, 1..=2)? * 60.0 + clock_seconds(seconds)?)
        }
        3 => text.split_once(':').and_then(|(days, rest)| day_clock(days, rest)),
        _ => long_clock(text),
    }
}

fn day_clock(days: &str, rest: &str) -> Option<f64> {
    let (hours, _) = rest.split_once(':')?;
    digits(hours, 2..=2)?;
    Some(digits(days, 1..=usize::MAX)? * 86_400.0 + long_clock(rest)?)
}

/// `H:MM:SS`.
fn long_clock(text: &str) -> Option<f64> {
    let (hours, rest) = text.split_once(':')?;
    let (minutes, seconds) = rest.split_once(':')?;
    Some(digits(hours, 1..=usize::MAX)? * 3600.0 + digits(minutes, 2..=2)? * 60.0 + clock_seconds(seconds)?)
}

/// Two digits, and perhaps a fraction.
fn clock_seconds(text: &str) -> Option<f64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    digits(whole, 2..=2)?;
    digits(fraction, 1..=usize::MAX)?;
    text.parse().ok()
}

fn digits(text: &str, length: std::ops::RangeInclusive<usize>) -> Option<f64> {
    let fits = length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

/// A number as Python reads one: `_` may stand between digits. Words are none.
fn number(text: &str) -> Option<f64> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.e_".contains(&byte));
    let mut neighbours = text.match_indices('_').map(|(at, _)| (text.get(..at), text.get(at + 1..)));
    let fits = neighbours.all(|(before, after)| {
        before.is_some_and(|it| it.ends_with(|c: char| c.is_ascii_digit()))
            && after.is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()))
    });
    if is_number && fits { text.replace('_', "").parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Beside the last few, what Inboxclaw makes of each when run.
    #[test]
    fn what_inboxclaw_accepts() {
        let check = |text: &str, expected: Option<u64>| {
            let read = parse(text).and_then(to_duration);
            assert_eq!(read, expected.map(Duration::from_millis), "{text:?}");
        };
        for (text, seconds) in [
            ("30s", 30),
            ("1h 30m", 5400),
            ("1h30m", 5400),
            ("1d", 86_400),
            ("1.5h", 5400),
            ("1m,30s", 90),
            ("1m / 30s", 90),
            ("1m,", 60),
            ("1:30", 90),
            ("4:13", 253),
            (":22", 22),
            ("2 days, 4:13:02", 187_982),
            ("1d 1:02:03", 90_123),
            ("1:02:03:04", 93_784),
            ("1-02:03:04", 93_784),
            ("1w2d", 777_600),
            ("5 M", 300),
            ("10 MINUTES", 600),
            ("1minutes", 60),
            ("+ 5s", 5),
            ("4.1m", 246),
            ("5 dys", 432_000),
            (" 30 s ", 30),
            ("30", 30),
            ("+30", 30),
            ("1e1", 10),
            ("1_000", 1000),
        ] {
            check(text, Some(seconds * 1000));
        }
        check(".5s", Some(500));
        check("1:30.5", Some(90_500));
        check("0.25", Some(250));
        for text in [
            "",
            "s",
            "500ms",
            "1,5h",
            "1:2:03",
            "1.1.1s",
            "1h30",
            "1s 1m",
            "100:30",
            "..s",
            "-5s",
            "-5",
            "inf",
            "nan",
            "1_",
            "_1",
            "1__0",
            "soon",
            "1d 1:30",
            "1 fortnight",
            "1:02:03:04:05",
            "1-2",
            "\u{661}s",
        ] {
            check(text, None);
        }
    }

    proptest! {
        #[test]
        fn what_native_durations_are_written_as_is_read(millis in 0..u64::from(u32::MAX)) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse(&format_interval(duration)).and_then(to_duration), Some(duration));
        }

        #[test]
        fn numbers_are_seconds(seconds in 0.0..1e9_f64) {
            let read = parse(&seconds.to_string()).and_then(to_duration).unwrap().as_secs_f64();
            prop_assert!((read - seconds).abs() < 0.001);
        }

        #[test]
        fn nothing_panics(text in "\\PC*|[0-9:.,/ +_e-]{0,12}|([0-9.]{1,3} ?[wdhms][a-z]{0,6}[ ,]?){0,4}") {
            let _ = parse(&text).map(to_duration);
        }
    }
}
