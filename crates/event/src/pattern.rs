//! Patterns over names with dots in them, types of events and rooms: `*`, `prefix.*` and exact names.

use std::fmt;
use std::sync::Arc;

/// A pattern over names.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NamePattern {
    /// `*`: every name.
    Any,
    /// `prefix.*`: every name below the prefix, at any depth, but not the prefix itself. Kept with its dot.
    Below(Box<str>),
    /// This name and no other.
    Exact(Box<str>),
}

/// Why a string is not a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPattern {
    /// Nothing is there.
    #[error("a pattern must not be empty")]
    Empty,
    /// A star that is neither alone nor the last part.
    #[error("`*` stands alone or at the end after a dot: `*`, `prefix.*`, or an exact name")]
    Star,
}

impl NamePattern {
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

    /// Whether this name is meant.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Below(prefix) => below(name, prefix),
            Self::Exact(exact) => name == &**exact,
        }
    }
}

fn below(name: &str, prefix: &str) -> bool {
    name.len() > prefix.len() && name.starts_with(prefix)
}

impl fmt::Display for NamePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("*"),
            Self::Below(prefix) => write!(f, "{prefix}*"),
            Self::Exact(name) => f.write_str(name),
        }
    }
}

/// Several patterns of which one must match. Sorted and without repetitions, so that two lists that mean the
/// same are equal. Copies share one list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NamePatterns(Arc<[NamePattern]>);

impl NamePatterns {
    /// Patterns of which one must match; an empty list matches nothing.
    pub fn new(patterns: impl IntoIterator<Item = NamePattern>) -> Self {
        let mut patterns: Vec<_> = patterns.into_iter().collect();
        patterns.sort();
        patterns.dedup();
        if patterns.contains(&NamePattern::Any) {
            patterns = vec![NamePattern::Any];
        }
        Self(patterns.into())
    }

    /// Every name.
    pub fn any() -> Self {
        Self::new([NamePattern::Any])
    }

    /// Whether one of the patterns means this name.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(name))
    }

    /// What both lists mean.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        Self::new(self.iter().flat_map(|a| other.iter().filter_map(|b| a.intersect(b)).cloned()))
    }

    /// The patterns, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &NamePattern> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_what_the_documents_say() {
        let check = |pattern: &str, kind: &str, expected: bool| {
            let pattern = NamePattern::parse(pattern).unwrap();
            assert_eq!(pattern.matches(kind), expected, "{pattern} on {kind}");
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
            |text: &str, expected: InvalidPattern| assert_eq!(NamePattern::parse(text), Err(expected));
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
                |texts: &[&str]| NamePatterns::new(texts.iter().map(|t| NamePattern::parse(t).unwrap()));
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
        let list = |texts: &[&str]| NamePatterns::new(texts.iter().map(|t| NamePattern::parse(t).unwrap()));
        assert_eq!(list(&["b", "a", "a"]), list(&["a", "b"]));
        assert_eq!(list(&["a.*", "*"]), NamePatterns::any());
        assert!(!list(&[]).matches("a"));
    }
}
