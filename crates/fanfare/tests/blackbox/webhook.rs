//! Events in: every way to send one, what is filled in, and what transformers make of it.

use std::io::Write as _;

use fanfare_testkit::Server;
use fanfare_testkit::http::{self, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use crate::kit::{self, BASIC, LONG, WEBHOOK, body, cdevent, publish, serve, subscribe};

#[cfg(feature = "transform_vrl")]
mod programs;
mod refused;
mod repeated;

const JSON: (&str, &str) = ("content-type", "application/json");
const STRUCTURED: (&str, &str) = ("content-type", "application/cloudevents+json");
const BATCH: (&str, &str) = ("content-type", "application/cloudevents-batch+json");
const GZIP: (&str, &str) = ("content-encoding", "gzip");

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

fn cloudevent(id: &str) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "/s", "type": "t", "data": {"n": 1}})
}

fn send(server: &Server, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Response {
    http::post(server.addr(), WEBHOOK, headers, body).unwrap()
}

/// `(id, duplicate)` of each event that the answer names.
fn answered(response: &Response) -> Vec<(String, bool)> {
    let events = body(response)["events"].as_array().unwrap().clone();
    events
        .iter()
        .map(|event| {
            assert!(event["seq"].as_u64().is_some_and(|seq| seq > 0), "{event}");
            (event["id"].as_str().unwrap().to_owned(), event["duplicate"].as_bool().unwrap())
        })
        .collect()
}

#[test]
fn every_way_to_send_an_event_is_taken_and_reaches_the_stream() {
    let server = serve(BASIC);
    let mut client = subscribe(&server, &[]);
    let mut check = |headers: &[(&str, &str)], body: &[u8], expected: &[(&str, Value)]| {
        let response = send(&server, headers, body);
        assert_eq!(response.status(), 201, "{headers:?}: {}", response.text());
        assert_eq!(response.header("content-type"), Some("application/json"));
        let ids: Vec<_> = expected.iter().map(|(id, _)| ((*id).to_owned(), false)).collect();
        assert_eq!(answered(&response), ids);
        assert_eq!(kit::body(&response)["duplicate"], false);
        for (id, data) in expected {
            let event = client.next_event(LONG).unwrap();
            assert_eq!(event.id.as_deref(), Some(*id));
            assert_eq!(serde_json::from_str::<Value>(&event.data).unwrap(), *data);
        }
    };
    let text = |value: &Value| value.to_string().into_bytes();
    let plain = |id: &str| json!({"type": "t", "id": id, "nested": {"a": [1, 2.5, null, "\n"]}});
    for (id, content_type) in [
        ("p-1", "application/json"),
        ("p-2", "application/json; charset=utf-8"),
        ("p-3", "Application/Vnd.GitHub+JSON"),
        ("p-4", "text/json"),
        ("p-5", ""),
    ] {
        check(&[("content-type", content_type)], &text(&plain(id)), &[(id, plain(id))]);
    }
    check(&[], &text(&plain("p-6")), &[("p-6", plain("p-6"))]);
    check(&[JSON], &[b"\xef\xbb\xbf", &*text(&plain("p-7"))].concat(), &[("p-7", plain("p-7"))]);
    check(&[JSON], &text(&cdevent("c-1")), &[("c-1", cdevent("c-1"))]);
    check(&[JSON, GZIP], &gzip(&text(&cdevent("c-2"))), &[("c-2", cdevent("c-2"))]);

    check(&[STRUCTURED], &text(&cloudevent("s-1")), &[("s-1", cloudevent("s-1"))]);
    let mut carrier = cloudevent("outer");
    carrier["data"] = cdevent("s-2");
    check(&[STRUCTURED], &text(&carrier), &[("s-2", cdevent("s-2"))]);
    let batch = json!([cloudevent("b-1"), carrier_of("b-2"), cloudevent("b-3")]);
    let expected = [("b-1", cloudevent("b-1")), ("b-2", cdevent("b-2")), ("b-3", cloudevent("b-3"))];
    check(&[BATCH, GZIP], &gzip(&text(&batch)), &expected);

    let attributes =
        [JSON, ("ce-specversion", "1.0"), ("ce-id", "n-1"), ("ce-source", "/s"), ("ce-type", "t")];
    let mut expected = cloudevent("n-1");
    expected["datacontenttype"] = "application/json".into();
    check(&attributes, br#"{"n": 1}"#, &[("n-1", expected)]);
    check(&attributes, &text(&cdevent("n-2")), &[("n-2", cdevent("n-2"))]);
    let mut with_subject = attributes.to_vec();
    with_subject[2] = ("ce-id", "n-3");
    with_subject.push(("ce-subject", "Euro%20%E2%82%AC"));
    let without_data =
        json!({"specversion": "1.0", "id": "n-3", "source": "/s", "type": "t", "subject": "Euro €"});
    check(&with_subject, b"", &[("n-3", without_data)]);
}

fn carrier_of(id: &str) -> Value {
    let mut carrier = cloudevent("outer");
    carrier["data"] = cdevent(id);
    carrier
}

#[test]
fn what_an_event_lacks_is_filled() {
    let server = serve(&format!("{BASIC}[http]\nroot_url = \"https://events.example.com/\"\n"));
    let mut client = subscribe(&server, &[]);
    let mut sent = |event: &Value| -> Value {
        publish(&server, event);
        let event = client.next_event(LONG).unwrap();
        let data: Value = serde_json::from_str(&event.data).unwrap();
        assert_eq!(data["context"]["id"].as_str(), event.id.as_deref());
        data
    };
    let bare = sent(&json!({"context": {"type": "t"}, "subject": {"id": "s"}}));
    assert_eq!(bare["context"]["source"], "https://events.example.com/?source=ci");
    assert!(bare["context"]["timestamp"].as_str().unwrap().ends_with('Z'));
    let id = bare["context"]["id"].as_str().unwrap();
    assert_eq!((id.len(), id.as_bytes()[14]), (36, b'7'), "a UUIDv7: {id}");
    assert_eq!((&bare["context"]["type"], &bare["subject"]), (&json!("t"), &json!({"id": "s"})));

    // With a time of its own, the same content has the same id, whoever asks for one.
    let timed = |id: Value| json!({"context": {"type": "t", "source": "here", "timestamp": "2024-01-15T10:30:00Z", "id": id}});
    let hashes = ["", "0"].map(|id| sent(&timed(id.into()))["context"]["id"].clone());
    assert!(hashes[0].as_str().unwrap().starts_with("bafkrei"), "{hashes:?}");
    assert_eq!(hashes[0], hashes[1]);

    let configured = serve(
        "[sources.a.extractor]\ntype = \"webhook\"\nid = \"ci\"\nmetadata.context.source = \"urn:mine\"\n\
         [sinks.events]\ntype = \"sse\"\nid = \"events\"\n",
    );
    let mut client = subscribe(&configured, &[]);
    publish(&configured, &json!({"context": {"type": "t"}}));
    let data: Value = serde_json::from_str(&client.next_event(LONG).unwrap().data).unwrap();
    assert_eq!(data["context"]["source"], "urn:mine");
}

const CHAINED: &str = r#"
[transformers.show]
type = "log"
target = "shown"
[transformers.pass]
type = "passthrough"
[transformers.drop]
type = "discard_all"
[transformers.once]
type = "deduplicate"
capacity = 10
key_path = "/key"

[sources.ci]
transformer_refs = ["pass", "show"]
[sources.ci.extractor]
type = "webhook"
id = "ci"
headers_to_keep = ["X-Request-ID"]
metadata = { team = "hidden-team" }

[sources.dropped]
transformer_refs = ["drop"]
extractor = { type = "webhook", id = "dropped" }
[sources.once]
transformer_refs = ["once"]
extractor = { type = "webhook", id = "once" }

[sinks.events]
type = "sse"
id = "events"
"#;

#[test]
fn transformers_see_the_kept_headers_and_the_metadata() {
    let server = serve(CHAINED);
    let headers = [("x-REQUEST-id", "hidden-id"), ("authorization", "hidden-authorization")];
    assert_eq!(send(&server, &headers, cdevent("e-1").to_string()).status(), 201);
    let line = server.wait_for_log("id=\"e-1\"", LONG).unwrap();
    for part in [
        " shown",
        "type=\"dev.cdevents.build.started.0.1.0\"",
        "subject=\"build-456\"",
        "x-request-id",
        "team",
        "context",
    ] {
        assert!(line.contains(part), "without {part}: {line}");
    }
    assert!(!line.contains("authorization") && !line.contains("hidden"), "{line}");
}

#[test]
fn transformers_may_drop_events() {
    let server = serve(CHAINED);
    let mut client = subscribe(&server, &[]);
    let check = |path: &str, event: &Value, status: u16, events: usize| {
        let response = http::post(server.addr(), path, &[], event.to_string()).unwrap();
        assert_eq!((response.status(), answered(&response).len()), (status, events), "{path} {event}");
        assert_eq!(body(&response)["duplicate"], false);
    };
    check("/webhook/dropped", &json!(["anything at all"]), 200, 0);
    check("/webhook/once", &json!({"type": "a", "key": 1}), 201, 1);
    check("/webhook/once", &json!({"type": "b", "key": 1}), 200, 0);
    check("/webhook/once", &json!({"type": "c", "key": 2}), 201, 1);
    let seen = client.next_events(2, LONG).unwrap();
    assert_eq!(
        seen.iter().map(|event| event.data.as_str()).collect::<Vec<_>>(),
        [r#"{"type":"a","key":1}"#, r#"{"type":"c","key":2}"#]
    );
}
