//! What goes in comes out: whatever a webhook accepts, a client that follows the WHATWG specification reads as it was,
//! and can resume from. First through the library's parts, then through the real binary.

#![cfg(all(feature = "sink_sse", feature = "source_webhook"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audiences;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use fanfare_auth::{HeaderRules, RequestHeaders};
use fanfare_event::{Object, Profile, Seq, SourceName, SourceNumber, Stored};
use fanfare_source::Intake;
use fanfare_source::request::RequestHead;
use fanfare_source::webhook::Webhook;
use fanfare_stream::frame;
use fanfare_testkit::Server;
use fanfare_testkit::http;
use fanfare_testkit::sse::{Client, Event, Item, Parser};
use fanfare_transform::Chain;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

const NOW: &str = "2024-05-01T12:00:00Z";
const LONG: Duration = Duration::from_secs(10);

/// A request's headers, names in lower case.
struct Head(Vec<(String, String)>);

impl RequestHeaders for Head {
    fn values<'a>(&'a self, name: &str) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
        let name = name.to_owned();
        Box::new(self.0.iter().filter(move |(own, _)| *own == name).map(|(_, value)| value.as_bytes()))
    }
}

impl RequestHead for Head {
    fn for_each(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in &self.0 {
            each(name, value.as_bytes());
        }
    }
}

/// What a client reads of what a request brings; `None` where it is refused.
fn read(headers: &[(&str, &str)], body: &Value) -> Option<Vec<Event>> {
    read_as(Profile::Cdevent, headers, body)
}

/// The same of a webhook and a stream of this profile.
fn read_as(profile: Profile, headers: &[(&str, &str)], body: &Value) -> Option<Vec<Event>> {
    let intake = Intake::new(SourceName::new("ci"), "http://localhost:8080", Object::new(), Chain::default());
    let webhook = Webhook::new(intake, profile, HeaderRules::default(), vec![], 1 << 20);
    let head = Head(headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
    let body = body.to_string();
    let accepted =
        webhook.accept(&head, body.as_bytes(), NOW.parse().unwrap(), || "fresh".to_owned()).ok()?;
    let mut parser = Parser::new();
    let read = |finished: &fanfare_event::Event| {
        let stored = Stored {
            seq: Seq::FIRST,
            stored_at: NOW.parse().unwrap(),
            source_number: SourceNumber::FIRST,
            event: Arc::new(finished.clone()),
        };
        let payload = profile.payload(&stored);
        let framed = frame::event(profile, stored.seq, &finished.id, &payload);
        match &parser.push(&framed)[..] {
            [Item::Event(event)] => event.clone(),
            other => panic!("not one event: {other:?}"),
        }
    };
    Some(accepted.delivery.events.iter().map(|finished| &finished.event).map(read).collect())
}

fn data(event: &Event) -> Value {
    assert_eq!(event.kind, "cdevent");
    assert_eq!(event.id.as_deref(), Some(event.last_event_id.as_str()));
    serde_json::from_str(&event.data).unwrap()
}

/// Any JSON, with text that would break a careless stream.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has no infinities", |number| number.is_finite()).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            object(inner).prop_map(Value::Object),
        ]
    })
}

fn object(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Object> {
    proptest::collection::vec((text(), value), 0..5).prop_map(|members| members.into_iter().collect())
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-z]{0,8}", "(\r|\n|\u{0}|\u{2028}|: |data|id|event|\u{feff}){0,6}"]
}

/// Names that are accepted, and some that are not.
fn word() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-zA-Z0-9._/-]{1,20}", 2 => "[^\\p{Cc}\\s]{1,20}", 1 => text()]
}

/// An object with these members over the others.
fn members(these: &Value, mut others: Object) -> Value {
    others.extend(these.as_object().unwrap().clone());
    Value::Object(others)
}

