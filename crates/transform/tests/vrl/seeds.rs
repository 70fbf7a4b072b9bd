//! The programs of cdviz-collector's own documentation, word for word. Four do what their text says; the fifth
//! would do the opposite, and is refused.

use fanfare_event::Draft;
use serde_json::{Value, json};

use super::{cdevent, compile, draft, problems, read, run};

pub(crate) const ADD_REGIONAL_METADATA: &str = include_str!("seeds/add_regional_metadata.vrl");
pub(crate) const FILTER_CORPORATE_EVENTS: &str = include_str!("seeds/filter_corporate_events.vrl");
pub(crate) const ANONYMIZE_FOR_DEV: &str = include_str!("seeds/anonymize_for_dev.vrl");
pub(crate) const BUILD_FILTER: &str = include_str!("seeds/build_filter.vrl");
const SANITIZE_FOR_INTERNAL: &str = include_str!("seeds/sanitize_for_internal.vrl");

/// A program's outputs, as events are written in the documents.
fn check(program: &str, body: &Value, expected: &[Value]) {
    let event = json!({"metadata": {"kept": 1}, "headers": {"x-request-id": "7"}, "body": body});
    let expected: Vec<Draft> = expected.iter().map(read).collect();
    assert_eq!(run(program, read(&event)), Ok(expected), "{program}");
}

#[test]
fn add_regional_metadata_adds_metadata() {
    let metadata = json!({
        "kept": 1, "region": "us-east-1", "aggregation_ready": true, "collector_id": "regional-us-east"
    });
    let expected = json!({"metadata": metadata, "headers": {"x-request-id": "7"}, "body": cdevent()});
    check(ADD_REGIONAL_METADATA, &cdevent(), &[expected]);
}

#[test]
fn filter_corporate_events_drops_all_but_what_matters() {
    check(FILTER_CORPORATE_EVENTS, &cdevent(), &[]);
    check(FILTER_CORPORATE_EVENTS, &json!({"type": "no CDEvent"}), &[]);
    for (key, value) in [("importance", "high"), ("category", "security"), ("category", "compliance")] {
        let mut body = cdevent();
        body["subject"]["content"][key] = value.into();
        let metadata = json!({"kept": 1, "corporate_filtered": true, "escalation_level": "corporate"});
        let expected = json!({"metadata": metadata, "headers": {"x-request-id": "7"}, "body": body});
        check(FILTER_CORPORATE_EVENTS, &body, &[expected]);
    }
}

#[test]
fn anonymize_for_dev_replaces_who_and_where() {
    let mut body = cdevent();
    body["customData"] = json!("is left out, as the program says");
    let mut expected = cdevent();
    expected["context"]["source"] = "anonymized-github.com/myorg/myrepo".into();
    expected["subject"]["id"] = "dev-build-456".into();
    expected["subject"]["content"]["user_id"] = "anonymous".into();
    expected["subject"]["content"]["sensitive_field"] = Value::Null;
    let metadata = json!({"kept": 1, "anonymized_for": "development", "original_environment": "production"});
    let expected = json!({"metadata": metadata, "headers": {"x-request-id": "7"}, "body": expected});
    check(ANONYMIZE_FOR_DEV, &body, &[expected]);
}

#[test]
fn build_filter_keeps_builds() {
    let expected = json!({"metadata": {"kept": 1}, "headers": {"x-request-id": "7"}, "body": cdevent()});
    check(BUILD_FILTER, &cdevent(), &[expected]);
    check(BUILD_FILTER, &json!({"type": "dev.cdevents.build"}), &[]);
    let refusal = run(BUILD_FILTER, draft(json!({"no": "type"}))).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "line 1, column 7 of the program: function call error for \"starts_with\": expected string, got null"
    );
}

#[test]
fn sanitize_for_internal_would_publish_what_it_hides_and_is_refused() {
    let [problem] = problems(SANITIZE_FOR_INTERNAL).try_into().unwrap();
    assert_eq!(
        &SANITIZE_FOR_INTERNAL[problem.range.unwrap()],
        "del(.body.subject.content.sensitive_data) ?? .body.subject.content"
    );
    assert_eq!(
        problem.message,
        "this publishes what it means to remove: `del` returns the value that it removed, and it cannot fail, \
         so what is behind `??` is never used"
    );
    assert_eq!(
        problem.notes,
        ["take a copy, remove from the copy, and use the copy:\n    \
          content = .body.subject.content\n    \
          del(content.sensitive_data)\n\
          and then `content` where the fallback is now"]
    );
}

#[test]
fn sanitize_for_internal_does_what_it_means_with_the_advice_taken() {
    let advice = "content = .body.subject.content\ndel(content.sensitive_data)\n";
    let program = SANITIZE_FOR_INTERNAL
        .replace("del(.body.subject.content.sensitive_data) ?? .body.subject.content", "content");
    let [output] = run(&format!("{advice}{program}"), draft(cdevent())).unwrap().try_into().unwrap();
    let mut expected = cdevent();
    expected["subject"]["content"].as_object_mut().unwrap().shift_remove("sensitive_data");
    assert_eq!(output.body, expected);
    assert!(!format!("{output:?}").contains("s3cret"));
}

#[test]
fn they_fit_together_in_a_chain() {
    let transformers = [ADD_REGIONAL_METADATA, ANONYMIZE_FOR_DEV, BUILD_FILTER].map(compile);
    let mut drafts = vec![draft(cdevent())];
    for transformer in transformers {
        drafts = drafts.into_iter().flat_map(|draft| super::apply(&*transformer, draft).unwrap()).collect();
    }
    assert_eq!(drafts[0].metadata["region"], "us-east-1");
    assert_eq!(drafts[0].metadata["anonymized_for"], "development");
    assert_eq!(drafts[0].names().subject.as_deref(), Some("dev-build-456"));
}
