//! Header rules: every type in both spellings, on streams and on webhooks alike.

use fanfare_testkit::Server;
use fanfare_testkit::http::{self, Connection};

use crate::kit::{self, BASIC, LONG, STREAM, WEBHOOK, fanfare, problem};

const EVENT: &str = r#"{"type":"t"}"#;

/// The environment of every server here.
const VARIABLE: (&str, &str) = ("RULE_SECRET", "hidden-secret");

/// A server that asks the same of `X-Test` at four places: both spellings, on a stream and on a webhook.
fn guarded(rule: &str) -> Server {
    let mut config = String::new();
    for (table, keys) in [("sinks.S", "type = \"sse\""), ("sources.S.extractor", "type = \"webhook\"")] {
        let map = format!("[{table}.headers]\n\"X-Test\" = {rule}\n");
        let array = format!("[[{table}.headers]]\nheader = \"x-test\"\nrule = {rule}\n");
        for (name, headers) in [("map", map), ("array", array)] {
            config +=
                &format!("[{table}]\n{keys}\nid = \"{name}\"\n{headers}").replace(".S", &format!(".{name}"));
        }
    }
    fanfare().config(config).env(VARIABLE.0, VARIABLE.1).start().unwrap()
}

/// What each place answers to a request with these headers. `passes` is the status of a refusal, or 200.
fn check_places(server: &Server, on_stream: &[(&str, &str)], on_webhook: &[(&str, &str)], status: u16) {
    for spelling in ["map", "array"] {
        let stream = format!("/sse/{spelling}");
        let webhook = format!("/webhook/{spelling}");
        let head = http::request(server.addr(), "HEAD", &stream, on_stream, b"").unwrap();
        assert_eq!((head.status(), head.body.len()), (status, 0), "HEAD {stream} {on_stream:?}");
        if status == 200 {
            assert_eq!(kit::head_of(server.addr(), "GET", &stream, on_stream).status, 200, "{on_stream:?}");
            let taken = http::post(server.addr(), &webhook, on_webhook, EVENT).unwrap();
            assert_eq!(taken.status(), 201, "{webhook} {on_webhook:?}: {}", taken.text());
            continue;
        }
        for refused in [
            http::get(server.addr(), &stream, on_stream).unwrap(),
            http::post(server.addr(), &webhook, on_webhook, EVENT).unwrap(),
        ] {
            assert_eq!(refused.status(), status, "{spelling} {on_stream:?}: {}", refused.text());
            let problem = problem(&refused);
            let header = problem["header"].as_str().unwrap();
            assert!(problem["detail"].as_str().unwrap().contains(&format!("`{header}`")), "{problem}");
            assert!(problem["rule"].is_string(), "{problem}");
            assert!(!refused.text().contains("hidden"), "{problem}");
        }
    }
}

/// What a rule for `X-Test` says to values of it.
fn check(rule: &str, cases: &[(&[&str], u16)]) {
    let server = guarded(rule);
    for (values, status) in cases {
        let headers: Vec<_> = values.iter().map(|value| ("X-TEST", *value)).collect();
        check_places(&server, &headers, &headers, *status);
    }
}

#[test]
fn exists() {
    check(
        "{ type = \"exists\" }",
        &[(&[], 401), (&[""], 401), (&["  "], 401), (&["x"], 200), (&["x", "y"], 200), (&["x", ""], 401)],
    );
}

#[test]
fn equals() {
    check(
        "{ type = \"equals\", value = \"hidden-Value\" }",
        &[
            (&[], 401),
            (&[""], 403),
            (&["hidden-Value"], 200),
            (&["  hidden-Value "], 200),
            (&["hidden-value"], 403),
            (&["hidden-Value2"], 403),
            (&["hidden-Valu"], 403),
            (&["hidden-Value", "hidden-Value"], 200),
            (&["hidden-Value", "hidden-other"], 403),
            (&["hidden-Value, hidden-Value"], 403),
        ],
    );
    check(
        "{ type = \"equals\", value = \"hidden-Ärger\", case_sensitive = false, prefix = \"<\", suffix = \">\" }",
        &[
            (&["<hidden-Ärger>"], 200),
            (&["<HIDDEN-ÄRGER>"], 200),
            (&["hidden-Ärger"], 403),
            (&["<hidden-Ärger"], 403),
        ],
    );
}

