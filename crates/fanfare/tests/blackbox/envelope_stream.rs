//! Streams of envelopes: Inboxclaw's first bytes and heartbeats, and coming back by plain numbers.

use fanfare_testkit::Server;
use fanfare_testkit::http::{self, End};
use fanfare_testkit::sse::{Client, Event, Message, Silent};
use serde_json::{Value, json};

use crate::kit::{BASIC, BROWSER, LONG, eventually, next, next_notice, post, publish, serve, subscribe};

const ENVELOPE: &str = "profile = \"envelope\"\n";

/// A sink of envelopes on a log that keeps three events, and the numbers of five that came.
fn five(keys: &str) -> (Server, Vec<u64>) {
    let log = "[log]\ntype = \"memory\"\nwindow = { events = 3 }\n";
    let server = serve(&format!("{BASIC}{ENVELOPE}{keys}{log}"));
    let numbers = ["a", "b", "c", "d", "e"].map(|id| publish(&server, &json!({"type": "t", "id": id})));
    (server, numbers.to_vec())
}

/// Reads what every stream of envelopes begins with.
fn greeted(mut client: Client) -> Client {
    let info = client.next_event(LONG).unwrap();
    assert_eq!((info.kind.as_str(), info.data.as_str(), info.id), ("info", "connected", None));
    client
}

/// The event's own id, out of an envelope whose `id` is the stream's.
fn own_id(event: &Event) -> String {
    let envelope: Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!((event.kind.as_str(), event.id.clone().unwrap()), ("message", envelope["id"].to_string()));
    envelope["event_id"].as_str().unwrap().to_owned()
}

fn own_ids(client: &mut Client, count: usize) -> Vec<String> {
    client.next_events(count, LONG).unwrap().iter().map(own_id).collect()
}

#[test]
fn every_client_is_greeted_and_a_browser_gets_its_position_too() {
    let (server, numbers) = five("");
    let newest = numbers[4];
    let check = |headers: &[(&str, &str)], query: &str, expected: &str| {
        let client = Client::open(server.addr(), &format!("/sse/events{query}"), headers).unwrap();
        let position = client.head().header("last-event-id").unwrap().to_owned();
        assert!(position.starts_with('@') && position.ends_with(&format!(".{newest}")), "{position}");
        let mut client = greeted(client);
        if !expected.is_empty() {
            let Message::Silent(Silent { id, retry: Some(_), .. }) = next(&mut client) else { panic!() };
            assert_eq!(id, Some(newest.to_string()));
        }
        let raw = String::from_utf8(client.raw().to_vec()).unwrap();
        assert!(raw.starts_with(&format!("event: info\ndata: connected\n\n{expected}")), "{raw}");
    };
    check(&[], "", "");
    check(&BROWSER, "", &format!("id: {newest}\nretry: "));
    check(&[], "?prime=1", &format!("id: {newest}\nretry: "));
}

#[test]
fn silence_on_a_connection_is_a_heartbeat_whatever_else_goes_on() {
    let server = serve(&format!("{BASIC}{ENVELOPE}match = [\"shown\"]\nkeep_alive = \"20ms\"\n"));
    let mut plain = greeted(subscribe(&server, &[]));
    let mut browser = greeted(subscribe(&server, &BROWSER));
    let hidden = publish(&server, &json!({"type": "hidden"}));
    for client in [&mut plain, &mut browser] {
        let heartbeat = next_notice(client, "heartbeat");
        assert_eq!(heartbeat.data, "ping");
    }
    eventually("the position of hidden events in a browser's heartbeat", || {
        let heartbeat = next_notice(&mut browser, "heartbeat");
        (heartbeat.id == Some(hidden.to_string())).then_some(())
    });
    assert_eq!(plain.last_event_id(), "", "a heartbeat moves the id of browsers only");
    let raw = String::from_utf8(browser.raw().to_vec()).unwrap();
    assert!(raw.contains(&format!("\n\nevent: heartbeat\nid: {hidden}\ndata: ping\n\n")), "{raw}");
    assert!(
        String::from_utf8(plain.raw().to_vec()).unwrap().contains("\n\nevent: heartbeat\ndata: ping\n\n")
    );
}

#[test]
fn a_plain_number_resumes_a_stream_of_envelopes() {
    let (server, numbers) = five("");
    let head = subscribe(&server, &[]).head().header("last-event-id").unwrap().to_owned();
    let (epoch, _) = head.split_once('.').unwrap();
    let check = |id: &str, gap: Option<(&str, u64)>, expected: &[&str]| {
        let mut client = greeted(subscribe(&server, &[("Last-Event-ID", id)]));
        if let Some((reason, position)) = gap {
            let told = next_notice(&mut client, "gap");
            assert!(told.data.starts_with(reason), "{id}: {told:?}");
            assert_eq!(told.id, Some(position.to_string()), "{id}");
        }
        assert_eq!(own_ids(&mut client, expected.len()), expected, "{id}");
        let mut by_query = greeted(
            Client::open(server.addr(), &format!("/sse/events?last_event_id={}", http_id(id)), &[]).unwrap(),
        );
        let first = by_query.next_event(LONG).unwrap();
        assert_eq!(first.kind == "gap", gap.is_some(), "{id}");
    };
    let (b, c, e) = (numbers[1], numbers[2], numbers[4]);
    check(&c.to_string(), None, &["d", "e"]);
    check(&b.to_string(), None, &["c", "d", "e"]);
    check(&format!("{epoch}.{c}"), None, &["d", "e"]);
    check(&numbers[0].to_string(), Some(("expired", b)), &["c", "d", "e"]);
    check("0", Some(("expired", b)), &["c", "d", "e"]);
    check(&format!("{epoch}.0"), Some(("expired", b)), &["c", "d", "e"]);
    check(&(e + 1).to_string(), Some(("unknown", e)), &[]);
    for id in ["c", "+7", "7.0", "18446744073709551616", "@x.7"] {
        check(id, Some(("unknown", e)), &[]);
    }
    check(&u64::MAX.to_string(), Some(("unknown", e)), &[]);
}

/// An id in a query.
fn http_id(id: &str) -> String {
    id.replace('+', "%2B").replace('@', "%40")
}

#[test]
fn a_plain_number_is_an_event_id_in_a_sink_of_cdevents() {
    let server = serve(BASIC);
    let seq = publish(&server, &json!({"type": "t", "id": "7"}));
    publish(&server, &json!({"type": "t", "id": "8"}));
    let mut client = subscribe(&server, &[("Last-Event-ID", "7")]);
    assert_eq!(client.next_event(LONG).unwrap().id.as_deref(), Some("8"));
    let mut unknown = subscribe(&server, &[("Last-Event-ID", &seq.to_string())]);
    assert!(next_notice(&mut unknown, "gap").data.starts_with("unknown"));
}

#[test]
fn a_full_server_puts_a_stream_off_without_a_greeting() {
    let (server, _) = five("max_connections = 1\n");
    let _first = greeted(subscribe(&server, &[]));
    let mut second = subscribe(&server, &BROWSER);
    let Message::Silent(Silent { retry: Some(_), id: None, .. }) = next(&mut second) else { panic!() };
    assert_eq!(next(&mut second), Message::End(End::CutOff));
    let refused = http::get(server.addr(), "/sse/events?event_type=a*", &[]).unwrap();
    assert_eq!(refused.status(), 400);
    assert_eq!(post(&server, &json!({"type": "t"})).status(), 201);
}
