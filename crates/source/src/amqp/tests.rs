//! What becomes of a message, by profile; and a broker made up at random that redelivers.

use std::collections::VecDeque;

use fanfare_event::{Event, SourceName};
use fanfare_transform::Chain;
use proptest::prelude::*;

use super::*;

fn source(profile: Profile) -> Amqp {
    let intake = Intake::new(SourceName::new("rabbit"), "http://localhost", Object::new(), Chain::default());
    Amqp::new(intake, profile, vec!["tenant".to_owned()], 1000)
}

fn accept(profile: Profile, message: &Message) -> Result<Vec<Event>, Refusal> {
    let now = "2024-05-01T12:00:00Z".parse().unwrap();
    let delivery = source(profile).accept(message, now, || "fresh".to_owned())?;
    assert_eq!(delivery.operation.as_deref(), Some(message.routing_key.as_str()));
    Ok(delivery.events.into_iter().map(|finished| finished.event).collect())
}

fn one(profile: Profile, message: &Message) -> Event {
    let events = accept(profile, message).unwrap();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    event.clone()
}

fn message(body: impl Into<Vec<u8>>) -> Message {
    Message { body: body.into(), routing_key: "order.created".to_owned(), ..Message::default() }
}

fn object(value: Value) -> Object {
    let Value::Object(object) = value else { panic!("{value}") };
    object
}

#[test]
fn a_message_is_any_json_or_text_and_its_type_is_its_routing_key() {
    let check = |body: &[u8], routing_key: &str, expected_body: Value, expected_type: &str| {
        let message = Message { routing_key: routing_key.to_owned(), ..message(body) };
        let event = one(Profile::Message, &message);
        assert_eq!((event.body, event.kind.as_str()), (expected_body, expected_type));
    };
    check(
        br#"{"type": "x", "room": "a"}"#,
        "order.created",
        json!({"type": "x", "room": "a"}),
        "order.created",
    );
    check(b"[1]", "a", json!([1]), "a");
    check(b"hello", "a", json!("hello"), "a");
    check(b"", "a", json!(""), "a");
    check(b"1", "", json!(1), "message");
    check(b"1", " a", json!(1), "message");
    check(b"1", "a\nb", json!(1), "message");
    assert_eq!(accept(Profile::Message, &message(&b"\xff"[..])), Err(Refusal::NotText));
}

