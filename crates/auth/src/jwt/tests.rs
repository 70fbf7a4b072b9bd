//! One table of tokens and what is said of them, and what holds for every input.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use jsonwebtoken::EncodingKey;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::Encoding;

const RSA: &str = include_str!("../../tests/keys/rsa.pem");
const P256: &str = include_str!("../../tests/keys/p256.pem");
const ED25519: &str = include_str!("../../tests/keys/ed25519.pem");
const SECRET: &str = "a secret of thirty-two bytes, or more";

/// The time at which all tokens are checked.
const NOW: i64 = 1_800_000_000;

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

pub(super) fn signing_key(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::Hs256 => EncodingKey::from_secret(SECRET.as_bytes()),
        Algorithm::Rs256 => EncodingKey::from_rsa_pem(include_bytes!("../../tests/keys/rsa.key")).unwrap(),
        Algorithm::Es256 => EncodingKey::from_ec_pem(include_bytes!("../../tests/keys/p256.key")).unwrap(),
        Algorithm::EdDsa => EncodingKey::from_ed_pem(include_bytes!("../../tests/keys/ed25519.key")).unwrap(),
    }
}

/// Another key of the same kind.
fn wrong_key(algorithm: Algorithm) -> EncodingKey {
    match algorithm {
        Algorithm::Hs256 => EncodingKey::from_secret(SECRET.to_uppercase().as_bytes()),
        Algorithm::Rs256 => {
            EncodingKey::from_rsa_pem(include_bytes!("../../tests/keys/other-rsa.key")).unwrap()
        }
        Algorithm::Es256 => {
            EncodingKey::from_ec_pem(include_bytes!("../../tests/keys/other-p256.key")).unwrap()
        }
        Algorithm::EdDsa => {
            EncodingKey::from_ed_pem(include_bytes!("../../tests/keys/other-ed25519.key")).unwrap()
        }
    }
}

pub(super) fn library(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
    }
}

fn part(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token with any header, signed whatever the header says.
fn sign(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, library(algorithm)).unwrap();
    format!("{message}.{signature}")
}

pub(super) fn token(algorithm: Algorithm, kid: Option<&str>, claims: &Value) -> String {
    let mut header = json!({"alg": algorithm.name(), "typ": "JWT"});
    if let Some(kid) = kid {
        header["kid"] = kid.into();
    }
    sign(&header, claims, &signing_key(algorithm), algorithm)
}

fn key(algorithm: Algorithm, kid: Option<&str>) -> Key {
    let kid = kid.map(str::to_owned);
    match algorithm {
        Algorithm::Hs256 => Key::secret(kid, &SECRET.into(), None),
        Algorithm::Rs256 => Key::pem(kid, algorithm, RSA),
        Algorithm::Es256 => Key::pem(kid, algorithm, P256),
        Algorithm::EdDsa => Key::pem(kid, algorithm, ED25519),
    }
    .unwrap()
}

pub(super) fn checks() -> Checks {
    Checks {
        issuer: None,
        audience: Vec::new(),
        user_claim: "sub".to_owned(),
        rooms_claim: "rooms".to_owned(),
        types_claim: "event_types".to_owned(),
    }
}

pub(super) fn good() -> Value {
    json!({"sub": "7", "exp": NOW + 60})
}

