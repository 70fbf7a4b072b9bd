//! The trait that every transformer implements, and what it may tell the chain beside its drafts.

use std::sync::Arc;

use fanfare_event::Draft;

/// A function from one draft to any number of drafts. What it must remember of one event for the next it claims
/// first, and keeps only when the event is safe in the log.
pub trait Transform: Send + Sync {
    /// What the draft becomes: nothing drops it.
    fn apply(&self, draft: Draft, claims: &mut Claims) -> Result<Vec<Draft>, Refusal>;
}

/// Why an event does not get through a transformer. A message may quote the event, but masks what its headers hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The event is not what the transformer can work with; it will be refused again. The publisher must change it
    /// or the operator the program.
    #[error("{0}")]
    Unfit(String),
    /// The delivery became more events than one may be.
    #[error("one delivery may become at most {limit} events")]
    TooMany {
        /// The limit.
        limit: usize,
    },
    /// The same event is on its way to the log already, and whether it gets there is not known yet. The publisher
    /// may try again.
    #[error("the same event is being stored at this moment; try again")]
    InFlight,
}

/// Something that a transformer remembers once the delivery is safe in the log. Dropped without that, it must be
/// as if the delivery had never been: its publisher will send it again.
pub trait Claim: Send {
    /// The delivery is in the log.
    fn commit(self: Box<Self>);
}

/// What one delivery's way through a chain has claimed so far.
#[derive(Default)]
pub struct Claims {
    id: Arc<()>,
    held: Vec<Box<dyn Claim>>,
}

/// Tells one delivery from all others on their way at the same time.
#[derive(Clone, Debug)]
pub(crate) struct DeliveryId(Arc<()>);

impl PartialEq for DeliveryId {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Claims {
    /// Adds a claim, to be settled with the delivery.
    pub fn add(&mut self, claim: impl Claim + 'static) {
        self.held.push(Box::new(claim));
    }

    pub(crate) fn delivery(&self) -> DeliveryId {
        DeliveryId(Arc::clone(&self.id))
    }

    /// The delivery is in the log. In the order in which they were made.
    pub(crate) fn commit(self) {
        for claim in self.held {
            claim.commit();
        }
    }
}
