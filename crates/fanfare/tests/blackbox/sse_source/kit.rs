//! What the modules share: servers that listen to others.

use fanfare_testkit::Server;
use fanfare_testkit::sse::Client;

use crate::kit::{LONG, fanfare};

/// The configuration of a server that listens to a stream, and streams what it hears; further keys of the source.
pub(super) fn listening_to(url: &str, keys: &str) -> String {
    format!(
        "[sources.up.extractor]\ntype = \"sse\"\nurl = \"{url}\"\nreconnect_delay = \"10ms\"\n{keys}\n\n\
         [sinks.events]\ntype = \"sse\"\nid = \"events\"\n"
    )
}

/// A server that runs and hears the stream, once it is connected to it.
pub(super) fn listener(config: impl Into<String>) -> Server {
    let server = fanfare().config(config).start().unwrap();
    server.wait_for_log("listening", LONG).unwrap();
    server
}

/// The datas of the next events.
pub(super) fn next_datas(client: &mut Client, count: usize) -> Vec<String> {
    client.next_events(count, LONG).unwrap().into_iter().map(|event| event.data).collect()
}
