//! The parameters of the two requests.

use std::borrow::Cow;

use fanfare_event::limits::{MAX_ASKED_PATTERN, MAX_ASKED_PATTERNS};
use fanfare_event::{NamePattern, NamePatterns};
use http::StatusCode;

use crate::problem::Problem;

/// What a client asks to extract.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extract {
    /// Every type where it names none.
    pub(super) types: NamePatterns,
    /// At least 1.
    pub(super) max: usize,
}

/// What is wrong with a parameter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    name: &'static str,
    problem: String,
}

impl Extract {
    /// Of several `event_type` one must match; an empty one is none.
    pub(super) fn read(query: Option<&str>) -> Result<Self, Wrong> {
        let mut types = Vec::new();
        for text in values(query, "event_type").filter(|text| !text.is_empty()) {
            if text.len() > MAX_ASKED_PATTERN {
                let problem = format!("has a pattern of more than {MAX_ASKED_PATTERN} bytes");
                return Err(Wrong::new("event_type", problem));
            }
            if types.len() == MAX_ASKED_PATTERNS {
                let problem = format!("is there more than {MAX_ASKED_PATTERNS} times");
                return Err(Wrong::new("event_type", problem));
            }
            let pattern =
                NamePattern::parse(&text).map_err(|error| Wrong::new("event_type", error.to_string()))?;
            types.push(pattern);
        }
        let types = if types.is_empty() { NamePatterns::any() } else { NamePatterns::new(types) };
        let max = match only(query, "batch_size")? {
            None => usize::MAX,
            Some(text) => match whole_number(&text) {
                Some(number) if number > 0 => usize::try_from(number).unwrap_or(usize::MAX),
                _ => return Err(Wrong::new("batch_size", "must be a whole number from 1")),
            },
        };
        Ok(Self { types, max })
    }
}

/// The batch that a client confirms. None for a number that no batch ever has.
pub(super) fn batch_id(query: Option<&str>) -> Result<Option<u64>, Wrong> {
    let text =
        only(query, "batch_id")?.ok_or_else(|| Wrong::new("batch_id", "is missing: the batch to confirm"))?;
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, &*text),
    };
    let number = whole_number(digits).ok_or_else(|| Wrong::new("batch_id", "must be a whole number"))?;
    Ok((!is_negative).then_some(number))
}

/// A number in decimal digits. What is larger than all numbers here is the largest.
fn whole_number(text: &str) -> Option<u64> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u64::MAX))
}

fn only<'a>(query: Option<&'a str>, name: &'static str) -> Result<Option<Cow<'a, str>>, Wrong> {
    let mut values = values(query, name);
    let first = values.next();
    if values.next().is_some() { Err(Wrong::new(name, "must not be repeated")) } else { Ok(first) }
}

fn values<'a>(query: Option<&'a str>, name: &'static str) -> impl Iterator<Item = Cow<'a, str>> {
    let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.filter(move |(own, _)| own == name).map(|(_, value)| value)
}

impl Wrong {
    fn new(name: &'static str, problem: impl Into<String>) -> Self {
        Self { name, problem: problem.into() }
    }
}

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Self {
        let detail = format!("{}: {}", wrong.name, wrong.problem);
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with("parameter", wrong.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_may_be_asked_for() {
        let check = |query: &str, types: &[&str], max: usize| {
            let types = NamePatterns::new(types.iter().map(|text| NamePattern::parse(text).unwrap()));
            assert_eq!(Extract::read(Some(query)), Ok(Extract { types, max }), "{query}");
        };
        check("", &["*"], usize::MAX);
        check("event_type=&unknown=1", &["*"], usize::MAX);
        check("event_type=a.b&batch_size=5", &["a.b"], 5);
        check("event_type=a.%2A&event_type=b", &["a.*", "b"], usize::MAX);
        check(&format!("event_type={}", "x".repeat(258)), &[&"x".repeat(258)], usize::MAX);
        check(&"event_type=a&".repeat(64), &["a"], usize::MAX);
        check("batch_size=99999999999999999999999", &["*"], usize::MAX);
        assert_eq!(batch_id(Some("batch_id=2048")), Ok(Some(2048)));
        assert_eq!(batch_id(Some("batch_id=-1")), Ok(None));
    }

    #[test]
    fn what_is_wrong_is_refused_by_name() {
        let check = |query: &str, name: &str| {
            assert_eq!(Extract::read(Some(query)).unwrap_err().name, name, "{query}");
        };
        for number in ["0", "-1", "x", "", "1.5", "1e3", "%20", "+1", "1_000"] {
            check(&format!("batch_size={number}"), "batch_size");
        }
        check("batch_size=1&batch_size=2", "batch_size");
        check("event_type=a*", "event_type");
        check(&format!("event_type={}", "x".repeat(259)), "event_type");
        check(&"event_type=a&".repeat(65), "event_type");
        for query in ["", "batch_id=", "batch_id=x", "batch_id=1&batch_id=1", "batch_id=--1", "batch_id=-"] {
            assert_eq!(batch_id(Some(query)).unwrap_err().name, "batch_id", "{query}");
        }
        assert_eq!(batch_id(None).unwrap_err().name, "batch_id");
    }

    proptest! {
        #[test]
        fn no_query_panics(query in "\\PC{0,40}|(event_type|batch_size|batch_id|=|&|%|[0-9a-f*.-]){0,12}") {
            if let Ok(extract) = Extract::read(Some(&query)) {
                prop_assert!(extract.max > 0);
            }
            let _ = batch_id(Some(&query));
        }
    }
}
