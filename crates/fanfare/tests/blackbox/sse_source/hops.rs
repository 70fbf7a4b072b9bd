//! From one instance to the next.

use fanfare_testkit::http;
use serde_json::{Value, json};

use super::kit::{listener, listening_to, next_datas};
use crate::kit::{
    BASIC, LONG, STREAM, cdevent, next_ids, publish, publish_ids, serve, serve_sink, subscribe,
};

#[test]
fn events_go_from_one_to_the_next_and_keep_their_ids() {
    let first = serve(BASIC);
    let second = listener(listening_to(&first.url(STREAM), ""));
    let third = listener(listening_to(&second.url(STREAM), ""));
    let mut client = subscribe(&third, &[]);
    publish(&first, &cdevent("a"));
    publish(&first, &json!({"type": "plain", "n": 1}));
    let events = client.next_events(2, LONG).unwrap();
    assert_eq!(events[0].last_event_id, "a");
    assert_eq!(serde_json::from_str::<Value>(&events[0].data).unwrap(), cdevent("a"));
    assert_eq!(events[1].data, r#"{"type":"plain","n":1}"#);
    let mut at_first = subscribe(&first, &[("last-event-id", "a")]);
    let original = at_first.next_event(LONG).unwrap();
    assert_eq!(original.last_event_id, events[1].last_event_id, "what has no id of its own has the stream's");
}

#[test]
fn every_profile_goes_from_one_to_the_next() {
    let check = |profile: &str, data: &Value, expected: &str| {
        let profile = format!("profile = \"{profile}\"");
        let first = serve_sink(&profile);
        let config = listening_to(&first.url(STREAM), &profile);
        let second = listener(config.replacen("id =", &format!("{profile}\nid ="), 1));
        let mut client = subscribe(&second, &[]);
        publish(&first, data);
        let data = loop {
            let event = client.next_event(LONG).unwrap();
            if event.kind != "info" {
                break event.data;
            }
        };
        assert!(data.contains(expected), "{data}");
    };
    check("message", &json!({"type": "t", "room": "a"}), r#"{"type":"t","room":"a"}"#);
    check("envelope", &json!({"type": "t", "id": "i"}), r#""event_id":"i""#);
    check("cdevent", &cdevent("i"), r#""id":"i""#);
}

#[test]
fn whoever_is_killed_nothing_is_lost_and_nothing_comes_twice() {
    let mut first = serve(BASIC);
    let mut second = listener(listening_to(&first.url(STREAM), ""));
    let mut client = subscribe(&second, &[]);
    publish_ids(&first, ["a", "b"]);
    assert_eq!(next_ids(&mut client, 2), ["a", "b"]);

    second.kill().unwrap();
    publish_ids(&first, ["c", "d"]);
    second.restart().unwrap();
    let mut client = subscribe(&second, &[("last-event-id", "a")]);
    assert_eq!(next_ids(&mut client, 3), ["b", "c", "d"]);

    first.restart().unwrap();
    publish_ids(&first, ["e"]);
    assert_eq!(next_ids(&mut client, 1), ["e"]);
    second.wait_for_log("listening again", LONG).unwrap();

    let mut again = subscribe(&second, &[("last-event-id", "a")]);
    assert_eq!(next_ids(&mut again, 4), ["b", "c", "d", "e"]);
}

#[test]
fn what_comes_while_the_first_connection_is_down_is_not_missed() {
    let mut first = serve(BASIC);
    let second = listener(listening_to(&first.url(STREAM), ""));
    let mut client = subscribe(&second, &[]);
    // Nothing was published yet, so there is no event to resume behind; and the next try comes seconds later, as the stream's
    // opening has asked (`retry:`).
    first.restart().unwrap();
    publish_ids(&first, ["a"]);
    assert_eq!(next_ids(&mut client, 1), ["a"]);
}

#[test]
fn equal_ids_of_two_sources_both_arrive() {
    let first = serve(&format!("{BASIC}\n[sources.other.extractor]\ntype = \"webhook\"\nid = \"other\"\n"));
    let second = listener(listening_to(&first.url(STREAM), ""));
    let mut client = subscribe(&second, &[]);
    publish(&first, &json!({"type": "t", "id": "same", "n": 1}));
    let body = json!({"type": "t", "id": "same", "n": 2}).to_string();
    http::post(first.addr(), "/webhook/other", &[], body).unwrap();
    let expected = [r#"{"type":"t","id":"same","n":1}"#, r#"{"type":"t","id":"same","n":2}"#];
    assert_eq!(next_datas(&mut client, 2), expected);
}
