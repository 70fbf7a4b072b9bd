//! Coming back: where a stream begins, and what is said when it cannot begin there.

use std::thread;

use fanfare_testkit::Server;
use fanfare_testkit::sse::{Client, Message, Silent};
use serde_json::json;

use crate::kit::{
    self, BASIC, BROWSER, LONG, STREAM, body, cdevent, next, next_ids, next_notice, post, publish,
    publish_ids, serve, serve_sink, subscribe,
};

const SMALL_LOG: &str = "[log]\ntype = \"memory\"\nwindow = { events = 3 }\n";

fn position(client: &Client) -> String {
    client.head().header("last-event-id").unwrap().to_owned()
}

/// A position so many events behind this one, in the log in memory, which leaves no holes.
fn behind(position: &str, events: u64) -> String {
    let (epoch, seq) = position.split_once('.').unwrap();
    format!("{epoch}.{}", seq.parse::<u64>().unwrap() + events)
}

/// The ids that come first on a stream that asks like this; `end` is published behind to show where they end.
fn resumed(server: &Server, target: &str, headers: &[(&str, &str)], end: &str) -> Vec<String> {
    let mut client = Client::open(server.addr(), target, headers).unwrap();
    publish(server, &cdevent(end));
    let mut ids = Vec::new();
    while ids.last().is_none_or(|id| id != end) {
        ids.extend(next_ids(&mut client, 1));
    }
    ids.pop();
    ids
}

#[test]
fn a_stream_goes_on_behind_what_its_client_saw_last() {
    let server = serve(BASIC);
    let start = position(&subscribe(&server, &[]));
    publish_ids(&server, ["a", "b b", "c", "größe"]);
    let after = |events: u64| behind(&start, events);
    let mut count = 0;
    let mut check = |header: Option<&str>, query: &str, expected: &[&str]| {
        let headers: Vec<_> = header.map(|id| ("Last-Event-ID", id)).into_iter().collect();
        count += 1;
        let end = format!("end-{count}");
        let seen = resumed(&server, &format!("{STREAM}{query}"), &headers, &end);
        let published: Vec<_> = (1..count).map(|number| format!("end-{number}")).collect();
        let expected: Vec<_> = match expected {
            [] => Vec::new(),
            _ => expected.iter().map(|id| (*id).to_owned()).chain(published).collect(),
        };
        assert_eq!(seen, expected, "{header:?} {query}");
    };
    check(None, "", &[]);
    check(Some(""), "", &[]);
    check(Some("a"), "", &["b b", "c", "größe"]);
    check(Some("b b"), "", &["c", "größe"]);
    check(None, "?last_event_id=b%20b", &["c", "größe"]);
    check(None, "?last_event_id=b+b&stream=x", &["c", "größe"]);
    check(Some("c"), "?last_event_id=a", &["größe"]);
    check(Some(""), "?last_event_id=c", &["größe"]);
    check(None, "?last_event_id=", &[]);
    check(Some(&after(0)), "", &["a", "b b", "c", "größe"]);
    check(Some(&after(2)), "", &["c", "größe"]);
    check(None, &format!("?last_event_id={}", after(3).replace('@', "%40")), &["größe"]);

    let newest = subscribe(&server, &[("Last-Event-ID", "größe")]);
    assert_eq!(position(&newest), after(4), "the head says where the stream begins");
}

#[test]
fn what_resumes_a_stream_is_what_its_bytes_say() {
    let server = serve_sink("keep_alive = \"20ms\"\nmatch = [\"shown\"]\n");
    let show = |id: &str| publish(&server, &json!({"type": "shown", "id": id}));
    let mut first = subscribe(&server, &BROWSER);
    let Message::Silent(Silent { id: Some(opening), .. }) = next(&mut first) else { panic!("no opening") };
    show("a");
    assert_eq!(next_ids(&mut first, 1), ["a"]);
    publish(&server, &json!({"type": "hidden"}));
    let last = kit::eventually("position in a keep-alive", || {
        next(&mut first);
        Some(first.last_event_id().to_owned()).filter(|id| id.starts_with('@'))
    });
    show("b");
    for (id, expected) in [(opening.as_str(), &["a", "b"][..]), ("a", &["b"]), (&last, &["b"])] {
        let mut again = subscribe(&server, &[("Last-Event-ID", id)]);
        assert_eq!(next_ids(&mut again, expected.len()), expected, "{id}");
    }
}

