use super::*;
use crate::request::tests::{Head, head};
use fanfare_auth::{RefusedKind, Rule};
use fanfare_event::{Headers, Object, SourceName};
use fanfare_transform::{Chain, Spec, build};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;
use serde_json::json;
use std::io::Write as _;

const LIMIT: usize = 1000;

fn webhook(transformers: &[Spec<'_>], rules: Vec<(String, Rule)>) -> Webhook {
    let chain = Chain::new(transformers.iter().map(|spec| ("step".to_owned(), build(*spec).unwrap())));
    let intake = Intake::new(SourceName::new("ci"), "http://localhost:8080", Object::new(), chain);
    let rules = HeaderRules::new(rules).unwrap();
    Webhook::new(intake, Profile::Cdevent, rules, vec!["x-request-id".to_owned()], LIMIT)
}

fn accept(headers: &[(&str, &str)], body: &[u8]) -> Result<Accepted, Refusal> {
    let mut fresh = 0;
    webhook(&[], vec![]).accept(&head(headers), body, "2024-05-01T12:00:00Z".parse().unwrap(), || {
        fresh += 1;
        format!("fresh-{fresh}")
    })
}

fn ids(accepted: &Accepted) -> Vec<(&str, bool)> {
    accepted.delivery.events.iter().map(|finished| (finished.event.id.as_str(), finished.named)).collect()
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

const BINARY: [(&str, &str); 4] =
    [("ce-specversion", "1.0"), ("ce-id", "b"), ("ce-source", "/s"), ("ce-type", "t")];

#[test]
fn every_way_to_send_an_event_is_understood() {
    let check = |headers: &[(&str, &str)], body: &str, expected: &[(&str, bool)]| {
        let accepted = accept(headers, body.as_bytes()).unwrap();
        assert_eq!(ids(&accepted), expected, "{headers:?} {body}");
    };
    let event = r#"{"specversion":"1.0","id":"a","source":"/s","type":"t"}"#;
    check(&[], r#"{"context":{"type":"t","id":"a"}}"#, &[("a", true)]);
    check(&[("content-type", "")], r#"{"type":"t"}"#, &[("fresh-1", false)]);
    check(&[], "\u{feff}{\"type\":\"t\"}", &[("fresh-1", false)]);
    check(&[("content-type", "application/cloudevents+json")], event, &[("a", true)]);
    check(
        &[("content-type", "application/cloudevents-batch+json")],
        &format!("[{event},{event}]"),
        &[("a", true); 2],
    );
    check(&[("content-type", "application/cloudevents-batch+json")], "[]", &[]);
    check(&BINARY, r#"{"n":1}"#, &[("b", true)]);
    check(&BINARY, "", &[("b", true)]);
    check(&BINARY, r#"{"context":{"type":"t","id":"inner"}}"#, &[("inner", true)]);
}

#[test]
fn what_is_not_understood_is_refused_by_kind() {
    let check = |headers: &[(&str, &str)], body: &[u8], expected: fn(&Refusal) -> bool| {
        let refusal = accept(headers, body).unwrap_err();
        assert!(expected(&refusal), "{headers:?}: {refusal:?}");
    };
    let structured = [("content-type", "application/cloudevents+json")];
    check(&[], b"{", |r| matches!(r, Refusal::NotJson(_)));
    check(&[], b"", |r| matches!(r, Refusal::NotJson(_)));
    check(&[], b"\xff", |r| matches!(r, Refusal::NotJson(_)));
    check(&[], "[".repeat(500).as_bytes(), |r| matches!(r, Refusal::NotJson(_)));
    check(&[], b"{}", |r| matches!(r, Refusal::Event(IntakeError::Field(e)) if e.field == "body.type"));
    check(
        &structured,
        b"{}",
        |r| matches!(r, Refusal::Event(IntakeError::Field(e)) if e.field == "body.specversion"),
    );
    check(
        &BINARY[..2],
        b"{}",
        |r| matches!(r, Refusal::Event(IntakeError::Field(e)) if e.field == "ce-source"),
    );
    check(&[("content-type", "text/plain")], b"{}", |r| *r == Refusal::ContentType(UNDERSTOOD));
    check(&[("content-encoding", "br")], b"{}", |r| *r == Refusal::ContentEncoding);
    check(&[("content-encoding", "gzip")], b"{}", |r| *r == Refusal::Compression);
    check(&[], &[b' '; LIMIT + 1], |r| *r == Refusal::TooLarge { limit: LIMIT });
    check(&[("idempotency-key", "")], b"{}", |r| matches!(r, Refusal::IdempotencyKey(_)));
}

#[test]
fn gzip_is_inflated_within_the_bound() {
    let headers = [("content-encoding", "gzip")];
    assert_eq!(ids(&accept(&headers, &gzip(br#"{"type":"t","id":"z"}"#)).unwrap()), [("z", true)]);
    let bomb = gzip(&vec![b' '; LIMIT * 1000]);
    assert!(bomb.len() < LIMIT * 2);
    assert_eq!(accept(&headers, &bomb).unwrap_err(), Refusal::TooLarge { limit: LIMIT });
    let cut = &gzip(br#"{"type":"t"}"#)[..12];
    assert_eq!(accept(&headers, cut).unwrap_err(), Refusal::Compression);
}

#[test]
fn kept_headers_and_metadata_travel_and_others_do_not() {
    let headers = [("x-request-id", "1"), ("x-request-id", "2"), ("authorization", "secret")];
    let accepted = accept(&headers, br#"{"type":"t"}"#).unwrap();
    let event = &accepted.delivery.events[0].event;
    assert_eq!(event.headers, Headers::from([("x-request-id".to_owned(), "1, 2".to_owned())]));
    assert_eq!(event.metadata["context"]["source"], "http://localhost:8080/?source=ci");
}

#[test]
fn an_idempotency_key_is_quoted_or_bare() {
    for value in ["k-1", "\"k-1\"", " k-1 "] {
        let accepted = accept(&[("idempotency-key", value)], br#"{"type":"t"}"#).unwrap();
        assert_eq!(accepted.key.as_deref(), Some("k-1"));
    }
}

#[test]
fn rules_come_first_and_transformers_may_drop_everything() {
    let now = "2024-05-01T12:00:00Z".parse().unwrap();
    let guarded = webhook(&[], vec![("X-Key".to_owned(), Rule::Exists)]);
    let refusal = guarded.accept(&head(&[]), b"not json", now, String::new).unwrap_err();
    assert!(matches!(&refusal, Refusal::Header(refused) if refused.kind == RefusedKind::Missing));
    assert_eq!(guarded.check_head(&head(&[])), Err(refusal));
    assert_eq!(guarded.check_head(&head(&[("x-key", "k")])), Ok(()));
    let dropped = webhook(&[Spec::DiscardAll], vec![]).accept(&head(&[]), b"[1]", now, String::new).unwrap();
    assert_eq!(dropped.delivery.events, []);
    let metadata = json!({"context": "not an object"});
    let intake =
        Intake::new(SourceName::new("x"), "", metadata.as_object().unwrap().clone(), Chain::default());
    assert!(intake.take(bare([json!({"type": "t"})]), &Headers::new(), now, || "i".to_owned()).is_ok());
}

proptest! {
    #[test]
    fn no_request_panics(
        headers in proptest::collection::vec(
            ("content-type|content-encoding|idempotency-key|ce-id|ce-specversion|ce-type|ce-source|ce-time|ce-x",
             prop_oneof![Just(b"1.0".to_vec()), Just(b"gzip".to_vec()), Just(b"application/cloudevents+json".to_vec()),
                proptest::collection::vec(any::<u8>(), 0..20)]),
            0..6),
        body in prop_oneof![proptest::collection::vec(any::<u8>(), 0..200), "\\{\"type\":.*\\}".prop_map(String::into_bytes)],
    ) {
        let now = "2024-05-01T12:00:00Z".parse().unwrap();
        let _ = webhook(&[], vec![]).accept(&Head(headers), &body, now, || "fresh".to_owned());
    }
}
