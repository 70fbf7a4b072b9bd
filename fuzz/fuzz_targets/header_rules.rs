//! Any rules and any headers: a yes or a no, never a panic. The same rules as headers that are sent: they can be made, or say
//! why not.
#![no_main]

use arbitrary::Arbitrary;
use fanfare_auth::{Encoding, HeaderRules, Outgoing, OutgoingHeaders, RequestHeaders, Rule, SignatureOn};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input {
    rules: Vec<(String, AnyRule)>,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

#[derive(Arbitrary, Debug)]
enum AnyRule {
    Exists,
    Equals {
        value: String,
        case_sensitive: bool,
        prefix: String,
        suffix: String,
    },
    Matches {
        pattern: String,
    },
    Secret {
        value: String,
        prefix: String,
        suffix: String,
    },
    Signature {
        token: String,
        hex: Option<bool>,
        prefix: Option<String>,
        on: Option<(Vec<String>, String)>,
        base64: bool,
    },
}

struct Headers(Vec<(String, Vec<u8>)>);

impl RequestHeaders for Headers {
    fn values<'a>(&'a self, name: &str) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
        let name = name.to_owned();
        Box::new(self.0.iter().filter(move |(own, _)| *own == name).map(|(_, value)| value.as_slice()))
    }
}

fn rule(rule: AnyRule) -> Rule {
    let encoding = |hex: bool| if hex { Encoding::Hex } else { Encoding::Base64 };
    match rule {
        AnyRule::Exists => Rule::Exists,
        AnyRule::Equals { value, case_sensitive, prefix, suffix } => {
            Rule::Equals { value: value.into(), case_sensitive, prefix, suffix }
        }
        AnyRule::Matches { pattern } => Rule::Matches { pattern },
        AnyRule::Secret { value, prefix, suffix } => Rule::Secret { value: value.into(), prefix, suffix },
        AnyRule::Signature { token, hex, prefix, on, base64 } => Rule::Signature {
            token: token.into(),
            token_encoding: hex.map(encoding),
            signature_prefix: prefix,
            signature_on: match on {
                Some((headers, separator)) => SignatureOn::HeadersThenBody { headers, separator },
                None => SignatureOn::Body,
            },
            signature_encoding: encoding(!base64),
        },
    }
}

/// What is sent to pass a rule, where one such header is all that it needs.
fn outgoing(rule: &Rule) -> Option<Outgoing> {
    match rule.clone() {
        Rule::Equals { value, prefix, suffix, .. } | Rule::Secret { value, prefix, suffix } => {
            Some(Outgoing::Fixed { value, prefix, suffix })
        }
        Rule::Signature { token, token_encoding, signature_prefix, signature_on, signature_encoding } => {
            Some(Outgoing::Signature {
                token,
                token_encoding,
                signature_prefix,
                signature_on,
                signature_encoding,
            })
        }
        Rule::Exists | Rule::Matches { .. } => None,
    }
}

fuzz_target!(|input: Input| {
    let rules: Vec<_> = input.rules.into_iter().map(|(header, any)| (header, rule(any))).collect();
    let sent = rules.iter().filter_map(|(header, rule)| Some((header.clone(), outgoing(rule)?)));
    if let Ok(sent) = OutgoingHeaders::new(sent) {
        let _ = sent.values(&input.body);
    }
    if let Ok(rules) = HeaderRules::new(rules) {
        let headers = Headers(input.headers);
        let _ = rules.check_head(&headers);
        let _ = rules.check(&headers, &input.body);
    }
});
