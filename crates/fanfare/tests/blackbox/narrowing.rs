//! `?event_type=` on a stream: it narrows what the sink shows, live and on replay, and never widens it.

use fanfare_testkit::http;
use fanfare_testkit::sse::{Client, Item, Silent};
use serde_json::json;

use crate::kit::{LONG, STREAM, body, next_ids, problem, publish, serve_sink};

#[test]
fn a_stream_narrows_and_never_widens() {
    let server = serve_sink("match = [\"alert.*\", \"user.login\"]\n");
    let kinds = ["alert.disk", "alert.disk.full", "user.login", "user.logout", "other"];
    publish(&server, &json!({"type": "alert.first", "id": "first"}));
    let check = |query: &str, expected: &[&str]| {
        let open = |headers: &[(&str, &str)]| {
            Client::open(server.addr(), &format!("{STREAM}?{query}"), headers).unwrap()
        };
        let live = open(&[]);
        let ids: Vec<_> = kinds.iter().map(|kind| format!("{query}/{kind}")).collect();
        let before = publish(&server, &json!({"type": "hidden", "id": format!("{query}/before")}));
        for (kind, id) in kinds.iter().zip(&ids) {
            publish(&server, &json!({"type": kind, "id": id}));
        }
        // What every one of these shows comes last, so that nothing more can come in between.
        let seen: Vec<_> = expected.iter().map(|kind| format!("{query}/{kind}")).collect();
        let position = live.head().header("last-event-id").unwrap().to_owned();
        let epoch = position.split_once('.').unwrap().0.to_owned();
        let replayed = open(&[("Last-Event-ID", &format!("{epoch}.{before}"))]);
        for mut client in [live, replayed] {
            assert_eq!(next_ids(&mut client, seen.len()), seen, "{query}");
        }
    };
    check("", &["alert.disk", "alert.disk.full", "user.login"]);
    check("event_type=", &["alert.disk", "alert.disk.full", "user.login"]);
    check("event_type=*", &["alert.disk", "alert.disk.full", "user.login"]);
    check("event_type=alert.*", &["alert.disk", "alert.disk.full"]);
    check("event_type=alert.disk.*", &["alert.disk.full"]);
    check("event_type=user.*", &["user.login"]);
    check("event_type=user.login&event_type=alert.disk", &["alert.disk", "user.login"]);
    check("event_type=other&event_type=alert.disk.%2A", &["alert.disk.full"]);
}

#[test]
fn what_is_no_pattern_is_refused_for_good() {
    let server = serve_sink("[sinks.events.cors]\nallowed_origins = [\"https://a.example\"]\n");
    for query in ["event_type=a*", "event_type=*.a", "event_type=a&event_type=a.*.b"] {
        let origin = [("Origin", "https://a.example")];
        let response = http::get(server.addr(), &format!("{STREAM}?{query}"), &origin).unwrap();
        let problem = problem(&response);
        assert_eq!((response.status(), &problem["parameter"]), (400, &json!("event_type")), "{query}");
        assert!(problem["detail"].as_str().unwrap().contains("`prefix.*`"), "{problem}");
        // So that a page can read why.
        assert_eq!(response.header("access-control-allow-origin"), Some("https://a.example"));
    }
    server.wait_for_log("stream refused", LONG).unwrap();
    let response = http::get(server.addr(), "/nowhere?event_type=a*", &[]).unwrap();
    assert_eq!(body(&response)["status"], 404);
}

#[test]
fn different_types_that_streams_ask_for_are_bounded() {
    let server = serve_sink("");
    let open = |query: &str| Client::open(server.addr(), &format!("{STREAM}?{query}"), &[]).unwrap();
    let query = |number: usize| {
        let parts: Vec<_> = (0..64).map(|part| format!("event_type={number}.{part}")).collect();
        parts.join("&")
    };
    let mut clients: Vec<_> = (0..256).map(|number| open(&query(number))).collect();
    let (items, _) = open("event_type=another").read_to_end(LONG).unwrap();
    assert!(matches!(items.as_slice(), [Item::Silent(Silent { retry: Some(_), .. })]), "{items:?}");
    server.wait_for_log("too many different types, rooms or users", LONG).unwrap();
    // Who asks for the same as others, or for nothing, is served all the same.
    let mut same = open(&query(7));
    let mut all = open("");
    publish(&server, &json!({"type": "7.63", "id": "seven"}));
    for client in [&mut clients[7], &mut same, &mut all] {
        assert_eq!(next_ids(client, 1), ["seven"]);
    }
    clients.remove(0);
    server.wait_for_log("stream ended", LONG).unwrap();
    let mut another = open("event_type=another");
    publish(&server, &json!({"type": "another", "id": "another"}));
    assert_eq!(next_ids(&mut another, 1), ["another"]);
}
