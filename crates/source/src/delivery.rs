//! What all sources do with a raw payload: transformers, then the event's own rules.

use std::fmt;
use std::sync::Arc;

use fanfare_event::limits::MAX_EVENTS_PER_DELIVERY;
use fanfare_event::{
    Draft, FieldError, Finish, Finished, Headers, Object, SourceName, default_source, disambiguate,
};
use fanfare_transform::{Chain, ChainError, Run};
use jiff::Timestamp;
use serde_json::Value;

/// What every source is told: its name, and what its payloads go through.
#[derive(Debug)]
pub struct Intake {
    name: SourceName,
    root_url: String,
    /// What each event's metadata begins with.
    metadata: Object,
    chain: Chain,
}

/// Events that came in together and are appended as one record. Say [`Delivery::commit`] once the log has them.
#[must_use = "a delivery that is not committed is forgotten by the transformers"]
pub struct Delivery {
    /// The events, in order; none if transformers dropped them all.
    pub events: Vec<Finished>,
    /// What the source calls the occasion, for routes that mean only some: a routing key, `POST /notify/:room`.
    pub operation: Option<Arc<str>>,
    run: Run,
}

/// Why a payload is not taken. The publisher must change it, or the operator a program.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// What left the transformers is not an event.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// A transformer refused it.
    #[error(transparent)]
    Transformer(#[from] ChainError),
}

impl Intake {
    /// A source's way in. `metadata.context.source` is filled from the root URL where it is missing, because
    /// transformers take it from there.
    pub fn new(name: SourceName, root_url: &str, mut metadata: Object, chain: Chain) -> Self {
        let context = metadata.entry("context").or_insert_with(|| Value::Object(Object::new()));
        if let Some(context) = context.as_object_mut() {
            let given = context.get("source").and_then(Value::as_str);
            if given.is_none_or(str::is_empty) {
                context.insert("source".to_owned(), default_source(root_url, &name).into());
            }
        }
        Self { name, root_url: root_url.to_owned(), metadata, chain }
    }

    /// The source's name.
    pub fn name(&self) -> &SourceName {
        &self.name
    }

    /// Whether payloads go through transformers, whose time nobody here knows.
    pub fn transforms(&self) -> bool {
        !self.chain.is_empty()
    }

    /// Takes payloads that came in together. What a draft's metadata has is added to the source's own. `fresh_id` gives ids
    /// that nobody had before.
    pub fn take(
        &self,
        payloads: impl IntoIterator<Item = Draft>,
        headers: &Headers,
        now: Timestamp,
        mut fresh_id: impl FnMut() -> String,
    ) -> Result<Delivery, IntakeError> {
        let finish = Finish { origin: &self.name, root_url: &self.root_url, now };
        let mut run = self.chain.run();
        let mut events = Vec::new();
        for mut draft in payloads {
            for (key, value) in &self.metadata {
                draft.metadata.insert(key.clone(), value.clone());
            }
            draft.headers.clone_from(headers);
            let outputs = run.apply(draft)?.into_iter().map(|draft| finish.finish(draft, &mut fresh_id));
            let mut outputs = outputs.collect::<Result<Vec<_>, _>>()?;
            disambiguate(&mut outputs)?;
            events.append(&mut outputs);
            if events.len() > MAX_EVENTS_PER_DELIVERY {
                let problem = format!("must become at most {MAX_EVENTS_PER_DELIVERY} events");
                return Err(FieldError::new("body", problem).into());
            }
        }
        Ok(Delivery { events, operation: None, run })
    }
}

impl Delivery {
    /// The log has the events: what transformers remember of them, they remember from now on.
    pub fn commit(self) {
        self.run.commit();
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery")
            .field("events", &self.events)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}
