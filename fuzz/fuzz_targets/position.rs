//! Any `Last-Event-ID`: a position that is written as it was read, an event's id, or neither.
#![no_main]

use fanfare_event::{EventId, EventType, Position, TypePattern};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(position) = Position::parse(text) {
        assert_eq!(Position::parse(&position.to_string()), Some(position));
        assert!(EventId::new(text).is_err(), "a position is not an id");
    }
    if let (Ok(pattern), Ok(kind)) = (TypePattern::parse(text), EventType::new(text)) {
        assert!(pattern.matches(&kind) || text.contains('*'));
    }
});
