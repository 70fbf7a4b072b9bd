//! Waiting for a log that takes or tells nothing just now, and saying so once.

use std::fmt::Display;
use std::time::Duration;

use fanfare_event::SourceName;
use fanfare_log::SourcePosition;
use fanfare_source::IntakeError;
use fanfare_transform::Refusal as TransformerRefusal;
use tracing::{info, warn};

use super::Publisher;

/// The first pause before a log is asked again; it doubles up to the longest.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What waits for the log, with pauses.
#[derive(Debug)]
pub(super) struct Patience<'s> {
    source: &'s SourceName,
    last: Option<Duration>,
}

impl<'s> Patience<'s> {
    pub(super) fn new(source: &'s SourceName) -> Self {
        Self { source, last: None }
    }

    /// Waits before the next try.
    pub(super) async fn wait(&mut self, error: &impl Display) {
        let pause = self.last.map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        if self.last.is_none() {
            warn!(source = %self.source, %error, "messages wait for the log");
        }
        self.last = Some(pause);
        tokio::time::sleep(pause).await;
    }

    /// There is nothing to wait for any more.
    pub(super) fn over(self) {
        if self.last.is_some() {
            info!(source = %self.source, "the source goes on");
        }
    }
}

/// What a source stored as its position, however long the log does not tell.
pub(super) async fn stored_position(source: &SourceName, publisher: &Publisher) -> Option<SourcePosition> {
    let mut patience = Patience::new(source);
    loop {
        match publisher.log().position(source).await {
            Ok(position) => {
                patience.over();
                return position;
            }
            Err(error) => patience.wait(&error).await,
        }
    }
}

/// Whether another message, whose events are not stored yet, decides on this one.
pub(super) fn is_in_flight(refusal: &IntakeError) -> bool {
    matches!(refusal, IntakeError::Transformer(error) if error.refusal == TransformerRefusal::InFlight)
}
