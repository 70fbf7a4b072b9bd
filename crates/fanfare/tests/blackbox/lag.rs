//! Clients that fall behind: each policy, and that nobody else notices.

use fanfare_testkit::Server;
use fanfare_testkit::http::{Connection, End};
use fanfare_testkit::sse::{Client, Event, Message};
use serde_json::json;

use crate::kit::{LONG, STREAM, id_of, publish, serve_sink, subscribe};

/// Bytes of an event, enough that the sockets' buffers hold a few of them only.
const SIZE: usize = 100_000;

/// Events that are published: far more than those buffers hold.
const EVENTS: usize = 70;

/// A client that takes nothing until it is asked to read.
fn sleeper(server: &Server) -> Client {
    let connection = Connection::open(server.addr()).unwrap();
    connection.shrink_receive_buffer(16 * 1024).unwrap();
    Client::open_on(connection, STREAM, &[]).unwrap()
}

fn publish_large(server: &Server, number: usize) {
    publish(server, &json!({"type": "t", "id": number.to_string(), "filling": "x".repeat(SIZE)}));
}

/// How many events a notice says that were skipped.
fn skipped(notice: &Event) -> usize {
    assert_eq!((notice.kind.as_str(), notice.id.as_deref()), ("error", None));
    let words: Vec<_> = notice.data.split(' ').collect();
    let ["lagged:", count, "messages", "skipped"] = words.as_slice() else { panic!("{notice:?}") };
    count.parse().unwrap()
}

/// Reads until the last event that was published, and gives how many were skipped. What a notice says to be missing
/// must be what is missing in its place.
fn read_all(client: &mut Client) -> usize {
    let (mut expected, mut missing) = (0, 0);
    while expected < EVENTS {
        let event = client.next_event(LONG).unwrap();
        if event.kind == "error" {
            missing += skipped(&event);
            expected += skipped(&event);
        } else {
            assert_eq!(id_of(&event), expected.to_string());
            expected += 1;
        }
    }
    assert_eq!(expected, EVENTS);
    missing
}

#[test]
fn catch_up_skips_nothing() {
    let server = serve_sink("buffer = 1\n[http]\nsend_timeout = \"1m\"\n");
    let mut slow = sleeper(&server);
    let mut fast = subscribe(&server, &[]);
    for number in 0..EVENTS {
        publish_large(&server, number);
        // The slow one holds nobody up.
        assert_eq!(id_of(&fast.next_event(LONG).unwrap()), number.to_string());
    }
    assert_eq!(read_all(&mut slow), 0);
}

#[test]
fn catch_up_says_how_many_the_log_no_longer_has() {
    let server = serve_sink("[log]\ntype = \"memory\"\nwindow = { events = 10 }\n");
    let mut slow = sleeper(&server);
    let mut fast = subscribe(&server, &[]);
    for number in 0..EVENTS {
        publish_large(&server, number);
        // So that delivery is never overtaken by so small a log: what it was not told nobody can count.
        fast.next_event(LONG).unwrap();
    }
    let missing = read_all(&mut slow);
    assert!((1..=EVENTS - 10).contains(&missing), "{missing}");
    publish_large(&server, EVENTS);
    assert_eq!(id_of(&slow.next_event(LONG).unwrap()), EVENTS.to_string());
}

#[test]
fn notice_goes_on_with_the_newest() {
    let server = serve_sink("on_lag = \"notice\"\nbuffer = 5\n");
    let mut slow = sleeper(&server);
    (0..EVENTS).for_each(|number| publish_large(&server, number));
    let missing = read_all(&mut slow);
    assert!((1..=EVENTS - 5).contains(&missing), "{missing}");
    let raw = String::from_utf8(slow.raw().to_vec()).unwrap();
    let (before, notice) = raw.rsplit_once("event: error\n").unwrap();
    assert!(before.is_empty() || before.ends_with("\n\n"));
    assert!(notice.starts_with("data: lagged: "), "{notice:.80}");
    assert!(notice.split_once(" messages skipped\n\n").unwrap().1.starts_with("event: cdevent\n"));
}

#[test]
fn notice_counts_only_what_the_client_would_have_seen() {
    let server = serve_sink("on_lag = \"notice\"\nbuffer = 5\nmatch = [\"t\"]\n");
    let mut slow = sleeper(&server);
    for number in 0..EVENTS {
        publish_large(&server, number);
        publish(&server, &json!({"type": "hidden"}));
    }
    assert!(read_all(&mut slow) > 0);
}

#[test]
fn disconnect_ends_the_stream_and_the_client_can_come_back() {
    let server = serve_sink("on_lag = \"disconnect\"\nbuffer = 5\n");
    let mut slow = sleeper(&server);
    publish_large(&server, 0);
    assert_eq!(id_of(&slow.next_event(LONG).unwrap()), "0");
    (1..EVENTS).for_each(|number| publish_large(&server, number));
    let mut seen = 1;
    let end = loop {
        match slow.next(LONG).unwrap() {
            Message::Event(event) => {
                assert_eq!(id_of(&event), seen.to_string());
                seen += 1;
            }
            Message::End(end) => break end,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(end, End::CutOff, "a clean end would keep some clients from coming back");
    assert!(seen < EVENTS);
    server.wait_for_log("reason=lagged", LONG).unwrap();
    // Coming back from far behind is not falling behind.
    let mut again = subscribe(&server, &[("Last-Event-ID", slow.last_event_id())]);
    assert_eq!(id_of(&again.next_event(LONG).unwrap()), seen.to_string());
    assert_eq!(again.next_events(EVENTS - seen - 1, LONG).unwrap().len(), EVENTS - seen - 1);
}

#[test]
fn a_client_that_keeps_up_never_lags() {
    let server = serve_sink("on_lag = \"disconnect\"\nbuffer = 1\n");
    let mut client = subscribe(&server, &[]);
    for number in 0..EVENTS {
        publish(&server, &json!({"type": "t", "id": number.to_string()}));
        assert_eq!(id_of(&client.next_event(LONG).unwrap()), number.to_string());
    }
}
