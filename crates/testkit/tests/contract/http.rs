//! `ssetests/tests_http_behavior.go` of `launchdarkly/sse-contract-tests`.

use std::io;

use serde_json::{Value, json};

use crate::harness::{SHORT, Service, message};

#[test]
fn default_method_and_headers() {
    let service = Service::start();
    let stream = service.stream(Value::Null);
    let request = stream.request();
    assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/stream"));
    assert_eq!(request.header("accept"), Some("text/event-stream"));
    assert_eq!(request.header("cache-control"), Some("no-cache"));
    assert_eq!(request.header("last-event-id"), None);
}

#[test]
fn a_204_halts_re_connection_attempts() {
    let service = Service::start();
    let mut stream = service.stream(Value::Null);
    stream.request().answer(204, &[], "").unwrap();
    stream.tells_error("204");
    assert_eq!(stream.upstream.accept(SHORT).unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[test]
fn client_follows_redirect() {
    let service = Service::start();
    for status in [301, 307] {
        let mut stream = service.stream(Value::Null);
        let location = stream.upstream.url("/there");
        stream.request().answer(status, &[("location", &location)], "").unwrap();
        let mut exchange = stream.open();
        assert_eq!(exchange.target, "/there", "{status}");
        exchange.send("data: hello\n\n").unwrap();
        stream.tells(message("hello"));
    }
}

/// It leads to where it is, which is followed as often as any other.
#[test]
fn client_handles_empty_location_header() {
    let service = Service::start();
    for status in [301, 307] {
        let mut stream = service.stream(Value::Null);
        for _ in 0..=10 {
            stream.request().answer(status, &[("location", "")], "").unwrap();
        }
        stream.tells_error("a redirect was not followed: there are too many");
    }
}

#[test]
fn client_handles_missing_location_header() {
    let service = Service::start();
    for status in [301, 307] {
        let mut stream = service.stream(Value::Null);
        stream.request().answer(status, &[], "").unwrap();
        stream.tells_error(&format!("the server answered {status}"));
    }
}

#[test]
fn custom_headers() {
    let service = Service::start();
    let headers = json!({ "header-name-1": "value-1", "header-name-2": "value-2" });
    let stream = service.stream(json!({ "headers": headers }));
    let request = stream.request();
    assert_eq!(request.header("header-name-1"), Some("value-1"));
    assert_eq!(request.header("header-name-2"), Some("value-2"));
}

/// `POST request`, `REPORT request`.
#[test]
fn a_request_with_a_body() {
    let service = Service::start();
    for method in ["POST", "REPORT"] {
        let kind = "application/json; charset=utf-8";
        let body = r#"{"hello": "world"}"#;
        let headers = json!({ "content-type": kind });
        let stream = service.stream(json!({ "method": method, "body": body, "headers": headers }));
        let request = stream.request();
        assert_eq!(request.method, method);
        assert_eq!(request.header("content-type"), Some(kind));
        assert_eq!(request.body, body.as_bytes());
    }
}

#[test]
fn sends_last_event_id_in_initial_request_if_set() {
    let service = Service::start();
    let stream = service.stream(json!({ "lastEventId": "abc" }));
    assert_eq!(stream.request().header("last-event-id"), Some("abc"));
}
