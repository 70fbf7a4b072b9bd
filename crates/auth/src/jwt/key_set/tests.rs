use serde_json::json;

use super::*;
use crate::jwt::tests::{checks, good, library, now, signing_key, token};
use crate::jwt::{Keys, verify};

/// A key as a set has it.
fn published(algorithm: Algorithm, members: &Value) -> Value {
    let jwk = jsonwebtoken::jwk::Jwk::from_encoding_key(&signing_key(algorithm), library(algorithm)).unwrap();
    let mut jwk = serde_json::to_value(jwk).unwrap();
    for (name, value) in members.as_object().unwrap() {
        if value.is_null() {
            jwk.as_object_mut().unwrap().remove(name);
        } else {
            jwk[name.as_str()] = value.clone();
        }
    }
    jwk
}

#[test]
fn a_set_has_the_keys_that_are_for_signatures() {
    let check = |key: Value, expected: Result<bool, &str>| {
        let set = KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).unwrap();
        let ignored = set.ignored.first().map(ToString::to_string);
        match expected {
            Ok(is_used) => assert_eq!((set.keys.len(), ignored), (usize::from(is_used), None), "{key}"),
            Err(part) => assert!(ignored.is_some_and(|ignored| ignored.contains(part)), "{key}"),
        }
    };
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        check(published(algorithm, &json!({})), Ok(true));
        let key = published(algorithm, &json!({"alg": null, "use": null, "kid": "k1"}));
        check(key.clone(), Ok(true));
        let set = KeySet::parse(json!({"keys": [key]}).to_string().as_bytes()).unwrap();
        let token = token(algorithm, Some("k1"), &good());
        assert_eq!(verify(&token, &Keys::new(set.keys), &checks(), now()).map(drop), Ok(()));
        check(published(algorithm, &json!({"use": "enc"})), Ok(false));
        check(published(algorithm, &json!({"key_ops": ["encrypt"]})), Ok(false));
        check(published(algorithm, &json!({"key_ops": ["verify"]})), Ok(true));
        check(published(algorithm, &json!({"alg": "HS256"})), Err("keys[0] is for an algorithm"));
        check(published(algorithm, &json!({"alg": "RS512"})), Err("is for an algorithm"));
        check(published(algorithm, &json!({"kty": null})), Err("has no `kty`"));
    }
    check(published(Algorithm::Rs256, &json!({"n": "AQAB"})), Err("2048 to 8192 bits"));
    check(published(Algorithm::Rs256, &json!({"e": 3})), Err("lacks `n` or `e`"));
    check(published(Algorithm::Es256, &json!({"crv": "P-384"})), Err("a curve that is not served"));
    check(published(Algorithm::Es256, &json!({"x": "AAAA"})), Err("lacks `x` or `y`"));
    check(published(Algorithm::EdDsa, &json!({"x": null})), Err("lacks `x`"));
    check(published(Algorithm::Hs256, &json!({})), Err("is a secret"));
    check(json!("x"), Err("is not an object"));
}

#[test]
fn what_is_no_set_is_refused() {
    let check = |document: &[u8], expected: KeySetFault| {
        assert_eq!(KeySet::parse(document).map(drop), Err(expected));
    };
    check(b"<html>", KeySetFault::NotJson);
    check(b"[]", KeySetFault::NotASet);
    check(b"{\"keys\":{}}", KeySetFault::NotASet);
    check(&vec![b' '; MAX_KEY_SET + 1], KeySetFault::TooLarge);
    check(json!({"keys": vec![json!({}); MAX_KEYS + 1]}).to_string().as_bytes(), KeySetFault::TooMany);
    assert!(KeySet::parse(b"{\"keys\":[]}").unwrap().keys.is_empty());
}
