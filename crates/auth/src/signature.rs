//! HMAC-SHA256 signatures: what is signed, and how a signature is written.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::rule::{Encoding, Problem};

/// A signature's length, in bytes.
const SIGNATURE_LEN: usize = 32;

/// A rule's key and all that says what is signed with it.
pub(crate) struct Signer {
    /// Keyed once; a request starts from a copy.
    keyed: Hmac<Sha256>,
    prefix: Vec<u8>,
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

/// The signature that a request should have.
pub(crate) struct Expected<'a> {
    signer: &'a Signer,
    code: [u8; SIGNATURE_LEN],
}

impl Signer {
    pub(crate) fn new(
        token: &str,
        token_encoding: Option<Encoding>,
        prefix: Option<String>,
        encoding: Encoding,
        signed_headers: Vec<String>,
        separator: String,
    ) -> Result<Self, Problem> {
        let key = match token_encoding {
            None => token.as_bytes().to_vec(),
            Some(token_encoding) => {
                token_encoding.decode(token.as_bytes()).ok_or(Problem::Token(token_encoding))?
            }
        };
        if key.is_empty() {
            return Err(Problem::EmptySecret);
        }
        Ok(Self {
            // RFC 2104 takes a key of any length, so the error cannot occur.
            keyed: Hmac::new_from_slice(&key).map_err(|_| Problem::EmptySecret)?,
            prefix: prefix.unwrap_or_default().into_bytes(),
            encoding,
            signed_headers,
            separator: separator.into_bytes(),
        })
    }

    /// The signature over the values of the signed headers, one of each and in their order, and the body.
    pub(crate) fn sign(&self, header_values: &[&[u8]], body: &[u8]) -> Expected<'_> {
        let mut mac = self.keyed.clone();
        for value in header_values {
            mac.update(value);
            mac.update(&self.separator);
        }
        mac.update(body);
        Expected { signer: self, code: mac.finalize().into_bytes().into() }
    }
}

impl Expected<'_> {
    /// Whether a header's value is this signature. Takes the same time wherever the two differ.
    pub(crate) fn is(&self, value: &[u8]) -> bool {
        value
            .strip_prefix(self.signer.prefix.as_slice())
            .and_then(|signature| self.signer.encoding.decode(signature))
            .is_some_and(|signature| signature.ct_eq(&self.code).into())
    }
}

impl Encoding {
    fn decode(self, text: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => STANDARD.decode(text).ok(),
        }
    }
}
