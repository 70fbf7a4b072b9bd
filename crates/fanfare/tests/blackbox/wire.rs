//! The bytes of streams: heads, blocks, keep-alives, openings; and HTTP as far as streams depend on it.

use std::collections::BTreeMap;
use std::thread;

use fanfare_testkit::http::{self, Chunk, Connection, End};
use fanfare_testkit::sse::{Client, Message, Silent};
use serde_json::{Value, json};

use crate::kit::{
    self, BASIC, BROWSER, LONG, STREAM, WEBHOOK, cdevent, cdevent_of, head_of, next, next_ids, problem,
    publish, request_on, serve, serve_sink, subscribe,
};

/// `@{epoch}.{seq}`, taken apart.
fn position(text: &str) -> (&str, u64) {
    let (epoch, seq) = text.strip_prefix('@').unwrap().split_once('.').unwrap();
    assert!(!epoch.is_empty() && epoch.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text}");
    (epoch, seq.parse().unwrap())
}

#[test]
fn the_head_of_a_stream() {
    let server = serve(BASIC);
    let seq = publish(&server, &cdevent("e-1"));
    let mut connection = Connection::open(server.addr()).unwrap();
    connection.send(format!("GET {STREAM} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).unwrap();
    let head = connection.read_head(LONG).unwrap();
    assert_eq!(head.status, 200);
    let mut headers: BTreeMap<_, _> =
        head.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers.len(), head.headers.len(), "each once");
    assert!(headers.remove("date").is_some());
    let (epoch, after) = position(headers.remove("last-event-id").unwrap());
    assert_eq!((epoch.len(), after), (16, seq));
    let expected = [
        ("cache-control", "no-cache, no-transform"),
        ("content-type", "text/event-stream"),
        ("transfer-encoding", "chunked"),
        ("x-accel-buffering", "no"),
    ];
    assert_eq!(headers, BTreeMap::from(expected));

    let answer = http::request(server.addr(), "HEAD", STREAM, &[], b"").unwrap();
    assert_eq!((answer.status(), answer.body.len()), (200, 0));
    for (name, value) in expected {
        assert!(name == "transfer-encoding" || answer.header(name) == Some(value), "{:?}", answer.head);
    }
    assert_eq!(answer.header("last-event-id").map(position), Some((epoch, after)));
    assert_eq!(answer.header("content-length"), None, "a stream has no length");
}

#[test]
fn an_event_is_these_bytes() {
    let server = serve(BASIC);
    let mut client = subscribe(&server, &[]);
    // Written as in the documents: keys keep their order, and a newline is escaped.
    let event = r#"{"context":{"version":"0.4.0","id":"dev.cdevents.build.started.0.1.0-12345678","source":"github.com/myorg/myrepo","type":"dev.cdevents.build.started.0.1.0","timestamp":"2024-01-15T10:30:00Z"},"subject":{"id":"build-456","type":"build","content":{"id":"build-456","text":"a\nb\u0000 ü","float":1.5e300,"big":18446744073709551615}}}"#;
    assert_eq!(http::post(server.addr(), WEBHOOK, &[], event).unwrap().status(), 201);
    let other = r#"{"type":"t","id":"Größe 7"}"#;
    assert_eq!(http::post(server.addr(), WEBHOOK, &[], other).unwrap().status(), 201);
    client.next_events(2, LONG).unwrap();
    let sent = event.replace("1.5e300", "1.5e+300");
    let expected = format!(
        "event: cdevent\nid: dev.cdevents.build.started.0.1.0-12345678\ndata: {sent}\n\nevent: cdevent\nid: Größe 7\ndata: {other}\n\n"
    );
    assert_eq!(String::from_utf8(client.raw().to_vec()).unwrap(), expected);
}

#[test]
fn a_silent_stream_is_kept_alive() {
    let server = serve_sink("keep_alive = \"50ms\"\nmatch = [\"shown\"]\n");
    let mut plain = subscribe(&server, &[]);
    for _ in 0..3 {
        assert_eq!(next(&mut plain), Message::Comment("keep-alive".to_owned()));
    }
    assert_eq!(&plain.raw()[..28], b": keep-alive\n\n: keep-alive\n\n");

    // A browser's position moves on with what is hidden from it, so that it does not expire.
    let mut browser = subscribe(&server, &BROWSER);
    assert!(matches!(next(&mut browser), Message::Silent(Silent { id: Some(_), retry: Some(_), .. })));
    let hidden = publish(&server, &json!({"type": "hidden"}));
    kit::eventually("keep-alive with the newest position", || {
        let Message::Silent(silent) = next(&mut browser) else { return None };
        (silent.kind.is_none() && silent.retry.is_none() && position(&silent.id?).1 == hidden).then_some(())
    });
    let raw = String::from_utf8(browser.raw().to_vec()).unwrap();
    let last = raw.trim_end().rsplit_once("\n\n").unwrap().1;
    assert_eq!(last, format!(": keep-alive\nid: {}", browser.last_event_id()));
}

#[test]
fn only_browsers_get_an_opening_block() {
    let server = serve_sink("retry = \"4s\"\n");
    let opens = |target: &str, headers: &[(&str, &str)]| {
        let mut client = Client::open(server.addr(), target, headers).unwrap();
        publish(&server, &json!({"type": "t"}));
        let first = next(&mut client);
        (client, first)
    };
    for (target, headers) in [
        (STREAM, &[][..]),
        ("/sse/events?stream=x&other", &[]),
        ("/sse/events?prime=0", &[]),
        ("/sse/events?prime", &[]),
        ("/sse/events?last_event_id=", &[("Last-Event-ID", "")]),
        (STREAM, &[("Accept-Language", "de"), ("Cache-Control", "no-cache"), ("Prefer", "primed")]),
    ] {
        let (_, first) = opens(target, headers);
        assert!(matches!(first, Message::Event(_)), "{target} {headers:?}: {first:?}");
    }
    for (target, headers) in [
        (STREAM, &BROWSER[..]),
        (STREAM, &[("sec-fetch-mode", "same-origin")]),
        ("/sse/events?prime=1", &[]),
        ("/sse/events?stream=x&prime=1&prime=0", &[]),
        (STREAM, &[("Prefer", "prime")]),
        (STREAM, &[("Prefer", "wait=1"), ("prefer", "respond-async, Prime")]),
    ] {
        let (client, first) = opens(target, headers);
        let Message::Silent(Silent { kind: None, id: Some(id), retry: Some(retry) }) = first else {
            panic!("{target} {headers:?}: {first:?}");
        };
        assert_eq!(Some(id.as_str()), client.head().header("last-event-id"));
        assert!((4000..8000).contains(&retry), "jittered, so that not all come back at once: {retry}");
        assert!(client.raw().starts_with(format!("id: {id}\nretry: {retry}\n\n").as_bytes()));
    }
}

#[test]
fn any_way_of_asking_for_a_stream_is_fine() {
    let server = serve(BASIC);
    for accept in ["text/event-stream", "*/*", "text/html, */*;q=0.1", "application/json", ""] {
        let head = head_of(server.addr(), "GET", STREAM, &[("Accept", accept)]);
        assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")), "{accept}");
    }
    for query in ["?", "?stream=messages", "?unknown=1&unknown=2&%zz", "?utm_source=a&debug=1"] {
        assert_eq!(head_of(server.addr(), "GET", &format!("{STREAM}{query}"), &[]).status, 200, "{query}");
    }
    let shout = [("ACCEPT", "TEXT/EVENT-STREAM"), ("sEc-FeTcH-mOdE", "cors")];
    let mut client = subscribe(&server, &shout);
    assert!(matches!(next(&mut client), Message::Silent(_)), "names of headers have no case");
    // `http://host` in the request line is how a proxy is asked, and every server must take it (RFC 9112, 3.2.2).
    assert_eq!(head_of(server.addr(), "GET", &server.url(STREAM), &[]).status, 200);
}

#[test]
fn nothing_is_served_elsewhere() {
    let server = serve(BASIC);
    for path in
        ["/", "/sse", "/sse/", "/sse/other", "/SSE/events", "//sse/events", "/webhook/other", "/webhook/"]
    {
        for method in ["GET", "POST", "HEAD", "OPTIONS"] {
            let missing = http::request(server.addr(), method, path, &[], b"").unwrap();
            assert_eq!(missing.status(), 404, "{method} {path}");
            if method != "HEAD" {
                problem(&missing);
            }
        }
    }
}

#[test]
fn sinks_show_what_they_match_and_are_where_they_say() {
    let sinks = r#"
[sources.ci.extractor]
type = "webhook"
id = "ci"

[sinks.all]
type = "sse"
id = "all"

[sinks.builds]
type = "sse"
path = "/custom/builds"
match = ["dev.cdevents.build.*", "exact"]
headers = { X-Key = { type = "exists" } }

[sinks.off]
type = "sse"
id = "off"
enabled = false
"#;
    let server = serve(sinks);
    let mut all = Client::open(server.addr(), "/sse/all", &[]).unwrap();
    let mut builds = Client::open(server.addr(), "/custom/builds", &[("X-Key", "k")]).unwrap();
    assert_eq!(http::get(server.addr(), "/custom/builds", &[]).unwrap().status(), 401);
    assert_eq!(http::get(server.addr(), "/sse/off", &[]).unwrap().status(), 404);
    let events = [
        ("1", "dev.cdevents.build.started.0.1.0", true),
        ("2", "dev.cdevents.build", false),
        ("3", "dev.cdevents.builds.started", false),
        ("4", "exact", true),
        ("5", "exact.not", false),
        ("6", "dev.cdevents.build.finished", true),
    ];
    for (id, kind, _) in events {
        publish(&server, &cdevent_of(kind, id));
    }
    let shown: Vec<_> = events.iter().filter(|event| event.2).map(|event| event.0).collect();
    assert_eq!(next_ids(&mut builds, shown.len()), shown);
    assert_eq!(next_ids(&mut all, events.len()), events.map(|event| event.0));
}

#[test]
fn every_client_gets_every_event_in_the_order_of_the_log() {
    const PUBLISHERS: usize = 4;
    const EACH: usize = 40;
    let server = serve(BASIC);
    let mut clients: Vec<_> = (0..5).map(|_| subscribe(&server, &[])).collect();
    let publish_all = |publisher: usize| -> Vec<(u64, String)> {
        let mut connection = Connection::open(server.addr()).unwrap();
        let mut published = Vec::new();
        for number in 0..EACH {
            let id = format!("{publisher}-{number}");
            let event = json!({"type": "t", "id": id}).to_string();
            let (response, kept) = request_on(connection, "POST", WEBHOOK, &[], event.as_bytes());
            published.push((kit::body(&response)["events"][0]["seq"].as_u64().unwrap(), id));
            connection = kept;
        }
        assert!(published.is_sorted(), "what one publisher sends keeps its order");
        published
    };
    let mut published: Vec<_> = thread::scope(|scope| {
        let publishers: Vec<_> =
            (0..PUBLISHERS).map(|index| scope.spawn(move || publish_all(index))).collect();
        publishers.into_iter().flat_map(|publisher| publisher.join().unwrap()).collect()
    });
    published.sort_unstable();
    let expected: Vec<_> = published.into_iter().map(|(_, id)| id).collect();
    for client in &mut clients {
        assert_eq!(next_ids(client, PUBLISHERS * EACH), expected);
    }
}

#[test]
fn http_1_0_gets_a_stream_without_chunks() {
    let server = serve(BASIC);
    let mut connection = Connection::open(server.addr()).unwrap();
    connection.send(format!("GET {STREAM} HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
    let head = connection.read_head(LONG).unwrap();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, None));
    publish(&server, &json!({"type": "t", "id": "e"}));
    let mut body = connection.into_body(&head, "GET").unwrap();
    let expected = "event: cdevent\nid: e\ndata: {\"type\":\"t\",\"id\":\"e\"}\n\n";
    assert_eq!(body.read_until(b"\n\n", LONG).unwrap(), expected.as_bytes());
}

#[test]
fn a_connection_is_used_again_and_may_be_pipelined() {
    let server = serve(BASIC);
    let mut connection = Connection::open(server.addr()).unwrap();
    for (id, status) in [("a", 201), ("a", 200), ("b", 201)] {
        let event = cdevent(id).to_string();
        let (response, kept) = request_on(connection, "POST", WEBHOOK, &[], event.as_bytes());
        assert_eq!((response.status(), response.end), (status, End::Complete));
        let (missing, kept) = request_on(kept, "GET", "/nothing", &[], b"");
        assert_eq!(missing.status(), 404);
        connection = kept;
    }
    // Three requests in one piece, the last one for a stream, with a fourth that never gets its turn.
    let event = json!({"type": "t", "id": "p"}).to_string();
    let pipelined = format!(
        "POST {WEBHOOK} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{event}\
         GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n\
         GET {STREAM}?last_event_id=b HTTP/1.1\r\nhost: x\r\n\r\n\
         GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n",
        event.len()
    );
    connection.send(pipelined.as_bytes()).unwrap();
    for status in [201, 404] {
        let head = connection.read_head(LONG).unwrap();
        assert_eq!(head.status, status);
        let length: usize = head.header("content-length").unwrap().parse().unwrap();
        connection = skip(connection, &head, length);
    }
    let head = connection.read_head(LONG).unwrap();
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    let mut stream = connection.into_body(&head, "GET").unwrap();
    assert!(stream.read_until(b"\n\n", LONG).unwrap().starts_with(b"event: cdevent\nid: p\n"));
}

/// Reads a body to its end; what is pipelined behind it stays.
fn skip(connection: Connection, head: &http::Head, length: usize) -> Connection {
    let mut body = connection.into_body(head, "POST").unwrap();
    let mut read = 0;
    loop {
        match body.next(LONG).unwrap() {
            Chunk::Data(data) => read += data.len(),
            Chunk::End(end) => {
                assert_eq!((end, read), (End::Complete, length));
                return body.into_connection();
            }
        }
    }
}

#[test]
fn expect_100_continue_is_answered() {
    let server = serve(BASIC);
    let event = r#"{"type":"t"}"#;
    let head = format!(
        "POST {WEBHOOK} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        event.len()
    );
    let mut connection = Connection::open(server.addr()).unwrap();
    connection.send(head.as_bytes()).unwrap();
    assert_eq!(connection.read_head(LONG).unwrap().status, 100);
    connection.send(event.as_bytes()).unwrap();
    assert_eq!(connection.read_head(LONG).unwrap().status, 201);
}

#[test]
fn what_is_no_http_is_refused_and_harms_nobody() {
    let server = serve(BASIC);
    let mut client = subscribe(&server, &[]);
    for garbage in [
        "\x16\x03\x01\x02\x00",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "G\0T / HTTP/1.1\r\n\r\n",
        "POST /webhook/ci HTTP/1.1\r\ncontent-length: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\ngarbage that is no frame at all",
    ] {
        let mut connection = Connection::open(server.addr()).unwrap();
        connection.send(garbage.as_bytes()).unwrap();
        connection.finish_sending().unwrap();
        let answer = connection.read_to_close(LONG).unwrap();
        assert!(!answer.starts_with(b"HTTP/1.1 2"), "{garbage:?}: {}", answer.escape_ascii());
    }
    let event: Value = cdevent("still-here");
    publish(&server, &event);
    assert_eq!(next_ids(&mut client, 1), ["still-here"]);
}
