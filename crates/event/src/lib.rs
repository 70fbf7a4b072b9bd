//! What an event is, before anything is done with it: its words (ids, types, audiences, positions), its
//! shapes (CDEvent, CloudEvent, any JSON with a type) and the JSON that each profile sends.
//!
//! Pure: no clock, no I/O, no threads. What an event passes through lives in the other crates.

mod audience;
mod cloudevent;
mod content_id;
mod draft;
mod event;
mod finish;
mod ids;
mod last_event_id;
pub mod limits;
mod path;
mod pattern;
mod position;
mod profile;

pub use audience::{Audience, AudienceRule, InvalidAudience, Target, TargetKind, number_name};
pub use cloudevent::{
    from_attributes, from_binary, from_structured, from_structured_batch, is_attribute_header,
};
pub use content_id::content_id;
pub use draft::{Draft, FieldError, Headers, Names, Object, Shape};
pub use event::{Delivery, Event, Stored};
pub use finish::{Finish, Finished, default_source, disambiguate};
pub use ids::{EventId, EventType, InvalidWord, RoomName, Seq, SinkName, SourceName, SourceNumber, UserId};
pub use last_event_id::LastEventId;
pub use path::{EventPath, InvalidPath};
pub use pattern::{InvalidPattern, NamePattern, NamePatterns};
pub use position::{Epoch, Position};
pub use profile::{ENVELOPE_META, Profile};
