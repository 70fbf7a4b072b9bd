//! An event on its way through transformers: any JSON, and what can be read off it so far.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

/// A JSON object; keys keep the order in which they came.
pub type Object = serde_json::Map<String, Value>;

/// Request headers that travel with an event: lower-case names, one value each.
pub type Headers = BTreeMap<String, String>;

/// What transformers take and give. It need not be an event yet; that is asked of what leaves the last one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Draft {
    /// What transformers tell each other.
    pub metadata: Object,
    /// The request headers that the source keeps.
    pub headers: Headers,
    /// The payload.
    pub body: Value,
    /// What a transformer said outright; it holds against what the body says.
    pub set: Names,
    /// When it happened, where the source was told so beside the body; it holds against what the body says, unless
    /// that is a CDEvent.
    pub time: Option<Timestamp>,
    /// Whether what the event is called came beside the body, in `set` and `time`. The body is then the publisher's own:
    /// nothing is read off it and nothing is filled in, whatever it looks like.
    pub is_enveloped: bool,
}

/// What an event is called. Each is `None` where nothing says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// `type`.
    pub kind: Option<String>,
    /// `id`.
    pub id: Option<String>,
    /// `source`.
    pub source: Option<String>,
    /// `subject`.
    pub subject: Option<String>,
}

/// Which of the known shapes a body has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// An object whose `context` is an object with a `type`: a CDEvent.
    CdEvent,
    /// Anything else: a CloudEvent, a JSON object with a `type`, a foreign payload.
    Other,
}

/// What is wrong with an event, and in which of its fields.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct FieldError {
    /// The field, as a path: `body.context.type`, `ce-id`.
    pub field: String,
    /// What is wrong with it, as the rest of a sentence that begins with the field.
    pub problem: String,
}

impl FieldError {
    /// A problem with a field.
    pub fn new(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { field: field.into(), problem: problem.into() }
    }
}

impl Shape {
    /// The shape of a body.
    pub fn of(body: &Value) -> Self {
        let is_cdevent = body
            .get("context")
            .and_then(Value::as_object)
            .is_some_and(|context| context.contains_key("type"));
        if is_cdevent { Self::CdEvent } else { Self::Other }
    }
}

impl Draft {
    /// What the event is called: what was set outright, else what the body says. Values that are not strings are
    /// passed over here; they are refused when the event is finished.
    pub fn names(&self) -> Names {
        if self.is_enveloped {
            return self.set.clone();
        }
        let body = Names::read(&self.body);
        Names {
            kind: self.set.kind.clone().or(body.kind),
            id: self.set.id.clone().or(body.id),
            source: self.set.source.clone().or(body.source),
            subject: self.set.subject.clone().or(body.subject),
        }
    }
}

impl Names {
    /// What a body says of itself.
    fn read(body: &Value) -> Self {
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        match Shape::of(body) {
            Shape::CdEvent => Self {
                kind: text("/context/type"),
                id: text("/context/id"),
                source: text("/context/source"),
                subject: text("/subject/id"),
            },
            Shape::Other => Self {
                kind: text("/type"),
                id: text("/id").or_else(|| text("/event_id")),
                source: text("/source"),
                subject: text("/subject"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_come_from_the_shape_unless_they_were_set() {
        let check = |body: Value, expected: [Option<&str>; 4]| {
            let names = Draft { body, ..Draft::default() }.names();
            let seen = [&names.kind, &names.id, &names.source, &names.subject].map(|name| name.as_deref());
            assert_eq!(seen, expected);
        };
        check(
            json!({"context": {"type": "t", "id": "i", "source": "s"}, "subject": {"id": "x"}}),
            [Some("t"), Some("i"), Some("s"), Some("x")],
        );
        check(
            json!({"type": "t", "id": "i", "source": "s", "subject": "x"}),
            [Some("t"), Some("i"), Some("s"), Some("x")],
        );
        check(json!({"type": "t", "event_id": "e"}), [Some("t"), Some("e"), None, None]);
        check(json!({"type": "t", "context": {"id": "not a CDEvent"}}), [Some("t"), None, None, None]);
        check(json!([1, 2]), [None; 4]);

        let set = Names { kind: Some("mine".into()), ..Names::default() };
        let draft = Draft { body: json!({"type": "t", "id": "i"}), set, ..Draft::default() };
        assert_eq!(draft.names().kind.as_deref(), Some("mine"));
        assert_eq!(draft.names().id.as_deref(), Some("i"));
        let draft = Draft { is_enveloped: true, ..draft };
        assert_eq!(draft.names(), draft.set, "the body is not looked at");
    }
}
