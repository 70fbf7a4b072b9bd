//! `mock` as a running source: an event at once, and another after every interval.

use std::time::Duration;

use fanfare_event::SourceName;
use fanfare_source::{Intake, Mock};
use fanfare_transform::Chain;
use jiff::Timestamp;
use rand::Rng as _;
use tokio::time::MissedTickBehavior;
use tracing::{debug, info, warn};

use super::publish::Publisher;
use crate::ids::fresh_event_id;

/// A source that makes events itself.
#[derive(Debug)]
pub(crate) struct MockSource {
    mock: Mock,
    interval: Duration,
}

impl MockSource {
    /// The source whose transformers are built.
    pub(crate) fn new(
        source: &SourceName,
        settings: &fanfare_config::Mock,
        root_url: &str,
        chain: Chain,
    ) -> Self {
        let intake = Intake::new(source.clone(), root_url, fanfare_event::Object::new(), chain);
        Self { mock: Mock::new(intake), interval: settings.interval }
    }

    /// Makes events until it is dropped. What fails is said once, and tried again with the next event.
    pub(crate) async fn run(self, publisher: &Publisher) {
        let source = self.mock.intake().name();
        let mut ticks = tokio::time::interval(self.interval.max(Duration::from_millis(1)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut failing = None;
        loop {
            ticks.tick().await;
            match self.publish(publisher).await {
                Ok(()) => {
                    if failing.take().is_some() {
                        info!(%source, "the source goes on");
                    }
                }
                Err(problem) if failing.as_ref() == Some(&problem) => {}
                Err(problem) => {
                    warn!(%source, %problem, "an event was lost; the source tries again with the next");
                    failing = Some(problem);
                }
            }
        }
    }

    async fn publish(&self, publisher: &Publisher) -> Result<(), String> {
        let number = rand::rng().random_range(1..=100);
        let event = || self.mock.event(number, Timestamp::now(), fresh_event_id);
        let taken =
            if self.mock.intake().transforms() { tokio::task::block_in_place(event) } else { event() };
        let delivery = taken.map_err(|error| error.to_string())?;
        let stored = publisher.publish(delivery, None).await.map_err(|error| error.to_string())?;
        debug!(source = %self.mock.intake().name(), number, events = stored.len(), "made");
        Ok(())
    }
}
