//! What the modules share: servers that listen to others, and what their logs have of it.

use std::time::Duration;

use fanfare_testkit::sse::Client;
use fanfare_testkit::upstream::{Exchange, Upstream};
use fanfare_testkit::{Builder, Server};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::kit::{LONG, eventually, fanfare};

/// For what must not happen.
pub(super) const SHORT: Duration = Duration::from_millis(200);

/// The configuration of a server that listens to a stream, and streams what it hears; further keys of the source.
pub(super) fn listening_to(url: &str, keys: &str) -> String {
    let delay = if keys.contains("reconnect_delay") { "" } else { "reconnect_delay = \"10ms\"\n" };
    format!(
        "[sinks.events]\ntype = \"sse\"\nid = \"events\"\n\n\
         [sources.up.extractor]\ntype = \"sse\"\nurl = \"{url}\"\n{delay}{keys}\n"
    )
}

/// A server that hears the stream, once it is connected to it.
pub(super) fn listener(config: impl Into<String>) -> Server {
    listening(fanfare().config(config))
}

/// The same.
pub(super) fn listening(builder: Builder) -> Server {
    let server = builder.start().unwrap();
    server.wait_for_log(": listening", LONG).unwrap();
    server
}

/// A server that listens to what the test says; further keys of its source.
pub(super) fn scripted(keys: &str) -> (Upstream, Server) {
    let upstream = Upstream::start().unwrap();
    let server = fanfare().config(listening_to(&upstream.url("/sse/x"), keys)).start().unwrap();
    (upstream, server)
}

/// The next request, answered with a stream.
pub(super) fn accept(upstream: &Upstream) -> Exchange {
    let mut exchange = upstream.accept(LONG).unwrap();
    exchange.stream().unwrap();
    exchange
}

/// The datas of the next events.
pub(super) fn next_datas(client: &mut Client, count: usize) -> Vec<String> {
    client.next_events(count, LONG).unwrap().into_iter().map(|event| event.data).collect()
}

fn log(server: &Server) -> Connection {
    let log = Connection::open(server.dir().join("fanfare-data/events.db")).unwrap();
    log.busy_timeout(LONG).unwrap();
    log
}

/// Waits until the log has this of the source's position.
pub(super) fn wait_for_position(server: &Server, member: &str, expected: &Value) {
    let log = log(server);
    let mut last = Value::Null;
    let read = || {
        let query = "SELECT position FROM positions WHERE source = 'up'";
        let stored: String = log.query_row(query, [], |row| row.get(0)).ok()?;
        last = serde_json::from_str(&stored).unwrap();
        (last[member] == *expected).then_some(())
    };
    eventually(&format!("{member} {expected}"), read);
}

/// The metadata of all events in the log, without what every event's has.
pub(super) fn metadata(server: &Server) -> Vec<Value> {
    let log = log(server);
    let mut query = log.prepare("SELECT row FROM events ORDER BY seq").unwrap();
    let rows = query.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    rows.map(|row| metadata_of(&row.unwrap())).collect()
}

/// Behind checksum, place and keys a row has three texts, of which this is the second.
fn metadata_of(row: &[u8]) -> Value {
    let number = |at: usize, length: usize| {
        row[at..at + length].iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let lengths = 30 + 16 * number(28, 2);
    let start = lengths + 8 + number(lengths, 4);
    let mut metadata: Value =
        serde_json::from_slice(&row[start..start + number(lengths + 4, 4)]).unwrap_or(json!({}));
    metadata.as_object_mut().unwrap().remove("context");
    metadata
}
