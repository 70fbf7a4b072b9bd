//! The keys of a flow.

use crate::keys::{Foreign, Key, Optional, Required, Section};
use crate::mycel::words;
use crate::shapes::{ANY_TEXT, Choice, Nested, Text};

pub(super) const FROM: Key<Required<Nested>> = Key {
    name: "from",
    doc: "Where its events come from.",
    presence: Required(Nested("a block, see [`from`](#from)")),
};

pub(super) const TO: Key<Required<Nested>> = Key {
    name: "to",
    doc: "Where they go. There may be several.",
    presence: Required(Nested("blocks, see [`to`](#to)")),
};

pub(super) const CONNECTOR: Key<Required<Text>> =
    Key { name: "connector", doc: "The name of a connector.", presence: Required(ANY_TEXT) };

pub(super) const OPERATION: Key<Optional<Text>> = Key {
    name: "operation",
    doc: "What of the connector. `rest`: a method and a path, as in `\"POST /notify/:room\"`, whose `:room` is \
          `input.room`. `mq`: a pattern of routing keys, in which `*` is one word and `#` any number; `\"*\"` alone is all.",
    presence: Optional(ANY_TEXT, "required for `rest`, all for `mq`"),
};

/// What is done with an event.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Broadcast,
    SendToRoom,
    SendToUser,
}

pub(super) const SEND: Key<Required<Choice<Operation>>> = Key {
    name: "operation",
    doc: "Whom of the stream's clients it reaches: everyone, those in a room, or one user.",
    presence: Required(Choice {
        served: &[
            ("broadcast", Operation::Broadcast),
            ("send_to_room", Operation::SendToRoom),
            ("send_to_user", Operation::SendToUser),
        ],
        later: &[],
        foreign: &[],
    }),
};

pub(super) const TARGET: Key<Optional<Text>> = Key {
    name: "target",
    doc: "Which room, or which user: `input.NAME`, or the name itself. An event that has nothing there, or not a string, \
          a number or a list of them, is refused (422); from RabbitMQ it is rejected.",
    presence: Optional(ANY_TEXT, "required for `send_to_room` and `send_to_user`"),
};

const MATCHED: &str = "`match` of a native route tells events by their types; `fanfare check --print` makes native TOML of this";

pub(in crate::mycel) static SECTION: Section = Section {
    title: "`flow`",
    variant: None,
    about: "That events of one connector go to another. All flows that an event fits run: it is one event, to all whom \
            one of them means, and once to each. One that no flow fits is not kept.",
    example: "connector \"api\" {\n  type = \"rest\"\n  port = 8080\n}\n\n\
              connector \"events\" {\n  type = \"sse\"\n}\n\n\
              flow \"feed\" {\n  from {\n    connector = \"api\"\n    operation = \"POST /feed\"\n  }\n  \
              to {\n    connector = \"events\"\n    operation = \"broadcast\"\n  }\n}\n",
    keys: &[&FROM, &TO],
    foreign: &words::FLOW,
};

pub(in crate::mycel) static FROM_SECTION: Section = Section {
    title: "`from`",
    variant: None,
    about: "Where the events of a flow come from: a connector of type `rest` or `mq`.",
    example: "",
    keys: &[&CONNECTOR, &OPERATION],
    foreign: &[
        Foreign::refused("filter", MATCHED),
        Foreign::ignored("format", "what is JSON is read as JSON"),
    ],
};

pub(in crate::mycel) static TO_SECTION: Section = Section {
    title: "`to`",
    variant: None,
    about: "Where they go: a connector of type `sse`.",
    example: "",
    keys: &[&CONNECTOR, &SEND, &TARGET],
    foreign: &[
        Foreign::refused("when", MATCHED),
        Foreign::refused("envelope", "the event is sent as it came"),
        Foreign::refused(
            "transform",
            "a VRL transformer of the source changes events; it is set in native TOML",
        ),
        Foreign::refused("transaction", "nothing is written together here that would need it"),
        Foreign::refused("filter", MATCHED),
        Foreign::ignored("parallel", "all clients are sent to at once"),
        Foreign::ignored("format", "events are sent as JSON"),
    ],
};
