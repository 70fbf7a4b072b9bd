use proptest::prelude::*;

use super::*;
use crate::{HeaderRules, RequestHeaders, Rule};

const SECRET: &str = "s3cr3t-t0ken";

/// A request with these headers.
struct Sent(Vec<(String, SecretString)>);

impl RequestHeaders for Sent {
    fn values<'a>(&'a self, name: &str) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
        let name = name.to_owned();
        let values = self.0.iter().filter(move |(header, _)| header.eq_ignore_ascii_case(&name));
        Box::new(values.map(|(_, value)| value.expose_secret().as_bytes()))
    }
}

fn fixed(value: &str) -> Outgoing {
    Outgoing::Fixed { value: value.into(), prefix: String::new(), suffix: String::new() }
}

fn signature(signed: &[&str]) -> Outgoing {
    let headers = signed.iter().map(|name| (*name).to_owned()).collect();
    Outgoing::Signature {
        token: SECRET.into(),
        token_encoding: None,
        signature_prefix: Some("sha256=".to_owned()),
        signature_on: SignatureOn::HeadersThenBody { headers, separator: ".".to_owned() },
        signature_encoding: Encoding::Hex,
    }
}

fn new<const N: usize>(headers: [(&str, Outgoing); N]) -> Result<OutgoingHeaders, OutgoingError> {
    OutgoingHeaders::new(headers.map(|(name, outgoing)| (name.to_owned(), outgoing)))
}

#[test]
fn names_and_values_are_as_they_were_given() {
    let token =
        Outgoing::Fixed { value: SECRET.into(), prefix: "Bearer ".to_owned(), suffix: "!".to_owned() };
    let body_alone = Outgoing::Signature {
        token: "4a656665".into(),
        token_encoding: Some(Encoding::Hex),
        signature_prefix: None,
        signature_on: SignatureOn::Body,
        signature_encoding: Encoding::Hex,
    };
    let headers =
        new([("X-Signature", body_alone), ("Authorization", token), ("x-empty", fixed(""))]).unwrap();
    let values = headers.values(b"what do ya want for nothing?");
    let values: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    // RFC 4231, 4.3.
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(
        values,
        [("X-Signature", expected), ("Authorization", "Bearer s3cr3t-t0ken!"), ("x-empty", "")]
    );
    assert!(OutgoingHeaders::default().is_empty() && !headers.is_empty());
}

#[test]
fn headers_that_cannot_be_sent_say_why() {
    fn check<const N: usize>(headers: [(&str, Outgoing); N], index: usize, problem: &OutgoingProblem) {
        let error = new(headers).unwrap_err();
        assert_eq!((error.index, &error.problem), (index, problem));
        assert!(!error.to_string().contains(SECRET), "{error}");
    }
    let name = || "X A".to_owned();
    check([("X A", fixed("a"))], 0, &Problem::HeaderName { name: name() }.into());
    check([("a", signature(&["X A"]))], 0, &Problem::HeaderName { name: name() }.into());
    check([("a", fixed("a")), ("A", fixed("b"))], 1, &OutgoingProblem::Twice);
    for value in ["a\r\nb", "a\n", "\0", "\u{7f}", " a", "a\t"] {
        check([("a", fixed(value))], 0, &OutgoingProblem::Value);
    }
    check([("a", signature(&["A"]))], 0, &Problem::SignsItself.into());
    check([("a", signature(&["Date"]))], 0, &OutgoingProblem::NotSent { name: "date".to_owned() });
    let signs = OutgoingProblem::SignsSignature { name: "b".to_owned() };
    check([("a", signature(&["B"])), ("b", signature(&[]))], 0, &signs);
    let with_token = |token: &str, signature_prefix: Option<&str>| Outgoing::Signature {
        token: token.into(),
        token_encoding: Some(Encoding::Hex),
        signature_prefix: signature_prefix.map(str::to_owned),
        signature_on: SignatureOn::Body,
        signature_encoding: Encoding::Hex,
    };
    check([("a", with_token("x", None))], 0, &Problem::Token(Encoding::Hex).into());
    check([("a", with_token("", None))], 0, &Problem::EmptySecret.into());
    check([("a", with_token("00", Some("a\n")))], 0, &OutgoingProblem::Value);
}

#[test]
fn nothing_that_can_be_printed_holds_a_secret() {
    let headers = new([("b", signature(&["a"])), ("a", fixed(SECRET))]).unwrap();
    let shown = format!("{:?} {:?} {headers:?} {:?}", fixed(SECRET), signature(&[]), headers.values(b""));
    assert!(!shown.contains(SECRET), "{shown}");
}

/// A value that can be sent.
const VALUE: &str = "([!-~\u{a1}-\u{2ff}]([ -~\t]{0,8}[!-~])?)?";

fn encodings() -> impl Strategy<Value = Encoding> {
    prop_oneof![Just(Encoding::Hex), Just(Encoding::Base64)]
}

proptest! {
    #[test]
    fn what_is_sent_passes_the_rules_of_the_other_side(
        values in prop::collection::vec((VALUE, VALUE, VALUE), 0..4),
        order in any::<prop::sample::Index>(),
        token in "[a-z\u{e4}]{1,80}",
        signature_prefix in prop::option::of(VALUE),
        separator in "\\PC{0,3}",
        signature_encoding in encodings(),
        body in prop::collection::vec(any::<u8>(), 1..200),
    ) {
        let names: Vec<_> = (0..values.len()).map(|number| format!("X-{number}")).collect();
        let signature_on = SignatureOn::HeadersThenBody { headers: names.clone(), separator };
        let mut headers: Vec<_> = names.iter().zip(&values).map(|(name, (prefix, value, suffix))| {
            let value = value.as_str().into();
            (name.clone(), Outgoing::Fixed { value, prefix: prefix.clone(), suffix: suffix.clone() })
        }).collect();
        headers.insert(order.index(headers.len() + 1), ("X-Signature".to_owned(), Outgoing::Signature {
            token: token.as_str().into(),
            token_encoding: None,
            signature_prefix: signature_prefix.clone(),
            signature_on: signature_on.clone(),
            signature_encoding,
        }));
        let headers = OutgoingHeaders::new(headers).unwrap();

        let mut rules: Vec<_> = names.into_iter().zip(values).map(|(name, (prefix, value, suffix))| {
            (name, Rule::Equals { value: value.into(), case_sensitive: true, prefix, suffix })
        }).collect();
        rules.push(("x-signature".to_owned(), Rule::Signature {
            token: token.into(),
            token_encoding: None,
            signature_prefix,
            signature_on,
            signature_encoding,
        }));
        let rules = HeaderRules::new(rules).unwrap();
        let sent = Sent(headers.values(&body));
        prop_assert_eq!(rules.check(&sent, &body), Ok(()));
        prop_assert!(rules.check(&sent, &body[1..]).is_err());
    }

    #[test]
    fn no_header_makes_it_panic_or_can_split_a_request(
        header in "\\PC{0,4}|[A-Za-z-]{1,8}",
        parts in prop::array::uniform3("(?s).{0,4}|[ -~]{0,4}"),
    ) {
        let [value, prefix, suffix] = parts;
        let fixed = Outgoing::Fixed { value: value.into(), prefix, suffix };
        if let Ok(headers) = OutgoingHeaders::new([(header, fixed)]) {
            for (name, value) in headers.values(b"") {
                prop_assert!(!name.is_empty() && !name.contains([':', ' ', '\r', '\n']), "{}", name);
                prop_assert!(!value.expose_secret().contains(['\r', '\n', '\0']));
            }
        }
    }
}
