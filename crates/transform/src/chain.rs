//! Transformers in order, and one delivery's way through them.

use std::fmt;
use std::sync::Arc;

use fanfare_event::Draft;
use fanfare_event::limits::MAX_EVENTS_PER_DELIVERY;

use crate::transform::{Claims, Refusal, Transform};

/// Transformers, applied in order. Cloning shares them, and what they remember.
#[derive(Clone, Default)]
pub struct Chain {
    steps: Arc<[Step]>,
}

struct Step {
    name: String,
    transformer: Arc<dyn Transform>,
}

/// Where and why a delivery was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("transformer `{transformer}`: {refusal}")]
pub struct ChainError {
    /// The transformer's name.
    pub transformer: String,
    /// Its place in the chain, counted from 0; a chain may have the same transformer several times.
    pub position: usize,
    /// Why.
    pub refusal: Refusal,
}

/// One delivery on its way: one or more events that come in together and are appended to the log as one record.
///
/// Once they are in the log, say [`Run::commit`]. A run that is dropped instead leaves no trace, so that whoever
/// sends the delivery again is not told that it is already there: drop it when the log refuses, and also when it
/// cannot say whether it stored the delivery.
#[must_use = "a run that is not committed is forgotten by the transformers"]
pub struct Run {
    steps: Arc<[Step]>,
    claims: Claims,
    /// Events that the delivery has become so far.
    events: usize,
}

impl Chain {
    /// A chain of named transformers, in this order.
    pub fn new(transformers: impl IntoIterator<Item = (String, Arc<dyn Transform>)>) -> Self {
        let steps = transformers.into_iter().map(|(name, transformer)| Step { name, transformer });
        Self { steps: steps.collect() }
    }

    /// Whether nothing is done to a delivery.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Starts a delivery.
    pub fn run(&self) -> Run {
        Run { steps: Arc::clone(&self.steps), claims: Claims::default(), events: 0 }
    }
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.steps.iter().map(|step| &step.name)).finish()
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("events", &self.events).finish_non_exhaustive()
    }
}

impl Run {
    /// Takes one event of the delivery through the chain. After an error the whole delivery is refused: drop the
    /// run.
    pub fn apply(&mut self, draft: Draft) -> Result<Vec<Draft>, ChainError> {
        let mut drafts = vec![draft];
        for (position, step) in self.steps.iter().enumerate() {
            let refuse = |refusal| ChainError { transformer: step.name.clone(), position, refusal };
            let mut outputs = Vec::with_capacity(drafts.len());
            for draft in drafts {
                outputs.extend(step.transformer.apply(draft, &mut self.claims).map_err(refuse)?);
                if self.events + outputs.len() > MAX_EVENTS_PER_DELIVERY {
                    return Err(refuse(Refusal::TooMany { limit: MAX_EVENTS_PER_DELIVERY }));
                }
            }
            drafts = outputs;
        }
        self.events += drafts.len();
        Ok(drafts)
    }

    /// The delivery is in the log: what the transformers remember of it, they remember from now on.
    pub fn commit(self) {
        self.claims.commit();
    }
}