#[test]
fn a_signature_holds_for_its_key_and_no_other() {
    for algorithm in Algorithm::ALL {
        let others = Algorithm::ALL.into_iter().filter(|other| *other != algorithm);
        let check = |what: &str, token: &str, keys: &Keys, expected: Result<(), TokenFault>| {
            let verified = verify(token, keys, &checks(), now()).map(drop);
            assert_eq!(verified, expected, "{}: {what}", algorithm.name());
        };
        let nameless = Keys::new([key(algorithm, None)]);
        let named = Keys::new([key(algorithm, Some("k1"))]);
        let foreign = Keys::new(others.map(|other| key(other, Some("k1"))));
        let plain = token(algorithm, None, &good());
        let with_kid = token(algorithm, Some("k1"), &good());
        check("no kid, key without", &plain, &nameless, Ok(()));
        check("no kid, key with one", &plain, &named, Ok(()));
        check("kid, key with it", &with_kid, &named, Ok(()));
        check("kid, key without", &with_kid, &nameless, Ok(()));
        check("another kid", &token(algorithm, Some("k2"), &good()), &named, Err(TokenFault::UnknownKey));
        check("the kid is of another algorithm's key", &with_kid, &foreign, Err(TokenFault::Algorithm));
        check("no keys", &with_kid, &Keys::default(), Err(TokenFault::UnknownKey));
        let forged = |header: &Value| sign(header, &good(), &wrong_key(algorithm), algorithm);
        let name = algorithm.name();
        check("wrong key", &forged(&json!({"alg": name})), &nameless, Err(TokenFault::UnknownKey));
        check(
            "wrong key, kid",
            &forged(&json!({"alg": name, "kid": "k1"})),
            &named,
            Err(TokenFault::Signature),
        );
        let (message, _) = plain.rsplit_once('.').unwrap();
        check("no signature", &format!("{message}."), &nameless, Err(TokenFault::UnknownKey));
        check("no base64url", &format!("{message}.="), &nameless, Err(TokenFault::Malformed));
        for none in ["none", "None", "HS384", "RS512", "ES384", "hs256", ""] {
            let header = part(&json!({"alg": none}));
            let unsigned = format!("{header}.{}.", part(&good()));
            check(none, &unsigned, &nameless, Err(TokenFault::Algorithm));
            check(none, &unsigned, &Keys::default(), Err(TokenFault::Algorithm));
        }
        if algorithm != Algorithm::Hs256 {
            // The attack of whoever knows the public key: take it for a secret.
            for public in [RSA, P256, ED25519] {
                let secret = EncodingKey::from_secret(public.as_bytes());
                let confused = |header: &Value| sign(header, &good(), &secret, Algorithm::Hs256);
                check("HS256", &confused(&json!({"alg": "HS256"})), &nameless, Err(TokenFault::Algorithm));
                let with_kid = confused(&json!({"alg": "HS256", "kid": "k1"}));
                check("HS256, kid", &with_kid, &named, Err(TokenFault::Algorithm));
                let lying = confused(&json!({"alg": name}));
                check("a lying header", &lying, &nameless, Err(TokenFault::UnknownKey));
            }
        }
    }
}

#[test]
fn several_keys_are_tried_and_not_too_many() {
    let others = |count: usize| {
        (0..count).map(|n| Key::secret(None, &format!("{n:032}").into(), None).unwrap()).collect::<Vec<_>>()
    };
    let check = |before: usize, expected: Result<(), TokenFault>| {
        let keys = Keys::new(others(before).into_iter().chain([key(Algorithm::Hs256, None)]));
        let token = token(Algorithm::Hs256, None, &good());
        assert_eq!(verify(&token, &keys, &checks(), now()).map(drop), expected, "{before}");
    };
    check(MAX_TRIED - 1, Ok(()));
    check(MAX_TRIED, Err(TokenFault::UnknownKey));
}

#[test]
fn what_is_no_token_is_refused() {
    let keys = Keys::new([key(Algorithm::Hs256, None)]);
    let check = |token: &str, expected: TokenFault| {
        assert_eq!(verify(token, &keys, &checks(), now()), Err(expected), "{token:.100}");
    };
    check("", TokenFault::Malformed);
    check("a", TokenFault::Malformed);
    check("a.b", TokenFault::Malformed);
    check("..", TokenFault::Malformed);
    check("a.b.c.d.e", TokenFault::Malformed);
    check(&"x".repeat(MAX_TOKEN + 1), TokenFault::TooLarge);
    check(&"x".repeat(MAX_TOKEN), TokenFault::Malformed);
    let claims = part(&good());
    let header = |value: Value| format!("{}.{claims}.", part(&value));
    check(&header(json!([])), TokenFault::Malformed);
    check(&header(json!({})), TokenFault::Malformed);
    check(&header(json!({"alg": 1})), TokenFault::Malformed);
    check(&header(json!({"alg": "HS256", "kid": 1})), TokenFault::Malformed);
    let signed = |header: &Value, claims: &Value| {
        sign(header, claims, &signing_key(Algorithm::Hs256), Algorithm::Hs256)
    };
    let critical = signed(&json!({"alg": "HS256", "crit": ["b64"], "b64": false}), &good());
    check(&critical, TokenFault::Critical);
    check(&signed(&json!({"alg": "HS256"}), &json!([])), TokenFault::Malformed);
    let good = token(Algorithm::Hs256, None, &good());
    check(&format!("{good}.x"), TokenFault::Malformed);
    check(&format!(" {good}"), TokenFault::Malformed);
    check(&format!("{good}="), TokenFault::Malformed);
}

