//! What makes the floor server the floor: the system calls that it makes for an event, counted.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use fanfare_testkit::http::Connection;
use fanfare_testkit::sse::Client;
use fanfare_testkit::{Server, need_strace};

const LONG: Duration = Duration::from_secs(30);
const CLIENTS: u64 = 10;

#[test]
fn an_event_costs_one_send_a_client_and_no_memory() {
    let (few, many) = (calls(30), calls(300));
    for (events, calls) in [(30, &few), (300, &many)] {
        // Each stream's head, each publication's answer, and nothing but one for each event and client.
        assert_eq!(calls["sendto"], CLIENTS + events + events * CLIENTS, "{calls:?}");
    }
    let memory = |calls: &BTreeMap<String, u64>| {
        ["brk", "mmap", "mremap", "munmap"].map(|call| calls.get(call).copied().unwrap_or_default())
    };
    assert_eq!(memory(&few), memory(&many));
}

/// How often the floor made each system call, from its start to its end.
fn calls(events: u64) -> BTreeMap<String, u64> {
    need_strace();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("counts");
    // As a grandchild (-D), so that the child is the server.
    let strace = ["strace", "-D", "-c", "-o", file.to_str().unwrap()];
    let mut server =
        Server::builder(env!("CARGO_BIN_EXE_fanfare-bench")).under(strace).start().expect("it can be run");
    let open = |_| Client::open(server.addr(), "/sse/events", &[]).unwrap();
    let mut clients: Vec<_> = (0..CLIENTS).map(open).collect();
    let mut publisher = Connection::open(server.addr()).unwrap();
    for number in 0..events {
        let data = format!("event {number}");
        let (answer, open) =
            publisher.exchange("POST", "/webhook/events", &[], data.as_bytes(), LONG).unwrap();
        assert_eq!(answer.status(), 201);
        publisher = open;
        for client in &mut clients {
            assert_eq!(client.next_event(LONG).unwrap().data, data);
        }
    }
    // The tracer holds the server's standard error, whose end is waited for: the counts are complete.
    server.terminate(LONG).unwrap();
    let counts = std::fs::read_to_string(file).unwrap();
    counts.lines().filter_map(count).collect()
}

/// A line of `strace -c`: percent, seconds, microseconds a call, calls, errors where there were any, and the name.
fn count(line: &str) -> Option<(String, u64)> {
    let fields: Vec<_> = line.split_whitespace().collect();
    Some(((*fields.last()?).to_owned(), fields.get(3)?.parse().ok()?))
}
