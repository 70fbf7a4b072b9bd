//! Every way to be refused: what is wrong, too large, or too slow.

use fanfare_testkit::http::{self, Connection, Response};
use serde_json::{Value, json};

use super::{BATCH, GZIP, JSON, STRUCTURED, answered, cloudevent, gzip, send};
use crate::kit::{self, BASIC, LONG, WEBHOOK, problem, serve, subscribe};

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