/// What a token with these members besides [`good`]'s grants.
fn granted(checks: &Checks, members: &Value) -> Result<Grant, TokenFault> {
    let mut claims = good();
    for (name, value) in members.as_object().unwrap() {
        claims[name.as_str()] = value.clone();
    }
    let keys = Keys::new([key(Algorithm::Hs256, None)]);
    verify(&token(Algorithm::Hs256, None, &claims), &keys, checks, now())
}

#[test]
fn a_token_holds_for_its_time() {
    let check = |members: Value, expected: Result<(), TokenFault>| {
        assert_eq!(granted(&checks(), &members).map(drop), expected, "{members}");
    };
    let claim =
        |name: &str| Err(TokenFault::Claim { name: name.to_owned(), must: "a time in seconds since 1970" });
    check(json!({"exp": NOW + 1}), Ok(()));
    check(json!({"exp": NOW}), Err(TokenFault::Expired));
    check(json!({"exp": NOW - 1}), Err(TokenFault::Expired));
    check(json!({"exp": -1}), Err(TokenFault::Expired));
    check(json!({"exp": 1_800_000_000.5}), Ok(()));
    check(json!({"exp": 1_799_999_999.9}), Err(TokenFault::Expired));
    check(json!({"exp": null}), claim("exp"));
    check(json!({"exp": "1800000060"}), claim("exp"));
    // Milliseconds.
    check(json!({"exp": NOW * 1000}), claim("exp"));
    check(json!({"exp": 1e300}), claim("exp"));
    check(json!({"exp": u64::MAX}), claim("exp"));
    check(json!({"nbf": NOW + LEEWAY}), Ok(()));
    check(json!({"nbf": NOW + LEEWAY + 1}), Err(TokenFault::NotYetValid));
    check(json!({"nbf": {}}), claim("nbf"));
    check(json!({"iat": NOW + 1000}), Ok(()));
    check(json!({"iat": "x"}), claim("iat"));
    let keys = Keys::new([key(Algorithm::Hs256, None)]);
    let eternal = token(Algorithm::Hs256, None, &json!({"sub": "7"}));
    assert_eq!(verify(&eternal, &keys, &checks(), now()).map(drop), Err(TokenFault::Endless));
    let grant = granted(&checks(), &json!({"iat": NOW - 5})).unwrap();
    assert_eq!(grant.expires, Timestamp::from_second(NOW + 60).unwrap());
    assert_eq!(grant.issued, Some(Timestamp::from_second(NOW - 5).unwrap()));
}

#[test]
fn a_token_is_from_its_issuer_for_its_audience() {
    let check =
        |issuer: Option<&str>, audience: &[&str], members: Value, expected: Result<(), TokenFault>| {
            let checks = Checks {
                issuer: issuer.map(str::to_owned),
                audience: audience.iter().map(|one| (*one).to_owned()).collect(),
                ..checks()
            };
            assert_eq!(granted(&checks, &members).map(drop), expected, "{issuer:?} {audience:?} {members}");
        };
    check(None, &[], json!({"iss": "anyone"}), Ok(()));
    check(Some("i"), &[], json!({"iss": "i"}), Ok(()));
    check(Some("i"), &[], json!({"iss": "I"}), Err(TokenFault::Issuer));
    check(Some("i"), &[], json!({"iss": ["i"]}), Err(TokenFault::Issuer));
    check(Some("i"), &[], json!({}), Err(TokenFault::Issuer));
    check(None, &[], json!({"aud": "a"}), Err(TokenFault::AudienceNotConfigured));
    check(None, &[], json!({"aud": []}), Err(TokenFault::AudienceNotConfigured));
    check(None, &["a", "b"], json!({"aud": "b"}), Ok(()));
    check(None, &["a"], json!({"aud": ["x", "a"]}), Ok(()));
    check(None, &["a"], json!({"aud": ["x"]}), Err(TokenFault::Audience));
    check(None, &["a"], json!({"aud": {"a": 1}}), Err(TokenFault::Audience));
    check(None, &["a"], json!({}), Err(TokenFault::Audience));
}

