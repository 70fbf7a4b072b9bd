//! `fanfare tail`: connections that are lost, and servers that come and go.

use serde_json::Value;

use super::kit::{Program, command};
use crate::kit::{BASIC, LONG, STREAM, fanfare, publish_ids};
use fanfare_testkit::upstream::Upstream;

fn id(line: &str) -> Value {
    serde_json::from_str::<Value>(line).unwrap()["id"].clone()
}

#[test]
fn it_goes_on_where_it_was_when_the_server_is_killed_and_started_again() {
    let mut server = fanfare().config(format!("{BASIC}retry = \"100ms\"\n")).start().unwrap();
    let mut program = Program::start(command(&["tail", &server.url(STREAM), "--count", "5", "--stats"]));
    server.wait_for_log("stream opened", LONG).unwrap();
    publish_ids(&server, ["a", "b"]);
    assert_eq!([id(&program.next_line()), id(&program.next_line())], ["a", "b"]);
    server.kill().unwrap();
    let lost = program.wait_for("trying again in");
    assert!(lost.contains(STREAM), "{lost}");
    server.restart().unwrap();
    publish_ids(&server, ["c", "d"]);
    let back = program.wait_for("back, goes on behind b");
    assert!(back.contains(STREAM), "{back}");
    publish_ids(&server, ["e"]);
    let ended = program.end();
    let ids: Vec<_> = ended.stdout.iter().map(|line| id(line)).collect();
    assert_eq!(
        (ended.code, ids.as_slice()),
        (Some(0), ["a", "b", "c", "d", "e"].map(Value::from).as_slice())
    );
    assert!(ended.stderr.contains("events 5") && ended.stderr.contains("reconnects 1"), "{}", ended.stderr);
}

#[test]
fn a_server_that_is_not_there_yet_is_waited_for() {
    let place = Upstream::start().unwrap();
    let (addr, url) = (place.addr(), place.url("/s"));
    drop(place);
    let mut program = Program::start(command(&["tail", &url, "--count", "1"]));
    program.wait_for("trying again in");
    let upstream = Upstream::start_at(addr).unwrap();
    let mut exchange = upstream.accept(LONG).unwrap();
    exchange.stream().unwrap();
    program.wait_for("connected");
    exchange.send("data: 1\n\n").unwrap();
    let ended = program.end();
    assert_eq!((ended.code, ended.stdout.len()), (Some(0), 1), "{}", ended.stderr);
}

#[test]
fn a_refusal_is_final_at_the_start_and_never_later() {
    let upstream = Upstream::start().unwrap();
    let mut program = Program::start(command(&["tail", &upstream.url("/s")]));
    let mut first = upstream.accept(LONG).unwrap();
    first.stream().unwrap();
    first.send("retry: 10\nid: 1\ndata: 1\n\n").unwrap();
    assert_eq!(id(&program.next_line()), "1");
    first.end().unwrap();
    for (status, body) in [(404, r#"{"detail":"not\u001b now"}"#), (403, ""), (503, "")] {
        let refused = upstream.accept(LONG).unwrap();
        assert_eq!(refused.header("last-event-id"), Some("1"));
        refused.answer(status, &[], body).unwrap();
        let said = program.wait_for(&format!("the server answered {status}"));
        assert!(!said.contains('\u{1b}'), "{said}");
    }
    let mut second = upstream.accept(LONG).unwrap();
    second.stream().unwrap();
    second.send("id: 2\ndata: 2\n\n").unwrap();
    assert_eq!(id(&program.next_line()), "2");
    second.end().unwrap();
    upstream.accept(LONG).unwrap().answer(204, &[], "").unwrap();
    program.wait_for("204");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_quiet_one_does_not_say_that_it_comes_back() {
    let upstream = Upstream::start().unwrap();
    let program = Program::start(command(&["tail", &upstream.url("/s"), "-q", "--count", "1"]));
    let mut first = upstream.accept(LONG).unwrap();
    first.stream().unwrap();
    first.send("retry: 10\nid: 1\n\n").unwrap();
    first.end().unwrap();
    let mut second = upstream.accept(LONG).unwrap();
    assert_eq!(second.header("last-event-id"), Some("1"));
    second.stream().unwrap();
    second.send("data: 1\n\n").unwrap();
    let ended = program.end();
    assert_eq!((ended.code, ended.stdout.len(), ended.stderr.as_str()), (Some(0), 1, ""));
}
