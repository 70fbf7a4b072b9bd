//! `[log]`, where events are kept.

use crate::checker::{Checker, Fields};
use crate::keys::{Foreign, Key, Optional, Or, Section};
use crate::shapes::{Bytes, Choice, Count, Nested};
use crate::{Log, LogKind, Window};

/// The types, before their keys are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Memory,
}

pub(crate) const TYPE: Key<Or<Choice<Type>>> = Key {
    name: "type",
    doc: "`memory` keeps the newest events in memory, as many as the window holds; a restart forgets them.",
    presence: Or(Choice { served: &[("memory", Type::Memory)], later: &["sqlite"], foreign: &[] }, || {
        Type::Memory
    }),
};

const WINDOW: Key<Optional<Nested>> = Key {
    name: "window",
    doc: "What is kept ready in memory, for clients that come back and for those that fall behind.",
    presence: Optional(Nested("a table, see [`[log.window]`](#logwindow)"), "its defaults"),
};

pub(crate) static SECTION: Section = Section {
    title: "[log]",
    variant: None,
    about: "Where events are kept. What a stream shows has been in the log before.",
    example: "[log]\ntype = \"memory\"\nwindow = { events = 50000, bytes = \"256MiB\" }\n",
    keys: &[&TYPE, &WINDOW],
    foreign: &[Foreign::later("path"), Foreign::later("durability"), Foreign::later("retention")],
};

pub(crate) const EVENTS: Key<Or<Count<usize>>> = Key {
    name: "events",
    doc: "How many events.",
    presence: Or(Count { min: 1, max: 100_000_000 }, || 10_000),
};

pub(crate) const BYTES: Key<Or<Bytes>> = Key {
    name: "bytes",
    doc: "How many bytes of events.",
    presence: Or(Bytes { min: 1 << 10, max: 1 << 36 }, || 64 << 20),
};

pub(crate) static WINDOW_SECTION: Section = Section {
    title: "[log.window]",
    variant: None,
    about: "The newest events; whichever limit is met first holds.",
    example: "",
    keys: &[&EVENTS, &BYTES],
    foreign: &[],
};

pub(super) fn read(mut fields: Fields<'_>, checker: &mut Checker<'_>) -> Log {
    let kind = match fields.get(&TYPE, checker) {
        Type::Memory => LogKind::Memory,
    };
    let mut window = super::sub(&mut fields, &WINDOW, checker);
    fields.finish(&SECTION, checker);
    let log = Log {
        kind,
        window: Window { events: window.get(&EVENTS, checker), bytes: window.get(&BYTES, checker) },
    };
    window.finish(&WINDOW_SECTION, checker);
    log
}