#[test]
fn a_token_grants_what_its_claims_name() {
    let patterns = |texts: &[&str]| {
        fanfare_event::NamePatterns::new(
            texts.iter().map(|text| fanfare_event::NamePattern::parse(text).unwrap()),
        )
    };
    let check = |members: Value, user: Option<&str>, rooms: &[&str], types: &[&str]| {
        let grant = granted(&checks(), &members).unwrap();
        assert_eq!(grant.user.as_ref().map(fanfare_event::UserId::as_str), user, "{members}");
        assert_eq!((grant.rooms, grant.types), (patterns(rooms), patterns(types)), "{members}");
    };
    check(json!({}), Some("7"), &[], &["*"]);
    check(json!({"sub": 42}), Some("42"), &[], &["*"]);
    check(json!({"sub": null, "rooms": null, "event_types": null}), None, &[], &["*"]);
    check(json!({"rooms": "team.*"}), Some("7"), &["team.*"], &["*"]);
    check(json!({"rooms": ["a", "b.*"], "event_types": ["x"]}), Some("7"), &["a", "b.*"], &["x"]);
    check(json!({"rooms": "two words"}), Some("7"), &["two words"], &["*"]);
    check(json!({"rooms": ["*"], "event_types": []}), Some("7"), &["*"], &[]);
    let refused = |members: Value, name: &str| {
        let fault = granted(&checks(), &members).unwrap_err();
        assert!(matches!(&fault, TokenFault::Claim { name: own, .. } if own == name), "{members}: {fault}");
    };
    refused(json!({"sub": ""}), "sub");
    refused(json!({"sub": {"id": 1}}), "sub");
    refused(json!({"sub": 2_f64.powi(64)}), "sub");
    refused(json!({"sub": "x".repeat(257)}), "sub");
    refused(json!({"rooms": 7}), "rooms");
    refused(json!({"rooms": ["a", 7]}), "rooms");
    refused(json!({"rooms": ["a*"]}), "rooms");
    refused(json!({"rooms": ""}), "rooms");
    refused(json!({"rooms": vec!["a"; MAX_GRANTED_ROOMS + 1]}), "rooms");
    refused(json!({"rooms": "x".repeat(259)}), "rooms");
    refused(json!({"event_types": vec!["a"; 65]}), "event_types");
    refused(json!({"event_types": {"a": true}}), "event_types");
}

