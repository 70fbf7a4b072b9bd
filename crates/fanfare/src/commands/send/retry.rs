//! What is tried again, and when. Pure.

use std::time::{Duration, SystemTime};

/// Before the first try again; doubles with each.
const FIRST: Duration = Duration::from_millis(500);

/// The longest wait that nobody asked for.
const LONGEST: Duration = Duration::from_secs(30);

/// The longest wait that a server can ask for. Who asks for more is not waited for: a person may be.
pub(super) const LONGEST_ASKED: Duration = Duration::from_mins(5);

/// Whether the same request may be answered otherwise soon: a timeout, too many requests, or a server or what is behind a
/// proxy away for the moment (RFC 9110, 15.5.9 and 15.6; RFC 6585, 4).
pub(super) fn is_temporary(status: u16) -> bool {
    matches!(status, 408 | 429 | 502 | 503 | 504)
}

/// How long to wait behind so many tries, at least 1. Never less than the server asked for; `random`, from 0 to 1, spreads what
/// lost one server. `None`: the server asks for more than anybody should wait.
pub(super) fn wait(tries: u32, asked: Option<Duration>, random: f64) -> Option<Duration> {
    let doubled = FIRST.saturating_mul(2_u32.saturating_pow(tries.saturating_sub(1))).min(LONGEST);
    let own = doubled.mul_f64(0.5 + random.clamp(0.0, 1.0) / 2.0);
    match asked {
        Some(asked) if asked > LONGEST_ASKED => None,
        Some(asked) => Some(own.max(asked)),
        None => Some(own),
    }
}

/// `Retry-After` (RFC 9110, 10.2.3): seconds, or a date. `None` where it is neither.
pub(super) fn retry_after(value: &str, now: SystemTime) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_bound_and_never_undercut_the_server() {
        let seconds = Duration::from_secs;
        let waits: Vec<_> = [1, 2, 3, 7, 8, u32::MAX].map(|tries| wait(tries, None, 1.0).unwrap()).into();
        assert_eq!(waits, [FIRST, 2 * FIRST, 4 * FIRST, seconds(30), seconds(30), seconds(30)]);
        assert_eq!(wait(1, None, 0.0), Some(FIRST / 2));
        assert_eq!(wait(1, Some(seconds(7)), 1.0), Some(seconds(7)));
        assert_eq!(wait(6, Some(seconds(1)), 1.0), Some(seconds(16)));
        assert_eq!(wait(1, Some(LONGEST_ASKED), 0.5), Some(LONGEST_ASKED));
        assert_eq!(wait(1, Some(LONGEST_ASKED + seconds(1)), 0.5), None);
    }

    #[test]
    fn a_server_asks_in_seconds_or_with_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let check = |value: &str, expected: Option<u64>| {
            assert_eq!(retry_after(value, now), expected.map(Duration::from_secs), "{value}");
        };
        check("0", Some(0));
        check(" 120 ", Some(120));
        check("Sun, 06 Nov 1994 08:49:47 GMT", Some(10));
        check("Sun, 06 Nov 1994 08:49:27 GMT", Some(0));
        check("-1", None);
        check("soon", None);
        check("", None);
    }

    #[test]
    fn what_nobody_can_help_is_not_tried_again() {
        for status in [408, 429, 502, 503, 504] {
            assert!(is_temporary(status), "{status}");
        }
        for status in [200, 301, 400, 401, 403, 404, 409, 413, 422, 500, 501] {
            assert!(!is_temporary(status), "{status}");
        }
    }
}
