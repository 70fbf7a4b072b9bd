//! Ids on the wire: what a stream writes as `id:`, and what a client sends back as `Last-Event-ID`. Which form they
//! have depends on the sink's profile, and nobody but this module knows how.

use std::borrow::Cow;

use crate::{EventId, Position, Profile, Seq};

/// What a client says that it saw last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LastEventId {
    /// A position, `@{epoch}.{seq}`, which every profile takes.
    Position(Position),
    /// A place in whatever life of the log this is; `None` is before the first event of all.
    Place(Option<Seq>),
    /// An event, by its own id.
    Event(EventId),
    /// Nothing that this profile's streams ever write.
    Impossible,
}

/// What the ids of a profile are.
#[derive(Clone, Copy)]
enum Ids {
    /// The events' own; a position is written as such.
    Events,
    /// The events' places in the log, as plain numbers.
    Places,
}

impl Profile {
    const fn ids(self) -> Ids {
        match self {
            Self::Cdevent => Ids::Events,
            Self::Envelope | Self::Message => Ids::Places,
        }
    }

    /// The `id:` of an event.
    pub fn id_of_event(self, seq: Seq, id: &EventId) -> Cow<'_, str> {
        match self.ids() {
            Ids::Events => id.as_str().into(),
            Ids::Places => seq.to_string().into(),
        }
    }

    /// The `id:` of a position.
    pub fn id_of_position(self, position: &Position) -> String {
        match self.ids() {
            Ids::Events => position.to_string(),
            Ids::Places => position.after.map_or(0, Seq::get).to_string(),
        }
    }

    /// Reads a `Last-Event-ID` that is not empty.
    pub fn read_id(self, text: &str) -> LastEventId {
        if let Some(position) = Position::parse(text) {
            return LastEventId::Position(position);
        }
        match self.ids() {
            Ids::Events => EventId::new(text).map_or(LastEventId::Impossible, LastEventId::Event),
            // `parse` alone would take a sign.
            Ids::Places if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().map_or(LastEventId::Impossible, |number| LastEventId::Place(Seq::new(number)))
            }
            Ids::Places => LastEventId::Impossible,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Epoch;

    #[test]
    fn ids_are_read_as_their_profile_writes_them() {
        let check = |text: &str, cdevent: LastEventId, envelope: LastEventId| {
            assert_eq!(Profile::Cdevent.read_id(text), cdevent, "{text:?}");
            assert_eq!(Profile::Envelope.read_id(text), envelope, "{text:?}");
        };
        let event = |id: &str| LastEventId::Event(EventId::new(id).unwrap());
        let position =
            |seq| LastEventId::Position(Position { epoch: Epoch::new("e").unwrap(), after: Seq::new(seq) });
        check("@e.7", position(7), position(7));
        check("@e.0", position(0), position(0));
        check(
            "1795267200000001",
            event("1795267200000001"),
            LastEventId::Place(Seq::new(1_795_267_200_000_001)),
        );
        check("0", event("0"), LastEventId::Place(None));
        check("18446744073709551616", event("18446744073709551616"), LastEventId::Impossible);
        for text in ["+7", "-7", "7.0", "evt_abc", "@e.+7", "٧"] {
            check(text, event(text), LastEventId::Impossible);
        }
        for text in [" 7", "a\0b", &"x".repeat(10_000)] {
            check(text, LastEventId::Impossible, LastEventId::Impossible);
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (seq, id) = (Seq::new(42).unwrap(), EventId::new("evt_abc").unwrap());
        let check = |profile: Profile, of_event: &str, of_position: &str| {
            let position = Position { epoch: Epoch::new("e").unwrap(), after: Some(seq) };
            assert_eq!(profile.id_of_event(seq, &id), of_event);
            assert_eq!(profile.id_of_position(&position), of_position);
            for text in [of_event, of_position] {
                assert_ne!(profile.read_id(text), LastEventId::Impossible);
            }
        };
        check(Profile::Cdevent, "evt_abc", "@e.42");
        check(Profile::Envelope, "42", "42");
        check(Profile::Message, "42", "42");
    }
}
