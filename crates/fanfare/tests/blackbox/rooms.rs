//! Rooms and users: who gets what, live and on replay, and what is refused.

use fanfare_testkit::http;
use fanfare_testkit::sse::Client;
use serde_json::{Value, json};

use crate::kit::{self, LONG, body, serve};

/// A webhook whose events go to everyone, to a room, or to a user, by their types.
const ROUTED: &str = r#"
[sources.ci.extractor]
type = "webhook"
id = "ci"

[sinks.events]
type = "sse"
id = "events"
profile = "message"
identity = "query"

[[routes]]
from = "ci"
to = "events"
match = "all"

[[routes]]
from = "ci"
to = "events"
match = "room"
audience = { room = ".body.room" }

[[routes]]
from = "ci"
to = "events"
match = ["room", "user"]
audience = { user = ".body.user" }
"#;

/// The `n` of the next message.
fn next(client: &mut Client) -> u64 {
    let event = client.next_event(LONG).unwrap();
    assert_eq!(event.kind, "message");
    serde_json::from_str::<Value>(&event.data).unwrap()["n"].as_u64().unwrap()
}

#[test]
fn an_event_goes_to_those_it_is_for_live_and_on_replay() {
    let server = serve(ROUTED);
    let open = |query: &str, headers: &[(&str, &str)]| {
        Client::open(server.addr(), &format!("{}{query}", kit::STREAM), headers).unwrap()
    };
    let clients = [
        ("", vec![1, 6]),
        ("?room=a", vec![1, 2, 4, 6]),
        ("?rooms=a,b", vec![1, 2, 3, 4, 6]),
        ("?user_id=42", vec![1, 3, 5, 6]),
        ("?room=a&user_id=42", vec![1, 2, 3, 4, 5, 6]),
        ("?room=42", vec![1, 6]),
        ("?user_id=a", vec![1, 2, 4, 6]),
    ];
    let first = open("", &[]);
    let position = first.head().header("last-event-id").unwrap().to_owned();
    let mut live: Vec<_> = clients.iter().map(|(query, _)| open(query, &[])).collect();
    for event in [
        json!({"type": "all", "n": 1}),
        json!({"type": "room", "room": "a", "user": "a", "n": 2}),
        json!({"type": "room", "room": ["b"], "user": 42, "n": 3}),
        json!({"type": "room", "room": ["a", "b"], "user": "a", "n": 4}),
        json!({"type": "user", "user": "42", "n": 5}),
        json!({"type": "all", "n": 6}),
    ] {
        kit::publish(&server, &event);
    }
    for (client, (query, expected)) in live.iter_mut().zip(&clients) {
        let seen: Vec<_> = expected.iter().map(|_| next(client)).collect();
        assert_eq!(seen, *expected, "live: {query}");
        let mut again = open(query, &[("Last-Event-ID", &position)]);
        let seen: Vec<_> = expected.iter().map(|_| next(&mut again)).collect();
        assert_eq!(seen, *expected, "on replay: {query}");
    }
}

#[test]
fn an_event_that_names_nobody_is_refused_and_one_that_no_route_means_is_not_kept() {
    let server = serve(ROUTED);
    let check = |event: Value, status: u16, detail: &str| {
        let response = kit::post(&server, &event);
        assert_eq!(response.status(), status, "{}", response.text());
        assert!(response.text().contains(detail), "{}", response.text());
    };
    check(json!({"type": "user"}), 422, "body.user: is missing: the event goes to the user that it names");
    check(json!({"type": "user", "user": {}}), 422, "\"field\":\"body.user\"");
    check(json!({"type": "other"}), 200, "\"events\":[]");
}

#[test]
fn without_an_identity_nobody_joins() {
    let server = serve(&ROUTED.replace("identity = \"query\"", ""));
    for query in ["?room=a", "?rooms=a", "?user_id=a"] {
        let response = http::get(server.addr(), &format!("{}{query}", kit::STREAM), &[]).unwrap();
        assert_eq!(response.status(), 403, "{query}");
        assert!(body(&response)["detail"].as_str().unwrap().contains("`identity`"), "{query}");
    }
}

#[test]
fn nobody_is_in_more_rooms_than_the_sink_allows() {
    let server = serve(&ROUTED.replace("identity", "max_rooms = 2\nidentity"));
    let mut client = Client::open(server.addr(), &format!("{}?room=a&rooms=b,a", kit::STREAM), &[]).unwrap();
    kit::publish(&server, &json!({"type": "room", "room": ["a", "b"], "user": "x", "n": 1}));
    assert_eq!(next(&mut client), 1);
    let response = http::get(server.addr(), &format!("{}?room=a&rooms=b,c", kit::STREAM), &[]).unwrap();
    assert_eq!((response.status(), body(&response)["parameter"].as_str()), (400, Some("rooms")));
    assert!(body(&response)["detail"].as_str().unwrap().contains("at most 2 rooms"));
}

#[test]
fn each_listener_has_its_own_endpoints() {
    let config = ROUTED.replace("identity", "listener = \"public\"\nidentity");
    let server = serve(&format!("{config}\n[listeners.public]\nhost = \"127.0.0.1\"\nport = 0\n"));
    let public = server.listener("public").unwrap();
    assert_ne!(public, server.addr());
    let mut client = Client::open(public, kit::STREAM, &[]).unwrap();
    kit::publish(&server, &json!({"type": "all", "n": 1}));
    assert_eq!(next(&mut client), 1);
    assert_eq!(http::get(server.addr(), kit::STREAM, &[]).unwrap().status(), 404);
    assert_eq!(http::post(public, kit::WEBHOOK, &[], "{}").unwrap().status(), 404);
}
