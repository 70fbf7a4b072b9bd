//! Deliveries that come twice.

use serde_json::{Value, json};

use super::{BATCH, JSON, STRUCTURED, answered, cloudevent, send};
use crate::kit::{BASIC, LONG, body, cdevent, publish, serve, subscribe};
use fanfare_testkit::http;

#[test]
fn a_delivery_that_is_repeated_under_its_name_is_sent_once() {
    let server = serve(&format!("{BASIC}[sources.other.extractor]\ntype = \"webhook\"\nid = \"other\"\n"));
    let mut client = subscribe(&server, &[]);
    let twice = |headers: &[(&str, &str)], first: &Value, second: &Value| {
        let places = [(first, 201, false), (second, 200, true)].map(|(event, status, duplicate)| {
            let response = send(&server, headers, event.to_string());
            assert_eq!(response.status(), status, "{headers:?} {event}: {}", response.text());
            assert_eq!(body(&response)["duplicate"], duplicate);
            assert!(answered(&response).iter().all(|(_, own)| *own == duplicate));
            let event = &body(&response)["events"][0];
            (event["seq"].as_u64().unwrap(), event["id"].as_str().unwrap().to_owned())
        });
        assert_eq!(places[0], places[1], "the first one's place and id");
    };
    twice(&[], &cdevent("c-1"), &cdevent("c-1"));
    twice(&[], &json!({"type": "t", "id": "p-1"}), &json!({"type": "u", "id": "p-1"}));
    twice(&[], &json!({"type": "t", "event_id": "p-2"}), &json!({"type": "t", "event_id": "p-2"}));
    twice(&[STRUCTURED], &cloudevent("s-1"), &cloudevent("s-1"));
    let binary = [JSON, ("ce-specversion", "1.0"), ("ce-id", "n-1"), ("ce-source", "/s"), ("ce-type", "t")];
    twice(&binary, &json!({}), &json!({}));
    twice(&[("idempotency-key", "\"k-1\"")], &json!({"type": "keyed"}), &json!({"type": "keyed"}));
    twice(
        &[BATCH, ("idempotency-key", "k-2")],
        &json!([cloudevent("k-a"), cloudevent("k-b")]),
        &json!([cloudevent("k-a"), cloudevent("k-b")]),
    );

    // A batch of which one event is new is stored in part, and says which.
    let mixed = send(&server, &[BATCH], json!([cloudevent("s-1"), cloudevent("s-2")]).to_string());
    assert_eq!((mixed.status(), &body(&mixed)["duplicate"]), (201, &Value::Bool(false)));
    assert_eq!(answered(&mixed), [("s-1".to_owned(), true), ("s-2".to_owned(), false)]);
    // A name is a name within its source.
    let other = http::post(server.addr(), "/webhook/other", &[], cdevent("c-1").to_string()).unwrap();
    assert_eq!(other.status(), 201, "{}", other.text());

    let seen = client.next_events(10, LONG).unwrap();
    let ids: Vec<_> = seen.iter().map(|event| event.id.as_deref().unwrap()).collect();
    assert_eq!(
        (&ids[..5], &ids[6..]),
        (&["c-1", "p-1", "p-2", "s-1", "n-1"][..], &["k-a", "k-b", "s-2", "c-1"][..])
    );
    assert_eq!(seen[5].data, r#"{"type":"keyed"}"#);
}

#[test]
fn what_nobody_named_is_never_a_repetition() {
    let server = serve(BASIC);
    let timed = json!({"context": {"type": "t", "timestamp": "2024-01-15T10:30:00Z"}});
    for event in [json!({"type": "t"}), timed, json!({"context": {"type": "t", "id": "0"}})] {
        for _ in 0..2 {
            publish(&server, &event);
        }
    }
}
