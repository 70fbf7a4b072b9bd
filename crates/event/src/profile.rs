//! Profiles: how a sink writes an event. Here, the JSON of it; the framing around it lives in the stream crate.

use std::fmt;

use crate::Event;

/// How a sink writes an event on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Profile {
    /// cdviz-collector's: `event: cdevent`, the event's own id, the body as it is.
    Cdevent,
}

impl Profile {
    /// All of them.
    pub const ALL: [Self; 1] = [Self::Cdevent];

    /// The name, as the configuration spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cdevent => "cdevent",
        }
    }

    /// The `data` of an event: compact JSON in UTF-8, so without a line break.
    pub fn payload(self, event: &Event) -> Vec<u8> {
        match self {
            Self::Cdevent => event.body.to_string().into_bytes(),
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
