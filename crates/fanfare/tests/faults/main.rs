//! A disk that fails for a while: the real binary, whose system calls on the log's files fail as `strace` is told.
//! Publishers are refused and try again, streams stay open, and when it is over nothing is lost and nothing is doubled.
//!
//! Linux with `strace` only, and without it this fails. What a full and a locked file do without a tracer is in `blackbox`
//! and in the tests of `crates/log`.

#![cfg(all(target_os = "linux", feature = "sink_sse", feature = "source_webhook"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use fanfare_testkit::http::Connection;
use fanfare_testkit::sse::Client;
use fanfare_testkit::{Server, need_strace};
use serde_json::{Value, json};
use tempfile::TempDir;

/// For what must happen; far more than it takes, under a tracer too.
const LONG: Duration = Duration::from_mins(1);

const PUBLISHERS: usize = 3;

/// Events of each. They fail in the midst of them.
const EVENTS: usize = 12;

/// The calls that fail, counted by each thread for itself: opening takes fewer, and some events are stored before.
const WINDOW: &str = "12..16";

const STREAM: &str = "/sse/facts";
const ENVELOPES: &str = "/sse/envelopes";

fn builder(folder: &Path) -> fanfare_testkit::Builder {
    Server::builder(env!("CARGO_BIN_EXE_fanfare")).config(format!(
        r#"
[log]
type = "sqlite"
path = "{}"

[sources.in.extractor]
type = "webhook"
id = "in"

[sinks.facts]
type = "sse"
id = "facts"

[sinks.envelopes]
type = "sse"
id = "envelopes"
profile = "envelope"
"#,
        folder.join("events.db").display()
    ))
}

/// What the publishers got.
#[derive(Default)]
struct Published {
    /// Where the log put each event, by its id.
    seqs: BTreeMap<String, u64>,
    /// Why it was refused, each time.
    refusals: Vec<String>,
    /// Events that were refused and that the log had all the same.
    known: usize,
}

