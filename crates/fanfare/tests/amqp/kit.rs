//! What the tests share: a configuration, a server, a stream.

use std::net::SocketAddr;
use std::time::Duration;

use fanfare_testkit::Server;
use fanfare_testkit::sse::{Client, Event};
use serde_json::Value;

/// For what must happen; far more than it takes.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// A source `rabbit` of this URL, with more keys of its extractor and more of the file, and a sink `events`.
pub(crate) fn config(url: &str, extractor: &str, more: &str) -> String {
    format!(
        "[sources.rabbit.extractor]\ntype = \"amqp\"\nurl = \"{url}\"\nreconnect_delay = \"100ms\"\n{extractor}\n\
         [sinks.events]\ntype = \"sse\"\nid = \"events\"\nprofile = \"message\"\nidentity = \"query\"\n{more}\n"
    )
}

pub(crate) fn start(config: String) -> Server {
    Server::builder(env!("CARGO_BIN_EXE_fanfare")).config(config).env("RUST_LOG", "info").start().unwrap()
}

/// A server that consumes already.
pub(crate) fn consuming(config: String) -> Server {
    let server = start(config);
    server.wait_for_log("consuming", LONG).unwrap();
    server
}

/// Everything that a sink has, from its first event on.
pub(crate) fn follow(addr: SocketAddr, query: &str) -> Client {
    let position = ("last-event-id", "1");
    Client::open(addr, &format!("/sse/events{query}"), &[position]).unwrap()
}

/// The next event that is not a notice of the stream.
pub(crate) fn next(stream: &mut Client) -> Event {
    loop {
        let event = stream.next_event(LONG).unwrap();
        if event.kind != "gap" {
            return event;
        }
    }
}

/// The data of the next event.
pub(crate) fn next_data(stream: &mut Client) -> Value {
    let event = next(stream);
    serde_json::from_str(&event.data).unwrap_or(Value::String(event.data))
}
