//! `ssetests/tests_reconnection.go` of `launchdarkly/sse-contract-tests`, and, what is not there, the three ways in which a
//! connection ends: as HTTP means it, in the middle, and with a reset.

use fanfare_testkit::upstream::Exchange;
use serde_json::{Value, json};

use crate::harness::{LONG, Service, Stream, event, message};

const ENDS: [fn(Exchange); 3] =
    [|exchange| exchange.end().unwrap(), Exchange::cut, |exchange| exchange.reset().unwrap()];

/// Opens a stream, sends these events, and once they are told ends it in each of the ways; then checks what comes next.
fn check(stream: &str, events: &[(&str, &str)], next: impl Fn(&mut Stream)) {
    let service = Service::start();
    for end in ENDS {
        let mut client = service.stream(Value::Null);
        let mut exchange = client.open();
        assert_eq!(exchange.header("last-event-id"), None);
        exchange.send(stream).unwrap();
        for (data, id) in events {
            client.tells(event("message", data, id));
        }
        end(exchange);
        client.tells_error("");
        next(&mut client);
    }
}

#[test]
fn caller_can_trigger_a_restart() {
    let service = Service::start();
    let mut stream = service.stream(Value::Null);
    let mut first = stream.open();
    first.send("data: Hello\n\n").unwrap();
    stream.tells(message("Hello"));
    assert_eq!(stream.command(&json!({ "command": "restart" })), 202);
    let mut second = stream.open();
    second.send("data: Thanks\n\n").unwrap();
    stream.tells(message("Thanks"));
    first.wait_for_close(LONG).unwrap();
}

#[test]
fn sends_id_of_last_received_event() {
    check("id: abc\ndata: Hello\n\n", &[("Hello", "abc")], |stream| {
        assert_eq!(stream.request().header("last-event-id"), Some("abc"));
    });
}

#[test]
fn sends_id_of_last_received_event_that_had_an_id_if_later_events_did_not() {
    let stream = "id: abc\ndata: Hello\n\ndata: World\n\n";
    check(stream, &[("Hello", "abc"), ("World", "abc")], |stream| {
        assert_eq!(stream.request().header("last-event-id"), Some("abc"));
    });
}

#[test]
fn last_event_id_can_be_explicitly_overridden_with_an_empty_value() {
    let stream = "id: abc\ndata: Hello\n\nid: \ndata: World\n\n";
    check(stream, &[("Hello", "abc"), ("World", "")], |stream| {
        assert_eq!(stream.request().header("last-event-id"), None);
    });
}

#[test]
fn resends_request_body_if_any_when_reconnecting() {
    let service = Service::start();
    for end in ENDS {
        let headers = json!({ "content-type": "application/json; charset=utf-8" });
        let body = r#"{"hello": "world"}"#;
        let mut stream = service.stream(json!({ "method": "POST", "body": body, "headers": headers }));
        let first = stream.open();
        assert_eq!((first.method.as_str(), first.body.as_slice()), ("POST", body.as_bytes()));
        end(first);
        stream.tells_error("");
        let second = stream.request();
        assert_eq!((second.method.as_str(), second.body.as_slice()), ("POST", body.as_bytes()));
    }
}

#[test]
fn can_set_read_timeout() {
    let service = Service::start();
    let mut stream = service.stream(json!({ "readTimeoutMs": 200 }));
    // A machine that is slow to answer has nothing to do with what follows.
    let _silent = loop {
        let mut exchange = stream.open();
        exchange.send("data: Hello\n\n").unwrap();
        if stream.told()["kind"] == "event" {
            break exchange;
        }
    };
    stream.tells_error("nothing came for 0.2 s");
    stream.request();
}

#[test]
fn discards_partial_messages_on_retry() {
    let stream = "id: abc\ndata: Hello\n\nid: def\ndata: Goodbye";
    check(stream, &[("Hello", "abc")], |stream| {
        let mut second = stream.open();
        assert_eq!(second.header("last-event-id"), Some("abc"));
        second.send("data: We meet again\n\n").unwrap();
        stream.tells(event("message", "We meet again", "abc"));
    });
}

#[test]
fn new_connection_established_after_breaking_previous_is_functional() {
    check("id: abc\ndata: Hello\n\n", &[("Hello", "abc")], |stream| {
        let mut second = stream.open();
        second.send("id: def\ndata: World\n\n").unwrap();
        stream.tells(event("message", "World", "def"));
    });
}
