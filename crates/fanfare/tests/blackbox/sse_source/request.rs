//! What a source sends, and what it shows of that.

use fanfare_testkit::upstream::Upstream;

use super::kit::{SHORT, accept, listener, listening, listening_to, metadata, scripted};
use crate::kit::{BASIC, LONG, STREAM, cdevent, fanfare, file, next_ids, publish, run, serve, subscribe};

const HEADERS: &str = r#"user_agent = "hub/1"
[sources.up.extractor.headers]
"Authorization" = { type = "secret", value = "HUB_TOKEN", prefix = "Bearer " }
"X-Region" = { type = "static", value = "hidden-region" }
"#;

#[test]
fn headers_are_sent_with_each_request_and_never_shown() {
    let upstream = Upstream::start().unwrap();
    let config = listening_to(&upstream.url("/sse/x?token=hidden-query"), HEADERS);
    let verbose =
        || fanfare().config(config.as_str()).env("HUB_TOKEN", "hidden-token").env("RUST_LOG", "trace");
    let server = verbose().start().unwrap();
    for _ in 0..2 {
        let mut stream = accept(&upstream);
        let expected = [
            ("authorization", "Bearer hidden-token"),
            ("x-region", "hidden-region"),
            ("user-agent", "hub/1"),
            ("accept", "text/event-stream"),
            ("cache-control", "no-cache"),
            ("prefer", "prime"),
        ];
        for (name, value) in expected {
            assert_eq!(stream.header(name), Some(value), "{name}");
        }
        assert_eq!((stream.method.as_str(), stream.target.as_str()), ("GET", "/sse/x?token=hidden-query"));
        let mut client = subscribe(&server, &[]);
        stream.send("event: cdevent\ndata: {\"type\":\"t\"}\n\n").unwrap();
        client.next_event(LONG).unwrap();
    }
    server.wait_for_log("not listening", LONG).unwrap();
    let ours = |line: &String| line.contains("fanfare");
    let log: Vec<_> = server.log().into_iter().filter(ours).collect();
    assert!(!log.join("\n").contains("hidden"), "{log:#?}");
    assert_eq!(metadata(&server)[0]["sse_url"], upstream.url("/sse/x"));

    let config = file(&config);
    let path = config.path().to_str().unwrap();
    let printed = run(&["check", "--print", path], &[("HUB_TOKEN", "hidden-token")]);
    assert_eq!(printed.code, Some(0), "{}", printed.stderr);
    assert!(!format!("{}{}", printed.stdout, printed.stderr).contains("hidden"), "{}", printed.stdout);
}

#[test]
fn a_user_in_the_url_is_sent_and_never_shown() {
    let upstream = Upstream::start().unwrap();
    let url = upstream.url("/").replace("http://", "http://me:hidden@");
    let server = fanfare().config(listening_to(&url, "")).start().unwrap();
    let exchange = upstream.accept(LONG).unwrap();
    assert_eq!(exchange.header("authorization"), Some("Basic bWU6aGlkZGVu"));
    exchange.answer(500, &[], "").unwrap();
    server.wait_for_log("the server answered 500", LONG).unwrap();
    let log = server.log().join("\n");
    assert!(!log.contains("hidden") && !log.contains("me:"), "{log}");
}

#[test]
fn a_signature_passes_the_rules_of_a_sink() {
    let signature = r#""X-Signature" = { type = "signature", token = "shared", signature_prefix = "sha256=", signature_on = { headers_then_body = { headers = ["X-Region"], separator = "." } } }"#;
    let first = serve(&format!("{BASIC}[sinks.events.headers]\n{signature}\n"));
    let keys = format!("{HEADERS}{signature}\n");
    let second =
        listening(fanfare().config(listening_to(&first.url(STREAM), &keys)).env("HUB_TOKEN", "token"));
    let mut client = subscribe(&second, &[]);
    publish(&first, &cdevent("a"));
    assert_eq!(next_ids(&mut client, 1), ["a"]);
}

#[test]
fn redirects_lead_no_headers_astray() {
    let (target, other) = (Upstream::start().unwrap(), Upstream::start().unwrap());
    let (upstream, server) = scripted("headers = { \"X-Region\" = { type = \"static\", value = \"eu\" } }");
    let moved = |to: &str| upstream.accept(LONG).unwrap().answer(307, &[("location", to)], "").unwrap();
    moved("/moved");
    let exchange = upstream.accept(LONG).unwrap();
    assert_eq!((exchange.target.as_str(), exchange.header("x-region")), ("/moved", Some("eu")));
    exchange.answer(307, &[("location", target.url("/").as_str())], "").unwrap();
    server.wait_for_log("another origin", LONG).unwrap();
    assert!(target.accept(SHORT).is_err());

    let config = listening_to(&other.url("/"), "");
    let listener = std::thread::spawn(move || listener(config));
    other.accept(LONG).unwrap().answer(301, &[("location", target.url("/b").as_str())], "").unwrap();
    assert_eq!(accept(&target).target, "/b");
    listener.join().unwrap();
}

#[test]
fn a_proxy_is_asked_for_what_is_elsewhere_and_not_for_this_machine() {
    let (here, proxy) = (Upstream::start().unwrap(), Upstream::start().unwrap());
    let start = |url: &str| {
        let server = fanfare().config(listening_to(url, ""));
        server.env("http_proxy", proxy.url("/")).env("no_proxy", "").start().unwrap()
    };
    let _elsewhere = start("http://hub.invalid/sse/x");
    let asked = accept(&proxy);
    assert_eq!(asked.target, "http://hub.invalid/sse/x");
    let _beside = start(&here.url("/sse/x"));
    let asked_here = accept(&here);
    assert_eq!(asked_here.target, "/sse/x");
    assert!(proxy.accept(SHORT).is_err());
}