proptest! {
    #[test]
    fn any_json_with_a_type_is_read_as_it_was(kind in word(), id in word(), rest in object(json_value())) {
        let body = members(&json!({"type": kind, "id": id}), rest);
        // With these it would be something else.
        prop_assume!(!["context", "specversion"].iter().any(|name| body.get(name).is_some()));
        let Some(events) = read(&[], &body) else { return Ok(()) };
        prop_assert_eq!(events.len(), 1);
        let named = if id.is_empty() { "fresh" } else { &id };
        prop_assert_eq!(events[0].id.as_deref(), Some(named));
        prop_assert_eq!(data(&events[0]), body);
    }

    #[test]
    fn a_cdevent_is_read_as_it_was_with_what_it_lacked(
        kind in word(),
        id in proptest::option::of(word()),
        source in proptest::option::of(word()),
        is_timed in any::<bool>(),
        context in object(json_value()),
        content in object(json_value()),
    ) {
        let mut body = json!({"context": context, "subject": {"id": "s", "content": content}, "customData": content});
        body["context"]["type"] = kind.into();
        let mut set = |name: &str, value: Option<&str>| body["context"][name] = value.into();
        set("id", id.as_deref());
        set("source", source.as_deref());
        set("timestamp", is_timed.then_some(NOW));
        let Some(events) = read(&[], &body) else { return Ok(()) };
        prop_assert_eq!(events.len(), 1);
        let read = data(&events[0]);
        prop_assert_eq!(read["context"]["id"].as_str(), events[0].id.as_deref());
        let missing = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
        if missing(&id) || id.as_deref() == Some("0") {
            prop_assert!(is_timed || events[0].id.as_deref() == Some("fresh"));
        } else {
            prop_assert_eq!(events[0].id.as_ref(), id.as_ref());
        }
        body["context"]["id"] = read["context"]["id"].clone();
        body["context"]["timestamp"] = NOW.into();
        if missing(&source) {
            body["context"]["source"] = "http://localhost:8080/?source=ci".into();
        }
        prop_assert_eq!(read, body);
    }

    #[test]
    fn any_data_comes_out_of_an_envelope_as_it_was(
        id in proptest::option::of(word()),
        kind in word(),
        subject in proptest::option::of(text()),
        time in "2024-0[1-9]-1[0-9]T10:00:00(\\.5)?(Z|\\+02:00)?",
        data in object(json_value()),
        context in proptest::option::of(object(json_value())),
    ) {
        let mut data = Value::Object(data);
        if let Some(context) = context {
            data["context"] = Value::Object(context);
            data["context"]["type"] = kind.clone().into();
        }
        let envelope = json!({"event_id": id, "event_type": kind, "entity_id": subject, "occurred_at": time, "data": data});
        let Some(events) = read_as(Profile::Envelope, &[], &envelope) else { return Ok(()) };
        prop_assert_eq!(events.len(), 1);
        let read: Value = serde_json::from_str(&events[0].data).unwrap();
        prop_assert_eq!(&read["data"], &data);
        prop_assert_eq!(&read["event_type"], &envelope["event_type"]);
        prop_assert_eq!(&read["event_id"], id.as_deref().filter(|id| !id.is_empty()).unwrap_or("fresh"));
        prop_assert_eq!(read["entity_id"].as_str(), subject.as_deref().filter(|subject| !subject.is_empty()));
        // Sent on to another server it stays what it is.
        let again = read_as(Profile::Envelope, &[], &read).unwrap();
        prop_assert_eq!(&again[0].data, &events[0].data);
    }

    #[test]
    fn a_cloudevent_is_read_alike_in_every_mode(
        id in word(),
        kind in word(),
        source in word(),
        value in json_value(),
        extension in "[a-z0-9]{1,10}",
        extended in word(),
    ) {
        let mut envelope = json!({"specversion": "1.0", "id": id, "source": source, "type": kind,
            "datacontenttype": "application/json"});
        prop_assume!(envelope.get(&extension).is_none());
        prop_assume!(!["data", "subject", "time", "dataschema"].contains(&extension.as_str()));
        envelope[&extension] = extended.into();
        let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        for (name, attribute) in envelope.as_object().unwrap() {
            if name != "datacontenttype" {
                headers.push((format!("ce-{name}"), percent(attribute.as_str().unwrap())));
            }
        }
        envelope["data"] = value.clone();

        let binary: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let structured = read(&[("content-type", "application/cloudevents+json")], &envelope);
        prop_assert_eq!(&read(&binary, &value), &structured);
        let batch = read(&[("content-type", "application/cloudevents-batch+json")], &json!([envelope]));
        prop_assert_eq!(&batch, &structured);

        let Some(events) = structured else { return Ok(()) };
        prop_assert_eq!(events.len(), 1);
        if value.pointer("/context/type").is_none() {
            prop_assert_eq!(events[0].id.as_deref(), Some(id.as_str()));
            prop_assert_eq!(data(&events[0]), envelope);
        }
    }
}

