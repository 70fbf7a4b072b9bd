//! Header rules, compiled once, and what they say to a request.

use std::collections::BTreeSet;
use std::fmt;

use regex::Regex;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::request::RequestHeaders;
use crate::rule::{Problem, Rule, RuleError, header_name};
use crate::signature::Signer;

/// Rules that a request must pass, all of them.
#[derive(Debug, Default)]
pub struct HeaderRules {
    rules: Vec<HeaderRule>,
}

/// Why a request was refused. It names the header and the rule, and never holds a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header `{header}` {kind} (rule: {rule})")]
pub struct Refused {
    /// The header, as the rule spells it.
    pub header: String,
    /// The type of the rule: `exists`, `equals`, `matches`, `secret` or `signature`.
    pub rule: &'static str,
    /// What the header lacks.
    pub kind: RefusedKind,
}

/// What a refused request's header lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedKind {
    /// It is not there (or empty, where it only has to exist): 401.
    Missing,
    /// It is there with another value: 403.
    Wrong,
}

#[derive(Debug)]
struct HeaderRule {
    /// As the operator spells it.
    header: String,
    /// In lower case.
    name: String,
    rule: &'static str,
    test: Test,
}

#[derive(Debug)]
enum Test {
    Exists,
    Equals(Expected),
    EqualsInAnyCase(Expected),
    Matches(Regex),
    Signature(Signer),
}

/// The hash of an expected value. Comparing hashes in constant time shows neither the value nor its length in the
/// time taken, and the value itself is not kept.
struct Expected([u8; 32]);

impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Expected(..)")
    }
}

impl fmt::Display for RefusedKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::Wrong => "does not have an accepted value",
        })
    }
}

impl HeaderRules {
    /// Compiles rules, each with the name of its header. The first that cannot be used is the error.
    pub fn new(rules: impl IntoIterator<Item = (String, Rule)>) -> Result<Self, RuleError> {
        let rules = rules.into_iter().enumerate().map(|(index, (header, rule))| {
            let rule_name = rule.name();
            HeaderRule::new(&header, rule).map_err(|problem| RuleError {
                index,
                header,
                rule: rule_name,
                problem,
            })
        });
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }

    /// Whether there are no rules, so that every request passes.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }

    /// The headers that the rules look at, in lower case, each once: what a page on another origin must be allowed
    /// to send.
    pub fn header_names(&self) -> BTreeSet<&str> {
        self.rules.iter().flat_map(HeaderRule::looks_at).collect()
    }

    /// Lets a request pass or says which rule refuses it: the first one, in their order.
    pub fn check(&self, headers: &dyn RequestHeaders, body: &[u8]) -> Result<(), Refused> {
        self.rules.iter().try_for_each(|rule| rule.check(headers, Some(body)))
    }

    /// What can be said before the body is there, so that it need not be read for a request that will be refused:
    /// as [`Self::check`], but a signature must only be there. It does not replace `check`.
    pub fn check_head(&self, headers: &dyn RequestHeaders) -> Result<(), Refused> {
        self.rules.iter().try_for_each(|rule| rule.check(headers, None))
    }
}

impl HeaderRule {
    fn new(header: &str, rule: Rule) -> Result<Self, Problem> {
        let name = header_name(header)?;
        let rule_name = rule.name();
        let test = match rule {
            Rule::Exists => Test::Exists,
            Rule::Equals { value, case_sensitive, prefix, suffix } => {
                let expected = [&prefix, value.expose_secret(), &suffix].concat();
                if case_sensitive {
                    Test::Equals(Expected::new(&expected))
                } else {
                    Test::EqualsInAnyCase(Expected::new(&expected.to_lowercase()))
                }
            }
            Rule::Matches { pattern } => {
                Test::Matches(Regex::new(&pattern).map_err(|error| Problem::Pattern(error.to_string()))?)
            }
            Rule::Secret { value, .. } if value.expose_secret().is_empty() => {
                return Err(Problem::EmptySecret);
            }
            Rule::Secret { value, prefix, suffix } => {
                Test::Equals(Expected::new(&[&prefix, value.expose_secret(), &suffix].concat()))
            }
            Rule::Signature { token, token_encoding, signature_prefix, signature_on, signature_encoding } => {
                Test::Signature(Signer::new(
                    &name,
                    &token,
                    token_encoding,
                    signature_prefix,
                    signature_on,
                    signature_encoding,
                )?)
            }
        };
        Ok(Self { header: header.to_owned(), name, rule: rule_name, test })
    }

    fn looks_at(&self) -> impl Iterator<Item = &str> {
        let signed: &[String] = match &self.test {
            Test::Signature(signer) => &signer.signed_headers,
            _ => &[],
        };
        std::iter::once(self.name.as_str()).chain(signed.iter().map(String::as_str))
    }

    /// Judges a request; `body` is `None` before it is there.
    fn check(&self, headers: &dyn RequestHeaders, body: Option<&[u8]>) -> Result<(), Refused> {
        let mut values = headers.values(&self.name).peekable();
        if values.peek().is_none() {
            return Err(self.refuse(&self.header, RefusedKind::Missing));
        }
        let passes = match &self.test {
            Test::Exists if values.any(<[u8]>::is_empty) => {
                return Err(self.refuse(&self.header, RefusedKind::Missing));
            }
            Test::Exists => true,
            Test::Equals(expected) => values.all(|value| expected.is(value)),
            Test::EqualsInAnyCase(expected) => values.all(|value| {
                str::from_utf8(value).is_ok_and(|value| expected.is(value.to_lowercase().as_bytes()))
            }),
            Test::Matches(pattern) => {
                values.all(|value| str::from_utf8(value).is_ok_and(|value| pattern.is_match(value)))
            }
            Test::Signature(signer) => {
                let header_values = self.signed_values(&signer.signed_headers, headers)?;
                body.is_none_or(|body| {
                    let expected = signer.sign(&header_values, body);
                    values.all(|value| expected.is(value))
                })
            }
        };
        if passes { Ok(()) } else { Err(self.refuse(&self.header, RefusedKind::Wrong)) }
    }

    /// The values that a signature is over. A header that is missing cannot be skipped: whoever removes it would
    /// decide what is signed. One that came twice could be signed once and read the other time.
    fn signed_values<'a>(
        &self,
        names: &[String],
        headers: &'a dyn RequestHeaders,
    ) -> Result<Vec<&'a [u8]>, Refused> {
        let one = |name: &String| {
            let mut values = headers.values(name);
            match (values.next(), values.next()) {
                (None, _) => Err(self.refuse(name, RefusedKind::Missing)),
                (Some(value), None) => Ok(value),
                (Some(_), Some(_)) => Err(self.refuse(name, RefusedKind::Wrong)),
            }
        };
        names.iter().map(one).collect()
    }

    fn refuse(&self, header: &str, kind: RefusedKind) -> Refused {
        Refused { header: header.to_owned(), rule: self.rule, kind }
    }
}

impl Expected {
    fn new(value: &str) -> Self {
        Self(Sha256::digest(value).into())
    }

    fn is(&self, value: &[u8]) -> bool {
        let hash: [u8; 32] = Sha256::digest(value).into();
        self.0.ct_eq(&hash).into()
    }
}

#[cfg(test)]
mod tests;
