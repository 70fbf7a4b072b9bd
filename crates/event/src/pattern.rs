//! Patterns over event types: `*`, `prefix.*` and exact names.

use std::fmt;

use crate::EventType;

/// A pattern over event types.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TypePattern {
    /// `*`: every type.
    Any,
    /// `prefix.*`: every type below the prefix, at any depth, but not the prefix itself. Kept with its dot.
    Below(Box<str>),
    /// This type and no other.
    Exact(Box<str>),
}

/// Why a string is not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// Nothing is there.
    #[error("a type pattern must not be empty")]
    Empty,
    /// A star that is neither alone nor the last part.
    #[error("`*` stands alone or at the end after a dot: `*`, `prefix.*`, or an exact type")]
    Star,
}

impl TypePattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        if text.is_empty() {
            return Err(InvalidPattern::Empty);
        }
        if text == "*" {
            return Ok(Self::Any);
        }
        let (pattern, rest) = match text.strip_suffix('*') {
            Some(prefix) if prefix.len() > 1 && prefix.ends_with('.') => (Self::Below(prefix.into()), prefix),
            _ => (Self::Exact(text.into()), text),
        };
        if rest.contains('*') { Err(InvalidPattern::Star) } else { Ok(pattern) }
    }

    /// What both mean: one of the two, or nothing.
    fn intersect<'a>(&'a self, other: &'a Self) -> Option<&'a Self> {
        match (self, other) {
            (Self::Any, pattern) | (pattern, Self::Any) => Some(pattern),
            (Self::Below(a), Self::Below(b)) if a.starts_with(&**b) => Some(self),
            (Self::Below(a), Self::Below(b)) if b.starts_with(&**a) => Some(other),
            (Self::Exact(name), Self::Below(prefix)) if below(name, prefix) => Some(self),
            (Self::Below(prefix), Self::Exact(name)) if below(name, prefix) => Some(other),
            (Self::Exact(a), Self::Exact(b)) if a == b => Some(self),
            _ => None,
        }
    }

    /// Whether an event of this type is meant.
    pub fn matches(&self, kind: &EventType) -> bool {
        match self {
            Self::Any => true,
            Self::Below(prefix) => below(kind.as_str(), prefix),
            Self::Exact(name) => kind.as_str() == &**name,
        }
    }
}

fn below(name: &str, prefix: &str) -> bool {
    name.len() > prefix.len() && name.starts_with(prefix)
}

impl fmt::Display for TypePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(prefix) => write!(f, "{prefix}*"),
            Self::Exact(name) => f.write_str(name),
        }
    }
}

/// Several patterns of which one must match. Sorted and without repetitions, so that two lists that mean the
/// same are equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TypePatterns(Box<[TypePattern]>);

impl TypePatterns {
    /// Patterns of which one must match; an empty list matches nothing.
    pub fn new(patterns: impl IntoIterator<Item = TypePattern>) -> Self {
        let mut patterns: Vec<_> = patterns.into_iter().collect();
        patterns.sort();
        patterns.dedup();
        if patterns.contains(&TypePattern::Any) {
            patterns = vec![TypePattern::Any];
        }
        Self(patterns.into())
    }

    /// Every type.
    pub fn any() -> Self {
        Self::new([TypePattern::Any])
    }

    /// Whether one of the patterns means this type.
    pub fn matches(&self, kind: &EventType) -> bool {
        self.0.iter().any(|pattern| pattern.matches(kind))
    }

    /// What both lists mean.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self::new(self.iter().flat_map(|a| other.iter().filter_map(|b| a.intersect(b)).cloned()))
    }

    /// The patterns, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &TypePattern> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_what_the_documents_say() {
        let check = |pattern: &str, kind: &str, expected: bool| {
            let pattern = TypePattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(&EventType::new(kind).unwrap()), expected, "{pattern} on {kind}");
        };
        check("*", "anything", true);
        check("alert.*", "alert.disk", true);
        check("alert.*", "alert.disk.full", true);
        check("alert.*", "alert", false);
        check("alert.*", "alert.", false);
        check("alert.*", "alerts.disk", false);
        check("alert", "alert", true);
        check("alert", "alert.disk", false);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let check =
            |text: &str, expected: InvalidPattern| assert_eq!(TypePattern::parse(text), Err(expected));
        check("", InvalidPattern::Empty);
        check("a*", InvalidPattern::Star);
        check("*.a", InvalidPattern::Star);
        check("a.*.b", InvalidPattern::Star);
        check("a.**", InvalidPattern::Star);
        check(".*", InvalidPattern::Star);
    }

    #[test]
    fn an_intersection_means_what_both_mean() {
        let check = |a: &[&str], b: &[&str], expected: &[&str]| {
            let list =
                |texts: &[&str]| TypePatterns::new(texts.iter().map(|t| TypePattern::parse(t).unwrap()));
            assert_eq!(list(a).intersect(&list(b)), list(expected), "{a:?} and {b:?}");
            assert_eq!(list(b).intersect(&list(a)), list(expected), "{b:?} and {a:?}");
        };
        check(&["*"], &["a.*", "b"], &["a.*", "b"]);
        check(&["a.*"], &["a.b.*"], &["a.b.*"]);
        check(&["a.*"], &["ab.*"], &[]);
        check(&["a.*"], &["a.b", "a", "a."], &["a.b"]);
        check(&["a"], &["a"], &["a"]);
        check(&["a"], &["b"], &[]);
        check(&["a.*", "b.c"], &["a.x", "b.*"], &["a.x", "b.c"]);
    }

    #[test]
    fn lists_that_mean_the_same_are_equal() {
        let list = |texts: &[&str]| TypePatterns::new(texts.iter().map(|t| TypePattern::parse(t).unwrap()));
        assert_eq!(list(&["b", "a", "a"]), list(&["a", "b"]));
        assert_eq!(list(&["a.*", "*"]), TypePatterns::any());
        assert!(!list(&[]).matches(&EventType::new("a").unwrap()));
    }
}