/// HTTP binding 3.1.3.2, with every byte encoded that may be.
fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        write!(encoded, "%{byte:02X}").unwrap();
        encoded
    })
}

const CONFIG: &str = "[sources.ci.extractor]\ntype = \"webhook\"\nid = \"ci\"\n\
                      [sinks.events]\ntype = \"sse\"\nid = \"events\"\n";

/// Runs a test for inputs of this kind against one server.
fn against_a_server<S: Strategy>(inputs: &S, mut test: impl FnMut(&Server, usize, S::Value)) {
    let server = Server::builder(env!("CARGO_BIN_EXE_fanfare")).config(CONFIG).start().unwrap();
    let count = std::cell::Cell::new(0);
    let test = std::cell::RefCell::new(&mut test);
    TestRunner::new(Config { cases: 64, failure_persistence: None, ..Config::default() })
        .run(inputs, |input| {
            count.set(count.get() + 1);
            (test.borrow_mut())(&server, count.get(), input);
            Ok(())
        })
        .unwrap();
}

fn post(server: &Server, event: &Value) -> u16 {
    http::post(server.addr(), "/webhook/ci", &[], event.to_string()).unwrap().status()
}

#[test]
fn any_id_that_is_accepted_can_be_resumed_from() {
    against_a_server(&word(), |server, number, word| {
        let id = format!("{word}{number}");
        let status = post(server, &json!({"type": "t", "id": id}));
        if status == 422 {
            return;
        }
        assert_eq!(status, 201, "{id:?}");
        let next = format!("next-{number}");
        assert_eq!(post(server, &json!({"type": "t", "id": next})), 201);
        let query = format!("/sse/events?last_event_id={}", percent(&id));
        for (target, headers) in [("/sse/events", &[("Last-Event-ID", id.as_str())][..]), (&query, &[])] {
            let mut client = Client::open(server.addr(), target, headers).unwrap();
            assert_eq!(client.next_event(LONG).unwrap().id.as_ref(), Some(&next), "{id:?} {target}");
        }
    });
}

#[test]
fn any_resume_id_opens_a_stream() {
    let ids = prop_oneof![any::<String>(), word(), "@[a-z0-9]{0,3}\\.[0-9]{0,22}", "@\\PC{0,10}"];
    against_a_server(&ids, |server, _, id| {
        let query = format!("/sse/events?last_event_id={}", percent(&id));
        let opened = http::request(server.addr(), "HEAD", &query, &[], b"").unwrap();
        assert_eq!(opened.status(), 200, "{id:?}");
        assert!(opened.header("last-event-id").is_some_and(|position| position.starts_with('@')), "{id:?}");
        if id.contains(['\r', '\n']) {
            // It would be another header.
            return;
        }
        let opened =
            http::request(server.addr(), "HEAD", "/sse/events", &[("Last-Event-ID", &id)], b"").unwrap();
        // Control characters make no header (RFC 9110, 5.5).
        let expected = if id.chars().any(|c| c.is_ascii_control() && c != '\t') { 400 } else { 200 };
        assert_eq!(opened.status(), expected, "{id:?}");
    });
}

#[test]
fn any_event_goes_through_the_binary_as_it_is() {
    against_a_server(&object(json_value()), |server, number, rest| {
        let body = members(&json!({"type": "t", "id": number.to_string()}), rest);
        if body.get("context").is_some() {
            return;
        }
        let mut client = Client::open(server.addr(), "/sse/events", &[]).unwrap();
        assert_eq!(post(server, &body), 201, "{body}");
        let event = client.next_event(LONG).unwrap();
        assert_eq!(event.id, Some(number.to_string()));
        assert_eq!(data(&event), body);
    });
}
