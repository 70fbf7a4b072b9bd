//! From finished events to the log: where each goes, what its publisher calls it, and one append.

use std::collections::BTreeSet;
use std::sync::Arc;

use fanfare_event::{Delivery as Destination, SinkName};
use fanfare_log::{AppendError, Appended, Batch, DedupeKey, EventLog, NewEvent};
use fanfare_source::Delivery;

/// Appends what sources deliver.
pub(crate) struct Publisher {
    log: Arc<dyn EventLog>,
    /// Without routes, every event goes to every sink.
    destinations: Arc<[Destination]>,
}

/// What became of one event of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) id: String,
    pub(crate) appended: Appended,
}

impl Publisher {
    pub(crate) fn new(log: Arc<dyn EventLog>, sinks: &BTreeSet<SinkName>) -> Self {
        Self { log, destinations: Destination::to_everyone(sinks) }
    }

    /// Appends a delivery as one record. `key` is what its publisher calls the delivery as a whole. Transformers
    /// remember it only if the log has all of it.
    ///
    /// It is done to its end also where nobody waits for it any more: a publisher that goes away must not keep
    /// transformers from learning what the log has stored.
    pub(crate) async fn publish(
        &self,
        mut delivery: Delivery,
        key: Option<&str>,
    ) -> Result<Vec<Published>, AppendError> {
        let mut ids = Vec::with_capacity(delivery.events.len());
        let mut events = Vec::with_capacity(delivery.events.len());
        for (index, finished) in std::mem::take(&mut delivery.events).into_iter().enumerate() {
            let mut event = finished.event;
            event.deliveries = Arc::clone(&self.destinations);
            let mut dedupe = Vec::new();
            if finished.named {
                dedupe.push(DedupeKey::event(&event.origin, &event.id));
            }
            if let Some(key) = key {
                dedupe.push(DedupeKey::delivery(&event.origin, key, index));
            }
            ids.push(event.id.to_string());
            events.push(NewEvent { event: Arc::new(event), dedupe });
        }
        let log = Arc::clone(&self.log);
        let appending = tokio::spawn(async move {
            let appended = log.append(Batch { events, position: None }).await;
            let published = ids
                .into_iter()
                .zip(appended)
                .map(|(id, appended)| appended.map(|appended| Published { id, appended }))
                .collect::<Result<Vec<_>, _>>()?;
            delivery.commit();
            Ok(published)
        });
        // Nobody aborts it; a panic in it, or the end of the process, leaves open what became of it.
        appending.await.unwrap_or_else(|error| Err(AppendError::Unknown(error.to_string())))
    }
}
