//! Coming back from behind the window: what is read from the log's file, by many at once, after a restart, and by those
//! who were too slow.

use std::thread;

use fanfare_testkit::Server;
use fanfare_testkit::http::{self, Connection};
use fanfare_testkit::sse::Client;
use serde_json::json;

use crate::kit::{BASIC, LONG, STREAM, WEBHOOK, id_of, next_ids, publish, serve, subscribe};

/// A window of far fewer events than are published; everything else is in the file.
const SMALL_WINDOW: &str = "[log]\ntype = \"sqlite\"\nwindow = { events = 16 }\n";

/// Events that are published at a time.
const BATCH: usize = 100;

fn id(number: usize) -> String {
    format!("e-{number}")
}

/// Every third is of another type than the rest.
fn kind(number: usize) -> &'static str {
    if number.is_multiple_of(3) { "third" } else { "other" }
}

fn publish_batch(server: &Server, numbers: std::ops::Range<usize>, filling: usize) {
    let events: Vec<_> = numbers
        .map(|number| {
            json!({"specversion": "1.0", "id": id(number), "type": kind(number), "source": "s",
                "data": "x".repeat(filling)})
        })
        .collect();
    let headers = [("content-type", "application/cloudevents-batch+json")];
    let answer = http::post(server.addr(), WEBHOOK, &headers, json!(events).to_string()).unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text());
}

fn publish_all(server: &Server, numbers: std::ops::Range<usize>) {
    for start in numbers.clone().step_by(BATCH) {
        publish_batch(server, start..(start + BATCH).min(numbers.end), 100);
    }
}

#[test]
fn many_who_come_back_at_once_get_everything_and_hold_up_nobody() {
    const EVENTS: usize = 2000;
    const CLIENTS: usize = 60;
    let mut server = serve(&format!("{BASIC}buffer = 10\n{SMALL_WINDOW}"));
    publish_all(&server, 0..EVENTS);
    for restarted in [false, true] {
        if restarted {
            server.restart().unwrap();
        }
        let end = EVENTS + usize::from(restarted);
        let mut live = subscribe(&server, &[]);
        thread::scope(|scope| {
            for number in 0..CLIENTS {
                let server = &server;
                scope.spawn(move || {
                    // All from one place, all from different ones, and some who see a third only.
                    let after = if number.is_multiple_of(2) { 0 } else { number * 30 };
                    let query = if number.is_multiple_of(5) { "?event_type=third" } else { "" };
                    let headers = [("Last-Event-ID", &*id(after))];
                    let mut client =
                        Client::open(server.addr(), &format!("{STREAM}{query}"), &headers).unwrap();
                    let expected =
                        (after + 1..end).filter(|number| query.is_empty() || kind(*number) == "third");
                    for expected in expected {
                        assert_eq!(id_of(&client.next_event(LONG).unwrap()), id(expected));
                    }
                });
            }
            publish(&server, &json!({"type": kind(end), "id": id(end)}));
            assert_eq!(next_ids(&mut live, 1), [id(end)]);
        });
    }
}

#[test]
fn who_slept_gets_every_event_in_order() {
    const LARGE: usize = 40;
    const SMALL: usize = 3000;
    let server = serve(&format!("{BASIC}buffer = 10\n{SMALL_WINDOW}"));
    let connection = Connection::open(server.addr()).unwrap();
    connection.shrink_receive_buffer(16 * 1024).unwrap();
    let mut asleep = Client::open_on(connection, STREAM, &[]).unwrap();
    let mut awake = subscribe(&server, &[]);
    for number in 0..LARGE {
        publish_batch(&server, number..number + 1, 100_000);
        assert_eq!(id_of(&awake.next_event(LONG).unwrap()), id(number));
    }
    publish_all(&server, LARGE..LARGE + SMALL);
    for number in LARGE..LARGE + SMALL {
        assert_eq!(id_of(&awake.next_event(LONG).unwrap()), id(number));
    }
    for number in 0..LARGE + SMALL {
        assert_eq!(id_of(&asleep.next_event(LONG).unwrap()), id(number));
    }
    // And then what comes live.
    publish(&server, &json!({"type": "t", "id": "live"}));
    assert_eq!(next_ids(&mut asleep, 1), ["live"]);
}

#[test]
fn without_an_id_yet_a_browser_loses_nothing_over_a_restart() {
    let mut server = serve(&format!("{BASIC}{SMALL_WINDOW}"));
    publish_all(&server, 0..100);
    let mut browser = Client::open(server.addr(), &format!("{STREAM}?prime=1"), &[]).unwrap();
    while browser.last_event_id().is_empty() {
        browser.next(LONG).unwrap();
    }
    publish_all(&server, 100..200);
    server.restart().unwrap();
    publish_all(&server, 200..300);
    let mut again = subscribe(&server, &[("Last-Event-ID", browser.last_event_id())]);
    for number in 100..300 {
        assert_eq!(id_of(&again.next_event(LONG).unwrap()), id(number));
    }
}
