//! Connections that end, answers that are no streams, and servers that say nothing.

use std::time::{Duration, Instant};

use fanfare_testkit::sse::Client;
use fanfare_testkit::upstream::Upstream;
use serde_json::json;

use super::kit::{SHORT, accept, scripted, wait_for_position};
use crate::kit::{LONG, next_ids, subscribe};

fn event(id: &str) -> String {
    format!("id: {id}\ndata: {{\"type\":\"t\",\"id\":\"{id}\"}}\n\n")
}

#[test]
fn however_a_stream_ends_it_is_taken_up_again() {
    let (upstream, server) = scripted("");
    let mut stream = accept(&upstream);
    let mut client = subscribe(&server, &[]);
    for id in ["1", "2", "3", "4"] {
        stream.send(event(id)).unwrap();
        // What is cut off is no event.
        stream.send("id: half\ndata: {\"type\"").unwrap();
        assert_eq!(next_id(&mut client), id);
        match id {
            "1" => stream.end().unwrap(),
            "2" => stream.cut(),
            "3" => stream.reset().unwrap(),
            _ => stream.send_raw(b"not a chunk\r\n").unwrap(),
        }
        stream = accept(&upstream);
        assert_eq!(stream.header("last-event-id"), Some(id));
    }
    server.wait_for_log("the server ended the stream", LONG).unwrap();
    server.wait_for_log("listening again", LONG).unwrap();
}

fn next_id(client: &mut Client) -> String {
    client.next_event(LONG).unwrap().last_event_id
}

#[test]
fn a_connection_that_drops_before_the_first_event_loses_nothing() {
    let (upstream, mut server) = scripted("");
    let mut first = upstream.accept(LONG).unwrap();
    assert_eq!((first.header("last-event-id"), first.header("prefer")), (None, Some("prime")));
    first
        .send_raw(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nlast-event-id: @e.7\r\n\r\n")
        .unwrap();
    wait_for_position(&server, "id", &json!("@e.7"));
    first.cut();
    let mut stream = accept(&upstream);
    assert_eq!(stream.header("last-event-id"), Some("@e.7"));
    stream.send("id: @e.9\nretry: 20\n\n").unwrap();
    wait_for_position(&server, "id", &json!("@e.9"));
    server.restart().unwrap();
    assert_eq!(accept(&upstream).header("last-event-id"), Some("@e.9"));
}

#[test]
fn no_content_ends_the_source_and_nothing_else() {
    let (upstream, server) = scripted("");
    upstream.accept(LONG).unwrap().answer(204, &[], "").unwrap();
    server.wait_for_log("nothing will come any more (204)", LONG).unwrap();
    assert!(upstream.accept(SHORT).is_err());
    subscribe(&server, &[]);
}

#[test]
fn it_gives_up_after_as_many_failures_as_it_may_have() {
    let (upstream, server) = scripted("max_retries = 2");
    for _ in 0..3 {
        let problem = [("content-type", "application/problem+json")];
        upstream.accept(LONG).unwrap().answer(503, &problem, r#"{"detail": "just\nstarting"}"#).unwrap();
    }
    let line = server.wait_for_log("gives up", LONG).unwrap();
    assert!(line.contains("ERROR") && line.contains("the server answered 503: just starting"), "{line}");
    assert!(upstream.accept(SHORT).is_err());
    let told = server.log().iter().filter(|line| line.contains("not listening")).count();
    assert_eq!(told, 1, "what stays the same is said once");
    subscribe(&server, &[]);
}

#[test]
fn an_answer_that_is_no_stream_is_said_and_asked_again() {
    let (upstream, server) = scripted("");
    let check = |status: u16, content_type: &str, said: &[&str]| {
        let headers = [("content-type", content_type)];
        upstream.accept(LONG).unwrap().answer(status, &headers, "hidden").unwrap();
        for said in said {
            server.wait_for_log(said, LONG).unwrap();
        }
    };
    check(200, "text/html", &["content type is text/html", "check `url`"]);
    check(401, "text/plain", &["the server answered 401", "check `headers`"]);
    check(404, "text/plain", &["the server answered 404"]);
    check(500, "text/plain", &["the server answered 500"]);
    accept(&upstream);
    server.wait_for_log("listening, with what comes next", LONG).unwrap();
    assert!(!server.log().join("\n").contains("hidden"));
}

#[test]
fn silence_is_noticed_and_comments_are_no_silence() {
    let (upstream, server) = scripted("read_timeout = \"3s\"");
    let mut stream = accept(&upstream);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(4) {
        stream.send(": keep-alive\n\n").unwrap();
        assert!(upstream.accept(SHORT).is_err(), "it is alive");
    }
    let mut client = subscribe(&server, &[]);
    stream.send(event("a")).unwrap();
    assert_eq!(next_id(&mut client), "a");
    // The connection stays open, and says nothing more.
    let again = upstream.accept(LONG).unwrap();
    assert_eq!(again.header("last-event-id"), Some("a"));
    server.wait_for_log("nothing came for 3 s", LONG).unwrap();
    stream.wait_for_close(LONG).unwrap();
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let (upstream, mut server) = scripted("");
    let addr = upstream.addr();
    drop(upstream);
    server.wait_for_log("could not be reached", LONG).unwrap();
    let upstream = Upstream::start_at(addr).unwrap();
    let mut stream = accept(&upstream);
    let mut client = subscribe(&server, &[]);
    stream.send("id: a\nevent: cdevent\ndata: {\"type\":\"t\"}\n\n").unwrap();
    assert_eq!(next_ids(&mut client, 1), ["a"]);
    // It ends at once, also in the middle of a stream.
    assert!(server.terminate(LONG).unwrap().success());
}
