//! `?event_type=`: which of a sink's types a client wants. It narrows what the sink shows and never widens it.

use fanfare_event::limits::{MAX_ASKED_PATTERN, MAX_ASKED_PATTERNS};
use fanfare_event::{NamePattern, NamePatterns};
use http::{Request, StatusCode};

use super::identity::Permit;
use super::start::query;
use crate::problem::Problem;

const PARAMETER: &str = "event_type";

/// What the sink, the permit and the request mean, all three. Several parameters mean any of them, an empty one nothing at
/// all. Asking again cannot help after a refusal: 400 for what means nothing, 403 for what the permit has nothing of.
pub(super) fn narrowed<B>(
    shown: &NamePatterns,
    permit: &Permit,
    request: &Request<B>,
) -> Result<NamePatterns, Problem> {
    let mut wanted = Vec::new();
    for (_, pattern) in query(request).filter(|(name, value)| name == PARAMETER && !value.is_empty()) {
        if pattern.len() > MAX_ASKED_PATTERN {
            return Err(refused(&format!("has a pattern of more than {MAX_ASKED_PATTERN} bytes")));
        }
        let parsed = NamePattern::parse(&pattern)
            .map_err(|_| refused("is no pattern; patterns are `*`, `prefix.*` and an exact type"))?;
        wanted.push(parsed);
    }
    if wanted.len() > MAX_ASKED_PATTERNS {
        return Err(refused(&format!("is there more than {MAX_ASKED_PATTERNS} times")));
    }
    let shown = permitted(shown, permit, &wanted)?;
    Ok(if wanted.is_empty() { shown } else { shown.intersect(&NamePatterns::new(wanted)) })
}

/// What of the sink's types the permit is for; a refusal where there is a pattern of which it has nothing.
#[cfg(feature = "identity_jwt")]
fn permitted(shown: &NamePatterns, permit: &Permit, wanted: &[NamePattern]) -> Result<NamePatterns, Problem> {
    let Some(granted) = permit.types() else { return Ok(shown.clone()) };
    let is_excluded = |pattern: &NamePattern| {
        granted.intersect(&NamePatterns::new([pattern.clone()])).iter().next().is_none()
    };
    if wanted.iter().any(is_excluded) {
        return Err(super::identity::not_granted(PARAMETER, "a type"));
    }
    Ok(shown.intersect(granted))
}

#[cfg(not(feature = "identity_jwt"))]
#[expect(clippy::unnecessary_wraps, reason = "the same call with and without the feature")]
fn permitted(shown: &NamePatterns, _: &Permit, _: &[NamePattern]) -> Result<NamePatterns, Problem> {
    Ok(shown.clone())
}

fn refused(what: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("the parameter `{PARAMETER}` {what}"))
        .with("parameter", PARAMETER)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> NamePatterns {
        NamePatterns::new(texts.iter().map(|text| NamePattern::parse(text).unwrap()))
    }

    #[test]
    fn a_request_narrows_and_never_widens() {
        let check = |shown: &[&str], query: &str, expected: Result<&[&str], &str>| {
            let request = Request::builder().uri(format!("/x?{query}")).body(()).unwrap();
            let narrowed = narrowed(&patterns(shown), &Permit::Anything, &request)
                .map_err(|problem| problem.to_string());
            match (narrowed, expected) {
                (Ok(types), Ok(expected)) => assert_eq!(types, patterns(expected), "{query}"),
                (Err(problem), Err(expected)) => assert!(problem.contains(expected), "{query}: {problem}"),
                (narrowed, _) => panic!("{query}: {narrowed:?}"),
            }
        };
        check(&["*"], "", Ok(&["*"]));
        check(&["alert.*"], "event_type=", Ok(&["alert.*"]));
        check(&["*"], "event_type=gmail.message_received", Ok(&["gmail.message_received"]));
        check(&["*"], "event_type=user.%2A", Ok(&["user.*"]));
        check(&["alert.*"], "event_type=*", Ok(&["alert.*"]));
        check(&["alert.*"], "event_type=user.*", Ok(&[]));
        check(&["*"], "event_type=b&x=y&event_type=a&event_type=", Ok(&["a", "b"]));
        check(&["*"], "event_type=a*", Err("`event_type` is no pattern"));
        check(&["*"], "event_type=a&event_type=*.b", Err("`event_type` is no pattern"));
        check(&["*"], &format!("event_type={}", "x".repeat(259)), Err("more than 258 bytes"));
        check(&["*"], &"event_type=a&".repeat(64), Ok(&["a"]));
        check(&["*"], &"event_type=a&".repeat(65), Err("more than 64 times"));
    }
}
