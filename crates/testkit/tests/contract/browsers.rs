//! `eventsource/` of web-platform-tests, as far as it is about the wire and not about an object of a page. Files are named
//! without their ending. Where our client departs from browsers, the test says so: it serves collectors, which have to come
//! back by themselves, while a page may ask its user.

use serde_json::{Value, json};

use crate::harness::{Case, Service, Stream, event, message};

/// What `resources/message.py` makes of a message.
macro_rules! stream {
    ($message:literal) => {
        &[concat!($message, "\n\n\n").as_bytes()]
    };
}

const PARSING: &[Case<'_>] = &[
    Case {
        source: "event-data",
        chunks: &[
            b"data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n",
        ],
        events: &[message("msg\nmsg"), message(""), message("end")],
    },
    Case {
        source: "format-bom",
        chunks: stream!("\u{feff}data:1\n\n\u{feff}data:2\n\ndata:3"),
        events: &[message("1"), message("3")],
    },
    Case {
        source: "format-bom-2",
        chunks: stream!("\u{feff}\u{feff}data:1\n\ndata:2\n\ndata:3"),
        events: &[message("2"), message("3")],
    },
    Case {
        source: "format-data-before-final-empty-line",
        chunks: &[b"data:test1\n\nid:test\ndata:test2\n"],
        events: &[message("test1")],
    },
    Case {
        source: "format-field-data",
        chunks: stream!("data:\n\ndata\ndata\n\ndata:test"),
        events: &[message(""), message("\n"), message("test")],
    },
    Case {
        source: "format-field-event",
        chunks: stream!("event:test\ndata:x\n\ndata:x"),
        events: &[event("test", "x", ""), message("x")],
    },
    Case {
        source: "format-field-event-empty",
        chunks: stream!("event: \ndata:data"),
        events: &[message("data")],
    },
    Case {
        source: "format-field-id-3: persists",
        chunks: &[b"id: 1\ndata: 1\n\ndata:2\n\n"],
        events: &[event("message", "1", "1"), event("message", "2", "1")],
    },
    Case {
        source: "format-field-id-3: changes and persists",
        chunks: &[b"id: 1\ndata: 1\n\nid: 2\ndata:2\n\ndata:3\n\n"],
        events: &[event("message", "1", "1"), event("message", "2", "2"), event("message", "3", "2")],
    },
    Case {
        source: "format-field-id-3: resets, with a colon",
        chunks: &[b"id: 1\ndata: 1\n\nid:\ndata:2\n\ndata:3\n\n"],
        events: &[event("message", "1", "1"), message("2"), message("3")],
    },
    Case {
        source: "format-field-id-3: resets, without a colon",
        chunks: &[b"id: 1\ndata: 1\n\nid\ndata:2\n\ndata:3\n\n"],
        events: &[event("message", "1", "1"), message("2"), message("3")],
    },
    Case {
        source: "format-field-parsing",
        chunks: &[
            b"data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n \
            data:32\ndata:4\n\n",
        ],
        events: &[message("\0\n 2\n1\n3\n\n4")],
    },
    Case {
        source: "format-field-retry-empty",
        chunks: stream!("retry\ndata:test"),
        events: &[message("test")],
    },
    Case {
        source: "format-field-unknown",
        chunks: stream!("data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\ndata:test"),
        events: &[message("test\n\ntest")],
    },
    Case {
        source: "format-leading-space",
        chunks: stream!("data:\ttest\rdata: \ndata:test"),
        events: &[message("\ttest\n\ntest")],
    },
    Case {
        source: "format-newlines",
        chunks: &[b"data:test\r\ndata\ndata:test\r\n\r\n"],
        events: &[message("test\n\ntest")],
    },
    Case { source: "format-null-character", chunks: stream!("data:\0\n\n"), events: &[message("\0")] },
];

#[test]
fn streams_are_parsed_as_browsers_parse_them() {
    let service = Service::start();
    for case in PARSING {
        case.check(&service);
    }
    let long = "x".repeat(2048);
    let stream = format!("data:1\r:\0\n:\r\ndata:2\n:{long}\rdata:3\n:data:fail\r:{long}\ndata:4\n\n");
    let chunks: &[&[u8]] = &[stream.as_bytes()];
    Case { source: "format-comments", chunks, events: &[message("1\n2\n3\n4")] }.check(&service);
}

/// A stream of the service, whose server answers the first request with this content type and these bytes.
fn answered(service: &Service, kind: &str, body: &str) -> Stream {
    let stream = service.stream(Value::Null);
    stream.request().answer(200, &[("content-type", kind)], body).unwrap();
    stream
}

/// `format-mime-trailing-semicolon`, `format-utf-8`: parameters change nothing, a character set neither.
#[test]
fn parameters_of_the_content_type_change_nothing() {
    let service = Service::start();
    for kind in ["text/event-stream;", "text/event-stream;charset=windows-1252", "Text/Event-Stream ; x=y"] {
        let mut stream = answered(&service, kind, "data:ok…\n\n");
        stream.tells(message("ok…"));
    }
}

/// `format-mime-bogus`, `format-mime-valid-bogus`. Browsers give up; ours says so and comes back: what answers is a proxy's
/// page, say, and the server behind it is there again later.
#[test]
fn an_answer_of_another_kind_is_told_and_asked_for_again() {
    let service = Service::start();
    for kind in ["x bogus", "text/x-bogus", "text/event-streams", ""] {
        let mut stream = answered(&service, kind, "data: data\n\n");
        stream.tells_error("the answer is no stream");
        let mut next = stream.open();
        next.send("data: data\n\n").unwrap();
        stream.tells(message("data"));
    }
}

