//! Headers that are sent: the other side of header rules. What a rule asks for, a header here can say.

use secrecy::{ExposeSecret as _, SecretString};

use crate::rule::{Encoding, Problem, SignatureOn, header_name};
use crate::signature::Signer;

/// What a header that is sent says. All that is secret is masked in its `Debug`.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// `prefix`, `value`, `suffix`.
    Fixed {
        /// What stands between prefix and suffix. Often a token.
        value: SecretString,
        /// What comes before the value, `"Bearer "` say.
        prefix: String,
        /// What comes after the value.
        suffix: String,
    },
    /// An HMAC-SHA256 (RFC 2104) of the request, made with a token that both sides know.
    Signature {
        /// The shared token.
        token: SecretString,
        /// How the token's bytes are written; `None` where the token's characters are its bytes.
        token_encoding: Option<Encoding>,
        /// What the header has before the signature, `sha256=` say.
        signature_prefix: Option<String>,
        /// What is signed. Headers are those of [`Outgoing::Fixed`], whatever their order.
        signature_on: SignatureOn,
        /// How the signature is written.
        signature_encoding: Encoding,
    },
}

/// Headers that cannot be sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header `{header}` cannot be sent: {problem}")]
pub struct OutgoingError {
    /// Which of the headers it was, counted from 0.
    pub index: usize,
    /// Its name, as it was given.
    pub header: String,
    /// What is wrong.
    pub problem: OutgoingProblem,
}

/// What is wrong with a header. No message holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutgoingProblem {
    /// What is wrong with a rule too.
    #[error(transparent)]
    Rule(#[from] Problem),
    /// Not a field value (RFC 9110, 5.5), or one of which a receiver would cut white space.
    #[error("its value has a control character, or white space at an end")]
    Value,
    /// In whatever case.
    #[error("it is there twice")]
    Twice,
    /// Nobody could check a signature over what is not sent.
    #[error("it is a signature over `{name}`, which is not sent")]
    NotSent {
        /// The header that is not there, in lower case.
        name: String,
    },
    /// Which of two signatures comes first would have to be agreed.
    #[error("it is a signature over `{name}`, which is one itself")]
    SignsSignature {
        /// The other signature, in lower case.
        name: String,
    },
}

/// Headers that are sent with every request, all of them.
#[derive(Debug, Default)]
pub struct OutgoingHeaders {
    headers: Vec<(String, Value)>,
}

#[derive(Debug)]
enum Value {
    Fixed(SecretString),
    /// With the values of the headers that it signs, in their order.
    Signature(Box<Signer>, Vec<SecretString>),
}

/// A header on its way to a [`Value`].
struct Draft {
    /// As it was given.
    header: String,
    /// In lower case.
    name: String,
    kind: Kind,
}

enum Kind {
    Fixed(SecretString),
    /// What it signs is not looked for yet.
    Signature(Box<Signer>),
}

impl OutgoingHeaders {
    /// Prepares headers, each with its name. The first that cannot be sent is the error.
    pub fn new(headers: impl IntoIterator<Item = (String, Outgoing)>) -> Result<Self, OutgoingError> {
        let mut drafts = Vec::new();
        for (index, (header, outgoing)) in headers.into_iter().enumerate() {
            match Draft::new(&header, outgoing, &drafts) {
                Ok(draft) => drafts.push(draft),
                Err(problem) => return Err(OutgoingError { index, header, problem }),
            }
        }
        let headers = drafts.iter().enumerate().map(|(index, draft)| match draft.finish(&drafts) {
            Ok(value) => Ok((draft.header.clone(), value)),
            Err(problem) => Err(OutgoingError { index, header: draft.header.clone(), problem }),
        });
        Ok(Self { headers: headers.collect::<Result<_, _>>()? })
    }

    /// Whether nothing is sent.
    pub fn is_empty(&self) -> bool {
        self.headers.is_empty()
    }

    /// What is sent with a request of this body: names as they were given, in their order, each with its value.
    pub fn values(&self, body: &[u8]) -> Vec<(String, SecretString)> {
        self.headers.iter().map(|(header, value)| (header.clone(), value.of(body))).collect()
    }
}

impl Value {
    fn of(&self, body: &[u8]) -> SecretString {
        match self {
            Self::Fixed(value) => value.clone(),
            Self::Signature(signer, over) => {
                let over: Vec<_> = over.iter().map(|value| value.expose_secret().as_bytes()).collect();
                signer.sign(&over, body).to_string().into()
            }
        }
    }
}

impl Draft {
    /// A header by itself, behind others.
    fn new(header: &str, outgoing: Outgoing, before: &[Self]) -> Result<Self, OutgoingProblem> {
        let name = header_name(header)?;
        if before.iter().any(|other| other.name == name) {
            return Err(OutgoingProblem::Twice);
        }
        let kind = match outgoing {
            Outgoing::Fixed { value, prefix, suffix } => {
                let value = SecretString::from([&prefix, value.expose_secret(), &suffix].concat());
                check_value(value.expose_secret())?;
                Kind::Fixed(value)
            }
            Outgoing::Signature {
                token,
                token_encoding,
                signature_prefix,
                signature_on,
                signature_encoding,
            } => {
                // The signature itself is behind it.
                check_value(&[signature_prefix.as_deref().unwrap_or_default(), "0"].concat())?;
                Kind::Signature(Box::new(Signer::new(
                    &name,
                    &token,
                    token_encoding,
                    signature_prefix,
                    signature_on,
                    signature_encoding,
                )?))
            }
        };
        Ok(Self { header: header.to_owned(), name, kind })
    }

    /// The header, once all others are known.
    fn finish(&self, all: &[Self]) -> Result<Value, OutgoingProblem> {
        let signer = match &self.kind {
            Kind::Fixed(value) => return Ok(Value::Fixed(value.clone())),
            Kind::Signature(signer) => signer,
        };
        let value =
            |name: &String| match all.iter().find(|other| other.name == *name).map(|other| &other.kind) {
                Some(Kind::Fixed(value)) => Ok(value.clone()),
                Some(Kind::Signature(_)) => Err(OutgoingProblem::SignsSignature { name: name.clone() }),
                None => Err(OutgoingProblem::NotSent { name: name.clone() }),
            };
        let over = signer.signed_headers.iter().map(value).collect::<Result<_, _>>()?;
        Ok(Value::Signature(signer.clone(), over))
    }
}

/// A field value (RFC 9110, 5.5) that arrives as it is. Characters beyond ASCII are sent as UTF-8.
fn check_value(value: &str) -> Result<(), OutgoingProblem> {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let bytes = value.as_bytes();
    let has_control = bytes.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t');
    if has_control || is_blank(bytes.first()) || is_blank(bytes.last()) {
        return Err(OutgoingProblem::Value);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
