//! A follower: it holds a stream open, and where that ends, or it has enough of it, comes back with the last id that it
//! saw.

use std::io;

use fanfare_testkit::http::Connection;
use fanfare_testkit::sse::{Client, Event, Message};
use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::LONG;
use crate::run::Run;

/// Bytes that a slow follower's socket takes in before it reads.
const SLOW_BUFFER: usize = 32 * 1024;

#[derive(Clone, Copy)]
pub(crate) struct Follower {
    pub(crate) name: &'static str,
    pub(crate) target: &'static str,
    /// Its stream shows every other event of each publisher.
    pub(crate) sees_even_only: bool,
    /// It reads only when others have gone on meanwhile.
    pub(crate) is_slow: bool,
}

#[derive(Default)]
pub(crate) struct Seen {
    /// Publisher, number, and the seq where the stream shows it.
    pub(crate) events: Vec<(usize, usize, Option<u64>)>,
    /// How often it came back.
    pub(crate) resumed: usize,
}

impl Follower {
    pub(crate) const fn new(name: &'static str, target: &'static str) -> Self {
        Self { name, target, sees_even_only: false, is_slow: false }
    }

    /// How far two events of one publisher lie apart that follow each other on this stream.
    pub(crate) fn step(&self) -> usize {
        if self.sees_even_only { 2 } else { 1 }
    }

    /// Follows through all kills until the last event.
    pub(crate) fn follow(&self, run: &Run, mut last_id: String, mut random: StdRng) -> Seen {
        let mut seen = Seen::default();
        loop {
            let enough = random.random_range(1..=400);
            if self.read(run, &mut last_id, enough, &mut seen) {
                return seen;
            }
            seen.resumed += 1;
            run.wait_for_the_server();
        }
    }

    /// Reads everything behind this position on one stream, without a kill.
    pub(crate) fn read_all(&self, run: &Run, position: &str) -> Seen {
        let mut seen = Seen::default();
        let reader = Self { is_slow: false, ..*self };
        assert!(reader.read(run, &mut position.to_owned(), usize::MAX, &mut seen), "{}: no end", self.name);
        seen
    }

    /// Reads one stream until it ends or has shown enough; whether the last event was on it.
    fn read(&self, run: &Run, last_id: &mut String, enough: usize, seen: &mut Seen) -> bool {
        let mut client = match self.open(run, last_id) {
            Ok(client) => client,
            Err(error) if error.kind() == io::ErrorKind::Other => panic!("{}: {error}", self.name),
            Err(_) => return false,
        };
        for _ in 0..enough {
            let Some(event) = self.next_event(&mut client) else { return false };
            last_id.clone_from(event.id.as_ref().unwrap_or_else(|| panic!("{}: {event:?}", self.name)));
            let Some(noted) = self.noted(&event) else { return true };
            seen.events.push(noted);
            run.shown();
            if self.is_slow {
                run.dawdle();
            }
        }
        false
    }

    fn open(&self, run: &Run, last_id: &str) -> io::Result<Client> {
        let connection = Connection::open(run.addr)?;
        if self.is_slow {
            connection.shrink_receive_buffer(SLOW_BUFFER)?;
        }
        Client::open_on(connection, self.target, &[("Last-Event-ID", last_id)])
    }

    fn next_event(&self, client: &mut Client) -> Option<Event> {
        loop {
            match client.next(LONG) {
                Ok(Message::Event(event)) if matches!(&*event.kind, "info" | "heartbeat") => {}
                Ok(Message::Event(event)) => return Some(event),
                Ok(Message::Comment(_) | Message::Silent(_)) => {}
                Ok(Message::End(_)) => return None,
                Err(error) => panic!("{}: {error}", self.name),
            }
        }
    }

    /// `None` for the last event of all.
    fn noted(&self, event: &Event) -> Option<(usize, usize, Option<u64>)> {
        let name = self.name;
        let (id, seq) = match &*event.kind {
            "cdevent" => (event.last_event_id.clone(), None),
            "message" => {
                let data: Value = serde_json::from_str(&event.data).unwrap();
                let seq = data["id"].as_u64().unwrap();
                assert_eq!(event.last_event_id, seq.to_string());
                (data["event_id"].as_str().unwrap().to_owned(), Some(seq))
            }
            _ => panic!("{name}: not an event of a publisher, but {event:?}"),
        };
        if id == "end" {
            return None;
        }
        let (publisher, number) = id.strip_prefix('p').and_then(|id| id.split_once('-')).unwrap();
        Some((publisher.parse().unwrap(), number.parse().unwrap(), seq))
    }
}
