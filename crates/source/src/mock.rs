//! A source that makes events itself, to try things out. When it makes one is the binary's.

use fanfare_event::{Draft, Headers, Names};
use jiff::Timestamp;
use serde_json::json;

use crate::{Delivery, Intake, IntakeError};

/// What its events are.
const EVENT_TYPE: &str = "mock.random_number";

/// A source of events with a number.
#[derive(Debug)]
pub struct Mock {
    intake: Intake,
}

impl Mock {
    /// The source of this name.
    pub fn new(intake: Intake) -> Self {
        Self { intake }
    }

    /// The source.
    pub fn intake(&self) -> &Intake {
        &self.intake
    }

    /// An event with this number, through the transformers. `fresh_id` gives ids that nobody had before.
    pub fn event(
        &self,
        number: u8,
        now: Timestamp,
        fresh_id: impl FnMut() -> String,
    ) -> Result<Delivery, IntakeError> {
        let subject = Some(format!("mock-{}", self.intake.name()));
        let draft = Draft {
            body: json!({"number": number}),
            set: Names { kind: Some(EVENT_TYPE.to_owned()), subject, ..Names::default() },
            is_enveloped: true,
            ..Draft::default()
        };
        self.intake.take([draft], &Headers::new(), now, fresh_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanfare_event::{Object, SourceName};
    use fanfare_transform::Chain;

    #[test]
    fn an_event_is_what_the_document_says() {
        let intake =
            Intake::new(SourceName::new("test_source"), "http://localhost", Object::new(), Chain::default());
        let delivery = Mock::new(intake).event(42, Timestamp::UNIX_EPOCH, || "fresh".to_owned()).unwrap();
        let event = &delivery.events[0].event;
        assert_eq!((event.kind.as_str(), event.id.as_str()), ("mock.random_number", "fresh"));
        assert_eq!(
            (event.subject.as_deref(), &event.body),
            (Some("mock-test_source"), &json!({"number": 42}))
        );
    }
}
