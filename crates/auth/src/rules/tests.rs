use hmac::{Hmac, Mac as _};
use proptest::prelude::*;
use secrecy::SecretString;

use super::*;
use crate::{Encoding, SignatureOn};

const SECRET: &str = "s3cr3t-t0ken";

/// The headers of a request, with names in lower case.
struct Sent<'a>(&'a [(&'a str, &'a [u8])]);

impl RequestHeaders for Sent<'_> {
    fn values<'a>(&'a self, name: &str) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
        let name = name.to_owned();
        Box::new(self.0.iter().filter(move |(header, _)| *header == name).map(|(_, value)| *value))
    }
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn equals(value: &str, case_sensitive: bool) -> Rule {
    Rule::Equals { value: secret(value), case_sensitive, prefix: "<".into(), suffix: ">".into() }
}

fn bearer(value: &str) -> Rule {
    Rule::Secret { value: secret(value), prefix: "Bearer ".into(), suffix: String::new() }
}

fn matches(pattern: &str) -> Rule {
    Rule::Matches { pattern: pattern.into() }
}

fn signature(signature_on: SignatureOn, signature_encoding: Encoding) -> Rule {
    Rule::Signature {
        token: secret(SECRET),
        token_encoding: None,
        signature_prefix: Some("sha256=".into()),
        signature_on,
        signature_encoding,
    }
}

fn signed_headers(names: &[&str]) -> SignatureOn {
    SignatureOn::HeadersThenBody {
        headers: names.iter().map(|name| (*name).to_owned()).collect(),
        separator: ".".into(),
    }
}

fn rules(header: &str, rule: Rule) -> HeaderRules {
    HeaderRules::new([(header.to_owned(), rule)]).unwrap()
}

fn hmac(token: &[u8], message: &[u8]) -> Vec<u8> {
    Hmac::<Sha256>::new_from_slice(token).unwrap().chain_update(message).finalize().into_bytes().to_vec()
}

const PASS: Option<RefusedKind> = None;
const MISSING: Option<RefusedKind> = Some(RefusedKind::Missing);
const WRONG: Option<RefusedKind> = Some(RefusedKind::Wrong);

#[test]
fn each_rule_on_missing_empty_wrong_right_and_several_values() {
    let signed = format!("sha256={}", hex::encode(hmac(SECRET.as_bytes(), b"body")));
    let signed = signed.as_bytes();
    let sign = || signature(SignatureOn::Body, Encoding::Hex);
    let check = |rule: Rule, values: &[&[u8]], expected: Option<RefusedKind>| {
        let shown = format!("{rule:?} on {values:?}");
        let name = rule.name();
        let headers: Vec<_> = values.iter().map(|value| ("x-token", *value)).collect();
        let refused = rules("X-Token", rule).check(&Sent(&headers), b"body").err();
        assert_eq!(refused.as_ref().map(|refused| refused.kind), expected, "{shown}");
        if let Some(refused) = refused {
            assert_eq!((refused.header.as_str(), refused.rule), ("X-Token", name));
        }
    };
    check(Rule::Exists, &[], MISSING);
    check(Rule::Exists, &[b""], MISSING);
    check(Rule::Exists, &[b"\xff"], PASS);
    check(Rule::Exists, &[b"a", b"b"], PASS);
    check(Rule::Exists, &[b"a", b""], MISSING);

    check(equals("A", true), &[], MISSING);
    check(equals("A", true), &[b""], WRONG);
    check(equals("A", true), &[b"<A>"], PASS);
    check(equals("A", true), &[b"<a>"], WRONG);
    check(equals("A", true), &[b"A"], WRONG);
    check(equals("A", true), &[b"<A>>"], WRONG);
    check(equals("A", true), &[b"<A>", b"<A>"], PASS);
    check(equals("A", true), &[b"<A>", b"<B>"], WRONG);
    check(equals("A", false), &[b"<a>"], PASS);
    check(equals("stra\u{df}e \u{c4}", false), &["<STRA\u{df}E \u{e4}>".as_bytes()], PASS);
    check(equals("A", false), &[b"<\xff>"], WRONG);

    check(bearer(SECRET), &[], MISSING);
    check(bearer(SECRET), &[b""], WRONG);
    check(bearer(SECRET), &[b"Bearer s3cr3t-t0ken"], PASS);
    check(bearer(SECRET), &[b"bearer s3cr3t-t0ken"], WRONG);
    check(bearer(SECRET), &[b"Bearer s3cr3t-t0keN"], WRONG);
    check(bearer(SECRET), &[b"Bearer s3cr3t-t0ken", b"Bearer "], WRONG);

    check(matches("^v[0-9]+$"), &[], MISSING);
    check(matches("^v[0-9]+$"), &[b""], WRONG);
    check(matches("^v[0-9]+$"), &[b"v12"], PASS);
    check(matches("^v[0-9]+$"), &[b"v12\nv"], WRONG);
    check(matches("[0-9]"), &[b"anywhere 7 will do"], PASS);
    check(matches(".*"), &[b""], PASS);
    check(matches(".*"), &[b"\xff"], WRONG);
    check(matches("^v[0-9]+$"), &[b"v1", b"w1"], WRONG);

    check(sign(), &[], MISSING);
    check(sign(), &[b""], WRONG);
    check(sign(), &[signed], PASS);
    check(sign(), &[&signed[7..]], WRONG);
    check(sign(), &[&signed[..70]], WRONG);
    check(sign(), &[b"sha256="], WRONG);
    check(sign(), &[b"sha256=not hex at all"], WRONG);
    check(sign(), &[signed, signed], PASS);
    check(sign(), &[signed, b"sha256=00"], WRONG);
}