/// `request-status-error`. Browsers give up for all of them; ours only for 204, with which a server says that there is nothing
/// to come back for. The others are told, 2xx among them, and asked again.
#[test]
fn a_status_that_is_no_stream_is_told_and_asked_for_again() {
    let service = Service::start();
    let headers = [("content-type", "text/event-stream")];
    for status in [205, 210, 299, 404, 410, 503] {
        let mut stream = service.stream(Value::Null);
        // The length of 205 is nothing (RFC 9110, 15.3.6).
        let body = if status == 205 { "" } else { "data: data\n\n" };
        stream.request().answer(status, &headers, body).unwrap();
        stream.tells_error(&format!("the server answered {status}"));
        let mut next = stream.open();
        next.send("data: data\n\n").unwrap();
        stream.tells(message("data"));
    }
    let mut stream = service.stream(Value::Null);
    stream.request().answer(204, &headers, "").unwrap();
    stream.tells_error("nothing more (204)");
}

/// `request-redirect`, and 308, which browsers follow as well.
#[test]
fn redirects_are_followed() {
    let service = Service::start();
    for status in [301, 302, 303, 307, 308] {
        let mut stream = service.stream(Value::Null);
        stream.request().answer(status, &[("location", "/message")], "").unwrap();
        let mut exchange = stream.open();
        assert_eq!(exchange.target, "/message");
        exchange.send("data: data\n\n").unwrap();
        stream.tells(message("data"));
        exchange.end().unwrap();
        stream.tells_error("the server ended the stream");
        // The next one is asked where the first was.
        assert_eq!(stream.request().target, "/stream");
    }
}

/// `request-accept`, `request-cache-control`: the first time and when it comes back.
#[test]
fn every_request_asks_for_a_stream_that_no_cache_has() {
    let service = Service::start();
    let mut stream = service.stream(Value::Null);
    for _ in 0..2 {
        let exchange = stream.open();
        assert_eq!(exchange.header("accept"), Some("text/event-stream"));
        assert_eq!(exchange.header("cache-control"), Some("no-cache"));
        exchange.end().unwrap();
        stream.tells_error("the server ended the stream");
    }
}

/// `format-field-id`, `format-field-id-2`: the bytes of an id come back as they are.
#[test]
fn an_id_comes_back_in_its_own_bytes() {
    let service = Service::start();
    let mut stream = service.stream(Value::Null);
    let mut exchange = stream.open();
    exchange.send("id: …\nretry: 0\ndata: hello\n\n").unwrap();
    stream.tells(event("message", "hello", "…"));
    for _ in 0..2 {
        exchange.end().unwrap();
        stream.tells_error("the server ended the stream");
        exchange = stream.open();
        assert_eq!(exchange.header("last-event-id"), Some("…"));
        exchange.send("data: …\n\n").unwrap();
        stream.tells(event("message", "…", "…"));
    }
}

/// `format-field-id-null`.
#[test]
fn an_id_with_a_null_is_none() {
    let service = Service::start();
    for id in ["\0\0", "x\0", "\0x", "x\0x", " \0"] {
        let mut stream = service.stream(Value::Null);
        let mut exchange = stream.open();
        exchange.send(format!("id: {id}\ndata: hello\n\n")).unwrap();
        stream.tells(message("hello"));
        exchange.end().unwrap();
        stream.tells_error("the server ended the stream");
        assert_eq!(stream.request().header("last-event-id"), None, "{id:?}");
    }
}

/// `format-data-before-final-empty-line`, and what browsers do next: neither data nor id of an event without an end remain.
#[test]
fn an_event_without_an_end_leaves_nothing_behind() {
    let service = Service::start();
    let mut stream = service.stream(Value::Null);
    for _ in 0..2 {
        let mut exchange = stream.open();
        assert_eq!(exchange.header("last-event-id"), None);
        exchange.send("retry:0\ndata:test1\n\nid:test\ndata:test2\n").unwrap();
        exchange.end().unwrap();
        stream.tells(message("test1"));
        stream.tells_error("the server ended the stream");
    }
}

/// `eventsource-reconnect`: a stream without an event, and one with events, are both come back to.
#[test]
fn a_stream_that_has_ended_is_come_back_to() {
    let service = Service::start();
    for (first, events) in [("retry: 2\n", &[][..]), ("retry: 2\ndata: ok\n\n", &[message("ok")][..])] {
        let mut stream = answered(&service, "text/event-stream", first);
        for event in events {
            stream.tells(*event);
        }
        stream.tells_error("the server ended the stream");
        let mut next = stream.open();
        next.send("data: data\n\n").unwrap();
        stream.tells(message("data"));
    }
}

/// `eventsource-close`, its second case: 200, 200, and 204, which ends it.
#[test]
fn a_server_ends_it_when_it_is_asked_again() {
    let service = Service::start();
    let mut stream = answered(&service, "text/event-stream", "retry: 2\ndata: opened\n\n");
    stream.tells(message("opened"));
    stream.tells_error("the server ended the stream");
    let reconnected = stream.request();
    reconnected.answer(200, &[("content-type", "text/event-stream")], "data: reconnected\n\n").unwrap();
    stream.tells(message("reconnected"));
    stream.tells_error("the server ended the stream");
    stream.request().answer(204, &[("content-type", "text/event-stream")], "").unwrap();
    stream.tells_error("nothing more (204)");
    assert_eq!(stream.command(&json!({ "command": "restart" })), 202, "which changes nothing");
}
