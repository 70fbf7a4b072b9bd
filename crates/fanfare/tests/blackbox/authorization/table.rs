//! The table: identity × token × what is asked for.

use std::fmt::Write as _;

use fanfare_testkit::Server;
use fanfare_testkit::http::{Connection, Response};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::issuer::Issuer;
use super::tokens::{self, ED25519, P256, Pair, RSA, SECRET, header, now, published, sign};
use crate::kit::{self, LONG};

/// A sink of the table.
struct Sink {
    name: &'static str,
    identity: Identity,
}

#[derive(Clone, Copy)]
enum Identity {
    None,
    Query,
    /// Tokens of this algorithm, and the public key that anybody may know.
    Jwt(Algorithm, &'static str),
}

const SINKS: [Sink; 9] = [
    Sink { name: "none", identity: Identity::None },
    Sink { name: "query", identity: Identity::Query },
    Sink { name: "hs256", identity: Identity::Jwt(Algorithm::HS256, RSA) },
    Sink { name: "rs256", identity: Identity::Jwt(Algorithm::RS256, RSA) },
    Sink { name: "es256", identity: Identity::Jwt(Algorithm::ES256, P256) },
    Sink { name: "eddsa", identity: Identity::Jwt(Algorithm::EdDSA, ED25519) },
    Sink { name: "jwks-rs256", identity: Identity::Jwt(Algorithm::RS256, RSA) },
    Sink { name: "jwks-es256", identity: Identity::Jwt(Algorithm::ES256, P256) },
    Sink { name: "jwks-eddsa", identity: Identity::Jwt(Algorithm::EdDSA, ED25519) },
];

const ISSUER: &str = "https://idp.example.com";
const KID: &str = "k1";

fn config(issuer: &Issuer) -> String {
    let mut config = String::new();
    for Sink { name, identity } in SINKS {
        let key = match name {
            "hs256" => format!("algorithm = \"HS256\"\nsecret = \"{SECRET}\""),
            "rs256" => format!("algorithm = \"RS256\"\npublic_key = '''{RSA}'''"),
            "es256" => format!("algorithm = \"ES256\"\npublic_key = '''{P256}'''"),
            "eddsa" => format!("algorithm = \"EdDSA\"\npublic_key = '''{ED25519}'''"),
            _ => String::new(),
        };
        let word = match identity {
            Identity::None => "none",
            Identity::Query => "query",
            Identity::Jwt(..) => "jwt",
        };
        let _ = writeln!(config, "[sinks.{name}]\ntype = \"sse\"\nid = \"{name}\"\nidentity = \"{word}\"");
        if word == "jwt" {
            let _ = writeln!(config, "[sinks.{name}.jwt]\nissuer = \"{ISSUER}\"\naudience = \"fanfare\"");
            let _ = if key.is_empty() {
                writeln!(config, "jwks_url = \"{}/{name}\"", issuer.url())
            } else {
                writeln!(config, "[[sinks.{name}.jwt.keys]]\nkid = \"{KID}\"\n{key}")
            };
        }
    }
    config
}

/// What every good token of the table says.
fn claims() -> Value {
    json!({
        "sub": "7", "exp": now() + 300, "nbf": now() - 1, "iat": now() - 1, "iss": ISSUER, "aud": ["other", "fanfare"],
        "rooms": ["own", "team.*"], "event_types": ["order.*", "alert"]
    })
}

/// A token, or none, and whether it holds.
type Token = (&'static str, Option<String>, bool);

/// All tokens for an algorithm whose public key anybody may know.
fn all_tokens(algorithm: Algorithm, public: &str) -> Vec<Token> {
    let known = tokens::key(algorithm, Pair::Known);
    let usual = header(algorithm, Some(KID));
    let saying = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        Some(sign(&usual, &claims, &known))
    };
    let lacking = |name: &str| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().remove(name);
        Some(sign(&usual, &claims, &known))
    };
    let of = |header: &Header, key: &EncodingKey| Some(sign(header, &claims(), key));
    let good = sign(&usual, &claims(), &known);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let (_, payload) = message.split_once('.').unwrap();
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    // {"alg":"none"} and {"alg":"none","kid":"k1"}
    let unsigned = |header: &str| Some(format!("{header}.{payload}."));
    let secret = EncodingKey::from_secret(public.as_bytes());
    vec![
        ("no token", None, false),
        ("good", Some(good.clone()), true),
        ("good, without a kid", of(&header(algorithm, None), &known), true),
        ("without iat and nbf", lacking("iat"), true),
        ("expired", saying("exp", json!(now() - 1)), false),
        ("without an end", lacking("exp"), false),
        ("not valid yet", saying("nbf", json!(now() + 250)), false),
        ("of a clock that is a little ahead", saying("nbf", json!(now() + 10)), true),
        ("wrong key", of(&usual, &tokens::key(algorithm, Pair::Other)), false),
        (
            "wrong key, without a kid",
            of(&header(algorithm, None), &tokens::key(algorithm, Pair::Other)),
            false,
        ),
        ("wrong audience", saying("aud", json!("other")), false),
        ("without an audience", lacking("aud"), false),
        ("wrong issuer", saying("iss", json!("https://other.example.com")), false),
        ("without an issuer", lacking("iss"), false),
        ("alg none", unsigned("eyJhbGciOiJub25lIn0"), false),
        ("alg none, with a kid", unsigned("eyJhbGciOiJub25lIiwia2lkIjoiazEifQ"), false),
        ("HS256 with the public key", of(&header(Algorithm::HS256, Some(KID)), &secret), false),
        ("HS256 with the public key, without a kid", of(&header(Algorithm::HS256, None), &secret), false),
        ("unknown kid", of(&header(algorithm, Some("k2")), &known), false),
        ("oversized", saying("padding", json!("x".repeat(8 * 1024))), false),
        ("malformed", Some("not.a.token".to_owned()), false),
        ("two parts", Some(message.to_owned()), false),
        ("another signature", Some(format!("{message}.{first}{}", &signature[1..])), false),
        ("a claim of the wrong type", saying("rooms", json!({"own": true})), false),
    ]
}