#[test]
fn all_rules_must_pass_and_the_first_that_does_not_is_named() {
    let rules = HeaderRules::new([
        ("X-First".to_owned(), Rule::Exists),
        ("X-First".to_owned(), matches("^a")),
        ("x-second".to_owned(), matches("^b")),
    ])
    .unwrap();
    let check = |headers: &[(&str, &[u8])], expected: Option<&str>| {
        let refused = rules.check(&Sent(headers), b"").err().map(|refused| refused.to_string());
        assert_eq!(refused.as_deref(), expected);
    };
    check(&[("x-first", b"a"), ("x-second", b"b")], None);
    check(&[("x-second", b"c")], Some("header `X-First` is missing (rule: exists)"));
    check(
        &[("x-first", b"b"), ("x-second", b"c")],
        Some("header `X-First` does not have an accepted value (rule: matches)"),
    );
    check(
        &[("x-first", b"a"), ("x-second", b"c")],
        Some("header `x-second` does not have an accepted value (rule: matches)"),
    );
    assert_eq!(HeaderRules::default().check(&Sent(&[]), b"").err(), None);
    assert!(HeaderRules::default().is_empty() && !rules.is_empty());
}

#[test]
fn known_signatures() {
    let check = |token: &str, token_encoding, prefix: Option<&str>, encoding, body: &[u8], value: &str| {
        let rule = Rule::Signature {
            token: secret(token),
            token_encoding,
            signature_prefix: prefix.map(str::to_owned),
            signature_on: SignatureOn::Body,
            signature_encoding: encoding,
        };
        let headers = [("x-signature", value.as_bytes())];
        assert_eq!(rules("X-Signature", rule).check(&Sent(&headers), body), Ok(()), "{value}");
    };
    let rfc_4231 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    let message = b"what do ya want for nothing?";
    check("Jefe", None, None, Encoding::Hex, message, rfc_4231);
    check("Jefe", None, None, Encoding::Hex, message, &rfc_4231.to_uppercase());
    check("4a656665", Some(Encoding::Hex), None, Encoding::Hex, message, rfc_4231);
    check("SmVmZQ==", Some(Encoding::Base64), None, Encoding::Hex, message, rfc_4231);
    let base64 = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
    check("Jefe", None, Some("v1,"), Encoding::Base64, message, &format!("v1,{base64}"));
    // the example in GitHub's documentation of X-Hub-Signature-256
    check(
        "It's a Secret to Everybody",
        None,
        Some("sha256="),
        Encoding::Hex,
        b"Hello, World!",
        "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    );
}

#[test]
fn a_signature_over_headers_needs_each_of_them_once() {
    let value = format!("sha256={}", hex::encode(hmac(SECRET.as_bytes(), b"7.tuesday.body")));
    let rules = rules("X-Signature", signature(signed_headers(&["X-Id", "X-Day"]), Encoding::Hex));
    let check = |headers: &[(&str, &[u8])], expected: Option<(&str, RefusedKind)>| {
        let mut headers = headers.to_vec();
        headers.push(("x-signature", value.as_bytes()));
        let refused = rules.check(&Sent(&headers), b"body").err();
        let seen = refused.as_ref().map(|refused| (refused.header.as_str(), refused.kind));
        assert_eq!(seen, expected);
    };
    check(&[("x-day", b"tuesday"), ("x-id", b"7")], None);
    check(&[("x-day", b"tuesday"), ("x-id", b"8")], Some(("X-Signature", RefusedKind::Wrong)));
    check(&[("x-day", b"tuesday")], Some(("x-id", RefusedKind::Missing)));
    check(&[("x-day", b"tuesday"), ("x-id", b"7"), ("x-id", b"8")], Some(("x-id", RefusedKind::Wrong)));
    assert_eq!(rules.header_names().into_iter().collect::<Vec<_>>(), ["x-day", "x-id", "x-signature"]);

    // Whoever removes a signed header must not be able to say that it was never signed.
    let unsigned = format!("sha256={}", hex::encode(hmac(SECRET.as_bytes(), b"body")));
    let refused = rules.check(&Sent(&[("x-signature", unsigned.as_bytes())]), b"body").unwrap_err();
    assert_eq!((refused.header.as_str(), refused.kind), ("x-id", RefusedKind::Missing));
}

#[test]
fn before_the_body_is_there_a_signature_must_only_be_there() {
    let rules = HeaderRules::new([
        ("x-signature".to_owned(), signature(signed_headers(&["x-id"]), Encoding::Hex)),
        ("authorization".to_owned(), bearer(SECRET)),
    ])
    .unwrap();
    let check = |headers: &[(&str, &[u8])], expected: Option<&str>| {
        assert_eq!(rules.check_head(&Sent(headers)).err().map(|refused| refused.header).as_deref(), expected);
    };
    let token = ("authorization", b"Bearer s3cr3t-t0ken".as_slice());
    check(&[token], Some("x-signature"));
    check(&[token, ("x-signature", b"whatever")], Some("x-id"));
    check(&[("x-id", b"1"), ("x-signature", b"whatever")], Some("authorization"));
    check(&[token, ("x-id", b"1"), ("x-signature", b"whatever")], None);
    let headers = [token, ("x-id", b"1".as_slice()), ("x-signature", b"whatever")];
    assert!(rules.check(&Sent(&headers), b"").is_err(), "the head alone proves nothing");
}

#[test]
fn rules_that_cannot_be_used_say_why() {
    let check = |header: &str, rule: Rule, expected: &str| {
        let error =
            HeaderRules::new([("x".to_owned(), Rule::Exists), (header.to_owned(), rule)]).unwrap_err();
        assert_eq!((error.index, error.to_string().as_str()), (1, expected));
    };
    let token = |token: &str, token_encoding: Option<Encoding>| Rule::Signature {
        token: secret(token),
        token_encoding,
        signature_prefix: None,
        signature_on: SignatureOn::Body,
        signature_encoding: Encoding::Hex,
    };
    check("a b", Rule::Exists, "header rule for `a b` (exists): `a b` cannot be the name of a header");
    check("", Rule::Exists, "header rule for `` (exists): `` cannot be the name of a header");
    check("y", bearer(""), "header rule for `y` (secret): the secret is empty");
    check("y", token("", None), "header rule for `y` (signature): the secret is empty");
    check(
        "y",
        token("abc", Some(Encoding::Hex)),
        "header rule for `y` (signature): the token is not valid hex",
    );
    check(
        "y",
        token("a", Some(Encoding::Base64)),
        "header rule for `y` (signature): the token is not valid base64",
    );
    check(
        "y",
        signature(signed_headers(&["a:b"]), Encoding::Hex),
        "header rule for `y` (signature): `a:b` cannot be the name of a header",
    );
    check(
        "X-Sig",
        signature(signed_headers(&["x-sig"]), Encoding::Hex),
        "header rule for `X-Sig` (signature): a signature cannot be made over its own header",
    );
    for pattern in ["(", "a{1000}{1000}{1000}"] {
        let error = HeaderRules::new([("y".to_owned(), matches(pattern))]).unwrap_err();
        assert!(matches!(error.problem, Problem::Pattern(_)), "{error}");
    }
}

#[test]
fn nothing_that_can_be_printed_holds_a_secret() {
    let all = || {
        let sign = signature(SignatureOn::Body, Encoding::Hex);
        [equals(SECRET, true), equals(SECRET, false), bearer(SECRET), sign]
    };
    for rule in all() {
        assert!(!format!("{rule:?}").contains(SECRET), "{rule:?}");
    }
    let rules = HeaderRules::new(all().map(|rule| ("x".to_owned(), rule))).unwrap();
    let shown = format!("{rules:#?}");
    assert!(!shown.contains(SECRET) && !shown.contains(&format!("{:?}", SECRET.as_bytes())), "{shown}");
    let refused = rules.check(&Sent(&[("x", SECRET.as_bytes())]), b"").unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains(SECRET));
}

