//! No publisher is answered, and no client shown an event, before the disk has it: the server's system calls say so.
//!
//! A killed process does not lose what it wrote, so no test from outside can see this. Linux with `strace` only, and
//! without it this fails.

#![cfg(all(target_os = "linux", feature = "sink_sse", feature = "source_webhook"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod order;
mod trace;

use std::io::{self, Write as _};
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use fanfare_testkit::http::Connection;
use fanfare_testkit::sse::Client;
use fanfare_testkit::{Server, need_strace};
use serde_json::json;

use order::{Order, Violation};
use trace::Trace;

/// For what must happen; far more than it takes, under a tracer too.
const LONG: Duration = Duration::from_mins(1);

/// Events of one run, by all its publishers together.
const EVENTS: usize = 96;

/// Every call that can bring bytes to a file or a socket, and those that bring a file to the disk. What a system has
/// not (`?`) is not traced.
const CALLS: &str = "trace=fdatasync,fsync,mkdir,?mkdirat,write,writev,pwrite64,pwritev,?pwritev2,sendto,sendmsg,\
     ?sendmmsg,sendfile,splice,?vmsplice,?copy_file_range,?io_uring_enter";

const STREAMS: [&str; 2] = ["/sse/facts", "/sse/envelopes"];

fn config(durability: &str) -> String {
    format!(
        r#"
[log]
type = "sqlite"
path = "made/by-the-server/events.db"
durability = "{durability}"

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
"#
    )
}

#[test]
fn nothing_is_answered_or_shown_before_the_disk_has_it() {
    for publishers in [1, 8, 32] {
        let order = observe("full", publishers);
        assert_eq!(order.violations, [], "with {publishers} publishers");
        let mut out = io::stdout();
        writeln!(
            out,
            "durability: {publishers} publishers, {EVENTS} events in {} commits: each of {} answers and frames was \
             written behind the fdatasync of its commit",
            order.commits,
            order.shown,
        )
        .unwrap();
    }
}

/// What the other test cannot see it would not find either.
#[test]
fn without_waiting_for_the_disk_it_shows() {
    let order = observe("relaxed", 8);
    let early = order.violations.iter().filter(|violation| matches!(violation, Violation::Early { .. }));
    assert!(early.count() > EVENTS / 2, "{:?}", order.violations);
}

/// Publishes under a tracer, and reads from the trace what came when.
fn observe(durability: &str, publishers: usize) -> Order {
    need_strace();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("trace");
    let output = file.to_str().unwrap();
    // As a grandchild (-D), so that the child is the server; whole strings (-s), all of them in hexadecimal (-xx), and
    // what each descriptor is open on (-y).
    let strace = ["strace", "-D", "-f", "-y", "-xx", "-s", "16777216", "-o", output, "-e", CALLS];
    let binary = env!("CARGO_BIN_EXE_fanfare");
    let mut server = Server::builder(binary).config(config(durability)).under(strace).start().unwrap();
    let tokens = publish(&server, publishers);
    assert!(server.terminate(LONG).unwrap().success(), "{:?}", server.log());

    // The tracer holds the server's standard error, whose end has been waited for: the trace is complete.
    let trace = Trace::parse(&std::fs::read_to_string(file).unwrap());
    Order::of(&trace, server.dir(), &tokens)
}

/// Publishes all events while two clients look on; gives what each event is known by.
fn publish(server: &Server, publishers: usize) -> Vec<String> {
    let addr = server.addr();
    let watchers = STREAMS.map(|target| Client::open(addr, target, &[]).unwrap());
    let tokens: Vec<_> = (0..EVENTS).map(order::token).collect();
    let start = Barrier::new(publishers);
    thread::scope(|scope| {
        for own in tokens.chunks(EVENTS.div_ceil(publishers)) {
            let start = &start;
            scope.spawn(move || {
                let mut connection = Connection::open(addr).unwrap();
                start.wait();
                for token in own {
                    let event = json!({"type": "durable", "id": token}).to_string();
                    let sent = connection.exchange("POST", "/webhook/in", &[], event.as_bytes(), LONG);
                    let (response, open) = sent.unwrap();
                    assert_eq!(response.status(), 201, "{}", response.text());
                    connection = open;
                }
            });
        }
        for mut watcher in watchers {
            scope.spawn(move || {
                let greeting = |kind: &str| kind == "info";
                let mut events = 0;
                while events < EVENTS {
                    events += usize::from(!greeting(&watcher.next_event(LONG).unwrap().kind));
                }
            });
        }
    });
    tokens
}