#[test]
fn a_client_is_told_what_cannot_be_resumed() {
    let server = serve(&format!("{BASIC}{SMALL_LOG}"));
    let start = position(&subscribe(&server, &[]));
    publish_ids(&server, ["a", "b", "c", "d", "e"]);
    let end = behind(&start, 5);
    let oldest = behind(&start, 2);
    let check = |id: &str, reason: &str, position: &str, expected: &[&str]| {
        let mut client = subscribe(&server, &[("Last-Event-ID", id)]);
        let gap = next_notice(&mut client, "gap");
        assert!(
            gap.data.starts_with(reason) && gap.data.ends_with(|end: char| end.is_alphabetic()),
            "{gap:?}"
        );
        assert!(
            serde_json::from_str::<serde_json::Value>(&gap.data).is_err(),
            "a sentence, not JSON: {gap:?}"
        );
        assert_eq!((gap.id.as_deref(), self::position(&client).as_str()), (Some(position), position), "{id}");
        let raw = String::from_utf8(client.raw().to_vec()).unwrap();
        assert!(raw.starts_with(&format!("event: gap\nid: {position}\ndata: {reason}: ")), "{raw}");
        assert_eq!(next_ids(&mut client, expected.len()), expected, "{id}");
        // Where it says that it goes on, it can be resumed without another gap.
        let mut again = subscribe(&server, &[("Last-Event-ID", position)]);
        assert_eq!(next_ids(&mut again, expected.len()), expected, "{id}");
    };
    check(&start, "expired", &oldest, &["c", "d", "e"]);
    check(&behind(&start, 1), "expired", &oldest, &["c", "d", "e"]);
    check("a", "expired", &oldest, &["c", "d", "e"]);
    check("nobody-knows", "unknown", &end, &[]);
    check(&behind(&start, 6), "unknown", &end, &[]);
    check(&behind(&start, u64::MAX / 2), "unknown", &end, &[]);
    check("@00000000deadbeef.7", "unknown", &end, &[]);
    check("@.", "unknown", &end, &[]);
    check("@x.99999999999999999999", "unknown", &end, &[]);
    check(&"x".repeat(10_000), "unknown", &end, &[]);
    check("\u{1F600} \"quoted\" \\ %00", "unknown", &end, &[]);
    check("a\tb", "unknown", &end, &[]);

    // Nothing is missing behind what is kept.
    for (id, expected) in [(oldest.as_str(), &["c", "d", "e"][..]), ("c", &["d", "e"]), ("d", &["e"])] {
        assert_eq!(
            next_ids(&mut subscribe(&server, &[("Last-Event-ID", id)]), expected.len()),
            expected,
            "{id}"
        );
    }
    let mut browser = subscribe(&server, &[BROWSER[0], ("Last-Event-ID", "nobody-knows")]);
    assert!(
        matches!(next(&mut browser), Message::Silent(Silent { retry: Some(_), .. })),
        "the opening comes first"
    );
    next_notice(&mut browser, "gap");
}

#[test]
fn bytes_that_are_no_text_are_no_id() {
    let server = serve(BASIC);
    let mut connection = fanfare_testkit::http::Connection::open(server.addr()).unwrap();
    connection
        .send(
            &[format!("GET {STREAM} HTTP/1.1\r\nhost: x\r\nlast-event-id: ").as_bytes(), b"\xff\xfe\r\n\r\n"]
                .concat(),
        )
        .unwrap();
    let head = connection.read_head(LONG).unwrap();
    assert_eq!(head.status, 200);
    let mut body = connection.into_body(&head, "GET").unwrap();
    assert!(body.read_until(b"\n\n", LONG).unwrap().starts_with(b"event: gap\n"));
    for query in ["%00", "%0A", "%FF", "%", "%zz"] {
        let mut client =
            Client::open(server.addr(), &format!("{STREAM}?last_event_id={query}"), &[]).unwrap();
        next_notice(&mut client, "gap");
    }
}

