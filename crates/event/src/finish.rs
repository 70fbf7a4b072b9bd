//! From a draft to an event: what is missing is filled, what is wrong is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::limits::MAX_REFERENCE;
use crate::{
    Draft, Event, EventId, EventType, FieldError, InvalidWord, Object, Shape, SourceName, content_id,
};

/// All but the unreserved characters of RFC 3986, 2.3.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What an event is finished with.
#[derive(Clone, Copy, Debug)]
pub struct Finish<'a> {
    /// The source that it came through.
    pub origin: &'a SourceName,
    /// The address of this server, for events that do not say where they come from.
    pub root_url: &'a str,
    /// For events that do not say when they happened.
    pub now: Timestamp,
}

/// An event, and whether somebody outside gave it its id (only then can it be told from a repetition).
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// The event, without its deliveries.
    pub event: Event,
    /// Whether the publisher or a transformer named it.
    pub named: bool,
}

/// The id that an event gets, and whether it brought it.
struct Identity {
    id: EventId,
    named: bool,
}

impl Finish<'_> {
    /// Makes an event of a draft. `fresh_id` gives an id that nobody had before.
    pub fn finish(self, draft: Draft, fresh_id: impl FnOnce() -> String) -> Result<Finished, FieldError> {
        if draft.is_enveloped {
            return self.finish_enveloped(draft, fresh_id);
        }
        match Shape::of(&draft.body) {
            Shape::CdEvent => self.finish_cdevent(draft, fresh_id),
            Shape::Other => self.finish_other(draft, fresh_id),
        }
    }

    fn finish_cdevent(
        self,
        mut draft: Draft,
        fresh_id: impl FnOnce() -> String,
    ) -> Result<Finished, FieldError> {
        let subject = match draft.body.get("subject") {
            None | Some(Value::Null) => None,
            Some(Value::Object(subject)) => {
                if subject.get("content").is_some_and(|content| !content.is_object() && !content.is_null()) {
                    return Err(FieldError::new("body.subject.content", "must be an object"));
                }
                text(subject, "id", "body.subject.id")?.map(str::to_owned)
            }
            Some(_) => return Err(FieldError::new("body.subject", "must be an object")),
        };
        let fallback_source = self.fallback_source(&draft.metadata);
        // `Shape::CdEvent` says that the context is an object.
        let context = draft.body.get_mut("context").and_then(Value::as_object_mut);
        let Some(context) = context else { return Err(FieldError::new("body.context", "must be an object")) };

        let kind = text(context, "type", "body.context.type")?
            .ok_or_else(|| FieldError::new("body.context.type", "must not be empty"))?
            .to_owned();
        let source = if let Some(source) = text(context, "source", "body.context.source")? {
            source.to_owned()
        } else {
            context.insert("source".to_owned(), fallback_source.clone().into());
            fallback_source
        };
        let brought_time = text(context, "timestamp", "body.context.timestamp")?.map(parse_time);
        let time = if let Some(time) = brought_time {
            time.map_err(|problem| FieldError::new("body.context.timestamp", problem))?
        } else {
            context.insert("timestamp".to_owned(), self.now.to_string().into());
            self.now
        };
        let own_id = text(context, "id", "body.context.id")?.filter(|id| *id != "0").map(str::to_owned);
        let named = own_id.is_some();
        let id = own_id
            .unwrap_or_else(|| if brought_time.is_some() { content_id(&draft.body) } else { fresh_id() });
        let body_identity = Identity { id: event_id(&id, "body.context.id")?, named };
        if !named {
            set_context_id(&mut draft.body, &body_identity.id);
        }
        self.assemble(draft, &kind, "body.context.type", source, subject, time, body_identity)
    }

    fn finish_other(self, draft: Draft, fresh_id: impl FnOnce() -> String) -> Result<Finished, FieldError> {
        let nothing = Object::new();
        let body = draft.body.as_object().unwrap_or(&nothing);
        let kind = match (&draft.set.kind, text(body, "type", "body.type")) {
            (Some(kind), _) => kind.clone(),
            (None, kind) => kind?.map(str::to_owned).ok_or_else(|| {
                FieldError::new(
                    "body.type",
                    "is missing: an event is a CDEvent (with context.type), a CloudEvent, or a JSON object with a type",
                )
            })?,
        };
        // What a foreign body calls `source`, `subject` or `time` may be anything; only strings are taken.
        let lenient = |key: &str| body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let source = lenient("source").map_or_else(|| self.fallback_source(&draft.metadata), str::to_owned);
        let subject = lenient("subject").map(str::to_owned);
        let body_time =
            || lenient("time").or_else(|| lenient("timestamp")).and_then(|time| parse_time(time).ok());
        let time = draft.time.or_else(body_time).unwrap_or(self.now);
        let identity = if draft.set.id.is_some() {
            None
        } else {
            match own_id(body, "id")? {
                Some(id) => Some(id),
                None => own_id(body, "event_id")?,
            }
        };
        let identity = match identity {
            Some(id) => Identity { id, named: true },
            None => Identity { id: event_id(&fresh_id(), "id")?, named: false },
        };
        self.assemble(draft, &kind, "body.type", source, subject, time, identity)
    }

    /// Here "0" is an id as any other: it asks for nothing in an envelope.
    fn finish_enveloped(
        self,
        mut draft: Draft,
        fresh_id: impl FnOnce() -> String,
    ) -> Result<Finished, FieldError> {
        let kind = draft.set.kind.take().ok_or_else(|| FieldError::new("type", "is missing"))?;
        let identity = match draft.set.id.take().filter(|id| !id.is_empty()) {
            Some(id) => Identity { id: event_id(&id, "id")?, named: true },
            None => Identity { id: event_id(&fresh_id(), "id")?, named: false },
        };
        let source = self.fallback_source(&draft.metadata);
        let time = draft.time.unwrap_or(self.now);
        self.assemble(draft, &kind, "type", source, None, time, identity)
    }

    /// What a transformer set outright holds against what the body says.
    #[expect(clippy::too_many_arguments, reason = "one private call from each shape, each with all it found")]
    fn assemble(
        self,
        draft: Draft,
        kind: &str,
        kind_field: &str,
        source: String,
        subject: Option<String>,
        time: Timestamp,
        identity: Identity,
    ) -> Result<Finished, FieldError> {
        let set = draft.set;
        let kind = match &set.kind {
            Some(kind) => event_type(kind, "type")?,
            None => event_type(kind, kind_field)?,
        };
        let Identity { id, named } = match set.id.as_deref().filter(|id| !matches!(*id, "" | "0")) {
            Some(id) => Identity { id: event_id(id, "id")?, named: true },
            None => identity,
        };
        let source = reference(set.source.unwrap_or(source), "source")?;
        let subject = set.subject.or(subject).map(|subject| reference(subject, "subject")).transpose()?;
        let event = Event {
            id,
            kind,
            source,
            subject,
            time,
            origin: self.origin.clone(),
            metadata: draft.metadata,
            headers: draft.headers,
            body: draft.body,
            deliveries: Arc::from([]),
        };
        Ok(Finished { event, named })
    }

    /// `metadata.context.source`, else the address of this server with the source's name.
    fn fallback_source(self, metadata: &Object) -> String {
        let given = metadata.get("context").and_then(|context| context.get("source")).and_then(Value::as_str);
        match given.filter(|source| !source.is_empty()) {
            Some(source) => source.to_owned(),
            None => default_source(self.root_url, self.origin),
        }
    }
}

