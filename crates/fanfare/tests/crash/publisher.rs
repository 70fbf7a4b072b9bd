//! A publisher: it numbers its events, sends one or a few at a time, and goes on only when they are acknowledged. What
//! is not answered, or answered 503, it sends again as it was.

use std::io;
use std::time::Instant;

use fanfare_testkit::http::{Connection, End, Response};
use rand::Rng as _;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use crate::LONG;
use crate::run::Run;

/// Events of one request.
const MAX_BATCH: usize = 12;

#[derive(Default)]
pub(crate) struct Published {
    /// Where the log put each event, by its number.
    pub(crate) seqs: Vec<u64>,
    /// Requests that had to be sent again.
    pub(crate) sent_again: usize,
    /// Events that the log had already when they were sent again.
    pub(crate) known: usize,
}

struct Request {
    content_type: &'static str,
    body: String,
}

/// The id of an event; `follower` reads it.
pub(crate) fn id(publisher: usize, number: usize) -> String {
    format!("p{publisher}-{number}")
}

/// Publishes until the run ends.
pub(crate) fn publish(run: &Run, publisher: usize, mut random: StdRng) -> Published {
    let mut done = Published::default();
    let mut connection = None;
    while !run.is_ending() {
        let next = done.seqs.len();
        let count = if random.random_bool(0.5) { 1 } else { random.random_range(2..=MAX_BATCH) };
        let most = if random.random_bool(0.1) { 9000 } else { 300 };
        let padding = random.random_range(0..most);
        let request = request(publisher, next..next + count, padding);
        let events = answered(run, &mut connection, &request, &mut done.sent_again);
        for (number, event) in (next..).zip(&events) {
            assert_eq!(event["id"], id(publisher, number));
            done.known += usize::from(event["duplicate"] == true);
            done.seqs.push(event["seq"].as_u64().unwrap());
        }
        assert_eq!(done.seqs.len(), next + count, "{events:?}");
        run.acknowledged();

        // Sent again long after it was acknowledged, an event is still known by its name.
        if random.random_bool(0.1) {
            let number = random.random_range(0..done.seqs.len());
            let request = self::request(publisher, number..number + 1, 0);
            let events = answered(run, &mut connection, &request, &mut done.sent_again);
            let seq = done.seqs.get(number).unwrap();
            assert_eq!(events, [json!({"id": id(publisher, number), "seq": seq, "duplicate": true})]);
        }
    }
    done
}

/// Publishes the event behind which there is nothing.
pub(crate) fn publish_end(run: &Run) {
    let body = json!({"type": "end", "id": "end"}).to_string();
    answered(run, &mut None, &Request { content_type: "application/json", body }, &mut 0);
}

fn request(publisher: usize, numbers: std::ops::Range<usize>, padding: usize) -> Request {
    let kind = |number: usize| if number.is_multiple_of(2) { "crash.even" } else { "crash.odd" };
    let padding = "x".repeat(padding);
    if numbers.len() == 1 {
        let number = numbers.start;
        let body = json!({"type": kind(number), "id": id(publisher, number), "padding": padding}).to_string();
        return Request { content_type: "application/json", body };
    }
    let events: Vec<_> = numbers
        .map(|number| {
            json!({"specversion": "1.0", "id": id(publisher, number), "source": "/crash", "type": kind(number),
                "data": padding})
        })
        .collect();
    Request { content_type: "application/cloudevents-batch+json", body: Value::Array(events).to_string() }
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
        run.wait_for_the_server();
    }
}

fn send(run: &Run, connection: Option<Connection>, request: &Request) -> io::Result<(Response, Connection)> {
    let connection = connection.map_or_else(|| Connection::open(run.addr), Ok)?;
    let headers = [("content-type", request.content_type)];
    connection.exchange("POST", "/webhook/in", &headers, request.body.as_bytes(), LONG)
}