#[test]
fn a_restart_loses_nothing() {
    let mut server = serve(BASIC);
    let start = position(&subscribe(&server, &[]));
    publish_ids(&server, ["a", "b"]);
    server.restart().unwrap();
    publish_ids(&server, ["c"]);
    for (id, expected) in [(start.as_str(), &["a", "b", "c"][..]), ("a", &["b", "c"]), ("b", &["c"])] {
        let mut client = subscribe(&server, &[("Last-Event-ID", id)]);
        assert_eq!(next_ids(&mut client, expected.len()), expected, "{id}");
    }
    let again = post(&server, &cdevent("a"));
    assert_eq!((again.status(), &body(&again)["duplicate"]), (200, &true.into()), "{}", again.text());
}

#[test]
fn a_restart_is_another_life_of_a_log_in_memory() {
    let mut server = serve(&format!("{BASIC}[log]\ntype = \"memory\"\n"));
    publish_ids(&server, ["a", "b"]);
    let before = position(&subscribe(&server, &[]));
    server.restart().unwrap();
    let mut client = subscribe(&server, &[("Last-Event-ID", &before)]);
    assert!(next_notice(&mut client, "gap").data.starts_with("unknown"));
    let after = position(&client);
    assert_ne!(before.split_once('.').unwrap().0, after.split_once('.').unwrap().0, "another epoch");
    publish(&server, &cdevent("a"));
    assert_eq!(next_ids(&mut client, 1), ["a"]);
}

#[test]
fn without_replay_a_stream_begins_now() {
    let server = serve_sink("replay = false\n");
    publish_ids(&server, ["a", "b"]);
    let newest = position(&subscribe(&server, &[]));
    for id in ["a", "nobody-knows", "@x.1"] {
        let mut client =
            Client::open(server.addr(), "/sse/events?last_event_id=a", &[("Last-Event-ID", id)]).unwrap();
        let begin = position(&client);
        assert!(begin >= newest, "{begin} {newest}");
        publish(&server, &cdevent(&format!("behind-{}", id.len())));
        assert_eq!(next_ids(&mut client, 1), [format!("behind-{}", id.len())]);
    }
}

#[test]
fn an_id_of_several_events_means_the_first() {
    let sources = ["one", "two"]
        .map(|name| format!("[sources.{name}.extractor]\ntype = \"webhook\"\nid = \"{name}\"\n"));
    let server = serve(&format!("{BASIC}{}", sources.concat()));
    for (source, id) in [("one", "x"), ("one", "shared"), ("one", "y"), ("two", "shared"), ("two", "z")] {
        let event = cdevent(id).to_string();
        let path = format!("/webhook/{source}");
        assert_eq!(fanfare_testkit::http::post(server.addr(), &path, &[], event).unwrap().status(), 201);
    }
    let mut client = subscribe(&server, &[("Last-Event-ID", "shared")]);
    assert_eq!(next_ids(&mut client, 3), ["y", "shared", "z"], "a double, never a loss");
}

#[test]
fn the_seam_of_replay_and_live_has_no_gap_and_no_double() {
    const EVENTS: usize = 200;
    const CLIENTS: usize = 30;
    let server = serve(BASIC);
    let ids: Vec<_> = (0..EVENTS).map(|number| format!("e-{number}")).collect();
    publish(&server, &cdevent(&ids[0]));
    thread::scope(|scope| {
        let publisher = scope.spawn(|| publish_ids(&server, ids[1..].iter().map(String::as_str)));
        let mut clients = Vec::new();
        while !publisher.is_finished() && clients.len() < CLIENTS {
            let mut client = subscribe(&server, &[("Last-Event-ID", "e-0")]);
            // Comes back in the middle of what is being published, from wherever it was.
            let seen = next_ids(&mut client, 1);
            assert_eq!(seen, ids[1..2]);
            clients.push(client);
        }
        assert!(!clients.is_empty());
        for client in &mut clients {
            assert_eq!(next_ids(client, EVENTS - 2), ids[2..]);
        }
    });
    // One client that is cut off again and again sees each event once.
    let mut seen = vec![ids[0].clone()];
    while seen.len() < EVENTS {
        let mut client = subscribe(&server, &[("Last-Event-ID", seen.last().unwrap())]);
        seen.extend(next_ids(&mut client, 7.min(EVENTS - seen.len())));
    }
    assert_eq!(seen, ids);
    let mut client = subscribe(&server, &[]);
    publish(&server, &cdevent("last"));
    assert_eq!(client.next_event(LONG).unwrap().id.as_deref(), Some("last"));
}
