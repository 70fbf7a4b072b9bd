//! What a client of a token sees, and where its token may come from.

use fanfare_testkit::http;
use fanfare_testkit::sse::Client;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::tokens::{SECRET, is_open, token};
use crate::kit::{self, LONG, STREAM, serve};

/// A webhook whose events go where they say, and a stream for tokens of the test's secret.
fn config(keys: &str) -> String {
    format!(
        r#"
[sources.ci.extractor]
type = "webhook"
id = "ci"

[sinks.events]
type = "sse"
id = "events"
profile = "message"
match = ["order.*", "alert"]
identity = "jwt"
[sinks.events.jwt]
{keys}
[[sinks.events.jwt.keys]]
algorithm = "HS256"
secret = "{SECRET}"

[[routes]]
from = "ci"
to = "events"
match = "alert"

[[routes]]
from = "ci"
to = "events"
match = "order.room"
audience = {{ room = ".body.to" }}

[[routes]]
from = "ci"
to = "events"
match = "order.user"
audience = {{ user = ".body.to" }}
"#
    )
}

fn bearer(members: &Value) -> String {
    format!("Bearer {}", token(Algorithm::HS256, None, members))
}

#[test]
fn a_client_is_its_tokens_user_and_joins_what_it_asks_for() {
    let server = serve(&config(""));
    let open = |members: Value, query: &str| {
        Client::open(server.addr(), &format!("{STREAM}{query}"), &[("authorization", &bearer(&members))])
            .unwrap()
    };
    let mut clients = [
        (open(json!({}), ""), vec![1, 4, 5]),
        (open(json!({"rooms": "*"}), ""), vec![1, 4, 5]),
        (open(json!({"rooms": ["a.*"]}), "?room=a.b&user_id=7"), vec![1, 2, 4, 5]),
        (open(json!({"sub": 8, "rooms": "*"}), "?rooms=a.b,c"), vec![1, 2, 3, 5]),
        (open(json!({"sub": null}), ""), vec![1, 5]),
        (open(json!({"event_types": ["order.*", "hidden"]}), ""), vec![4]),
        (open(json!({"rooms": "*", "event_types": "order.*"}), "?room=c&event_type=order.room"), vec![3]),
    ];
    for event in [
        json!({"type": "alert", "n": 1}),
        json!({"type": "order.room", "to": "a.b", "n": 2}),
        json!({"type": "order.room", "to": "c", "n": 3}),
        json!({"type": "order.user", "to": "7", "n": 4}),
        json!({"type": "alert", "n": 5}),
    ] {
        kit::publish(&server, &event);
    }
    for (number, (client, expected)) in clients.iter_mut().enumerate() {
        let seen: Vec<_> = client
            .next_events(expected.len(), LONG)
            .unwrap()
            .iter()
            .map(|event| serde_json::from_str::<Value>(&event.data).unwrap()["n"].as_u64().unwrap())
            .collect();
        assert_eq!(seen, *expected, "client {number}");
    }
}

#[test]
fn a_token_comes_from_the_places_that_the_sink_names() {
    let servers = [serve(&config("")), serve(&config("cookie = \"session\"\nquery_token = true\n"))];
    let (good, other) =
        (token(Algorithm::HS256, None, &json!({})), token(Algorithm::HS256, None, &json!({"a": 1})));
    let (header, cookie) = (format!("bearer {good}"), format!("a=b; session={good}"));
    let (other_header, query) = (format!("Bearer {other}"), format!("?access_token={good}"));
    let in_header = ("authorization", header.as_str());
    let in_cookie = ("cookie", cookie.as_str());
    let not_from_query = "none from `access_token`";
    let check = |place: usize, query: &str, headers: &[(&str, &str)], expected: Result<(), (u16, &str)>| {
        let addr = servers[place].addr();
        let target = format!("{STREAM}{query}");
        match expected {
            Ok(()) => {
                assert!(is_open(&kit::head_of(addr, "GET", &target, headers)), "{place} {headers:?} {query}");
            }
            Err((status, part)) => {
                let response = http::get(addr, &target, headers).unwrap();
                let detail = kit::problem(&response)["detail"].to_string();
                assert!(
                    response.status() == status && detail.contains(part),
                    "{place} {headers:?} {query}: {detail}"
                );
            }
        }
    };
    for place in [0, 1] {
        check(place, "", &[in_header], Ok(()));
        check(place, "", &[], Err((401, "has no token")));
        check(place, "", &[("authorization", "Basic dTpw")], Err((401, "has no token")));
    }
    check(0, "", &[in_cookie], Err((401, "has no token")));
    check(0, &query, &[], Err((401, not_from_query)));
    check(0, &query, &[("authorization", &other_header)], Ok(()));
    check(1, "", &[in_cookie], Ok(()));
    check(1, &query, &[], Ok(()));
    check(1, &query, &[in_header, in_cookie], Ok(()));
    check(1, "", &[("authorization", &other_header), in_cookie], Err((400, "several tokens")));
    check(1, &query, &[("authorization", &other_header)], Err((400, "several tokens")));
}

