//! What becomes of an event of a stream, by profile; what is told of what was missed; positions.

use fanfare_event::{Event, NamePattern, Object, SourceName};
use fanfare_transform::{Chain, Spec, build};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn source(profile: Profile, events: Option<&[&str]>) -> Sse {
    let intake = Intake::new(SourceName::new("hub"), "http://localhost", Object::new(), Chain::default());
    let patterns = events.map(|events| events.iter().map(|one| NamePattern::parse(one).unwrap()));
    Sse::new(intake, profile, patterns.map(NamePatterns::new), "https://a.example/sse/x".to_owned())
}

fn accept_with(profile: Profile, message: &Message, missed: &Missed) -> Result<Accepted, Refusal> {
    let now = "2024-05-01T12:00:00Z".parse().unwrap();
    source(profile, None).accept(message, missed, now, || "fresh".to_owned())
}

fn accept(profile: Profile, message: &Message) -> Result<Vec<Event>, Refusal> {
    let accepted = accept_with(profile, message, &Missed::default())?;
    Ok(accepted.delivery.events.into_iter().map(|finished| finished.event).collect())
}

#[track_caller]
fn one(profile: Profile, message: &Message) -> Event {
    let events = accept(profile, message).unwrap();
    let [event] = events.as_slice() else { panic!("{events:?}") };
    event.clone()
}

fn message(kind: &str, id: Option<&str>, data: &str) -> Message {
    Message { kind: kind.to_owned(), data: data.to_owned(), last_event_id: id.map(Arc::from) }
}

#[test]
fn all_is_taken_but_what_tells_of_the_stream() {
    let check = |events: Option<&[&str]>, kind: &str, expected: bool| {
        assert_eq!(source(Profile::Cdevent, events).takes(kind), expected, "{events:?} {kind}");
    };
    for kind in ["cdevent", "message", "put", ""] {
        check(None, kind, true);
    }
    for kind in OWN {
        check(None, kind, false);
        check(Some(&["*"]), kind, true);
        check(Some(&["cdevent", kind]), kind, true);
    }
    check(Some(&["order.*"]), "order.created", true);
    check(Some(&["order.*"]), "order", false);
    check(Some(&["order.*"]), "cdevent", false);
}