fn encodings() -> impl Strategy<Value = Encoding> {
    prop_oneof![Just(Encoding::Hex), Just(Encoding::Base64)]
}

fn encode(encoding: Encoding, bytes: &[u8]) -> String {
    use base64::Engine as _;
    match encoding {
        Encoding::Hex => hex::encode(bytes),
        Encoding::Base64 => base64::engine::general_purpose::STANDARD.encode(bytes),
    }
}

proptest! {
    #[test]
    fn a_signature_verifies_and_no_flipped_bit_does(
        token in prop::collection::vec(any::<u8>(), 1..80),
        body in prop::collection::vec(any::<u8>(), 1..200),
        signed in prop::collection::vec(any::<u8>(), 1..20),
        token_encoding in encodings(),
        encoding in encodings(),
        flip in any::<prop::sample::Index>(),
    ) {
        let rules = rules("x-signature", Rule::Signature {
            token: secret(&encode(token_encoding, &token)),
            token_encoding: Some(token_encoding),
            signature_prefix: None,
            signature_on: signed_headers(&["x-signed"]),
            signature_encoding: encoding,
        });
        let passes = |signed: &[u8], code: &[u8], body: &[u8]| {
            let value = encode(encoding, code);
            let headers = [("x-signature", value.as_bytes()), ("x-signed", signed)];
            rules.check(&Sent(&headers), body).is_ok()
        };
        let flipped = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            let bit = flip.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        let code = hmac(&token, &[&signed[..], b".", &body].concat());
        prop_assert!(passes(&signed, &code, &body));
        prop_assert!(!passes(&flipped(&signed), &code, &body));
        prop_assert!(!passes(&signed, &flipped(&code), &body));
        prop_assert!(!passes(&signed, &code, &flipped(&body)));
        prop_assert!(!passes(&signed, &code[..31], &body));
    }

    #[test]
    fn nothing_a_request_holds_makes_a_rule_panic(
        values in prop::collection::vec((0..3usize, prop::collection::vec(any::<u8>(), 0..60)), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let rules = [
            Rule::Exists,
            equals("A", true),
            equals("A", false),
            bearer(SECRET),
            matches(r"^\w+\b.{2,5}(?i:x|\u{df})$"),
            signature(SignatureOn::Body, Encoding::Base64),
            signature(signed_headers(&["b", "c"]), Encoding::Hex),
        ];
        let headers: Vec<_> = values.iter().map(|(name, value)| (["a", "b", "c"][*name], value.as_slice())).collect();
        for rule in rules {
            let _ = HeaderRules::new([("a".to_owned(), rule)]).unwrap().check(&Sent(&headers), &body);
        }
    }
}
