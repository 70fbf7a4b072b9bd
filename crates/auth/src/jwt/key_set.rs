//! Sets of keys as issuers publish them (RFC 7517, 5).

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use super::key::COORDINATE;
use super::{Algorithm, Key, MAX_KEY_SET, MAX_KEYS};

/// What a published set has.
#[derive(Debug, Default)]
pub struct KeySet {
    /// What can check signatures.
    pub keys: Vec<Key>,
    /// What was left out although it is for signatures.
    pub ignored: Vec<IgnoredKey>,
}

/// A key that was left out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("keys[{index}] {reason}")]
pub struct IgnoredKey {
    /// Its place in the set, from 0.
    pub index: usize,
    /// Why, as what is said of the key.
    pub reason: &'static str,
}

/// Why a document is no set of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeySetFault {
    /// More bytes than [`MAX_KEY_SET`].
    #[error("it is larger than 256 KiB")]
    TooLarge,
    /// No JSON.
    #[error("it is not JSON")]
    NotJson,
    /// No object with an array `keys`.
    #[error("it is not an object with an array `keys`")]
    NotASet,
    /// More keys than [`MAX_KEYS`].
    #[error("it has more than 100 keys")]
    TooMany,
}

impl KeySet {
    /// Reads a set. What it has for other purposes than signatures is passed over.
    pub fn parse(document: &[u8]) -> Result<Self, KeySetFault> {
        if document.len() > MAX_KEY_SET {
            return Err(KeySetFault::TooLarge);
        }
        let document: Value = serde_json::from_slice(document).map_err(|_| KeySetFault::NotJson)?;
        let keys = document.get("keys").and_then(Value::as_array).ok_or(KeySetFault::NotASet)?;
        if keys.len() > MAX_KEYS {
            return Err(KeySetFault::TooMany);
        }
        let mut set = Self::default();
        for (index, key) in keys.iter().enumerate() {
            match read(key) {
                Ok(Some(key)) => set.keys.push(key),
                Ok(None) => {}
                Err(reason) => set.ignored.push(IgnoredKey { index, reason }),
            }
        }
        Ok(set)
    }
}

/// A key, nothing where it is not for signatures, or why it cannot be used.
fn read(key: &Value) -> Result<Option<Key>, &'static str> {
    let key = key.as_object().ok_or("is not an object")?;
    let text = |name: &str| key.get(name).and_then(Value::as_str);
    let operations = key.get("key_ops").and_then(Value::as_array);
    let verifies = operations.is_none_or(|all| all.iter().any(|one| one == "verify"));
    if text("use").is_some_and(|purpose| purpose != "sig") || !verifies {
        return Ok(None);
    }
    let algorithm = match (text("kty"), text("crv")) {
        (Some("oct"), _) => return Err("is a secret, which a published key cannot be"),
        (Some("RSA"), _) => Algorithm::Rs256,
        (Some("EC"), Some("P-256")) => Algorithm::Es256,
        (Some("OKP"), Some("Ed25519")) => Algorithm::EdDsa,
        (Some(_), _) => return Err("is of a kind or a curve that is not served"),
        (None, _) => return Err("has no `kty`"),
    };
    if text("alg").is_some_and(|name| name != algorithm.name()) {
        return Err("is for an algorithm that is not served, or that is not of its kind");
    }
    let kid = text("kid").map(str::to_owned);
    let key = match algorithm {
        Algorithm::Rs256 => match (bytes(key, "n"), bytes(key, "e")) {
            (Some(n), Some(e)) => Key::rsa(kid, &n, &e).map_err(|_| "does not have 2048 to 8192 bits")?,
            _ => return Err("lacks `n` or `e` in base64url"),
        },
        Algorithm::Es256 => match (coordinate(key, "x"), coordinate(key, "y")) {
            (Some(x), Some(y)) => Key::p256(kid, &x, &y),
            _ => return Err("lacks `x` or `y` of 32 bytes in base64url"),
        },
        Algorithm::EdDsa | Algorithm::Hs256 => match coordinate(key, "x") {
            Some(x) => Key::ed25519(kid, &x),
            None => return Err("lacks `x` of 32 bytes in base64url"),
        },
    };
    Ok(Some(key))
}

fn bytes(key: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(key.get(name)?.as_str()?).ok()
}

fn coordinate(key: &Map<String, Value>, name: &str) -> Option<[u8; COORDINATE]> {
    bytes(key, name)?.try_into().ok()
}

#[cfg(test)]
mod tests;
