use super::*;
use crate::Names;
use serde_json::json;

const NOW: &str = "2024-05-01T12:00:00Z";

fn finish(draft: Draft) -> Result<Finished, FieldError> {
    let origin = SourceName::new("ci builds");
    let finish = Finish { origin: &origin, root_url: "http://localhost:8080/", now: NOW.parse().unwrap() };
    finish.finish(draft, || "fresh".to_owned())
}

fn body(body: Value) -> Draft {
    Draft { body, ..Draft::default() }
}

#[test]
fn a_complete_cdevent_passes_as_it_is() {
    let cdevent = json!({
        "context": {"version": "0.4.1", "id": "271069a8", "source": "/event/source/123",
            "type": "dev.cdevents.build.started.0.1.0", "timestamp": "2023-03-20T14:27:05.315384Z"},
        "subject": {"id": "mySubject123", "type": "build", "content": {}}
    });
    let Finished { event, named } = finish(body(cdevent.clone())).unwrap();
    assert_eq!(event.body, cdevent);
    assert_eq!(event.id.as_str(), "271069a8");
    assert_eq!(event.kind.as_str(), "dev.cdevents.build.started.0.1.0");
    assert_eq!(&*event.source, "/event/source/123");
    assert_eq!(event.subject.as_deref(), Some("mySubject123"));
    assert_eq!(event.time.to_string(), "2023-03-20T14:27:05.315384Z");
    assert!(named);
}

#[test]
fn what_a_cdevent_lacks_is_filled() {
    let Finished { event, named } = finish(body(json!({"context": {"type": "t"}}))).unwrap();
    assert_eq!(
        event.body,
        json!({"context": {"type": "t", "source": "http://localhost:8080/?source=ci%20builds", "timestamp": NOW, "id": "fresh"}})
    );
    assert!(!named, "two equal bodies that nobody named are two events");

    let metadata = json!({"context": {"source": "https://ci.example"}});
    let draft =
        Draft { metadata: metadata.as_object().unwrap().clone(), ..body(json!({"context": {"type": "t"}})) };
    assert_eq!(&*finish(draft).unwrap().event.source, "https://ci.example");
}

#[test]
fn an_id_of_zero_asks_for_a_content_hash_where_the_body_brought_a_time() {
    let zero = |id: Value| json!({"context": {"type": "t", "id": id, "source": "s", "timestamp": NOW}});
    let first = finish(body(zero(json!("0")))).unwrap();
    assert!(first.event.id.as_str().starts_with("bafkrei"));
    assert_eq!(first.event.body["context"]["id"], first.event.id.as_str());
    assert!(!first.named);
    for id in [json!(""), json!(null)] {
        assert_eq!(finish(body(zero(id))).unwrap().event.id, first.event.id);
    }
}

#[test]
fn any_json_with_a_type_is_an_event_and_stays_as_it_is() {
    let check = |given: Value, id: &str, named: bool| {
        let finished = finish(body(given.clone())).unwrap();
        assert_eq!((finished.event.id.as_str(), finished.named), (id, named), "{given}");
        assert_eq!(finished.event.body, given);
    };
    check(json!({"type": "t"}), "fresh", false);
    check(json!({"type": "t", "id": "i"}), "i", true);
    check(json!({"type": "t", "id": 7}), "7", true);
    check(json!({"type": "t", "event_id": "e"}), "e", true);
    check(json!({"type": "t", "source": {"not": "ours"}, "time": "whenever"}), "fresh", false);
}

#[test]
fn what_a_transformer_set_holds() {
    let set = Names {
        kind: Some("mine".into()),
        id: Some("i".into()),
        source: Some("s".into()),
        subject: Some("x".into()),
    };
    let Finished { event, named } = finish(Draft { set, ..body(json!("plain text")) }).unwrap();
    assert_eq!((event.kind.as_str(), event.id.as_str(), named), ("mine", "i", true));
    assert_eq!((&*event.source, event.subject.as_deref()), ("s", Some("x")));
    assert_eq!(event.body, json!("plain text"));
}