#[test]
fn no_log_line_has_a_token() {
    let keys = "cookie = \"session\"\nquery_token = true\n";
    let server = kit::fanfare().config(config(keys)).env("RUST_LOG", "trace").start().unwrap();
    let good = token(Algorithm::HS256, None, &json!({}));
    let wrong = token(Algorithm::HS256, Some("k"), &json!({"exp": 1}));
    for token in [&good, &wrong] {
        let header = format!("Bearer {token}");
        let cookie = format!("session={token}");
        kit::head_of(server.addr(), "GET", STREAM, &[("authorization", &header)]);
        kit::head_of(server.addr(), "GET", STREAM, &[("cookie", &cookie)]);
        for path in [STREAM, "/sse/events/", "/not/there"] {
            kit::head_of(server.addr(), "GET", &format!("{path}?access_token={token}"), &[]);
        }
        server.wait_for_log("nothing is served here", LONG).unwrap();
    }
    kit::head_of(server.addr(), "GET", "/last?access_token=x", &[]);
    server.wait_for_log("/last", LONG).unwrap();
    let log = server.log().join("\n");
    for token in [&good, &wrong] {
        for part in token.split('.').skip(1) {
            assert!(!log.contains(part), "{log}");
        }
    }
    assert!(log.contains("the token has expired"), "{log}");
}

#[test]
fn a_token_for_somebody_is_refused_with_advice_for_the_operator_alone() {
    let server = serve(&config(""));
    let headers = [("authorization", &*bearer(&json!({"aud": "fanfare"})))];
    let response = http::get(server.addr(), STREAM, &headers).unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(kit::problem(&response)["detail"], "the token is for another audience");
    server.wait_for_log("the sink has no `audience`", LONG).unwrap();
}

#[test]
fn a_page_of_another_origin_may_use_cookies_and_read_refusals() {
    let cors = "[sinks.events.cors]\nallowed_origins = [\"https://app.example.com\"]\n";
    let server = serve(&format!("{}{cors}", config("cookie = \"session\"\n")));
    let origin = ("origin", "https://app.example.com");
    let cookie = format!("session={}", token(Algorithm::HS256, None, &json!({})));
    for (headers, status) in [(vec![origin, ("cookie", &*cookie)], 200), (vec![origin], 401)] {
        let head = kit::head_of(server.addr(), "GET", STREAM, &headers);
        assert_eq!(head.status, status);
        assert_eq!(head.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(head.header("access-control-allow-origin"), Some("https://app.example.com"));
    }
}

#[test]
fn a_key_that_is_not_for_its_algorithm_is_refused_at_the_start() {
    let file = kit::file(&format!(
        "[sinks.a]\ntype = \"sse\"\nid = \"a\"\nidentity = \"jwt\"\n[[sinks.a.jwt.keys]]\nalgorithm = \"ES256\"\n\
         public_key = '''{}'''\n",
        super::tokens::RSA
    ));
    let output = kit::run(&["check", file.path().to_str().unwrap()], &[]);
    assert_eq!(output.code, Some(3), "{output:?}");
    assert!(
        output.stderr.contains("this key cannot be used: this is no public key for this algorithm"),
        "{output:?}"
    );
}