#[test]
fn a_key_that_cannot_be_used_is_refused() {
    let check = |algorithm, pem: &str, expected: Result<(), KeyFault>| {
        assert_eq!(Key::pem(None, algorithm, pem).map(drop), expected, "{algorithm:?} {pem}");
    };
    check(Algorithm::Rs256, include_str!("../../tests/keys/rsa-pkcs1.pem"), Ok(()));
    check(Algorithm::Rs256, include_str!("../../tests/keys/rsa-1024.pem"), Err(KeyFault::RsaSize));
    check(Algorithm::Es256, include_str!("../../tests/keys/p384.pem"), Err(KeyFault::NotThisKey));
    for (algorithm, private) in [
        (Algorithm::Rs256, include_str!("../../tests/keys/rsa.key")),
        (Algorithm::Es256, include_str!("../../tests/keys/p256.key")),
        (Algorithm::EdDsa, include_str!("../../tests/keys/ed25519.key")),
    ] {
        check(algorithm, private, Err(KeyFault::NotThisKey));
        check(algorithm, "", Err(KeyFault::NotThisKey));
        for public in [RSA, P256, ED25519] {
            let is_own = Key::pem(None, algorithm, public).is_ok();
            let is_meant = matches!(
                (algorithm, public),
                (Algorithm::Rs256, RSA) | (Algorithm::Es256, P256) | (Algorithm::EdDsa, ED25519)
            );
            assert_eq!(is_own, is_meant, "{algorithm:?} {public}");
        }
    }
    let secret = |text: &str, encoding| Key::secret(None, &text.to_owned().into(), encoding).map(drop);
    assert_eq!(secret(&"x".repeat(31), None), Err(KeyFault::ShortSecret));
    assert_eq!(secret(&"x".repeat(32), None), Ok(()));
    assert_eq!(secret(&"ab".repeat(31), Some(Encoding::Hex)), Err(KeyFault::ShortSecret));
    assert_eq!(secret(&"x".repeat(43), Some(Encoding::Base64)), Err(KeyFault::Encoding));
    assert_eq!(secret(&format!("{}=", "A".repeat(43)), Some(Encoding::Base64)), Ok(()));
}

#[test]
fn nothing_shows_a_key_or_a_value() {
    let keys = Keys::new([key(Algorithm::Hs256, Some("k1"))]);
    assert_eq!(format!("{keys:?}"), "Keys([Key { kid: Some(\"k1\"), algorithm: Hs256, .. }])");
    let checks = Checks { issuer: Some("https://expected.example".to_owned()), ..checks() };
    let fault = granted(&checks, &json!({"iss": "https://told.example"})).unwrap_err();
    assert!(!format!("{fault} {fault:?}").contains("example"));
}

fn all_keys() -> Keys {
    Keys::new(Algorithm::ALL.map(|algorithm| key(algorithm, None)))
}

proptest! {
    #[test]
    fn no_text_is_a_token(text in "\\PC*|[A-Za-z0-9_=-]{0,40}\\.[A-Za-z0-9_=-]{0,40}\\.[A-Za-z0-9_=-]{0,60}") {
        prop_assert!(verify(&text, &all_keys(), &checks(), now()).is_err());
    }

    #[test]
    fn a_token_that_was_changed_does_not_hold(
        algorithm in proptest::sample::select(&Algorithm::ALL[..]),
        at in any::<proptest::sample::Index>(),
        with in "[A-Za-z0-9_.-]",
    ) {
        let token = token(algorithm, None, &good());
        let at = at.index(token.len());
        let changed = format!("{}{with}{}", &token[..at], &token[at + 1..]);
        let verified = verify(&changed, &all_keys(), &checks(), now());
        prop_assert_eq!(verified.is_ok(), changed == token, "{}", changed);
    }

    #[test]
    fn any_claims_are_read_or_refused(name in "exp|nbf|iat|aud|iss|sub|rooms|event_types", value in json_value()) {
        let checks = Checks { issuer: Some("i".to_owned()), audience: vec!["a".to_owned()], ..checks() };
        let mut members = json!({"iss": "i", "aud": "a"});
        members[name.as_str()] = value;
        if let Ok(grant) = granted(&checks, &members) {
            prop_assert!(grant.expires > now());
            prop_assert!(grant.rooms.iter().count() <= MAX_GRANTED_ROOMS);
        }
    }

    #[test]
    fn any_bytes_are_a_set_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..200), value in json_value()) {
        let _ = KeySet::parse(&bytes);
        let document = json!({"keys": [value.clone(), {"kty": "RSA", "n": value, "e": "AQAB"}]}).to_string();
        let set = KeySet::parse(document.as_bytes()).unwrap();
        let keys = Keys::new(set.keys);
        for algorithm in Algorithm::ALL {
            prop_assert!(verify(&token(algorithm, None, &good()), &keys, &checks(), now()).is_err());
        }
    }
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (NOW - 100..NOW + 100).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}|a|i|[a-z]\\.\\*".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::vec(("[a-z]{1,3}", inner), 0..3)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}
