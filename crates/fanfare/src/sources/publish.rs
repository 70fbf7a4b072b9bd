//! From finished events to the log: where each goes, what its publisher calls it, and one append.

use std::sync::Arc;

use fanfare_event::FieldError;
use fanfare_log::{AppendError, Appended, Batch, DedupeKey, EventLog, NewEvent};
use fanfare_source::{Delivery, Routes};

/// Appends what sources deliver.
pub(crate) struct Publisher {
    log: Arc<dyn EventLog>,
    routes: Routes,
}

/// Why a delivery is not published. Nothing of it is stored, unless the log says that this is unknown.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PublishError {
    /// An event does not name whom it is for. Its publisher must change it, or the operator a route.
    #[error(transparent)]
    Route(#[from] FieldError),
    /// The log did not take it.
    #[error(transparent)]
    Log(#[from] AppendError),
}

/// What became of one event of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Published {
    pub(crate) id: String,
    pub(crate) appended: Appended,
}

/// A delivery that can be appended.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// What is to be appended; nothing where transformers and routes dropped it all.
    pub(crate) events: Vec<NewEvent>,
    /// Without its events; to be committed once the log has them.
    pub(crate) delivery: Delivery,
}

impl Publisher {
    pub(crate) fn new(log: Arc<dyn EventLog>, routes: Routes) -> Self {
        Self { log, routes }
    }

    /// What a delivery is to the log: its events without those that no route means, and where each goes. `key` is what its
    /// publisher calls the delivery as a whole.
    pub(crate) fn prepare(&self, mut delivery: Delivery, key: Option<&str>) -> Result<Prepared, FieldError> {
        let mut events = Vec::with_capacity(delivery.events.len());
        for (index, finished) in std::mem::take(&mut delivery.events).into_iter().enumerate() {
            let mut event = finished.event;
            event.deliveries = self.routes.deliveries(delivery.operation.as_deref(), &event)?;
            if event.deliveries.is_empty() && self.routes.are_selective() {
                continue;
            }
            let mut dedupe = Vec::new();
            if finished.named {
                dedupe.push(DedupeKey::event(&event.origin, &event.id));
            }
            if let Some(key) = key {
                dedupe.push(DedupeKey::delivery(&event.origin, key, index));
            }
            events.push(NewEvent { event: Arc::new(event), dedupe });
        }
        Ok(Prepared { events, delivery })
    }

    /// Appends a delivery as one record, without the events that no route means. `key` is what its publisher calls the
    /// delivery as a whole. Transformers remember it only if the log has all of it.
    ///
    /// It is done to its end also where nobody waits for it any more: a publisher that goes away must not keep
    /// transformers from learning what the log has stored.
    pub(crate) async fn publish(
        &self,
        delivery: Delivery,
        key: Option<&str>,
    ) -> Result<Vec<Published>, PublishError> {
        let Prepared { events, delivery } = self.prepare(delivery, key)?;
        let ids: Vec<_> = events.iter().map(|new| new.event.id.to_string()).collect();
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
        appending.await.unwrap_or_else(|error| Err(AppendError::Unknown(error.to_string()).into()))
    }

    /// The id of an event that the log said it has, unless it is gone meanwhile.
    #[cfg(any(feature = "source_rest", feature = "source_webhook"))]
    pub(crate) async fn id_at(&self, seq: fanfare_event::Seq) -> Option<String> {
        let page = self.log.read(seq, 1).await.ok()?;
        let stored = page.events.first().filter(|stored| stored.seq == seq)?;
        Some(stored.event.id.to_string())
    }

    /// The log, for sources that append by themselves what they have prepared.
    #[cfg(any(feature = "source_amqp", feature = "source_sse"))]
    pub(crate) fn log(&self) -> &dyn EventLog {
        &*self.log
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use fanfare_event::{Draft, Headers, Object, SourceName};
    use fanfare_source::Intake;
    use fanfare_transform::{Chain, Spec, build};
    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::faulty_log::{Fault, FaultyLog};

    #[tokio::test]
    async fn what_transformers_remember_follows_the_log_also_where_the_publisher_is_gone() {
        let once = build(Spec::Deduplicate { capacity: 10, key_path: "/key" }).unwrap();
        let chain = Chain::new([("once".to_owned(), once)]);
        let intake = Intake::new(SourceName::new("ci"), "", Object::new(), chain);
        let take = || {
            let draft = Draft { body: json!({"type": "t", "key": 1}), ..Draft::default() };
            intake.take([draft], &Headers::new(), Timestamp::UNIX_EPOCH, || "i".to_owned())
        };
        let log = Arc::new(FaultyLog::new());
        let publisher =
            Publisher::new(Arc::clone(&log) as Arc<dyn EventLog>, Routes::to_everyone(&[].into()));

        // A try that stored nothing leaves no trace.
        log.fail_next(Fault::Unavailable);
        assert!(publisher.publish(take().unwrap(), None).await.is_err());

        log.fail_next(Fault::Held);
        let publishing = publisher.publish(take().unwrap(), None);
        assert!(tokio::time::timeout(Duration::ZERO, publishing).await.is_err(), "the log holds it");
        assert!(take().is_err(), "the same event is on its way");
        log.release();
        let again = async {
            loop {
                match take() {
                    Ok(delivery) => break delivery.events,
                    Err(_) => tokio::task::yield_now().await,
                }
            }
        };
        let again = tokio::time::timeout(Duration::from_secs(10), again).await;
        assert_eq!(again, Ok(Vec::new()), "it is known to be there");
    }
}
