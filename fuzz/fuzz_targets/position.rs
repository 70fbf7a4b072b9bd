//! Any `Last-Event-ID`: a position that is written as it was read, an event's id, or neither.
#![no_main]

use fanfare_event::{EventId, EventType, LastEventId, NamePattern, Position, Profile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Some(position) = Position::parse(text) {
        assert_eq!(Position::parse(&position.to_string()), Some(position));
        assert!(EventId::new(text).is_err(), "a position is not an id");
    }
    for profile in Profile::ALL {
        let read = profile.read_id(text);
        let is_position = Position::parse(text).is_some();
        assert_eq!(matches!(read, LastEventId::Position(_)), is_position, "every profile takes positions");
        assert!(!matches!(read, LastEventId::Place(_)) || profile != Profile::Cdevent);
    }
    if let (Ok(pattern), Ok(kind)) = (NamePattern::parse(text), EventType::new(text)) {
        assert!(pattern.matches(kind.as_str()) || text.contains('*'));
    }
});
