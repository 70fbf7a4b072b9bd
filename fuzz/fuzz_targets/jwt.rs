//! Any bytes as a request's headers, as a token and as a set of keys: nothing panics, and no token holds that was not
//! signed with a key of ours. An input is the token, a line break, and the set.
#![no_main]

use std::borrow::Cow;
use std::sync::LazyLock;

use fanfare_auth::RequestHeaders;
use fanfare_auth::jwt::{Algorithm, Carriers, Checks, Key, KeySet, Keys, verify};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

const PEMS: [(Algorithm, &str); 3] = [
    (Algorithm::Rs256, include_str!("../../crates/auth/tests/keys/rsa.pem")),
    (Algorithm::Es256, include_str!("../../crates/auth/tests/keys/p256.pem")),
    (Algorithm::EdDsa, include_str!("../../crates/auth/tests/keys/ed25519.pem")),
];

/// Some with a name, some without.
static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let secret = "a secret that no token of a seed was made with".to_owned().into();
    let secret = Key::secret(None, &secret, None).unwrap();
    let pems = PEMS.map(|(algorithm, pem)| Key::pem(Some("k1".to_owned()), algorithm, pem).unwrap());
    Keys::new([secret].into_iter().chain(pems))
});

static CHECKS: LazyLock<Checks> = LazyLock::new(|| Checks {
    issuer: None,
    audience: vec!["fanfare".to_owned()],
    user_claim: "sub".to_owned(),
    rooms_claim: "rooms".to_owned(),
    types_claim: "event_types".to_owned(),
});

struct Headers<'h>(&'h [u8]);

impl RequestHeaders for Headers<'_> {
    fn values<'a>(&'a self, name: &str) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
        Box::new(matches!(name, "authorization" | "cookie").then_some(self.0).into_iter())
    }
}

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(input.len());
    let (token, set) = (&input[..end], input.get(end + 1..).unwrap_or_default());
    let carriers = Carriers { cookie: Some("token".to_owned()), query: true };
    let text = String::from_utf8_lossy(token);
    let query = [(Cow::Borrowed("access_token"), text.clone())];
    let _ = carriers.find(&Headers(token), query.into_iter());

    let now = Timestamp::from_second(1_800_000_000).unwrap();
    let token = text.strip_prefix("Bearer ").unwrap_or(&text);
    assert!(verify(token, &KEYS, &CHECKS, now).is_err(), "{token}");
    if let Ok(set) = KeySet::parse(set) {
        assert!(set.keys.len() + set.ignored.len() <= fanfare_auth::jwt::MAX_KEYS);
        let _ = verify(token, &Keys::new(set.keys), &CHECKS, now);
    }
});
