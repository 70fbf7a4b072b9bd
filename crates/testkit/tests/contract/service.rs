//! The service's own side of the protocol: `docs/service_spec.md` of `launchdarkly/sse-contract-tests`.

use fanfare_testkit::http;
use serde_json::{Value, json};

use crate::harness::{LONG, Service};

#[test]
fn it_says_what_it_can() {
    let service = Service::start();
    let response = http::get(service.addr, "/", &[]).unwrap();
    let status: Value = serde_json::from_slice(&response.body).unwrap();
    let capabilities = [
        "bom",
        "headers",
        "last-event-id",
        "post",
        "read-timeout",
        "report",
        "restart",
        "server-directed-shutdown-request",
    ];
    assert_eq!((response.status(), &status["capabilities"]), (200, &json!(capabilities)));
}

#[test]
fn what_it_does_not_understand_it_refuses() {
    let service = Service::start();
    let good = json!({ "streamUrl": "http://127.0.0.1:1/", "callbackUrl": "http://127.0.0.1:1/" });
    let check = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        let response = http::post(service.addr, "/", &[], body.to_string()).unwrap();
        assert_eq!(response.status(), 400, "{body}");
        assert!(response.text().contains(name), "{}", response.text());
    };
    check("streamUrl", Value::Null);
    check("streamUrl", json!("ftp://127.0.0.1/"));
    check("callbackUrl", json!(1));
    check("callbackUrl", json!("http://127.0.0.1/"));
    check("initialDelayMs", json!(-1));
    check("readTimeoutMs", json!("1"));
    check("headers", json!([]));
    assert_eq!(http::post(service.addr, "/", &[], "no JSON").unwrap().status(), 400);

    for (method, target) in
        [("POST", "/streams/1"), ("DELETE", "/streams/1"), ("GET", "/x"), ("POST", "/streams/x")]
    {
        let response = http::request(service.addr, method, target, &[], b"{}").unwrap();
        assert_eq!(response.status(), 404, "{method} {target}");
    }
}

#[test]
fn a_stream_ends_when_it_is_closed() {
    let service = Service::start();
    let stream = service.stream(Value::Null);
    let exchange = stream.open();
    assert_eq!(stream.command(&json!({ "command": "listen", "listen": { "type": "a" } })), 400);
    assert_eq!(stream.close(), 204);
    exchange.wait_for_close(LONG).unwrap();
    assert_eq!(stream.close(), 404);
    assert_eq!(stream.command(&json!({ "command": "restart" })), 404);
}

#[test]
fn it_stops_when_it_is_told_to() {
    let service = Service::start();
    let response = http::request(service.addr, "DELETE", "/", &[], b"").unwrap();
    assert_eq!(response.status(), 204);
    assert!(service.wait().success());
}
