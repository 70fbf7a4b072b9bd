//! A token's three parts, and whether it is signed as its key demands. What it says is read in `claims`.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::{Algorithm, Checks, Grant, Keys, MAX_TOKEN, TokenFault};

/// What a token grants at this time, or why it does not.
///
/// Nothing of a token is believed before its signature was checked, with a key for the algorithm that the token names:
/// the key decides, so a public key is never taken for a secret, and `none` never holds.
pub fn verify(token: &str, keys: &Keys, checks: &Checks, now: Timestamp) -> Result<Grant, TokenFault> {
    if token.len() > MAX_TOKEN {
        return Err(TokenFault::TooLarge);
    }
    let (message, signature) = token.rsplit_once('.').ok_or(TokenFault::Malformed)?;
    let (header, claims) = message.split_once('.').ok_or(TokenFault::Malformed)?;
    if claims.contains('.') || BASE64_URL_SAFE_NO_PAD.decode(signature).is_err() {
        return Err(TokenFault::Malformed);
    }
    let header = object(header)?;
    let algorithm = header.get("alg").and_then(Value::as_str).ok_or(TokenFault::Malformed)?;
    let algorithm = Algorithm::named(algorithm).ok_or(TokenFault::Algorithm)?;
    if header.contains_key("crit") {
        return Err(TokenFault::Critical);
    }
    let kid = match header.get("kid") {
        None => None,
        Some(kid) => Some(kid.as_str().ok_or(TokenFault::Malformed)?),
    };
    keys.verify(algorithm, kid, message, signature)?;
    checks.grant(&object(claims)?, now)
}

/// A JSON object in base64url without padding (RFC 7515, 2).
fn object(part: &str) -> Result<Map<String, Value>, TokenFault> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| TokenFault::Malformed)?;
    serde_json::from_slice(&json).map_err(|_| TokenFault::Malformed)
}
