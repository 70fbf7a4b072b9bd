//! What an instance can no longer have from the one before it is said in the metadata of the next event, and is still
//! known after a kill. Metadata stays on its side, so it is read from the log's file.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use fanfare_testkit::Server;
use fanfare_testkit::http::post;
use fanfare_testkit::sse::Client;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Deserializer, Value};

use crate::LONG;
use crate::chain::{OUT, first, following, instance, position, warm_up};

/// How often something new is sent until it is shown.
const SHORT: Duration = Duration::from_millis(100);

/// What stands before the list of what was missed, in a row of the log.
const MISSED: &[u8] = b"\"sse_missed\":";

/// What an event that is no warm-up has in its row.
const NEWS: &[u8] = br#""type":"news""#;

/// An instance whose log does not outlive it.
const FORGETFUL: &str = r#"
[log]
type = "memory"

[sources.in.extractor]
type = "webhook"
id = "in"

[sinks.out]
type = "sse"
id = "out"
keep_alive = "200ms"
retry = "50ms"
"#;

#[test]
fn what_a_log_in_memory_forgot_is_told_once() {
    for killed_early in [false, true] {
        let mut upstream = instance(FORGETFUL.to_owned()).start().unwrap();
        let mut server = following(upstream.addr()).start().unwrap();
        warm_up(upstream.addr(), server.addr());
        let origin = position(server.addr(), OUT);

        upstream.restart().unwrap();
        if !killed_early {
            until("the gap is in the position", || stored_position(&server).contains("unknown"));
        }
        server.restart().unwrap();
        let mut shown = Client::open(server.addr(), OUT, &[("last-event-id", &origin)]).unwrap();
        publish_until_shown(upstream.addr(), &mut shown);
        told_once(&missed(&server, &origin), "unknown");
    }
}

#[test]
fn what_retention_removed_is_told_once() {
    const KEPT: usize = 10;
    let upstream = first().env("FANFARE__LOG__RETENTION__MAX_EVENTS", KEPT.to_string()).start().unwrap();
    let mut server = following(upstream.addr()).start().unwrap();
    warm_up(upstream.addr(), server.addr());
    let origin = position(server.addr(), OUT);
    let old = position(upstream.addr(), OUT);

    server.kill().unwrap();
    until("something is removed", || {
        publish(upstream.addr());
        begins_with_a_gap(&upstream, &old)
    });
    let newest = publish(upstream.addr());
    server.restart().unwrap();

    // What is kept comes, and the first of it tells what does not. Meanwhile more may be removed.
    let mut shown = Client::open(server.addr(), OUT, &[("last-event-id", &origin)]).unwrap();
    let shown = up_to(&mut shown, &newest);
    let mut kept = Client::open(upstream.addr(), OUT, &[("last-event-id", &old)]).unwrap();
    assert_eq!(kept.next_event(LONG).unwrap().kind, "gap");
    let kept = up_to(&mut kept, &newest);
    assert!(shown.ends_with(&kept), "{shown:?}, of {kept:?}");
    told_once(&missed(&server, &origin), "expired");
}

fn begins_with_a_gap(server: &Server, position: &str) -> bool {
    let mut stream = Client::open(server.addr(), OUT, &[("last-event-id", position)]).unwrap();
    stream.next_event(SHORT).is_ok_and(|event| event.kind == "gap")
}

/// Gives the id.
fn publish(addr: SocketAddr) -> String {
    let json = [("content-type", "application/json")];
    let answer = post(addr, "/webhook/in", &json, r#"{"type":"news"}"#).unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text());
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    answer["events"][0]["id"].as_str().unwrap().to_owned()
}

/// Until one gets through, where some may be too early for a follower that begins anew.
fn publish_until_shown(addr: SocketAddr, shown: &mut Client) {
    until("something arrives", || {
        publish(addr);
        match shown.next_event(SHORT) {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}");
                false
            }
        }
    });
}

/// The ids of the next events, up to this one.
fn up_to(stream: &mut Client, last: &str) -> Vec<String> {
    let mut ids = Vec::new();
    while ids.last().is_none_or(|id| id != last) {
        ids.push(stream.next_event(LONG).unwrap().last_event_id);
    }
    ids
}

/// Only the first event tells something, and that is one thing.
#[track_caller]
fn told_once(missed: &[Vec<String>], what: &str) {
    let [told, others @ ..] = missed else { panic!("nothing is stored") };
    assert!(told.len() == 1 && told[0].contains(what), "{told:?}");
    assert!(others.iter().all(Vec::is_empty), "{others:?}");
}

/// What the source has stored of how far it has come.
fn stored_position(server: &Server) -> String {
    log_file(server)
        .query_row("SELECT position FROM positions WHERE source = 'up'", [], |row| row.get(0))
        .unwrap()
}

/// What each of the news behind a position says of events that are missing before it.
fn missed(server: &Server, position: &str) -> Vec<Vec<String>> {
    let (_, seq) = position.rsplit_once('.').unwrap();
    let log = log_file(server);
    let mut rows = log.prepare("SELECT row FROM events WHERE seq > ?1 ORDER BY seq").unwrap();
    rows.query_map([seq.parse::<i64>().unwrap()], |row| row.get::<_, Vec<u8>>(0))
        .unwrap()
        .map(Result::unwrap)
        .filter(|row| find(row, NEWS).is_some())
        .map(|row| {
            let Some(at) = find(&row, MISSED) else {
                return Vec::new();
            };
            let list = &row[at + MISSED.len()..];
            Deserializer::from_slice(list).into_iter().next().unwrap().unwrap()
        })
        .collect()
}

/// Where a text begins in a row.
fn find(row: &[u8], text: &[u8]) -> Option<usize> {
    row.windows(text.len()).position(|window| window == text)
}

fn log_file(server: &Server) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(server.dir().join("events.db"), flags).unwrap()
}

/// Polls, within a bound.
#[track_caller]
fn until(what: &str, mut is_there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_there() {
        assert!(start.elapsed() < LONG, "not within {LONG:?}: {what}");
        thread::yield_now();
    }
}
