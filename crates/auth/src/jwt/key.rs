//! Keys that make or check signatures, each for one algorithm (RFC 7518, 3).

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER;
use jsonwebtoken::{DecodingKey, crypto};
use secrecy::{ExposeSecret as _, SecretString};

use super::{MAX_TRIED, TokenFault};
use crate::rule::Encoding;

/// Bytes of an HS256 secret, at least: as many as the hash has (RFC 7518, 3.2).
const MIN_SECRET: usize = 32;

/// Bytes of an RSA modulus: 2048 bits at least (RFC 7518, 3.3), 8192 at most, which is what the library takes.
const RSA_MODULUS: std::ops::RangeInclusive<usize> = 256..=1024;

/// Bytes of a coordinate of P-256, and of an Ed25519 key.
pub(super) const COORDINATE: usize = 32;

/// How a token is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256: both sides know the secret.
    Hs256,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// `EdDSA` with Ed25519 (RFC 8037).
    EdDsa,
}

/// A key, and the one algorithm that it is for.
#[derive(Clone)]
pub struct Key {
    kid: Option<String>,
    algorithm: Algorithm,
    material: DecodingKey,
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// A secret is not what its encoding says.
    #[error("the secret is not what its encoding says")]
    Encoding,
    /// A secret is too short for its hash.
    #[error("the secret has less than 32 bytes (RFC 7518, 3.2)")]
    ShortSecret,
    /// No public key for this algorithm.
    #[error("this is no public key for this algorithm")]
    NotThisKey,
    /// An RSA key of a size that is not served.
    #[error("an RSA key must have 2048 to 8192 bits (RFC 7518, 3.3)")]
    RsaSize,
}

/// All keys of a stream.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<Key>);

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Hs256, Self::Rs256, Self::Es256, Self::EdDsa];

    /// As `alg` has it (RFC 7518, 3.1; RFC 8037, 3.1).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of this name; `None` for all that are not served, and for `none`.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    const fn of_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

impl Key {
    /// A secret for HS256. Without an encoding its characters are its bytes.
    pub fn secret(
        kid: Option<String>,
        secret: &SecretString,
        encoding: Option<Encoding>,
    ) -> Result<Self, KeyFault> {
        let secret = secret.expose_secret();
        let bytes = match encoding {
            None => secret.as_bytes().to_vec(),
            Some(Encoding::Hex) => hex::decode(secret).map_err(|_| KeyFault::Encoding)?,
            Some(Encoding::Base64) => BASE64_STANDARD.decode(secret).map_err(|_| KeyFault::Encoding)?,
        };
        if bytes.len() < MIN_SECRET {
            return Err(KeyFault::ShortSecret);
        }
        Ok(Self { kid, algorithm: Algorithm::Hs256, material: DecodingKey::from_secret(&bytes) })
    }

    /// A public key in PEM (RFC 7468, 13; for RSA also PKCS #1). A private one is none.
    pub fn pem(kid: Option<String>, algorithm: Algorithm, pem: &str) -> Result<Self, KeyFault> {
        if pem.contains("PRIVATE KEY") {
            return Err(KeyFault::NotThisKey);
        }
        let wrong = |_| KeyFault::NotThisKey;
        let pem = pem.as_bytes();
        match algorithm {
            Algorithm::Hs256 => Err(KeyFault::NotThisKey),
            Algorithm::Rs256 => {
                let key = DecodingKey::from_rsa_pem(pem).map_err(wrong)?;
                let components = DEFAULT_PROVIDER.key_utils.rsa_pub_components_from_public_key;
                let (n, e) = components(key.try_get_as_bytes().map_err(wrong)?).map_err(wrong)?;
                Self::rsa(kid, &n, &e)
            }
            Algorithm::Es256 => {
                let key = DecodingKey::from_ec_pem(pem).map_err(wrong)?;
                match key.try_get_as_bytes().map_err(wrong)? {
                    [4, point @ ..] if point.len() == 2 * COORDINATE => {
                        Ok(Self { kid, algorithm, material: key })
                    }
                    _ => Err(KeyFault::NotThisKey),
                }
            }
            Algorithm::EdDsa => {
                let key = DecodingKey::from_ed_pem(pem).map_err(wrong)?;
                let length = key.try_get_as_bytes().map_err(wrong)?.len();
                if length == COORDINATE {
                    Ok(Self { kid, algorithm, material: key })
                } else {
                    Err(KeyFault::NotThisKey)
                }
            }
        }
    }

    /// An RSA key of its modulus and exponent, big-endian.
    pub(super) fn rsa(kid: Option<String>, n: &[u8], e: &[u8]) -> Result<Self, KeyFault> {
        let without_zeros =
            n.iter().position(|byte| *byte != 0).and_then(|at| n.get(at..)).unwrap_or_default();
        if !RSA_MODULUS.contains(&without_zeros.len()) {
            return Err(KeyFault::RsaSize);
        }
        Ok(Self {
            kid,
            algorithm: Algorithm::Rs256,
            material: DecodingKey::from_rsa_raw_components(without_zeros, e),
        })
    }

    /// A point of P-256.
    pub(super) fn p256(kid: Option<String>, x: &[u8; COORDINATE], y: &[u8; COORDINATE]) -> Self {
        let point = [&[4], &x[..], &y[..]].concat();
        Self { kid, algorithm: Algorithm::Es256, material: DecodingKey::from_ec_der(&point) }
    }

    /// An Ed25519 key.
    pub(super) fn ed25519(kid: Option<String>, x: &[u8; COORDINATE]) -> Self {
        Self { kid, algorithm: Algorithm::EdDsa, material: DecodingKey::from_ed_der(x) }
    }

    /// Whether this key made this signature (in base64url).
    fn verifies(&self, message: &str, signature: &str) -> bool {
        crypto::verify(signature, message.as_bytes(), &self.material, self.algorithm.of_library())
            .unwrap_or(false)
    }
}

impl Keys {
    /// These keys, in this order.
    pub fn new(keys: impl IntoIterator<Item = Key>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// Whether one of the keys that may be meant made this signature. The keys decide the algorithm: one that is for
    /// another than the token says is not used.
    pub(super) fn verify(
        &self,
        algorithm: Algorithm,
        kid: Option<&str>,
        message: &str,
        signature: &str,
    ) -> Result<(), TokenFault> {
        let named: Vec<_> = self.0.iter().filter(|key| kid.is_some() && key.kid.as_deref() == kid).collect();
        let any_verifies = |keys: &[&Key]| keys.iter().any(|key| key.verifies(message, signature));
        if !named.is_empty() {
            let fitting: Vec<_> = named.into_iter().filter(|key| key.algorithm == algorithm).collect();
            return match fitting.as_slice() {
                [] => Err(TokenFault::Algorithm),
                keys if any_verifies(keys) => Ok(()),
                _ => Err(TokenFault::Signature),
            };
        }
        // A key that was configured without a `kid` may be any; a token without one may mean any.
        let possible: Vec<_> = self.0.iter().filter(|key| kid.is_none() || key.kid.is_none()).collect();
        let fitting: Vec<_> =
            possible.iter().copied().filter(|key| key.algorithm == algorithm).take(MAX_TRIED).collect();
        match fitting.as_slice() {
            // Newer keys would not help: they are never secrets.
            [] if algorithm == Algorithm::Hs256 && !possible.is_empty() => Err(TokenFault::Algorithm),
            keys if any_verifies(keys) => Ok(()),
            _ => Err(TokenFault::UnknownKey),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("kid", &self.kid)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