/// Where an event comes from that does not say so itself: the address of this server with the source's name.
pub fn default_source(root_url: &str, origin: &SourceName) -> String {
    let name = utf8_percent_encode(origin.as_str(), RESERVED);
    format!("{}/?source={name}", root_url.trim_end_matches('/'))
}

/// Gives events that share an id one of their own: the second gets `-2`, the third `-3`. Meant for what one
/// program made of one event; it gives the same ids when the same event comes again.
pub fn disambiguate(outputs: &mut [Finished]) -> Result<(), FieldError> {
    let mut taken: BTreeSet<EventId> = outputs.iter().map(|output| output.event.id.clone()).collect();
    let mut copies: BTreeMap<EventId, usize> = BTreeMap::new();
    for Finished { event, .. } in outputs {
        let copy = copies.entry(event.id.clone()).or_insert(0);
        *copy += 1;
        if *copy == 1 {
            continue;
        }
        let mut number = *copy;
        let own = loop {
            let candidate = event_id(&format!("{}-{number}", event.id), "id")?;
            if taken.insert(candidate.clone()) {
                break candidate;
            }
            number += 1;
        };
        if event.body.pointer("/context/id").and_then(Value::as_str) == Some(event.id.as_str()) {
            set_context_id(&mut event.body, &own);
        }
        event.id = own;
    }
    Ok(())
}

fn set_context_id(body: &mut Value, id: &EventId) {
    if let Some(context) = body.get_mut("context").and_then(Value::as_object_mut) {
        context.insert("id".to_owned(), id.as_str().into());
    }
}

/// A member that is a string, or missing: absent, null and empty all mean missing.
fn text<'a>(object: &'a Object, key: &str, field: &str) -> Result<Option<&'a str>, FieldError> {
    match object.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(_) => Err(FieldError::new(field, "must be a string")),
    }
}

/// The id of an event that is no CDEvent: a string or a whole number.
fn own_id(body: &Object, key: &str) -> Result<Option<EventId>, FieldError> {
    let field = format!("body.{key}");
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if id.is_empty() => Ok(None),
        Some(Value::String(id)) => event_id(id, &field).map(Some),
        Some(Value::Number(id)) if id.is_u64() || id.is_i64() => event_id(&id.to_string(), &field).map(Some),
        Some(_) => Err(FieldError::new(field, "must be a string or a whole number")),
    }
}

fn event_id(id: &str, field: &str) -> Result<EventId, FieldError> {
    EventId::new(id).map_err(|problem: InvalidWord| FieldError::new(field, problem.to_string()))
}

fn event_type(kind: &str, field: &str) -> Result<EventType, FieldError> {
    EventType::new(kind).map_err(|problem: InvalidWord| FieldError::new(field, problem.to_string()))
}

fn reference(text: String, field: &str) -> Result<Box<str>, FieldError> {
    if text.len() > MAX_REFERENCE {
        return Err(FieldError::new(field, format!("must be at most {MAX_REFERENCE} bytes")));
    }
    Ok(text.into())
}

fn parse_time(time: &str) -> Result<Timestamp, &'static str> {
    time.parse().map_err(|_| "must be an RFC 3339 timestamp, 2024-01-15T10:30:00Z say")
}

#[cfg(test)]
mod tests;
