//! Inboxclaw's way: envelopes in and out, a mock source, and paths with and without a final slash.

use fanfare_testkit::Server;
use fanfare_testkit::http::{self, Response};
use fanfare_testkit::sse::Client;
use serde_json::{Value, json};

use crate::kit::{LONG, body, problem, serve};

const CONFIG: &str = r#"
[log]
type = "memory"

[sources.web_frontend.extractor]
type = "webhook"
path = "/web_frontend/"
profile = "envelope"

[sinks.events_stream]
type = "sse"
path = "/events_stream/"
profile = "envelope"
cors.allowed_origins = ["*"]

[sinks.cdevents]
type = "sse"
path = "/cdevents"
"#;

fn post(server: &Server, envelope: &Value) -> Response {
    http::post(server.addr(), "/web_frontend/", &[], envelope.to_string()).unwrap()
}

/// Opens an envelope stream and reads its greeting.
fn subscribe(server: &Server) -> Client {
    let mut client = Client::open(server.addr(), "/events_stream/", &[]).unwrap();
    let greeting = client.next_event(LONG).unwrap();
    assert_eq!((greeting.kind.as_str(), greeting.data.as_str()), ("info", "connected"));
    client
}

#[test]
fn an_envelope_goes_through_as_the_document_shows_it() {
    let server = serve(CONFIG);
    let mut client = subscribe(&server);
    let mut check = |sent: &Value, expected: &str| {
        let response = post(&server, sent);
        assert_eq!(response.status(), 201, "{sent}: {}", response.text());
        let answered = &body(&response)["events"][0];
        let event = client.next_event(LONG).unwrap();
        assert_eq!(event.kind, "message");
        assert_eq!(event.id, Some(answered["seq"].to_string()));
        let expected = expected.replace("{seq}", &answered["seq"].to_string());
        assert_eq!(event.data, expected.replace("{id}", answered["id"].as_str().unwrap()), "{sent}");
    };
    check(
        &json!({"event_id": "evt_abc", "event_type": "user.login", "entity_id": "user_1",
            "occurred_at": "2024-03-15T10:00:00", "data": {"ip": "1.2.3.4"}}),
        r#"{"id":{seq},"event_id":"evt_abc","event_type":"user.login","entity_id":"user_1","created_at":"2024-03-15T10:00:00+00:00","data":{"ip":"1.2.3.4"},"source":{"id":1,"name":"web_frontend"},"meta":{}}"#,
    );
    // What the data says of itself is the publisher's own, also where it looks like a CDEvent.
    check(
        &json!({"event_type": "t", "occurred_at": "2024-03-15T12:00:00.5+02:00",
            "data": {"context": {"type": 1, "id": "0"}, "subject": "s", "id": [], "type": "other"}}),
        r#"{"id":{seq},"event_id":"{id}","event_type":"t","entity_id":null,"created_at":"2024-03-15T10:00:00.500000+00:00","data":{"context":{"type":1,"id":"0"},"subject":"s","id":[],"type":"other"},"source":{"id":1,"name":"web_frontend"},"meta":{}}"#,
    );
}

#[test]
fn a_source_and_its_event_id_are_stored_once() {
    let server = serve(CONFIG);
    let mut client = subscribe(&server);
    let mut seen = Vec::new();
    for id in [json!("a"), json!("0"), json!(7), json!("7")] {
        let envelope = json!({"event_id": id, "event_type": "t", "data": {"context": {"type": "x"}}});
        let seqs: Vec<_> = (0..2)
            .map(|_| {
                let response = post(&server, &envelope);
                let answer = body(&response);
                let repeated = answer["duplicate"] == true;
                assert_eq!(response.status(), if repeated { 200 } else { 201 }, "{answer}");
                (answer["events"][0]["seq"].as_u64().unwrap(), repeated)
            })
            .collect();
        // The number and the string are one name.
        assert_eq!([seqs[0].1, seqs[1].1], [id == "7", true]);
        assert_eq!(seqs[0].0, seqs[1].0, "the first one's place");
        if !seqs[0].1 {
            seen.push(seqs[0].0.to_string());
        }
    }
    // Nobody named these.
    for _ in 0..2 {
        let answer = post(&server, &json!({"event_type": "t"}));
        assert_eq!(answer.status(), 201);
        seen.push(body(&answer)["events"][0]["seq"].to_string());
    }
    let events = client.next_events(5, LONG).unwrap();
    assert_eq!(events.into_iter().map(|event| event.id.unwrap()).collect::<Vec<_>>(), seen);
}

#[test]
fn an_array_is_taken_or_refused_as_a_whole() {
    let server = serve(CONFIG);
    let refused = |sent: &Value, field: &str| {
        let response = post(&server, sent);
        assert_eq!((response.status(), &problem(&response)["field"]), (422, &json!(field)), "{sent}");
    };
    refused(&json!([{"event_type": "t"}, {"event_type": "t", "entity_id": 1.5}]), "[1].entity_id");
    refused(&json!([{"event_type": "t"}, {"event_type": "t"}, {"eventType": "t"}]), "[2].eventType");
    refused(&json!({"event_id": "a"}), "event_type");
    refused(&json!(vec![json!({"event_type": "t"}); 1001]), "body");
    let mut client = subscribe(&server);
    let taken = post(&server, &json!([{"event_type": "a", "event_id": "x"}, {"event_type": "b"}]));
    assert_eq!((taken.status(), body(&taken)["events"].as_array().unwrap().len()), (201, 2));
    let kinds = client.next_events(2, LONG).unwrap().into_iter().map(|event| {
        serde_json::from_str::<Value>(&event.data).unwrap()["event_type"].as_str().unwrap().to_owned()
    });
    assert_eq!(kinds.collect::<Vec<_>>(), ["a", "b"]);
    let empty = post(&server, &json!([]));
    assert_eq!((empty.status(), &body(&empty)["events"]), (200, &json!([])));
}