#[test]
fn matches() {
    check(
        "{ type = \"matches\", pattern = \"^Bearer [\\\\w-]+$\" }",
        &[
            (&[], 401),
            (&["Bearer hidden-token"], 200),
            (&["Bearer "], 403),
            (&["bearer hidden-token"], 403),
            (&["x Bearer hidden-token"], 403),
            (&["Bearer hidden-a", "Bearer hidden-b"], 200),
            (&["Bearer hidden-a", "hidden"], 403),
        ],
    );
    check("{ type = \"matches\", pattern = \"b\" }", &[(&["abc"], 200), (&["ac"], 403), (&[""], 403)]);
}

#[test]
fn secret() {
    check(
        "{ type = \"secret\", value = \"RULE_SECRET\" }",
        &[
            (&[], 401),
            (&[""], 403),
            (&["hidden-secret"], 200),
            (&["Hidden-secret"], 403),
            (&["RULE_SECRET"], 403),
            (&["Bearer hidden-secret"], 403),
            (&["hidden-secret", "hidden-secret"], 200),
            (&["hidden-secret", "hidden-other"], 403),
        ],
    );
    check(
        "{ type = \"secret\", value = \"RULE_SECRET\", prefix = \"Bearer \", suffix = \"!\" }",
        &[(&["Bearer hidden-secret!"], 200), (&["hidden-secret"], 403), (&["Bearer hidden-secret"], 403)],
    );
}

/// HMAC-SHA256 with the key `t0ken`, made with another implementation: of [`EVENT`], and of an empty body.
const OF_EVENT: &str = "b764a0c0ed9239df41f73c79ac3d9c2999694d629756a818fe9626cbe6b2268e";
const OF_NOTHING: &str = "bd3ca29b79776beaf7c4a3003147368ec3a3e36e746eafb7cefa9747aa98d9fd";

#[test]
fn signature_over_the_body() {
    let check = |keys: &str, of_nothing: &str, of_event: &str| {
        let server = guarded(&format!("{{ type = \"signature\", {keys} }}"));
        let headers = |value| [("X-Test", value)];
        check_places(&server, &headers(of_nothing), &headers(of_event), 200);
        check_places(&server, &headers(of_event), &headers(of_nothing), 403);
        check_places(&server, &headers("hidden"), &headers(""), 403);
        let twice = |first, second| [("X-Test", first), ("X-Test", second)];
        check_places(&server, &twice(of_nothing, of_nothing), &twice(of_event, of_event), 200);
        check_places(&server, &twice(of_nothing, of_event), &twice(of_event, of_nothing), 403);
        check_places(&server, &[], &[], 401);
    };
    check("token = \"t0ken\"", OF_NOTHING, OF_EVENT);
    check("token = \"t0ken\"", &OF_NOTHING.to_uppercase(), &OF_EVENT.to_uppercase());
    check(
        "token = \"t0ken\", signature_prefix = \"sha256=\"",
        &format!("sha256={OF_NOTHING}"),
        &format!("sha256={OF_EVENT}"),
    );
    check(
        "token = \"t0ken\", signature_encoding = \"base64\"",
        "vTyim3l3a+r3xKMAMUc2jsOj4250bq+3zvqXR6qY2f0=",
        "t2SgwO2SOd9B9zx5rD2cKZlpTWKXVqgY/pYmy+ayJo4=",
    );
    for token in
        ["token = \"00ff10\", token_encoding = \"hex\"", "token = \"AP8Q\", token_encoding = \"base64\""]
    {
        check(
            token,
            "cd71f90b612a9750c6ac5361a025b5a26e7c911d383020307fd231f91689667b",
            "475036b3346d88e35fd3e24457eddb6c005fbc7d31d6c99ff3d3c316f058b350",
        );
    }
}