#[test]
fn what_came_in_an_envelope_stays_as_it_is() {
    let check = |id: Option<&str>, data: Value, expected: (&str, bool)| {
        let set = Names { kind: Some("t".into()), id: id.map(str::to_owned), ..Names::default() };
        let draft = Draft { set, is_enveloped: true, ..body(data.clone()) };
        let Finished { event, named } = finish(draft).unwrap();
        assert_eq!((event.id.as_str(), named), expected);
        assert_eq!((&event.body, event.subject, event.kind.as_str()), (&data, None, "t"));
        assert_eq!(event.time.to_string(), NOW);
        assert_eq!(&*event.source, "http://localhost:8080/?source=ci%20builds");
    };
    check(Some("i"), json!({}), ("i", true));
    check(Some("0"), json!({"id": "x"}), ("0", true));
    check(
        None,
        json!({"id": "x", "type": 1, "subject": "s", "source": "s", "time": "2020-01-01T00:00:00Z"}),
        ("fresh", false),
    );
    check(Some(""), json!({"context": {"type": "other", "id": "0"}, "subject": 1}), ("fresh", false));
    let nameless = Draft { is_enveloped: true, ..body(json!({"type": "t"})) };
    assert_eq!(finish(nameless).unwrap_err().field, "type");
}

#[test]
fn what_is_wrong_is_refused_with_its_field() {
    let check = |given: Value, field: &str| {
        assert_eq!(finish(body(given.clone())).unwrap_err().field, field, "{given}");
    };
    check(json!({}), "body.type");
    check(json!([]), "body.type");
    check(json!(null), "body.type");
    check(json!({"type": 1}), "body.type");
    check(json!({"type": "a\nb"}), "body.type");
    check(json!({"type": "t", "id": "a\nb"}), "body.id");
    check(json!({"type": "t", "id": {}}), "body.id");
    check(json!({"type": "t", "id": 1.5}), "body.id");
    check(json!({"type": "t", "event_id": true}), "body.event_id");
    check(json!({"context": {"type": ""}}), "body.context.type");
    check(json!({"context": {"type": 1}}), "body.context.type");
    check(json!({"context": {"type": "t", "id": 1}}), "body.context.id");
    check(json!({"context": {"type": "t", "id": "@e.1"}}), "body.context.id");
    check(json!({"context": {"type": "t", "source": []}}), "body.context.source");
    check(json!({"context": {"type": "t", "source": "s".repeat(MAX_REFERENCE + 1)}}), "source");
    check(json!({"context": {"type": "t", "timestamp": "soon"}}), "body.context.timestamp");
    check(json!({"context": {"type": "t"}, "subject": 1}), "body.subject");
    check(json!({"context": {"type": "t"}, "subject": {"id": 1}}), "body.subject.id");
    check(json!({"context": {"type": "t"}, "subject": {"content": 1}}), "body.subject.content");
}

#[test]
fn outputs_that_share_an_id_get_one_of_their_own() {
    let check = |ids: &[&str], expected: &[&str]| {
        let mut outputs: Vec<_> =
            ids.iter().map(|id| finish(body(json!({"context": {"type": "t", "id": id}}))).unwrap()).collect();
        disambiguate(&mut outputs).unwrap();
        let seen: Vec<_> = outputs.iter().map(|output| output.event.id.as_str()).collect();
        assert_eq!(seen, expected);
        for output in &outputs {
            assert_eq!(output.event.body["context"]["id"], output.event.id.as_str());
        }
    };
    check(&["a"], &["a"]);
    check(&["a", "b"], &["a", "b"]);
    check(&["a", "a", "a"], &["a", "a-2", "a-3"]);
    check(&["a", "a", "a-2"], &["a", "a-3", "a-2"]);
}
