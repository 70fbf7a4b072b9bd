//! HMAC-SHA256 signatures: what is signed, and how a signature is written.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::rule::{Encoding, Problem, SignatureOn, header_name};

/// A signature's length, in bytes.
const SIGNATURE_LEN: usize = 32;

/// A rule's key and all that says what is signed with it.
#[derive(Clone)]
pub(crate) struct Signer {
    /// Keyed once; a request starts from a copy.
    keyed: Hmac<Sha256>,
    prefix: String,
    encoding: Encoding,
    /// Lower case.
    pub(crate) signed_headers: Vec<String>,
    separator: Vec<u8>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("encoding", &self.encoding)
            .field("signed_headers", &self.signed_headers)
            .finish_non_exhaustive()
    }
}

/// The signature of a request.
pub(crate) struct Signature<'a> {
    signer: &'a Signer,
    code: [u8; SIGNATURE_LEN],
}

impl Signer {
    /// `name` is the header that carries the signature, in lower case.
    pub(crate) fn new(
        name: &str,
        token: &SecretString,
        token_encoding: Option<Encoding>,
        prefix: Option<String>,
        on: SignatureOn,
        encoding: Encoding,
    ) -> Result<Self, Problem> {
        let (signed_headers, separator) = match on {
            SignatureOn::Body => (Vec::new(), String::new()),
            SignatureOn::HeadersThenBody { headers, separator } => (headers, separator),
        };
        let signed_headers =
            signed_headers.iter().map(|header| header_name(header)).collect::<Result<Vec<_>, _>>()?;
        if signed_headers.iter().any(|signed| signed == name) {
            return Err(Problem::SignsItself);
        }
        let token = token.expose_secret().as_bytes();
        let key = match token_encoding {
            None => token.to_vec(),
            Some(token_encoding) => token_encoding.decode(token).ok_or(Problem::Token(token_encoding))?,
        };
        if key.is_empty() {
            return Err(Problem::EmptySecret);
        }
        Ok(Self {
            // RFC 2104 takes a key of any length, so the error cannot occur.
            keyed: Hmac::new_from_slice(&key).map_err(|_| Problem::EmptySecret)?,
            prefix: prefix.unwrap_or_default(),
            encoding,
            signed_headers,
            separator: separator.into_bytes(),
        })
    }

    /// The signature over the values of the signed headers, one of each and in their order, and the body.
    pub(crate) fn sign(&self, header_values: &[&[u8]], body: &[u8]) -> Signature<'_> {
        let mut mac = self.keyed.clone();
        for value in header_values {
            mac.update(value);
            mac.update(&self.separator);
        }
        mac.update(body);
        Signature { signer: self, code: mac.finalize().into_bytes().into() }
    }
}

impl Signature<'_> {
    /// Whether a header's value is this signature. Takes the same time wherever the two differ.
    pub(crate) fn is(&self, value: &[u8]) -> bool {
        value
            .strip_prefix(self.signer.prefix.as_bytes())
            .and_then(|signature| self.signer.encoding.decode(signature))
            .is_some_and(|signature| signature.ct_eq(&self.code).into())
    }
}

/// As a header has it.
impl fmt::Display for Signature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.signer.prefix, self.signer.encoding.encode(&self.code))
    }
}

impl Encoding {
    fn encode(self, bytes: &[u8]) -> String {
        match self {
            Self::Hex => hex::encode(bytes),
            Self::Base64 => STANDARD.encode(bytes),
        }
    }

    fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => STANDARD.decode(text).ok(),
        }
    }
}
