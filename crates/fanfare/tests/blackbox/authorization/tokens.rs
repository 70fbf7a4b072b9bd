//! Tokens as clients send them, good ones and others.

use std::time::{SystemTime, UNIX_EPOCH};

use fanfare_testkit::http::Head;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

pub(super) const SECRET: &str = "a secret of thirty-two bytes, or more";
pub(super) const RSA: &str = include_str!("../../../../auth/tests/keys/rsa.pem");
pub(super) const P256: &str = include_str!("../../../../auth/tests/keys/p256.pem");
pub(super) const ED25519: &str = include_str!("../../../../auth/tests/keys/ed25519.pem");

/// Keys that the server knows, and others like them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    Known,
    Other,
}

pub(super) fn key(algorithm: Algorithm, pair: Pair) -> EncodingKey {
    let pem = |known: &'static str, other: &'static str| match pair {
        Pair::Known => known.as_bytes(),
        Pair::Other => other.as_bytes(),
    };
    match algorithm {
        Algorithm::HS256 => {
            EncodingKey::from_secret(pem(SECRET, "another secret of thirty-two bytes, or more"))
        }
        Algorithm::RS256 => EncodingKey::from_rsa_pem(pem(
            include_str!("../../../../auth/tests/keys/rsa.key"),
            include_str!("../../../../auth/tests/keys/other-rsa.key"),
        ))
        .unwrap(),
        Algorithm::ES256 => EncodingKey::from_ec_pem(pem(
            include_str!("../../../../auth/tests/keys/p256.key"),
            include_str!("../../../../auth/tests/keys/other-p256.key"),
        ))
        .unwrap(),
        _ => EncodingKey::from_ed_pem(pem(
            include_str!("../../../../auth/tests/keys/ed25519.key"),
            include_str!("../../../../auth/tests/keys/other-ed25519.key"),
        ))
        .unwrap(),
    }
}

/// The public part of a key as an issuer publishes it.
pub(super) fn published(algorithm: Algorithm, pair: Pair, kid: &str) -> Value {
    let mut jwk = Jwk::from_encoding_key(&key(algorithm, pair), algorithm).unwrap();
    jwk.common.key_id = Some(kid.to_owned());
    serde_json::to_value(jwk).unwrap()
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

pub(super) fn sign(header: &Header, claims: &Value, key: &EncodingKey) -> String {
    jsonwebtoken::encode(header, claims, key).unwrap()
}

pub(super) fn header(algorithm: Algorithm, kid: Option<&str>) -> Header {
    Header { kid: kid.map(str::to_owned), ..Header::new(algorithm) }
}

/// A token of user 7, for these members beside, which holds for a minute.
pub(super) fn token(algorithm: Algorithm, kid: Option<&str>, members: &Value) -> String {
    let mut claims = json!({"sub": "7", "exp": now() + 60});
    for (name, value) in members.as_object().unwrap() {
        claims[name.as_str()] = value.clone();
    }
    sign(&header(algorithm, kid), &claims, &key(algorithm, Pair::Known))
}

/// Whether an answer is a stream that was opened, and not one that ends at once.
pub(super) fn is_open(head: &Head) -> bool {
    head.status == 200 && head.header("last-event-id").is_some()
}
