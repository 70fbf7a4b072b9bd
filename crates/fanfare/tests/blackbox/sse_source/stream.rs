//! What a stream brings, byte by byte, and what becomes of it.

use fanfare_testkit::upstream::Upstream;
use serde_json::json;

use super::kit::{accept, listening_to, metadata, next_datas, scripted, wait_for_position};
use crate::kit::{LONG, fanfare, next_ids, subscribe};

/// An event of a `message` stream.
const SIGN: &str = "id: sign\ndata: {\"type\":\"sign\",\"id\":\"sign\"}\n\n";

#[test]
fn what_brings_no_event_moves_the_position_too() {
    let (upstream, mut server) = scripted("events = [\"put\"]");
    let mut stream = accept(&upstream);
    let mut client = subscribe(&server, &[]);
    let mut check = |block: &str, id: &str| {
        stream.send(block).unwrap();
        wait_for_position(&server, "id", &json!(id));
    };
    check("id: 1\nevent: other\ndata: {\"type\":\"t\"}\n\n", "1");
    check("id: 2\n\n", "2");
    check("id: 3\nevent: put\ndata: no event\n\n", "3");
    check(": what has no id keeps it\n\nevent: put\ndata: {\"type\":\"t\",\"id\":\"a\"}\n\n", "3");
    check("id: 4\nevent: put\ndata: {\"type\":\"t\",\"id\":\"b\"}\n\n", "4");
    assert_eq!(next_ids(&mut client, 2), ["a", "b"]);
    let refused = server.wait_for_log("refused", LONG).unwrap();
    assert!(refused.contains("body.type") && !refused.contains("no event"), "{refused}");

    server.restart().unwrap();
    let mut stream = accept(&upstream);
    assert_eq!(stream.header("last-event-id"), Some("4"));
    let mut client = subscribe(&server, &[("last-event-id", "b")]);
    stream.send("id: 5\nevent: put\ndata: {\"type\":\"t\",\"id\":\"c\"}\n\n").unwrap();
    assert_eq!(next_ids(&mut client, 1), ["c"]);
}

#[test]
fn what_was_missed_is_told_by_the_next_event_also_after_a_restart() {
    let (upstream, mut server) = scripted("profile = \"message\"\nmax_event = \"1KiB\"");
    let mut stream = accept(&upstream);
    stream.send("event: gap\nid: g\ndata: expired: it is \x1b gone\n\n").unwrap();
    stream.send("event: error\ndata: lagged: 3 messages skipped\n\n").unwrap();
    stream.send("event: error\ndata: anything else\n\n").unwrap();
    stream.send(format!("id: large\ndata: {}\n\n", "x".repeat(2000))).unwrap();
    let missed = json!([
        "gap: expired: it is \\u{1b} gone",
        "lagged: 3 messages skipped",
        "an event of more than 1024 bytes was left out"
    ]);
    wait_for_position(&server, "missed", &missed);
    server.wait_for_log("total=3", LONG).unwrap();

    server.restart().unwrap();
    let mut stream = accept(&upstream);
    assert_eq!(stream.header("last-event-id"), Some("g"), "the server may say it again");
    let mut client = subscribe(&server, &[]);
    stream.send("data: 1\n\ndata: 2\n\n").unwrap();
    assert_eq!(next_datas(&mut client, 2), ["1", "2"]);
    let url = upstream.url("/sse/x");
    let expected = [
        json!({"sse_id": "g", "sse_event": "message", "sse_url": url, "sse_missed": missed}),
        json!({"sse_id": "g", "sse_event": "message", "sse_url": url}),
    ];
    assert_eq!(metadata(&server), expected);
    wait_for_position(&server, "missed", &json!([]));
}

#[test]
fn a_gap_is_an_event_where_it_is_asked_for() {
    let (upstream, server) = scripted("profile = \"message\"\nevents = [\"gap\"]");
    let mut stream = accept(&upstream);
    let mut client = subscribe(&server, &[]);
    stream.send("event: gap\nid: g\ndata: unknown: who knows\n\n").unwrap();
    let event = client.next_event(LONG).unwrap();
    assert_eq!(event.data, "\"unknown: who knows\"");
    assert_eq!(metadata(&server)[0]["sse_missed"], json!(["gap: unknown: who knows"]));
}

#[test]
fn an_event_is_text_or_json_where_the_profile_asks_for_no_more() {
    let upstream = Upstream::start().unwrap();
    let config = listening_to(&upstream.url("/"), "profile = \"message\"");
    let server = fanfare().config(config.replacen("id =", "profile = \"message\"\nid =", 1)).start().unwrap();
    let mut stream = accept(&upstream);
    let mut client = subscribe(&server, &[]);
    stream.send("event: put\ndata: hello\ndata: world\n\ndata: {\"a\": 1}\r\r\ndata\n\n").unwrap();
    assert_eq!(next_datas(&mut client, 3), ["\"hello\\nworld\"", "{\"a\":1}", "\"\""]);
}

#[test]
fn what_comes_again_is_not_stored_again_and_what_has_no_name_is_no_repetition() {
    let (upstream, server) = scripted("");
    let mut stream = accept(&upstream);
    let mut client = subscribe(&server, &[]);
    let named = "id: 1\nevent: cdevent\ndata: {\"type\":\"t\",\"n\":1}\n\n";
    let nameless = "id: 2\ndata: {\"type\":\"t\",\"n\":2}\n\n";
    stream.send([named, nameless].concat()).unwrap();
    assert_eq!(next_datas(&mut client, 2), [r#"{"type":"t","n":1}"#, r#"{"type":"t","n":2}"#]);
    stream.cut();
    let mut stream = accept(&upstream);
    stream.send([named, nameless, SIGN].concat()).unwrap();
    assert_eq!(
        next_datas(&mut client, 2),
        [r#"{"type":"t","n":2}"#, r#"{"type":"sign","id":"sign"}"#],
        "what its server has named is known"
    );
}

#[test]
fn transformers_that_remember_see_each_event_once() {
    let upstream = Upstream::start().unwrap();
    let keys = "\n[sources.up]\ntransformer_refs = [\"once\"]\n\
                [transformers.once]\ntype = \"deduplicate\"\ncapacity = 10\nkey_path = \"/key\"\n";
    let server = fanfare().config(listening_to(&upstream.url("/"), keys)).start().unwrap();
    let mut stream = accept(&upstream);
    let mut client = subscribe(&server, &[]);
    // In one piece, so that they are one batch.
    let event =
        |id: u8, key: u8| format!("id: {id}\ndata: {{\"type\":\"t\",\"id\":\"{id}\",\"key\":{key}}}\n\n");
    stream.send([event(1, 1), event(2, 1), event(3, 2), event(4, 1), event(5, 3)].concat()).unwrap();
    assert_eq!(next_ids(&mut client, 3), ["1", "3", "5"]);
    wait_for_position(&server, "id", &json!("5"));
}