#[test]
fn what_another_server_sends_is_taken_as_it_is() {
    let server = serve(CONFIG);
    let mut client = subscribe(&server);
    let envelope = json!({"event_id": "e", "event_type": "t", "data": {"n": 1}, "meta": {"coalesced": true}});
    assert_eq!(post(&server, &envelope).status(), 201);
    let sent: Value = serde_json::from_str(&client.next_event(LONG).unwrap().data).unwrap();
    assert_eq!(sent["meta"], envelope["meta"]);
    let second = serve(CONFIG);
    let mut client = subscribe(&second);
    assert_eq!(post(&second, &sent).status(), 201);
    let passed: Value = serde_json::from_str(&client.next_event(LONG).unwrap().data).unwrap();
    for member in ["event_id", "event_type", "entity_id", "created_at", "data", "meta"] {
        assert_eq!(passed[member], sent[member], "{member}");
    }
}

#[test]
fn a_path_that_differs_by_a_slash_redirects() {
    let server = serve(CONFIG);
    let check = |method: &str, from: &str, to: &str| {
        let response = http::request(server.addr(), method, from, &[], b"").unwrap();
        assert_eq!((response.status(), response.header("location")), (307, Some(to)), "{method} {from}");
        response
    };
    check("GET", "/events_stream", "/events_stream/");
    check("HEAD", "/events_stream?event_type=a.*&x=%20", "/events_stream/?event_type=a.*&x=%20");
    check("GET", "/cdevents/?last_event_id=1", "/cdevents?last_event_id=1");
    check("POST", "/web_frontend", "/web_frontend/");
    for nowhere in ["/", "/events_stream///", "/nothing/", "//cdevents/"] {
        assert_eq!(http::get(server.addr(), nowhere, &[]).unwrap().status(), 404, "{nowhere}");
    }
}

#[test]
fn a_page_of_another_origin_may_follow_a_redirect() {
    let server = serve(CONFIG);
    let origin = ("Origin", "https://app.example.com");
    let followed = http::get(server.addr(), "/events_stream", &[origin]).unwrap();
    assert_eq!(followed.status(), 307);
    assert_eq!(followed.header("access-control-allow-origin"), Some("*"));
    let asked = [origin, ("Access-Control-Request-Method", "GET")];
    let preflight = http::request(server.addr(), "OPTIONS", "/events_stream", &asked, b"").unwrap();
    assert_eq!((preflight.status(), preflight.header("access-control-allow-origin")), (204, Some("*")));
    // A stream without CORS says nothing of it.
    let other = http::get(server.addr(), "/cdevents/", &[origin]).unwrap();
    assert_eq!((other.status(), other.header("access-control-allow-origin")), (307, None));
}

#[cfg(feature = "source_mock")]
#[test]
fn a_mock_source_makes_an_event_at_once_and_again() {
    let mut server = serve(
        "[log]\ntype = \"memory\"\n[sources.test_source.extractor]\ntype = \"mock\"\ninterval = \"50ms\"\n\
         [sinks.s]\ntype = \"sse\"\npath = \"/s/\"\nprofile = \"envelope\"\n",
    );
    let mut client = Client::open(server.addr(), "/s/", &[]).unwrap();
    assert_eq!(client.next_event(LONG).unwrap().data, "connected");
    let mut ids = std::collections::BTreeSet::new();
    for _ in 0..3 {
        let event: Value = serde_json::from_str(&client.next_event(LONG).unwrap().data).unwrap();
        assert_eq!(
            (&event["event_type"], &event["entity_id"]),
            (&json!("mock.random_number"), &json!("mock-test_source"))
        );
        assert_eq!(event["source"], json!({"id": 1, "name": "test_source"}));
        assert!((1..=100).contains(&event["data"]["number"].as_u64().unwrap()), "{event}");
        assert_eq!(event["data"].as_object().unwrap().len(), 1);
        assert!(ids.insert(event["event_id"].as_str().unwrap().to_owned()));
    }
    assert_eq!(server.terminate(LONG).unwrap().code(), Some(0), "it ends with the server");
}

#[cfg(feature = "source_mock")]
#[test]
fn the_first_mock_event_does_not_wait() {
    let server = serve(
        "[log]\ntype = \"memory\"\n[transformers.t]\ntype = \"passthrough\"\n\
         [sources.m]\ntransformer_refs = [\"t\"]\n[sources.m.extractor]\ntype = \"mock\"\ninterval = \"1h\"\n\
         [sinks.s]\ntype = \"sse\"\npath = \"/s\"\nprofile = \"envelope\"\n",
    );
    // It may have been made before the stream opens; from the beginning it is seen either way, behind the notice that
    // the beginning is gone.
    let mut client = Client::open(server.addr(), "/s", &[("Last-Event-ID", "0")]).unwrap();
    let kinds: Vec<_> = client.next_events(3, LONG).unwrap().into_iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["info", "gap", "message"]);
}