/// Lets calls of this name fail with this error, and expects this reason. `leaves_events`: what was refused may be there
/// all the same, and is then known by its name.
fn check(call: &str, error: &str, reason: &str, leaves_events: bool) {
    need_strace();
    let folder = TempDir::new().unwrap();
    let path = |end: &str| folder.path().join(end).to_str().unwrap().to_owned();
    let (trace, file, wal) = (path("trace"), path("events.db"), path("events.db-wal"));
    let calls = format!("trace={call}");
    let inject = format!("inject={call}:error={error}:when={WINDOW}");
    // As a grandchild (-D), so that the child is the server; only calls on the log (-P), which are shown with it (-y).
    let strace =
        ["strace", "-D", "-f", "-y", "-o", &trace, "-e", &calls, "-P", &file, "-P", &wal, "-e", &inject];
    // A log that is there: opening it writes less than the window leaves out.
    assert!(builder(folder.path()).start().unwrap().terminate(LONG).unwrap().success());
    let mut server = builder(folder.path()).under(strace).start().unwrap();
    let mut follower = Client::open(server.addr(), ENVELOPES, &[]).unwrap();
    assert_eq!(follower.next_event(LONG).unwrap().kind, "info");

    let first = json!({"type": "fault", "id": "first"}).to_string();
    let mut published = publish(&server, [("first".to_owned(), first)]);
    thread::scope(|scope| {
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|publisher| {
                let events = (0..EVENTS).map(move |number| {
                    let id = format!("p{publisher}-{number:02}");
                    let body = json!({"type": "fault", "id": id}).to_string();
                    (id, body)
                });
                let server = &server;
                scope.spawn(move || publish(server, events))
            })
            .collect();
        for publisher in publishers {
            let Published { seqs, refusals, known } = publisher.join().unwrap();
            published.seqs.extend(seqs);
            published.refusals.extend(refusals);
            published.known += known;
        }
    });
    let what = format!("{call} {error}");
    assert!(!published.refusals.is_empty(), "{what}: nothing failed");
    assert_eq!(published.known > 0, leaves_events, "{what}");
    for refusal in &published.refusals {
        assert!(refusal.contains(reason), "{what}: {refusal}");
    }
    server.wait_for_log("events are stored again", LONG).unwrap();
    for said in ["events cannot be stored", "events are stored again"] {
        let lines = server.log().into_iter().filter(|line| line.contains(said));
        assert_eq!(lines.count(), 1, "{what}: {:#?}", server.log());
    }

    let told = server.log().into_iter().filter(|line| line.contains(reason));
    assert_eq!(told.count(), 1, "{what}: once, and not for each event: {:#?}", server.log());

    // The stream that was open all along has everything once, in the order of the seqs.
    let expected: BTreeMap<u64, String> = published.seqs.iter().map(|(id, seq)| (*seq, id.clone())).collect();
    assert_eq!(expected.len(), PUBLISHERS * EVENTS + 1, "{what}");
    let expected: Vec<(u64, String)> = expected.into_iter().collect();
    let seen: Vec<(u64, String)> = expected.iter().map(|_| envelope(&mut follower)).collect();
    assert_eq!(seen, expected, "{what}");

    // Killed, so that only what is in the files is there.
    server.kill().unwrap();
    let trace = fs::read_to_string(&trace).unwrap();
    let (_, afterwards) = trace.rsplit_once("(INJECTED)").unwrap();
    assert_eq!(trace.matches("(INJECTED)").count(), 5, "{what}: calls that failed");
    // After a flush that failed the kernel takes what was not written for written, and the next flush says nothing of it.
    let rewritten = afterwards
        .lines()
        .any(|line| line.contains("fdatasync(") && line.contains("/events.db>") && line.ends_with("= 0"));
    assert_eq!(rewritten, leaves_events, "{what}: {afterwards}");
    let server = builder(folder.path()).start().unwrap();
    let position = seen[0].0.to_string();
    let mut reader = Client::open(server.addr(), ENVELOPES, &[("Last-Event-ID", &position)]).unwrap();
    assert_eq!(reader.next_event(LONG).unwrap().kind, "info");
    for event in &expected[1..] {
        assert_eq!(envelope(&mut reader), *event, "{what}: after a restart");
    }
    for (id, seq) in &published.seqs {
        let body = json!({"type": "fault", "id": id}).to_string();
        let again = publish(&server, [(id.clone(), body)]);
        assert_eq!(again.seqs[id], *seq, "{what}: {id} after a restart");
    }
    let end = publish(&server, [("end".to_owned(), json!({"type": "fault", "id": "end"}).to_string())]);
    assert_eq!(envelope(&mut reader), (end.seqs["end"], "end".to_owned()), "{what}: nothing lies between");
}

/// Publishes one event after another, each until it is taken. At the first refusal a client comes back for what it
/// missed, and gets it.
fn publish(server: &Server, events: impl IntoIterator<Item = (String, String)>) -> Published {
    let mut published = Published::default();
    let mut connection = Connection::open(server.addr()).unwrap();
    for (id, body) in events {
        let start = Instant::now();
        loop {
            let sent = connection.exchange("POST", "/webhook/in", &[], body.as_bytes(), LONG);
            let (response, open) = sent.unwrap();
            connection = open;
            let answer: Value = serde_json::from_slice(&response.body).unwrap();
            if matches!(response.status(), 200 | 201) {
                published.known += usize::from(answer["events"][0]["duplicate"] == true);
                published.seqs.insert(id, answer["events"][0]["seq"].as_u64().unwrap());
                break;
            }
            assert_eq!(response.status(), 503, "{answer}");
            assert_eq!(response.header("content-type"), Some("application/problem+json"));
            assert_eq!(response.header("retry-after"), Some("1"));
            if published.refusals.is_empty()
                && let Some(oldest) = published.seqs.keys().next()
            {
                let mut client = Client::open(server.addr(), STREAM, &[("Last-Event-ID", oldest)]).unwrap();
                for id in published.seqs.keys().skip(1) {
                    let mut next = || client.next_event(LONG).unwrap().last_event_id;
                    while next() != *id {}
                }
            }
            published.refusals.push(answer["detail"].as_str().unwrap().to_owned());
            assert!(start.elapsed() < LONG, "{answer}");
        }
    }
    published
}