/// What is asked for, and the status by the identity: `none`, `query`, `jwt` with a good token. The last column is the
/// parameter that a 403 of the last names.
const ASKED: [(&str, u16, u16, u16, &str); 16] = [
    ("", 200, 200, 200, ""),
    ("?room=own", 403, 200, 200, ""),
    ("?room=team.a", 403, 200, 200, ""),
    ("?rooms=own,team.a.b", 403, 200, 200, ""),
    ("?room=other", 403, 200, 403, "room"),
    ("?rooms=own,other", 403, 200, 403, "rooms"),
    ("?room=team", 403, 200, 403, "room"),
    ("?room=teams.a", 403, 200, 403, "room"),
    ("?user_id=7", 403, 200, 200, ""),
    ("?user_id=8", 403, 200, 403, "user_id"),
    ("?room=own&user_id=7", 403, 200, 200, ""),
    ("?event_type=order.paid", 200, 200, 200, ""),
    ("?event_type=*", 200, 200, 200, ""),
    ("?event_type=invoice.paid", 200, 200, 403, "event_type"),
    ("?event_type=alert&event_type=invoice.*", 200, 200, 403, "event_type"),
    ("?event_type=a*", 400, 400, 400, "event_type"),
];

fn check(server: &Server, sink: &Sink, (what, token, holds): &Token) {
    let bearer = token.as_ref().map(|token| format!("Bearer {token}"));
    let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
    for (query, none, trusting, granted, parameter) in ASKED {
        let is_jwt = matches!(sink.identity, Identity::Jwt(..));
        let expected = match sink.identity {
            Identity::None => none,
            Identity::Query => trusting,
            Identity::Jwt(..) if *holds => granted,
            Identity::Jwt(..) => 401,
        };
        let case = format!("{}: {what}: {query}", sink.name);
        let target = format!("/sse/{}{query}", sink.name);
        let mut connection = Connection::open(server.addr()).unwrap();
        connection.send_request("GET", &target, &headers, b"").unwrap();
        let head = connection.read_head(LONG).unwrap();
        assert_eq!(head.status, expected, "{case}: {head:?}");
        if expected == 200 {
            assert!(tokens::is_open(&head), "{case}: {head:?}");
            continue;
        }
        let (body, end) = connection.into_body(&head, "GET").unwrap().read_to_end(LONG).unwrap();
        let response = Response { head, body, end };
        let problem = kit::problem(&response);
        let challenge = match expected {
            401 if token.is_none() => Some("Bearer"),
            401 => Some("Bearer error=\"invalid_token\""),
            403 if is_jwt => Some("Bearer error=\"insufficient_scope\""),
            _ => None,
        };
        assert_eq!(response.header("www-authenticate"), challenge, "{case}");
        if is_jwt && expected != 401 {
            assert_eq!(problem["parameter"], parameter, "{case}");
        }
    }
}

#[test]
fn whoever_asks_gets_what_the_sink_and_the_token_say() {
    let of_issuer = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];
    // Keys of several algorithms may have one name (RFC 7517, 4.5), but then it does not say which is meant.
    let keys = of_issuer.map(|algorithm| published(algorithm, Pair::Known, KID));
    let issuer = Issuer::start(&keys);
    let server = kit::serve(&config(&issuer));
    let mut checked = 0;
    for sink in &SINKS {
        let (algorithm, public) = match sink.identity {
            Identity::Jwt(algorithm, public) => (algorithm, public),
            Identity::None | Identity::Query => (Algorithm::HS256, RSA),
        };
        for token in all_tokens(algorithm, public) {
            check(&server, sink, &token);
            checked += ASKED.len();
        }
    }
    assert_eq!(checked, SINKS.len() * 24 * ASKED.len());
    let log = server.log().join("\n");
    // What a token says, unless it says next to nothing. The times in it may be others by now, but not what comes first.
    for (what, token, _) in all_tokens(Algorithm::RS256, RSA) {
        let payload =
            token.as_deref().and_then(|token| token.split('.').nth(1)).and_then(|part| part.get(..20));
        assert!(payload.is_none_or(|payload| !log.contains(payload)), "{what}");
    }
    assert!(!log.contains(ISSUER) && !log.contains("other.example.com"), "no value is told");
}
