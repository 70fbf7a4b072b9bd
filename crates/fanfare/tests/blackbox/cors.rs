//! Pages of other origins.

use fanfare_testkit::http::{self, Head, Response};

use crate::kit::{self, LONG, STREAM, head_of, problem, serve_sink};

const APP: &str = "https://app.example.com";
const OTHER: &str = "https://evil.example.com";

const CORS: &str = r#"
[sinks.events.cors]
allowed_origins = ["https://app.example.com", "http://localhost:3000"]
[sinks.events.headers]
"Authorization" = { type = "matches", pattern = "^Bearer" }
"X-Team-Filter" = { type = "exists" }
"#;
const PASSES: [(&str, &str); 2] = [("Authorization", "Bearer x"), ("X-Team-Filter", "a")];

fn vary(head: &Head) -> Vec<String> {
    let names = head.headers("vary").flat_map(|value| value.split(','));
    names.map(|name| name.trim().to_ascii_lowercase()).collect()
}

/// What lets a page of this origin read the answer, or nothing of it.
fn check_readable(head: &Head, origin: Option<&str>) {
    assert_eq!(head.header("access-control-allow-origin"), origin, "{head:?}");
    assert_eq!(head.header("access-control-allow-credentials"), origin.map(|_| "true"));
    assert_eq!(head.header("access-control-expose-headers"), origin.map(|_| "last-event-id"));
    assert!(vary(head).contains(&"origin".to_owned()), "{head:?}");
}

#[test]
fn a_page_of_an_allowed_origin_may_read_a_stream() {
    let server = serve_sink(CORS);
    let check = |origin: Option<&str>, allowed: Option<&str>| {
        let mut headers = PASSES.to_vec();
        headers.extend(origin.map(|origin| ("Origin", origin)));
        for method in ["GET", "HEAD"] {
            let head = head_of(server.addr(), method, STREAM, &headers);
            // CORS is the browser's: who is no page of another origin is served all the same.
            assert_eq!(head.status, 200);
            check_readable(&head, allowed);
            assert!(head.header("last-event-id").is_some());
        }
    };
    check(Some(APP), Some(APP));
    check(Some("http://localhost:3000"), Some("http://localhost:3000"));
    for foreign in [
        OTHER,
        "https://app.example.com.evil",
        "http://app.example.com",
        "https://app.example.com:444",
        "null",
        "",
    ] {
        check(Some(foreign), None);
    }
    check(None, None);
}

#[test]
fn a_page_sees_why_it_was_refused() {
    let server = serve_sink(CORS);
    let check = |method: &str, headers: &[(&str, &str)], status: u16| -> Response {
        let refused =
            http::request(server.addr(), method, STREAM, &[headers, &[("Origin", APP)]].concat(), b"")
                .unwrap();
        assert_eq!(refused.status(), status);
        problem(&refused);
        check_readable(&refused.head, Some(APP));
        let foreign =
            http::request(server.addr(), method, STREAM, &[headers, &[("Origin", OTHER)]].concat(), b"")
                .unwrap();
        assert_eq!(foreign.status(), status);
        check_readable(&foreign.head, None);
        refused
    };
    check("GET", &[], 401);
    check("GET", &PASSES[..1], 401);
    check("GET", &[("Authorization", "Basic x"), PASSES[1]], 403);
    assert_eq!(check("POST", &PASSES, 405).header("allow"), Some("GET, HEAD, OPTIONS"));
    check("OPTIONS", &[], 405);
}

fn preflight(server: &fanfare_testkit::Server, origin: &str, headers: &str) -> Response {
    let asked = [
        ("Origin", origin),
        ("Access-Control-Request-Method", "GET"),
        ("Access-Control-Request-Headers", headers),
    ];
    http::request(server.addr(), "OPTIONS", STREAM, &asked, b"").unwrap()
}

#[test]
fn a_preflight_is_answered_before_the_rules() {
    let server = serve_sink(CORS);
    let answer = preflight(&server, APP, "authorization,cache-control,x-team-filter");
    assert_eq!((answer.status(), answer.body.len()), (204, 0));
    check_readable(&answer.head, Some(APP));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD"));
    let allowed: Vec<_> = answer.header("access-control-allow-headers").unwrap().split(", ").collect();
    for header in ["authorization", "x-team-filter", "last-event-id", "cache-control", "accept"] {
        assert!(allowed.contains(&header), "{allowed:?}");
    }
    assert!(!allowed.contains(&"*"), "with credentials a star means a header of that name");
    assert!(answer.header("access-control-max-age").is_some_and(|age| age.parse::<u32>().is_ok()));
    for asked in ["origin", "access-control-request-method", "access-control-request-headers"] {
        assert!(vary(&answer.head).contains(&asked.to_owned()), "{:?}", answer.head);
    }

    let foreign = preflight(&server, OTHER, "authorization");
    server.wait_for_log("stream refused", LONG).unwrap();
    assert_eq!(foreign.status(), 403);
    assert_eq!(problem(&foreign)["header"], "Origin");
    check_readable(&foreign.head, None);
    assert!(
        !foreign.head.headers.iter().any(|(name, _)| name.starts_with("access-control")),
        "{:?}",
        foreign.head
    );
}

#[test]
fn a_star_means_every_origin_and_no_credentials() {
    let server = serve_sink("cors.allowed_origins = [\"*\"]\nmax_connections = 1\n");
    let head = head_of(server.addr(), "GET", STREAM, &[("Origin", OTHER)]);
    let check = |head: &Head| {
        assert_eq!(head.header("access-control-allow-origin"), Some("*"));
        assert_eq!(head.header("access-control-allow-credentials"), None);
        assert_eq!(head.header("access-control-expose-headers"), Some("last-event-id"));
    };
    check(&head);
    assert_eq!(preflight(&server, OTHER, "authorization").status(), 204);
    check(&preflight(&server, OTHER, "authorization").head);
    check(&http::request(server.addr(), "PUT", STREAM, &[("Origin", OTHER)], b"").unwrap().head);
}

#[test]
fn a_full_sink_is_readable_too() {
    let server = serve_sink(
        "max_connections = 1\n[sinks.events.cors]\nallowed_origins = [\"https://app.example.com\"]\n",
    );
    let _first = kit::subscribe(&server, &[]);
    let mut second = kit::subscribe(&server, &[("Origin", APP)]);
    check_readable(second.head(), Some(APP));
    second.read_to_end(LONG).unwrap();
}