/// The next event's seq and id.
fn envelope(client: &mut Client) -> (u64, String) {
    let event = client.next_event(LONG).unwrap();
    let data: Value = serde_json::from_str(&event.data).unwrap();
    (data["id"].as_u64().unwrap(), data["event_id"].as_str().unwrap().to_owned())
}

#[test]
fn a_flush_that_fails() {
    check("fdatasync", "EIO", "the disk fails", true);
}

#[test]
fn a_full_disk() {
    check("pwrite64", "ENOSPC", "the disk is full", false);
}

#[test]
fn a_disk_that_became_read_only() {
    check("pwrite64", "EROFS", "the disk fails", false);
}

#[test]
fn a_write_that_fails() {
    check("pwrite64", "EIO", "the disk fails", false);
}

#[test]
fn a_start_on_a_disk_that_takes_nothing() {
    let check = |end: &str, call: &str, error: &str, expected: &[&str]| {
        need_strace();
        let folder = TempDir::new().unwrap();
        assert!(builder(folder.path()).start().unwrap().terminate(LONG).unwrap().success());
        let before = fs::read(folder.path().join("events.db")).unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (trace, beside) = (path("trace"), path(&format!("events.db{end}")));
        let (calls, inject) = (format!("trace={call}"), format!("inject={call}:error={error}"));
        let strace = ["strace", "-D", "-f", "-o", &trace, "-e", &calls, "-P", &beside, "-e", &inject];
        let said = builder(folder.path()).under(strace).start().unwrap_err().to_string();
        let advice =
            "help: the file, those beside it and their folder must be readable and writable, with room";
        for expected in expected.iter().chain(&["exit status: 1", "cannot open the log: ", advice]) {
            assert!(said.contains(expected), "{call} {error}: {expected:?} is not in {said}");
        }
        assert_eq!(fs::read(folder.path().join("events.db")).unwrap(), before);
        builder(folder.path()).start().unwrap();
    };
    check(".lock", "openat", "EROFS", &["events.db.lock cannot be used: Read-only file system"]);
    check("-shm", "pwrite64", "ENOSPC", &["events.db cannot be used: the disk is full"]);
    check("", "openat", "EACCES", &["events.db cannot be used: the file cannot be opened"]);
}

#[test]
fn a_start_on_a_full_disk_serves_what_is_there() {
    need_strace();
    let folder = TempDir::new().unwrap();
    let mut server = builder(folder.path()).start().unwrap();
    let event = |id: &str| (id.to_owned(), json!({"type": "fault", "id": id}).to_string());
    let published = publish(&server, ["a", "b"].map(event));
    server.kill().unwrap();
    let trace = folder.path().join("trace").to_str().unwrap().to_owned();
    let wal = folder.path().join("events.db-wal").to_str().unwrap().to_owned();
    // Each thread fails its first times: the one that opens the log, and then the one that stores.
    let strace = ["strace", "-D", "-f", "-o", &trace, "-e", "trace=pwrite64", "-P", &wal];
    let inject = ["-e", "inject=pwrite64:error=ENOSPC:when=1..3"];
    let server = builder(folder.path()).under(strace.into_iter().chain(inject)).start().unwrap();
    server.wait_for_log("events cannot be stored: the disk is full", LONG).unwrap();
    let mut client = Client::open(server.addr(), STREAM, &[("Last-Event-ID", "a")]).unwrap();
    assert_eq!(client.next_event(LONG).unwrap().last_event_id, "b");
    let after = publish(&server, ["b", "c"].map(event));
    assert_eq!(after.seqs["b"], published.seqs["b"]);
    assert_eq!(client.next_event(LONG).unwrap().last_event_id, "c");
    server.wait_for_log("events are stored again", LONG).unwrap();
}
