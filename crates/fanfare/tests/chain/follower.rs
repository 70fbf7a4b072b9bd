//! A client of an instance: it holds a stream open, and where that ends, or it has enough of it, comes back with the last
//! id that it saw.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use fanfare_testkit::sse::{Client, Event};
use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::LONG;
use crate::run::Run;

/// What stands before the mark of an event, in whatever it is wrapped.
const MARK: &str = "\"mark\":\"";

/// An event that was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// The event's own id.
    pub(crate) id: String,
    pub(crate) mark: String,
    /// The body where the stream shows that and nothing else.
    pub(crate) body: Option<String>,
}

/// What was shown, and how often its follower came back.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) events: Vec<Shown>,
    pub(crate) resumed: usize,
}

/// Follows the last instance through everything until the last event. `shown` is called for each other.
pub(crate) fn follow(
    run: &Run,
    target: &str,
    mut position: String,
    mut random: StdRng,
    shown: impl Fn(),
) -> Seen {
    let mut seen = Seen::default();
    loop {
        let enough = random.random_range(1..=400);
        if read(run.last, target, &mut position, enough, &mut seen, &shown) {
            return seen;
        }
        seen.resumed += 1;
        run.wait_for_the_servers();
    }
}

/// Reads everything behind this position on one stream.
pub(crate) fn read_all(addr: SocketAddr, target: &str, position: &str) -> Vec<Shown> {
    let mut seen = Seen::default();
    assert!(read(addr, target, &mut position.to_owned(), usize::MAX, &mut seen, || ()), "{target}: no end");
    seen.events
}

/// Reads one stream until it ends or has shown enough; whether the last event was on it.
fn read(
    addr: SocketAddr,
    target: &str,
    position: &mut String,
    enough: usize,
    seen: &mut Seen,
    shown: impl Fn(),
) -> bool {
    let mut client = match Client::open(addr, target, &[("last-event-id", position)]) {
        Ok(client) => client,
        Err(error) if error.kind() == io::ErrorKind::Other => panic!("{target}: {error}"),
        Err(_) => return false,
    };
    for _ in 0..enough {
        let Some(event) = next_event(&mut client) else { return false };
        position.clone_from(event.id.as_ref().unwrap_or_else(|| panic!("{target}: {event:?}")));
        if event.data.contains("\"warm-up\"") {
            continue;
        }
        let Some(event) = noted(event) else { return true };
        seen.events.push(event);
        shown();
    }
    false
}

/// `None` at the end of the stream. Signs of life are no reason to wait longer.
fn next_event(client: &mut Client) -> Option<Event> {
    let start = Instant::now();
    loop {
        match client.next_event(LONG.saturating_sub(start.elapsed())) {
            Ok(event) if matches!(&*event.kind, "info" | "heartbeat") => {}
            Ok(event) => return Some(event),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return None,
            Err(error) => panic!("{error}"),
        }
    }
}

/// `None` for the last event of all.
fn noted(event: Event) -> Option<Shown> {
    let (id, body) = match &*event.kind {
        "cdevent" => (event.last_event_id, Some(event.data.clone())),
        "message" => {
            let data: Value = serde_json::from_str(&event.data).unwrap();
            (data["event_id"].as_str().unwrap().to_owned(), None)
        }
        _ => panic!("not an event of a publisher, but {event:?}"),
    };
    if id == "end" {
        return None;
    }
    let mark = event.data.split_once(MARK).and_then(|(_, rest)| rest.split('"').next());
    let mark = mark.unwrap_or_else(|| panic!("no mark: {}", event.data)).to_owned();
    Some(Shown { id, mark, body })
}
