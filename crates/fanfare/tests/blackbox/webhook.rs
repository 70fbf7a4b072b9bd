//! Events in: every way to send one, and every way to be refused.

use std::io::Write as _;

use fanfare_testkit::Server;
use fanfare_testkit::http::{self, Connection, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::kit::{self, BASIC, LONG, WEBHOOK, body, cdevent, problem, publish, serve, subscribe};

const JSON: (&str, &str) = ("content-type", "application/json");
const STRUCTURED: (&str, &str) = ("content-type", "application/cloudevents+json");
const BATCH: (&str, &str) = ("content-type", "application/cloudevents-batch+json");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn cloudevent(id: &str) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "/s", "type": "t", "data": {"n": 1}})
}

fn send(server: &Server, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Response {
    http::post(server.addr(), WEBHOOK, headers, body).unwrap()
}

/// `(id, duplicate)` of each event that the answer names.
fn answered(response: &Response) -> Vec<(String, bool)> {
    let events = body(response)["events"].as_array().unwrap().clone();
    events
        .iter()
        .map(|event| {
            assert!(event["seq"].as_u64().is_some_and(|seq| seq > 0), "{event}");
            (event["id"].as_str().unwrap().to_owned(), event["duplicate"].as_bool().unwrap())
        })
        .collect()
}

#[test]
fn every_way_to_send_an_event_is_taken_and_reaches_the_stream() {
    let server = serve(BASIC);
    let mut client = subscribe(&server, &[]);
    let mut check = |headers: &[(&str, &str)], body: &[u8], expected: &[(&str, Value)]| {
        let response = send(&server, headers, body);
        assert_eq!(response.status(), 201, "{headers:?}: {}", response.text());
        assert_eq!(response.header("content-type"), Some("application/json"));
        let ids: Vec<_> = expected.iter().map(|(id, _)| ((*id).to_owned(), false)).collect();
        assert_eq!(answered(&response), ids);
        assert_eq!(kit::body(&response)["duplicate"], false);
        for (id, data) in expected {
            let event = client.next_event(LONG).unwrap();
            assert_eq!(event.id.as_deref(), Some(*id));
            assert_eq!(serde_json::from_str::<Value>(&event.data).unwrap(), *data);
        }
    };
    let text = |value: &Value| value.to_string().into_bytes();
    let plain = |id: &str| json!({"type": "t", "id": id, "nested": {"a": [1, 2.5, null, "\n"]}});
    for (id, content_type) in [
        ("p-1", "application/json"),
        ("p-2", "application/json; charset=utf-8"),
        ("p-3", "Application/Vnd.GitHub+JSON"),
        ("p-4", "text/json"),
        ("p-5", ""),
    ] {
        check(&[("content-type", content_type)], &text(&plain(id)), &[(id, plain(id))]);
    }
    check(&[], &text(&plain("p-6")), &[("p-6", plain("p-6"))]);
    check(&[JSON], &[b"\xef\xbb\xbf", &*text(&plain("p-7"))].concat(), &[("p-7", plain("p-7"))]);
    check(&[JSON], &text(&cdevent("c-1")), &[("c-1", cdevent("c-1"))]);
    check(&[JSON, GZIP], &gzip(&text(&cdevent("c-2"))), &[("c-2", cdevent("c-2"))]);

    check(&[STRUCTURED], &text(&cloudevent("s-1")), &[("s-1", cloudevent("s-1"))]);
    let mut carrier = cloudevent("outer");
    carrier["data"] = cdevent("s-2");
    check(&[STRUCTURED], &text(&carrier), &[("s-2", cdevent("s-2"))]);
    let batch = json!([cloudevent("b-1"), carrier_of("b-2"), cloudevent("b-3")]);
    let expected = [("b-1", cloudevent("b-1")), ("b-2", cdevent("b-2")), ("b-3", cloudevent("b-3"))];
    check(&[BATCH, GZIP], &gzip(&text(&batch)), &expected);

    let attributes =
        [JSON, ("ce-specversion", "1.0"), ("ce-id", "n-1"), ("ce-source", "/s"), ("ce-type", "t")];
    let mut expected = cloudevent("n-1");
    expected["datacontenttype"] = "application/json".into();
    check(&attributes, br#"{"n": 1}"#, &[("n-1", expected)]);
    check(&attributes, &text(&cdevent("n-2")), &[("n-2", cdevent("n-2"))]);
    let mut with_subject = attributes.to_vec();
    with_subject[2] = ("ce-id", "n-3");
    with_subject.push(("ce-subject", "Euro%20%E2%82%AC"));
    let without_data =
        json!({"specversion": "1.0", "id": "n-3", "source": "/s", "type": "t", "subject": "Euro €"});
    check(&with_subject, b"", &[("n-3", without_data)]);
}

fn carrier_of(id: &str) -> Value {
    let mut carrier = cloudevent("outer");
    carrier["data"] = cdevent(id);
    carrier
}

#[test]
fn what_is_refused_is_told_why() {
    let server = serve(&format!("{BASIC}[http]\nmax_body = \"1KiB\"\n"));
    let check = |method: &str, headers: &[(&str, &str)], body: &[u8], status: u16, member: (&str, Value)| {
        let response = http::request(server.addr(), method, WEBHOOK, headers, body).unwrap();
        assert_eq!(response.status(), status, "{method} {headers:?}: {}", response.text());
        let problem = problem(&response);
        assert_eq!(problem.get(member.0), Some(&member.1), "{problem}");
        response
    };
    let check_bare = |method: &str, headers: &[(&str, &str)], body: &[u8], status: u16, title: &str| {
        check(method, headers, body, status, ("title", title.into()))
    };

    for method in ["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let refused = check_bare(method, &[], b"", 405, "Method Not Allowed");
        assert_eq!(refused.header("allow"), Some("POST"), "{method}");
    }

    for (headers, body) in [
        (&[JSON][..], &b"{"[..]),
        (&[JSON], b""),
        (&[JSON], b"{\"type\": \"t\"} trailing"),
        (&[JSON], b"\xff"),
        (&[JSON, GZIP], b"{\"type\": \"t\"}"),
        (&[STRUCTURED], b"not json"),
    ] {
        check_bare("POST", headers, body, 400, "Bad Request");
    }
    let deep = "[".repeat(600);
    check_bare("POST", &[JSON], deep.as_bytes(), 400, "Bad Request");
    for key in ["", "\"\"", &"k".repeat(600)] {
        check("POST", &[("idempotency-key", key)], b"{}", 400, ("header", "Idempotency-Key".into()));
    }

    let content_type = || ("header", Value::from("Content-Type"));
    for wrong in [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "application/cloudevents+xml",
        "application/json; charset=utf-16",
        "json",
    ] {
        check("POST", &[("content-type", wrong)], b"{}", 415, content_type());
    }
    check("POST", &[JSON, JSON], b"{}", 415, content_type());
    for coding in ["br", "deflate", "gzip, gzip"] {
        let encoded =
            check("POST", &[("content-encoding", coding)], b"{}", 415, ("header", "Content-Encoding".into()));
        assert_eq!(encoded.header("accept-encoding"), Some("gzip"), "{coding}");
    }

    let field =
        |body: &str, field: &str| check("POST", &[JSON], body.as_bytes(), 422, ("field", field.into()));
    for body in ["[]", "7", "\"text\"", "null", "{}", "{\"type\": \"\"}"] {
        field(body, "body.type");
    }
    field(r#"{"type": 7}"#, "body.type");
    field(r#"{"type": "a\nb"}"#, "body.type");
    field(r#"{"type": "t", "id": "a\nb"}"#, "body.id");
    field(r#"{"type": "t", "id": "@epoch.7"}"#, "body.id");
    field(r#"{"type": "t", "event_id": " padded"}"#, "body.event_id");
    field(&json!({"type": "t", "id": "x".repeat(513)}).to_string(), "body.id");
    field(&json!({"type": "t".repeat(257)}).to_string(), "body.type");
    field(r#"{"context": {"type": ""}}"#, "body.context.type");
    field(r#"{"context": {"type": "t", "timestamp": "yesterday"}}"#, "body.context.timestamp");
    field(r#"{"context": {"type": "t", "id": "a\u0000b"}}"#, "body.context.id");
    field(r#"{"context": {"type": "t"}, "subject": []}"#, "body.subject");
    field(r#"{"context": {"type": "t"}, "subject": {"id": 7}}"#, "body.subject.id");
    field(r#"{"context": {"type": "t"}, "subject": {"content": 7}}"#, "body.subject.content");

    let cloud = |headers: &[(&str, &str)], body: &str, field: &str| {
        check("POST", headers, body.as_bytes(), 422, ("field", field.into()));
    };
    cloud(&[STRUCTURED], "[]", "body");
    cloud(&[STRUCTURED], "{}", "body.specversion");
    cloud(&[STRUCTURED], r#"{"specversion": "1.0", "id": "a", "type": "t"}"#, "body.source");
    cloud(&[BATCH], "{}", "body");
    cloud(&[BATCH], &json!([cloudevent("a"), {}]).to_string(), "body[1].specversion");
    cloud(&[JSON, ("ce-specversion", "1.0"), ("ce-id", "a")], "{}", "ce-source");
    cloud(&[JSON, ("ce-specversion", "1.0"), ("ce-id", "%ff")], "{}", "ce-id");

    let github = json!({"action": "opened", "number": 7, "pull_request": {"id": 1}});
    cloud(&[JSON, ("x-github-event", "pull_request")], &github.to_string(), "body.type");
}

#[test]
fn a_body_over_the_limit_is_refused_however_it_comes() {
    let server = serve(&format!("{BASIC}[http]\nmax_body = \"1KiB\"\n"));
    let check = |sent: &[u8]| {
        let mut connection = Connection::open(server.addr()).unwrap();
        connection.send(&[b"POST /webhook/ci HTTP/1.1\r\nhost: x\r\n", sent].concat()).unwrap();
        let head = connection.read_head(LONG).unwrap();
        let (body, end) = connection.into_body(&head, "POST").unwrap().read_to_end(LONG).unwrap();
        problem(&Response { head: head.clone(), body, end });
        assert_eq!(head.status, 413, "{}", sent.escape_ascii());
        head
    };
    // The answer does not wait for what was announced, and the connection ends because it is never read.
    let announced = check(b"content-length: 1025\r\n\r\n");
    assert_eq!(announced.header("connection"), Some("close"));
    let chunk = [&b"transfer-encoding: chunked\r\n\r\n401\r\n"[..], &[b' '; 0x401], b"\r\n"].concat();
    assert_eq!(check(&chunk).header("connection"), Some("close"));
    let bomb = gzip(&vec![b' '; 100_000]);
    assert!(bomb.len() < 1024);
    check(
        &[format!("content-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len()).as_bytes(), &bomb]
            .concat(),
    );

    let most = [br#"{"type": "t"}"#.to_vec(), vec![b' '; 1024 - 13]].concat();
    assert_eq!(send(&server, &[], &most).status(), 201);
    assert_eq!(send(&server, &[GZIP], gzip(&most)).status(), 201);
}

#[test]
fn a_large_body_that_is_refused_gets_its_answer() {
    // Far more than the sockets' buffers hold: most of it is still to be sent when the answer is there.
    let server = serve(&format!("{BASIC}[http]\nmax_body = \"1KiB\"\n"));
    let response = send(&server, &[], vec![b' '; 16 << 20]);
    assert_eq!(response.status(), 413);
    problem(&response);
}

#[test]
fn a_slow_body_is_cut_off_with_an_answer() {
    let server = serve(&format!("{BASIC}[http]\nbody_timeout = \"100ms\"\n"));
    for sent in ["content-length: 100\r\n\r\n{", "transfer-encoding: chunked\r\n\r\n1\r\n{\r\n"] {
        let mut connection = Connection::open(server.addr()).unwrap();
        connection.send(format!("POST {WEBHOOK} HTTP/1.1\r\nhost: x\r\n{sent}").as_bytes()).unwrap();
        let head = connection.read_head(LONG).unwrap();
        assert_eq!((head.status, head.header("connection")), (408, Some("close")));
        let (body, end) = connection.into_body(&head, "POST").unwrap().read_to_end(LONG).unwrap();
        assert_eq!(problem(&Response { head, body, end })["title"], "Request Timeout");
    }
}

#[test]
fn a_head_that_does_not_come_in_time_ends_the_connection() {
    let server = serve(&format!("{BASIC}[http]\nheader_timeout = \"100ms\"\n"));
    for sent in ["", "P", "POST /webhook/ci HTTP/1.1\r\nhost: x\r\n"] {
        let mut connection = Connection::open(server.addr()).unwrap();
        connection.send(sent.as_bytes()).unwrap();
        let answer = String::from_utf8(connection.read_to_close(LONG).unwrap()).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{sent:?}: {answer}");
    }
    // A connection that is kept alive and idle takes a place too.
    let mut connection = Connection::open(server.addr()).unwrap();
    connection.send_request("GET", "/nothing", &[], b"").unwrap();
    assert_eq!(connection.read_head(LONG).unwrap().status, 404);
    connection.read_to_close(LONG).unwrap();
}

#[test]
fn too_large_a_head_is_refused() {
    let server = serve(BASIC);
    let head = |headers: &[(&str, &str)]| kit::head_of(server.addr(), "POST", WEBHOOK, headers).status;
    let large = "x".repeat(100_000);
    assert_eq!(head(&[("x-large", &large)]), 431);
    assert_eq!(head(&[("x-many", "1"); 101]), 431);
    assert_eq!(head(&[("x-many", "1"), ("content-length", "0")]), 400, "an empty body, no more");
}

#[test]
fn a_delivery_that_is_repeated_under_its_name_is_sent_once() {
    let server = serve(&format!("{BASIC}[sources.other.extractor]\ntype = \"webhook\"\nid = \"other\"\n"));
    let mut client = subscribe(&server, &[]);
    let twice = |headers: &[(&str, &str)], first: &Value, second: &Value| {
        let seqs = [(first, 201, false), (second, 200, true)].map(|(event, status, duplicate)| {
            let response = send(&server, headers, event.to_string());
            assert_eq!(response.status(), status, "{headers:?} {event}: {}", response.text());
            assert_eq!(body(&response)["duplicate"], duplicate);
            assert!(answered(&response).iter().all(|(_, own)| *own == duplicate));
            body(&response)["events"][0]["seq"].as_u64().unwrap()
        });
        assert_eq!(seqs[0], seqs[1], "the first one's place");
    };
    twice(&[], &cdevent("c-1"), &cdevent("c-1"));
    twice(&[], &json!({"type": "t", "id": "p-1"}), &json!({"type": "u", "id": "p-1"}));
    twice(&[], &json!({"type": "t", "event_id": "p-2"}), &json!({"type": "t", "event_id": "p-2"}));
    twice(&[STRUCTURED], &cloudevent("s-1"), &cloudevent("s-1"));
    let binary = [JSON, ("ce-specversion", "1.0"), ("ce-id", "n-1"), ("ce-source", "/s"), ("ce-type", "t")];
    twice(&binary, &json!({}), &json!({}));
    twice(&[("idempotency-key", "\"k-1\"")], &json!({"type": "keyed"}), &json!({"type": "keyed"}));
    twice(
        &[BATCH, ("idempotency-key", "k-2")],
        &json!([cloudevent("k-a"), cloudevent("k-b")]),
        &json!([cloudevent("k-a"), cloudevent("k-b")]),
    );

    // A batch of which one event is new is stored in part, and says which.
    let mixed = send(&server, &[BATCH], json!([cloudevent("s-1"), cloudevent("s-2")]).to_string());
    assert_eq!((mixed.status(), &body(&mixed)["duplicate"]), (201, &Value::Bool(false)));
    assert_eq!(answered(&mixed), [("s-1".to_owned(), true), ("s-2".to_owned(), false)]);
    // A name is a name within its source.
    let other = http::post(server.addr(), "/webhook/other", &[], cdevent("c-1").to_string()).unwrap();
    assert_eq!(other.status(), 201, "{}", other.text());

    let seen = client.next_events(10, LONG).unwrap();
    let ids: Vec<_> = seen.iter().map(|event| event.id.as_deref().unwrap()).collect();
    assert_eq!(
        (&ids[..5], &ids[6..]),
        (&["c-1", "p-1", "p-2", "s-1", "n-1"][..], &["k-a", "k-b", "s-2", "c-1"][..])
    );
    assert_eq!(seen[5].data, r#"{"type":"keyed"}"#);
}

#[test]
fn what_nobody_named_is_never_a_repetition() {
    let server = serve(BASIC);
    let timed = json!({"context": {"type": "t", "timestamp": "2024-01-15T10:30:00Z"}});
    for event in [json!({"type": "t"}), timed, json!({"context": {"type": "t", "id": "0"}})] {
        for _ in 0..2 {
            publish(&server, &event);
        }
    }
}

#[test]
fn what_an_event_lacks_is_filled() {
    let server = serve(&format!("{BASIC}[http]\nroot_url = \"https://events.example.com/\"\n"));
    let mut client = subscribe(&server, &[]);
    let mut sent = |event: &Value| -> Value {
        publish(&server, event);
        let event = client.next_event(LONG).unwrap();
        let data: Value = serde_json::from_str(&event.data).unwrap();
        assert_eq!(data["context"]["id"].as_str(), event.id.as_deref());
        data
    };
    let bare = sent(&json!({"context": {"type": "t"}, "subject": {"id": "s"}}));
    assert_eq!(bare["context"]["source"], "https://events.example.com/?source=ci");
    assert!(bare["context"]["timestamp"].as_str().unwrap().ends_with('Z'));
    let id = bare["context"]["id"].as_str().unwrap();
    assert_eq!((id.len(), id.as_bytes()[14]), (36, b'7'), "a UUIDv7: {id}");
    assert_eq!((&bare["context"]["type"], &bare["subject"]), (&json!("t"), &json!({"id": "s"})));

    // With a time of its own, the same content has the same id, whoever asks for one.
    let timed = |id: Value| json!({"context": {"type": "t", "source": "here", "timestamp": "2024-01-15T10:30:00Z", "id": id}});
    let hashes = ["", "0"].map(|id| sent(&timed(id.into()))["context"]["id"].clone());
    assert!(hashes[0].as_str().unwrap().starts_with("bafkrei"), "{hashes:?}");
    assert_eq!(hashes[0], hashes[1]);

    let configured = serve(
        "[sources.a.extractor]\ntype = \"webhook\"\nid = \"ci\"\nmetadata.context.source = \"urn:mine\"\n\
         [sinks.events]\ntype = \"sse\"\nid = \"events\"\n",
    );
    let mut client = subscribe(&configured, &[]);
    publish(&configured, &json!({"context": {"type": "t"}}));
    let data: Value = serde_json::from_str(&client.next_event(LONG).unwrap().data).unwrap();
    assert_eq!(data["context"]["source"], "urn:mine");
}

#[test]
fn an_oversize_batch_is_refused_as_a_whole() {
    let server = serve(BASIC);
    let mut client = subscribe(&server, &[]);
    let batch = |count: usize| {
        let events: Vec<_> = (0..count).map(|index| cloudevent(&format!("{count}-{index}"))).collect();
        send(&server, &[BATCH], Value::from(events).to_string())
    };
    let refused = batch(1001);
    assert_eq!(refused.status(), 422, "{}", refused.text());
    assert!(problem(&refused)["detail"].as_str().unwrap().contains("1000"), "{}", refused.text());
    let empty = batch(0);
    assert_eq!((empty.status(), answered(&empty).len()), (200, 0));
    assert_eq!(answered(&batch(1000)).len(), 1000);
    assert_eq!(client.next_event(LONG).unwrap().id.as_deref(), Some("1000-0"), "nothing of the refused one");
}

const CHAINED: &str = r#"
[transformers.show]
type = "log"
target = "shown"
[transformers.pass]
type = "passthrough"
[transformers.drop]
type = "discard_all"
[transformers.once]
type = "deduplicate"
capacity = 10
key_path = "/key"

[sources.ci]
transformer_refs = ["pass", "show"]
[sources.ci.extractor]
type = "webhook"
id = "ci"
headers_to_keep = ["X-Request-ID"]
metadata = { team = "hidden-team" }

[sources.dropped]
transformer_refs = ["drop"]
extractor = { type = "webhook", id = "dropped" }
[sources.once]
transformer_refs = ["once"]
extractor = { type = "webhook", id = "once" }

[sinks.events]
type = "sse"
id = "events"
"#;

#[test]
fn transformers_see_the_kept_headers_and_the_metadata() {
    let server = serve(CHAINED);
    let headers = [("x-REQUEST-id", "hidden-id"), ("authorization", "hidden-authorization")];
    assert_eq!(send(&server, &headers, cdevent("e-1").to_string()).status(), 201);
    let line = server.wait_for_log("id=\"e-1\"", LONG).unwrap();
    for part in [
        " shown",
        "type=\"dev.cdevents.build.started.0.1.0\"",
        "subject=\"build-456\"",
        "x-request-id",
        "team",
        "context",
    ] {
        assert!(line.contains(part), "without {part}: {line}");
    }
    assert!(!line.contains("authorization") && !line.contains("hidden"), "{line}");
}

#[test]
fn transformers_may_drop_events() {
    let server = serve(CHAINED);
    let mut client = subscribe(&server, &[]);
    let check = |path: &str, event: &Value, status: u16, events: usize| {
        let response = http::post(server.addr(), path, &[], event.to_string()).unwrap();
        assert_eq!((response.status(), answered(&response).len()), (status, events), "{path} {event}");
        assert_eq!(body(&response)["duplicate"], false);
    };
    check("/webhook/dropped", &json!(["anything at all"]), 200, 0);
    check("/webhook/once", &json!({"type": "a", "key": 1}), 201, 1);
    check("/webhook/once", &json!({"type": "b", "key": 1}), 200, 0);
    check("/webhook/once", &json!({"type": "c", "key": 2}), 201, 1);
    let seen = client.next_events(2, LONG).unwrap();
    assert_eq!(
        seen.iter().map(|event| event.data.as_str()).collect::<Vec<_>>(),
        [r#"{"type":"a","key":1}"#, r#"{"type":"c","key":2}"#]
    );
}
