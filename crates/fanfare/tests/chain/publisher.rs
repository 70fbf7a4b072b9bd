//! A publisher to the first instance: it numbers its events, sends one or a few at a time under an `Idempotency-Key`, and
//! goes on only when they are acknowledged. What is not answered, or answered 503, it sends again as it was.

use std::io;
use std::time::Instant;

use fanfare_testkit::http::{Connection, End, Response};
use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::LONG;
use crate::run::Run;

/// Events of one request.
const MAX_BATCH: usize = 8;

/// What a publisher's events are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    CdEvents,
    /// JSON with a type and no id: the first instance gives one.
    Json,
    /// One, or a batch.
    CloudEvents,
}

pub(crate) const KINDS: [Kind; 3] = [Kind::CdEvents, Kind::Json, Kind::CloudEvents];

/// An event that the first instance has acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Acknowledged {
    pub(crate) seq: u64,
    pub(crate) id: String,
    pub(crate) mark: String,
}

#[derive(Default)]
pub(crate) struct Published {
    pub(crate) events: Vec<Acknowledged>,
    /// Requests that had to be sent again.
    pub(crate) sent_again: usize,
    /// Events that the first instance had already when they were sent again.
    pub(crate) known: usize,
}

struct Request {
    content_type: &'static str,
    key: String,
    body: String,
}

/// Publishes until the run ends.
pub(crate) fn publish(run: &Run, kind: Kind, mut random: StdRng) -> Published {
    let mut done = Published::default();
    let mut connection = None;
    while !run.is_ending() {
        run.wait_for_the_last();
        let next = done.events.len();
        let count = if random.random_bool(0.5) { 1 } else { random.random_range(2..=MAX_BATCH) };
        let most = if random.random_bool(0.1) { 9000 } else { 300 };
        let padding = "x".repeat(random.random_range(0..most));
        let (request, count) = request(kind, next, count, &padding);
        let answers = answered(run, &mut connection, &request, &mut done.sent_again);
        assert_eq!(answers.len(), count, "{answers:?}");
        for (number, answer) in (next..).zip(answers) {
            done.known += usize::from(answer["duplicate"] == true);
            let id = answer["id"].as_str().unwrap().to_owned();
            done.events.push(Acknowledged {
                seq: answer["seq"].as_u64().unwrap(),
                id,
                mark: mark(kind, number),
            });
        }
        run.acknowledged(count);
    }
    done
}

/// Publishes the event behind which there is nothing.
pub(crate) fn publish_end(run: &Run) {
    let body = json!({"type": "end", "id": "end"}).to_string();
    let request = Request { content_type: "application/json", key: "end".to_owned(), body };
    answered(run, &mut None, &request, &mut 0);
}

/// What tells an event from all others, wherever it has got to; `follower` finds it.
fn mark(kind: Kind, number: usize) -> String {
    format!("{kind:?}-{number}")
}

/// The next request, and how many events it has.
fn request(kind: Kind, number: usize, count: usize, padding: &str) -> (Request, usize) {
    let key = mark(kind, number);
    let json =
        |body: Value| Request { content_type: "application/json", key: key.clone(), body: body.to_string() };
    match kind {
        Kind::CdEvents => {
            let body = json!({
                "context": {"version": "0.4.1", "id": key, "source": "/chain", "type": "dev.cdevents.build.started.0.2.0",
                    "timestamp": "2026-01-15T10:30:00Z"},
                "subject": {"id": "build", "type": "build", "content": {}},
                "customData": {"mark": key, "padding": padding},
            });
            (json(body), 1)
        }
        Kind::Json => (json(json!({"type": "chain.json", "mark": key, "padding": padding})), 1),
        Kind::CloudEvents => {
            let events = (number..number + count).map(|number| {
                let mark = mark(kind, number);
                json!({"specversion": "1.0", "id": mark, "source": "/chain", "type": "chain.cloud",
                    "data": {"mark": mark, "padding": padding}})
            });
            let body = Value::Array(events.collect()).to_string();
            (Request { content_type: "application/cloudevents-batch+json", key, body }, count)
        }
    }
}

/// Sends a request until it is answered, and gives what the answer says of its events.
fn answered(
    run: &Run,
    connection: &mut Option<Connection>,
    request: &Request,
    sent_again: &mut usize,
) -> Vec<Value> {
    let start = Instant::now();
    loop {
        match send(run, connection.take(), request) {
            Ok((response, open))
                if matches!(response.status(), 200 | 201) && response.end == End::Complete =>
            {
                *connection = Some(open);
                let answer: Value = serde_json::from_slice(&response.body).unwrap();
                return answer["events"].as_array().unwrap().clone();
            }
            Ok((response, open)) => match (response.status(), response.end) {
                (503, End::Complete) => *connection = Some(open),
                (_, End::CutOff) => {}
                _ => panic!("{:?}\n{}", response.head, response.text()),
            },
            Err(_) => {}
        }
        *sent_again += 1;
        assert!(start.elapsed() < LONG, "not answered within {LONG:?}");
        run.wait_for_the_servers();
    }
}

fn send(run: &Run, connection: Option<Connection>, request: &Request) -> io::Result<(Response, Connection)> {
    let connection = connection.map_or_else(|| Connection::open(run.first), Ok)?;
    let headers = [("content-type", request.content_type), ("idempotency-key", &request.key)];
    connection.exchange("POST", "/webhook/in", &headers, request.body.as_bytes(), LONG)
}