#[test]
fn an_event_knows_its_message() {
    let message = Message {
        exchange: "shop".to_owned(),
        redelivered: true,
        headers: object(json!({"X-Trace": "t", "x-death": [{"count": 1}], "Tenant": 7, "other": "o"})),
        properties: object(json!({"message_id": "m", "priority": 3})),
        ..message("{}")
    };
    let event = one(Profile::Message, &message);
    let expected = json!({"exchange": "shop", "routing_key": "order.created", "redelivered": true,
        "headers": message.headers, "properties": message.properties});
    assert_eq!(event.metadata.get("amqp"), Some(&expected));
    let headers: Vec<_> = event.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers, [("tenant", "7"), ("x-death", r#"[{"count":1}]"#), ("x-trace", "t")]);
    assert_eq!(message.id(), Some("m"));
}

#[test]
fn events_say_themselves_what_they_are() {
    let event = one(Profile::Cdevent, &message(r#"{"type": "t", "id": "i"}"#));
    assert_eq!((event.kind.as_str(), event.id.as_str()), ("t", "i"));
    let event = one(Profile::Cdevent, &message(r#"{"context": {"type": "dev.cdevents.x", "id": "c"}}"#));
    assert_eq!((event.kind.as_str(), event.id.as_str()), ("dev.cdevents.x", "c"));
    let event = one(Profile::Envelope, &message(r#"{"event_type": "t", "event_id": "e", "data": {"n": 1}}"#));
    assert_eq!((event.kind.as_str(), event.body), ("t", json!({"n": 1})));
    // A content type that is not so, as many clients set it by default, is passed over.
    let octets = object(json!({"content_type": "application/octet-stream"}));
    let event = one(Profile::Cdevent, &Message { properties: octets, ..message(r#"{"type": "t"}"#) });
    assert_eq!(event.kind.as_str(), "t");
}

#[test]
fn cloudevents_come_in_all_modes_and_spellings() {
    let attributes = |prefix: &str| {
        let attributes =
            [("specversion", "1.0"), ("id", "100%"), ("source", "/s"), ("type", "t"), ("region", "eu")];
        let headers = attributes.map(|(name, value)| (format!("{prefix}{name}"), Value::from(value)));
        headers.into_iter().collect::<Object>()
    };
    for prefix in ["cloudEvents:", "cloudEvents_", "ce-", "CE-"] {
        let mut headers = attributes(prefix);
        headers.insert(format!("{prefix}time"), json!(1_714_564_800));
        let properties = object(json!({"content_type": "application/json"}));
        let event = one(Profile::Cdevent, &Message { headers, properties, ..message(r#"{"n":1}"#) });
        let expected = json!({"specversion": "1.0", "id": "100%", "source": "/s", "type": "t",
            "time": "2024-05-01T12:00:00Z", "datacontenttype": "application/json", "region": "eu", "data": {"n": 1}});
        assert_eq!((event.body, event.id.as_str()), (expected, "100%"), "{prefix}");
    }
    let properties = object(json!({"content_type": "text/plain"}));
    let event =
        one(Profile::Cdevent, &Message { headers: attributes("ce-"), properties, ..message("hello") });
    assert_eq!(event.body["data"], "hello");

    let properties = object(json!({"content_type": "application/cloudevents+json; charset=utf-8"}));
    let body = json!({"specversion": "1.0", "id": "a", "source": "/s", "type": "t", "data": 1});
    let event = one(Profile::Cdevent, &Message { properties, ..message(body.to_string()) });
    assert_eq!(event.body, body);
    let properties = object(json!({"content_type": "application/cloudevents-batch+json"}));
    let batch = Message { properties, ..message(json!([body, body]).to_string()) };
    assert_eq!(accept(Profile::Cdevent, &batch).unwrap().len(), 2);
}

#[test]
fn what_is_not_taken_is_refused_with_its_place() {
    let check = |profile: Profile, message: Message, expected: &str| {
        let refusal = accept(profile, &message).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}");
    };
    check(Profile::Cdevent, message("{"), "not JSON");
    check(Profile::Cdevent, message("{}"), "type");
    check(Profile::Envelope, message("{}"), "event_type");
    check(Profile::Message, message("x".repeat(1001)), "more than 1000 bytes");
    let properties = object(json!({"content_encoding": "gzip"}));
    check(Profile::Message, Message { properties, ..message("x") }, "content_encoding");
    let headers = object(json!({"ce-specversion": "1.0", "ce-id": "a", "ce-type": "t"}));
    check(Profile::Cdevent, Message { headers, ..message("{}") }, "cloudEvents:source");
    let headers = object(json!({"ce-specversion": "1.0", "cloudEvents:id": "a", "ce-id": "b"}));
    check(Profile::Cdevent, Message { headers, ..message("{}") }, "repeated");
    let headers = object(json!({"ce-specversion": "1.0", "ce-id": []}));
    check(Profile::Cdevent, Message { headers, ..message("{}") }, "ce-id");
}

#[test]
fn a_fingerprint_is_of_what_a_publisher_said() {
    let base = || Message { headers: object(json!({"a": 1, "b": 2})), ..message("x") };
    let same = |change: fn(&mut Message)| {
        let mut other = base();
        change(&mut other);
        other.fingerprint() == base().fingerprint()
    };
    assert!(same(|message| message.redelivered = true));
    assert!(same(|message| message.headers = object(json!({"b": 2, "a": 1}))));
    assert!(same(|message| drop(message.headers.insert("x-delivery-count".to_owned(), json!(3)))));
    assert!(!same(|message| message.body.push(b'x')));
    assert!(!same(|message| message.exchange.push('e')));
    assert!(!same(|message| message.routing_key.push('k')));
    assert!(!same(|message| drop(message.headers.insert("a".to_owned(), json!("1")))));
    assert!(!same(|message| drop(message.properties.insert("priority".to_owned(), json!(1)))));
}

#[test]
fn a_position_of_somebody_else_is_refused() {
    for position in ["", "2", "1 x", "1 00", "1  ", "{}", "1 00112233445566778899aabbccddeeff00"] {
        assert_eq!(Unconfirmed::restore(position, 10), Err(InvalidPosition), "{position:?}");
    }
    assert_eq!(Unconfirmed::new(10).position_with(&[]), "1");
}

/// What happens to a source.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// A message is published.
    Publish,
    /// As many messages as are there, up to so many, are stored and acknowledged.
    Work(usize),
    /// They are stored, and the process is killed before it acknowledges them.
    StoreAndDie(usize),
    /// The connection is lost: the broker may have taken some of the acknowledgements.
    Disconnect(usize),
    /// So is the process.
    Kill(usize),
    /// The broker has taken everything.
    Flush,
}

/// A queue with one consumer, and a log with the source's position.
struct World {
    /// Messages that nobody has, and whether they were delivered before.
    queue: VecDeque<(u32, bool)>,
    /// Delivered and not taken by the source.
    buffer: VecDeque<(u32, bool)>,
    /// Delivered, and the broker knows of no acknowledgement: with whether one was sent.
    unacked: VecDeque<(u32, bool)>,
    stored: Vec<u32>,
    position: Option<String>,
    unconfirmed: Unconfirmed,
}

const PREFETCH: u16 = 4;

impl World {
    fn deliver(&mut self) {
        while self.unacked.len() < usize::from(PREFETCH) {
            let Some((number, redelivered)) = self.queue.pop_front() else { return };
            self.buffer.push_back((number, redelivered));
            self.unacked.push_back((number, false));
        }
    }

    fn work(&mut self, most: usize, acknowledge: bool) {
        self.deliver();
        let mut new = Vec::new();
        let mut done = Vec::new();
        while done.len() < most {
            let Some((number, redelivered)) = self.buffer.pop_front() else { break };
            let fingerprint = message(number.to_string()).fingerprint();
            if !redelivered {
                self.unconfirmed.is_behind();
            }
            if !(redelivered && self.unconfirmed.recognize(fingerprint)) {
                new.push(fingerprint);
                self.stored.push(number);
            }
            done.push(number);
        }
        if !new.is_empty() {
            self.position = Some(self.unconfirmed.position_with(&new));
            self.unconfirmed.stored(new);
        }
        for (number, is_sent) in &mut self.unacked {
            *is_sent |= acknowledge && done.contains(number);
        }
    }

    /// Acknowledgements are taken in order.
    fn take_acknowledgements(&mut self, most: usize) {
        for _ in 0..most {
            if self.unacked.front().is_some_and(|(_, is_sent)| *is_sent) {
                self.unacked.pop_front();
            }
        }
    }

    fn disconnect(&mut self, taken: usize) {
        self.take_acknowledgements(taken);
        self.buffer.clear();
        while let Some((number, _)) = self.unacked.pop_back() {
            self.queue.push_front((number, true));
        }
        self.unconfirmed.reconnected();
    }

    fn kill(&mut self, taken: usize) {
        let position = self.position.as_deref().unwrap_or("1");
        self.unconfirmed = Unconfirmed::restore(position, PREFETCH).unwrap();
        self.disconnect(taken);
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let count = || 0..6_usize;
    let step = prop_oneof![
        4 => Just(Step::Publish),
        4 => count().prop_map(Step::Work),
        1 => count().prop_map(Step::StoreAndDie),
        1 => count().prop_map(Step::Disconnect),
        1 => count().prop_map(Step::Kill),
        1 => Just(Step::Flush),
    ];
    proptest::collection::vec(step, 0..60)
}

proptest! {
    #[test]
    fn whatever_is_lost_every_message_is_stored_once_and_in_order(steps in steps()) {
        let unconfirmed = Unconfirmed::new(PREFETCH);
        let mut world = World {
            queue: VecDeque::new(),
            buffer: VecDeque::new(),
            unacked: VecDeque::new(),
            stored: Vec::new(),
            position: None,
            unconfirmed,
        };
        let mut published = 0;
        for step in steps {
            match step {
                Step::Publish => {
                    world.queue.push_back((published, false));
                    published += 1;
                }
                Step::Work(most) => world.work(most, true),
                Step::StoreAndDie(most) => {
                    world.work(most, false);
                    world.kill(0);
                }
                Step::Disconnect(taken) => world.disconnect(taken),
                Step::Kill(taken) => world.kill(taken),
                Step::Flush => {
                    world.take_acknowledgements(100);
                    world.unconfirmed.confirmed();
                }
            }
        }
        while !world.queue.is_empty() || !world.buffer.is_empty() {
            world.work(10, true);
            world.take_acknowledgements(100);
        }
        prop_assert_eq!(world.stored, (0..published).collect::<Vec<_>>());
    }

    #[test]
    fn no_position_panics(position in "\\PC{0,80}|1( [0-9a-f]{30,33}){0,4}", prefetch: u16) {
        if let Ok(unconfirmed) = Unconfirmed::restore(&position, prefetch) {
            let written = unconfirmed.position_with(&[]);
            prop_assert_eq!(Unconfirmed::restore(&written, prefetch), Ok(unconfirmed));
        }
    }

    #[test]
    fn no_message_panics(
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..40),
            "[{}\\[\\]\":,a-z0-9]{0,40}".prop_map(String::into_bytes),
        ],
        routing_key in "\\PC{0,8}",
        content_type in proptest::sample::select(vec!["", "application/json", "application/cloudevents+json", "text/plain"]),
        headers in proptest::collection::btree_map("(ce-|cloudEvents:|x-)?[a-z]{1,4}", "\\PC{0,8}", 0..6),
        profile in proptest::sample::select(Profile::ALL.to_vec()),
    ) {
        let message = Message {
            body,
            routing_key,
            headers: headers.into_iter().map(|(name, value)| (name, value.into())).collect(),
            properties: object(json!({"content_type": content_type})),
            ..Message::default()
        };
        let _ = (accept(profile, &message), message.fingerprint());
    }
}
