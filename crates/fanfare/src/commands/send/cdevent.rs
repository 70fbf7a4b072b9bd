//! A CDEvent of what a command line says of it (CDEvents 0.4). Pure.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// The version of the specification that `context.version` names.
const VERSION: &str = "0.4.0";

/// The specification's own types, and those that anybody may make (`dev.cdeventsx.{tool}-{subject}.…`).
const PREFIXES: [&str; 2] = ["dev.cdevents.", "dev.cdeventsx."];

/// Subjects whose name is written differently as a `subject.type` than in an event's type, which is in lower case.
const CAMEL_CASE: [&str; 5] = ["pipelineRun", "taskRun", "testCaseRun", "testSuiteRun", "testOutput"];

/// What a command line says of an event.
#[derive(Clone, Debug, Default)]
pub(super) struct Parts {
    /// `context.type`: `dev.cdevents.build.started.0.1.0`.
    pub(super) kind: String,
    /// `subject.id`.
    pub(super) subject: String,
    /// `subject.content`.
    pub(super) content: Option<Value>,
    /// `context.source`; whoever takes the event fills it where it is missing.
    pub(super) source: Option<String>,
}

/// What is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum InvalidPart {
    #[error(
        "`--type` is no type of a CDEvent: `dev.cdevents.{{subject}}.{{predicate}}.{{version}}`, \
         dev.cdevents.build.started.0.1.0 say"
    )]
    Kind,
    #[error("`--subject` is empty")]
    Subject,
    #[error("`--content` is no JSON object")]
    Content,
}

impl Parts {
    /// The event, with this id and time.
    pub(super) fn event(&self, id: &str, now: Timestamp) -> Result<Value, InvalidPart> {
        let subject_type = subject_type(&self.kind).ok_or(InvalidPart::Kind)?;
        if self.subject.is_empty() {
            return Err(InvalidPart::Subject);
        }
        let mut context = Map::new();
        context.insert("version".to_owned(), VERSION.into());
        context.insert("id".to_owned(), id.into());
        if let Some(source) = &self.source {
            context.insert("source".to_owned(), source.as_str().into());
        }
        context.insert("type".to_owned(), self.kind.as_str().into());
        context.insert("timestamp".to_owned(), now.to_string().into());
        let mut subject = json!({"id": self.subject, "type": subject_type, "content": {}});
        match &self.content {
            Some(given) if given.is_object() => subject["content"] = given.clone(),
            Some(_) => return Err(InvalidPart::Content),
            None => {}
        }
        Ok(json!({"context": context, "subject": subject}))
    }
}

/// The `subject.type` of a type: its third part, as the specification's schemas write it.
fn subject_type(kind: &str) -> Option<&str> {
    let rest = PREFIXES.iter().find_map(|prefix| kind.strip_prefix(prefix))?;
    let (subject, rest) = rest.split_once('.')?;
    let (predicate, version) = rest.split_once('.')?;
    // Semantic versioning, perhaps with `-draft` or the like behind it.
    let is_version =
        version.split(['.', '-']).take(3).filter(|part| part.parse::<u32>().is_ok()).count() == 3;
    if subject.is_empty() || predicate.is_empty() || !is_version {
        return None;
    }
    Some(CAMEL_CASE.iter().find(|name| name.eq_ignore_ascii_case(subject)).copied().unwrap_or(subject))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_has_the_type_that_the_specification_gives_it() {
        let check = |kind: &str, expected: Option<&str>| assert_eq!(subject_type(kind), expected, "{kind}");
        check("dev.cdevents.build.started.0.1.0", Some("build"));
        check("dev.cdevents.pipelinerun.queued.0.2.0", Some("pipelineRun"));
        check("dev.cdevents.testcaserun.started.0.2.0-draft", Some("testCaseRun"));
        check("dev.cdeventsx.mytool-resource.created.0.1.0", Some("mytool-resource"));
        check("dev.cdevents.build.started", None);
        check("dev.cdevents.build.started.1", None);
        check("dev.cdevents.build.started.a.b.c", None);
        check("dev.cdevents..started.0.1.0", None);
        check("dev.cdevents.", None);
        check("hello", None);
    }

    #[test]
    fn an_event_has_what_was_said_of_it() {
        let mut parts = Parts {
            kind: "dev.cdevents.build.finished.0.1.0".to_owned(),
            subject: "build-456".to_owned(),
            ..Parts::default()
        };
        let now = "2024-01-15T10:30:00Z".parse().unwrap();
        let check = |parts: &Parts, expected: &str| {
            assert_eq!(parts.event("i-1", now).unwrap().to_string(), expected);
        };
        check(
            &parts,
            r#"{"context":{"version":"0.4.0","id":"i-1","type":"dev.cdevents.build.finished.0.1.0","timestamp":"2024-01-15T10:30:00Z"},"subject":{"id":"build-456","type":"build","content":{}}}"#,
        );
        parts.content = Some(json!({"outcome": "success"}));
        parts.source = Some("/ci".to_owned());
        check(
            &parts,
            r#"{"context":{"version":"0.4.0","id":"i-1","source":"/ci","type":"dev.cdevents.build.finished.0.1.0","timestamp":"2024-01-15T10:30:00Z"},"subject":{"id":"build-456","type":"build","content":{"outcome":"success"}}}"#,
        );
        parts.content = Some(json!([]));
        assert_eq!(parts.event("i-1", now), Err(InvalidPart::Content));
        assert_eq!(
            Parts { subject: String::new(), ..parts.clone() }.event("i", now),
            Err(InvalidPart::Subject)
        );
        assert_eq!(Parts { kind: "hello".to_owned(), ..parts }.event("i", now), Err(InvalidPart::Kind));
    }
}