/// Of `2024.k-1.`, and of that with [`EVENT`] behind it.
const ALONE: &str = "31e110ec57b79bf83b85f6f5eb55b24273a417e5047bf7f89f13f4c191a96c59";
const WITH_EVENT: &str = "ec7210a186f7aa17ae0fe9b40f70345ab53dc0397c100ff7046deb2834297e20";

#[test]
fn signature_over_headers_and_the_body() {
    let server = guarded(
        "{ type = \"signature\", token = \"t0ken\", signature_on = { headers_then_body = { headers = [\"X-Time\", \"X-Key\"], separator = \".\" } } }",
    );
    let check = |signed: &[(&str, &str)], status: u16| {
        let with = |signature| [&[("X-Test", signature)], signed].concat();
        check_places(&server, &with(ALONE), &with(WITH_EVENT), status);
    };
    let (time, key) = (("X-Time", "2024"), ("X-Key", "k-1"));
    check(&[time, key], 200);
    check(&[key, time], 200);
    check(&[("x-time", "2024"), ("x-key", "k-1"), ("x-more", "1")], 200);
    check(&[time], 401);
    check(&[("X-Time", "2025"), key], 403);
    check(&[time, key, key], 403);
    check(&[("X-Time", "2024.k-1"), ("X-Key", "")], 403);
    check_places(&server, &[time, key], &[time, key], 401);
}

#[test]
fn all_rules_must_pass() {
    let rules = r#""X-One" = { type = "exists" }
"X-Two" = { type = "equals", value = "2" }
"#;
    let server =
        kit::serve(&format!("{BASIC}[sinks.events.headers]\n{rules}[sources.ci.extractor.headers]\n{rules}"));
    let check = |headers: &[(&str, &str)], status: u16, header: &str| {
        for refused in [
            http::get(server.addr(), STREAM, headers).unwrap(),
            http::post(server.addr(), WEBHOOK, headers, EVENT).unwrap(),
        ] {
            assert_eq!((refused.status(), problem(&refused)["header"].as_str()), (status, Some(header)));
        }
    };
    check(&[], 401, "X-One");
    check(&[("x-two", "2")], 401, "X-One");
    check(&[("x-one", "1")], 401, "X-Two");
    check(&[("x-one", "1"), ("x-two", "3")], 403, "X-Two");
    assert_eq!(kit::head_of(server.addr(), "GET", STREAM, &[("x-two", "2"), ("x-one", "1")]).status, 200);
}

#[test]
fn a_stream_without_cors_knows_get_and_head_only() {
    let server = guarded("{ type = \"exists\" }");
    for method in ["OPTIONS", "POST", "PUT", "DELETE", "PATCH"] {
        let preflight = [
            ("Origin", "https://app.example.com"),
            ("Access-Control-Request-Method", "GET"),
            ("X-Test", "x"),
        ];
        for headers in [&[][..], &preflight] {
            let refused = http::request(server.addr(), method, "/sse/map", headers, b"").unwrap();
            assert_eq!((refused.status(), refused.header("allow")), (405, Some("GET, HEAD")), "{method}");
            problem(&refused);
            assert!(refused.head.headers.iter().all(|(name, _)| !name.starts_with("access-control")));
        }
    }
}

#[test]
fn who_will_be_refused_need_not_send_the_body() {
    let server = guarded("{ type = \"signature\", token = \"t0ken\" }");
    let check = |method: &str, header: &str, status: u16| {
        let mut connection = Connection::open(server.addr()).unwrap();
        let head = format!("{method} /webhook/map HTTP/1.1\r\nhost: x\r\n{header}content-length: 12\r\n\r\n");
        connection.send(head.as_bytes()).unwrap();
        assert_eq!(connection.read_head(LONG).unwrap().status, status, "{head}");
    };
    check("POST", "", 401);
    check("PUT", &format!("X-Test: {OF_EVENT}\r\n"), 405);

    // Who sends it all the same can go on.
    let mut connection = Connection::open(server.addr()).unwrap();
    for _ in 0..2 {
        let (refused, kept) = kit::request_on(connection, "POST", "/webhook/map", &[], EVENT.as_bytes());
        assert_eq!(refused.status(), 401);
        connection = kept;
    }
}