#[test]
fn data_is_what_the_profile_says() {
    let event = one(Profile::Cdevent, &message("cdevent", Some("7"), r#"{"type": "t", "id": "i"}"#));
    assert_eq!((event.kind.as_str(), event.id.as_str()), ("t", "i"));
    let event = one(
        Profile::Envelope,
        &message("message", Some("7"), r#"{"event_type": "t", "event_id": "e", "id": 7}"#),
    );
    assert_eq!((event.kind.as_str(), event.id.as_str()), ("t", "e"));
    let check = |kind: &str, data: &str, expected: (&str, Value)| {
        let event = one(Profile::Message, &message(kind, None, data));
        assert_eq!((event.kind.as_str(), event.body), expected);
    };
    check("message", r#"{"type": "x"}"#, ("message", json!({"type": "x"})));
    check("put", "\u{feff}[1]", ("put", json!([1])));
    check(" a", "hello\nworld", ("message", json!("hello\nworld")));
    check("x", "\u{feff}{", ("x", json!("\u{feff}{")));
}

#[test]
fn what_is_no_event_is_refused() {
    let check = |profile: Profile, data: &str, expected: &str| {
        let refusal = accept(profile, &message("message", None, data)).unwrap_err().to_string();
        assert!(refusal.contains(expected), "{refusal}");
    };
    check(Profile::Cdevent, "hello", "body.type: is missing");
    check(Profile::Cdevent, "{}", "body.type: is missing");
    check(Profile::Envelope, "hello", "not an envelope");
    check(Profile::Envelope, r#"{"type": "t"}"#, "belongs in `data`");
}

#[test]
fn an_event_knows_its_stream_and_what_was_missed_before_it() {
    let event = one(Profile::Message, &message("put", Some("7"), "{}"));
    let get = |key: &str| event.metadata.get(key).cloned().unwrap_or_default();
    assert_eq!((get("sse_id"), get("sse_event")), (json!("7"), json!("put")));
    assert_eq!((get("sse_url"), get("sse_missed")), (json!("https://a.example/sse/x"), Value::Null));
    let event = one(Profile::Message, &message("put", None, "{}"));
    assert_eq!(event.metadata.get("sse_id"), Some(&json!("fresh")));
    let long = "é".repeat(MAX_KEPT);
    let event = one(Profile::Message, &message(&long, Some(&long), "{}"));
    let kept = &json!("é".repeat(MAX_KEPT / 2));
    assert_eq!((event.metadata.get("sse_id"), event.metadata.get("sse_event")), (Some(kept), Some(kept)));

    let mut missed = Missed::default();
    missed.add("a\nb");
    for _ in 0..20 {
        missed.add("x");
    }
    let accepted = accept_with(Profile::Message, &message("put", None, "{}"), &missed).unwrap();
    let told = accepted.delivery.events[0].event.metadata.get("sse_missed").unwrap().as_array().unwrap();
    assert_eq!((told.len(), &told[0], &told[16]), (17, &json!("a\\nb"), &json!("and 5 more")));
}

#[test]
fn notices_tell_of_what_was_missed() {
    let check = |kind: &str, data: &str, expected: Option<&str>| {
        assert_eq!(message(kind, None, data).missed().as_deref(), expected);
    };
    check("gap", "expired: gone", Some("gap: expired: gone"));
    check("error", "lagged: 3 messages skipped", Some("lagged: 3 messages skipped"));
    check("error", "something else", None);
    check("cdevent", "lagged: 3", None);
}

#[test]
fn an_event_without_an_id_has_that_of_a_cdevent_stream() {
    let check = |kind: &str, id: Option<&str>, data: &str, expected: &str| {
        assert_eq!(one(Profile::Cdevent, &message(kind, id, data)).id.as_str(), expected);
    };
    check("cdevent", Some("7"), r#"{"type": "t"}"#, "7");
    check("cdevent", Some("7"), r#"{"type": "t", "id": "own"}"#, "own");
    check("cdevent", None, r#"{"type": "t"}"#, "fresh");
    // A position of this kind of server is no event's id.
    check("cdevent", Some("@00112233445566ff.7"), r#"{"type": "t"}"#, "fresh");
    check("message", Some("7"), r#"{"type": "t"}"#, "fresh");
}

#[test]
fn what_has_a_name_is_known_when_it_comes_again() {
    let key = |profile: Profile, kind: &str, id: Option<&str>, data: &str| {
        accept_with(profile, &message(kind, id, data), &Missed::default()).unwrap().key
    };
    let named = r#"{"type": "t", "id": "i"}"#;
    let first = key(Profile::Cdevent, "message", Some("7"), named);
    assert!(first.as_ref().is_some_and(|key| key.len() == 36 && key.starts_with("sse:")), "{first:?}");
    assert_eq!(key(Profile::Cdevent, "message", Some("7"), named), first);
    assert_ne!(key(Profile::Cdevent, "message", Some("8"), named), first, "another one with the same id");
    assert_ne!(key(Profile::Cdevent, "put", Some("7"), named), first);
    assert_ne!(key(Profile::Cdevent, "message", Some("7"), r#"{"type": "u", "id": "i"}"#), first);
    assert!(key(Profile::Cdevent, "cdevent", Some("7"), r#"{"type": "t"}"#).is_some());
    assert_eq!(key(Profile::Cdevent, "message", Some("7"), r#"{"type": "t"}"#), None);
    assert_eq!(key(Profile::Message, "put", Some("7"), named), None, "nothing is read off its body");
    // The log is given no name but that.
    let accepted = accept_with(Profile::Cdevent, &message("cdevent", None, named), &Missed::default());
    assert!(!accepted.unwrap().delivery.events[0].named);
}

#[test]
fn what_is_refused_uses_up_no_memory_of_transformers() {
    let once = build(Spec::Deduplicate { capacity: 10, key_path: "/key" }).unwrap();
    let chain = Chain::new([("once".to_owned(), once)]);
    let intake = Intake::new(SourceName::new("hub"), "", Object::new(), chain);
    let sse = Sse::new(intake, Profile::Cdevent, None, String::new());
    let accept = |data: &str| {
        let message = message("cdevent", None, data);
        let accepted = sse.accept(&message, &Missed::default(), Timestamp::UNIX_EPOCH, || "i".to_owned());
        accepted.map(|accepted| accepted.delivery.commit())
    };
    assert!(accept(r#"{"key": 1}"#).is_err(), "it has no type");
    assert_eq!(accept(r#"{"key": 1, "type": "t"}"#), Ok(()));
}

#[test]
fn a_position_of_somebody_else_is_refused() {
    let long = json!({"v": 1, "id": "i".repeat(5000)}).to_string();
    for stored in ["", "1", "1 00", "{}", r#"{"v": 2}"#, r#"{"v": 1, "id": 7}"#, r#"{"v":1,"id":""}"#, &long]
    {
        assert_eq!(Position::restore(stored), Err(InvalidPosition), "{stored:?}");
    }
    assert_eq!(Position::restore(r#"{"v": 1}"#), Ok(Position::default()));
}

proptest! {
    #[test]
    fn a_position_is_what_was_stored(id in proptest::option::of("\\PC{1,40}"), missed in proptest::collection::vec(".{0,300}", 0..30)) {
        let mut position = Position { id: id.map(Arc::from), missed: Missed::default() };
        for text in &missed {
            position.missed.add(text);
        }
        let stored = position.to_text();
        prop_assert!(stored.len() < 4096 + 16 * 1024, "{}", stored.len());
        prop_assert_eq!(Position::restore(&stored), Ok(position));
    }

    #[test]
    fn what_is_shown_is_short_and_in_one_line(text in ".{0,300}") {
        let once = shown(&text);
        prop_assert!(once.chars().count() <= 200 && !once.contains(char::is_control));
        prop_assert_eq!(shown(&once), once);
    }

    #[test]
    fn no_message_and_no_position_panics(
        data in prop_oneof!["\\PC{0,40}", "[{}\\[\\]\":,a-z0-9]{0,40}", r#"\{"(v|id|missed|type|context|event_type)":("[a-z]"|[0-9]|\{\}|\[\])\}"#],
        kind in "\\PC{0,8}|cdevent|gap|error",
        id in proptest::option::of(".{0,8}"),
        profile in proptest::sample::select(Profile::ALL.to_vec()),
    ) {
        let message = message(&kind, id.as_deref(), &data);
        let _ = (accept(profile, &message), message.missed());
        if let Ok(position) = Position::restore(&data) {
            prop_assert_eq!(Position::restore(&position.to_text()), Ok(position));
        }
    }
}
