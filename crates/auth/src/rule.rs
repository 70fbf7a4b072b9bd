//! A rule as an operator writes it, and what can be wrong with it. What a request must do to pass lives in
//! [`HeaderRules`](crate::HeaderRules).

use secrecy::SecretString;

/// What the values of one header must be. All that is secret is masked in its `Debug`.
#[derive(Clone, Debug)]
pub enum Rule {
    /// The header is there and not empty.
    Exists,
    /// The header is `prefix`, `value`, `suffix`. Often a token, so it is treated like [`Rule::Secret`].
    Equals {
        /// What stands between prefix and suffix.
        value: SecretString,
        /// Whether `a` and `A` differ; where they do not, both sides are compared in Unicode lower case.
        case_sensitive: bool,
        /// What comes before the value.
        prefix: String,
        /// What comes after the value.
        suffix: String,
    },
    /// The header contains a match of this regular expression (`^` and `$` anchor it). A value that is not UTF-8
    /// never matches.
    Matches {
        /// In the syntax of the `regex` crate, which takes time linear in the value.
        pattern: String,
    },
    /// The header is `prefix`, `value`, `suffix`.
    Secret {
        /// The secret itself, read from wherever it is kept.
        value: SecretString,
        /// What comes before the secret, `"Bearer "` say.
        prefix: String,
        /// What comes after the secret.
        suffix: String,
    },
    /// The header is an HMAC-SHA256 (RFC 2104) of the request, made with a token that both sides know.
    Signature {
        /// The shared token.
        token: SecretString,
        /// How the token's bytes are written; `None` where the token's characters are its bytes.
        token_encoding: Option<Encoding>,
        /// What the header has before the signature, `sha256=` say.
        signature_prefix: Option<String>,
        /// What is signed.
        signature_on: SignatureOn,
        /// How the signature is written.
        signature_encoding: Encoding,
    },
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Base 16, in upper or lower case.
    Hex,
    /// RFC 4648, 4, with padding.
    Base64,
}

/// What a signature is made over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureOn {
    /// The body.
    Body,
    /// The value of each of these headers followed by the separator, then the body. Every one of the headers must
    /// be there once: nobody could say otherwise what it was that was signed.
    HeadersThenBody {
        /// The names, in the order in which they are signed.
        headers: Vec<String>,
        /// What comes after each value.
        separator: String,
    },
}

/// A rule that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("header rule for `{header}` ({rule}): {problem}")]
pub struct RuleError {
    /// Which of the rules it was, counted from 0.
    pub index: usize,
    /// The header that the rule is about, as it was given.
    pub header: String,
    /// The type of the rule, as the configuration spells it.
    pub rule: &'static str,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a rule. No message holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Not a token of RFC 9110, 5.6.2.
    #[error("`{name}` cannot be the name of a header")]
    HeaderName {
        /// The name.
        name: String,
    },
    /// The pattern is no regular expression, or too large a one.
    #[error("the pattern cannot be used: {0}")]
    Pattern(String),
    /// An empty secret or token would let everyone in.
    #[error("the secret is empty")]
    EmptySecret,
    /// The token is not written in its encoding.
    #[error("the token is not valid {}", .0.name())]
    Token(Encoding),
    /// A signature is computed last, so it cannot be among what it signs.
    #[error("a signature cannot be made over its own header")]
    SignsItself,
}

impl Rule {
    /// The type, as the configuration spells it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Exists => "exists",
            Self::Equals { .. } => "equals",
            Self::Matches { .. } => "matches",
            Self::Secret { .. } => "secret",
            Self::Signature { .. } => "signature",
        }
    }
}

impl Encoding {
    /// The name, as the configuration spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Base64 => "base64",
        }
    }
}

/// A header's name in lower case; a token of RFC 9110, 5.6.2.
pub(crate) fn header_name(name: &str) -> Result<String, Problem> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || !name.bytes().all(is_token) {
        return Err(Problem::HeaderName { name: name.to_owned() });
    }
    Ok(name.to_ascii_lowercase())
}
