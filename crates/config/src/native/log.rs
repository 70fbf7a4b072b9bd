//! `[log]`, where events are kept.

use std::time::Duration;

use super::words::check_database;
use crate::checker::{Checker, Fields};
use crate::keys::{Foreign, Key, Optional, Or, Section};
use crate::shapes::{Bytes, Choice, Count, Limit, Nested, Text, Time};
use crate::{Durability, Log, LogKind, Retention, Sqlite, Window};

/// The types, before their keys are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Sqlite,
    Memory,
}

pub(crate) const TYPE: Key<Or<Choice<Type>>> = Key {
    name: "type",
    doc: "`sqlite` keeps events in a file, so that they survive a restart and a crash. `memory` keeps the newest \
          events in memory, as many as the window holds; a restart forgets them. With it there is no `path`, no \
          `durability` and no `retention`.",
    presence: Or(
        Choice { served: &[("sqlite", Type::Sqlite), ("memory", Type::Memory)], later: &[], foreign: &[] },
        || Type::Sqlite,
    ),
};

pub(crate) const PATH: Key<Or<Text>> = Key {
    name: "path",
    doc: "The file, which is made where there is none, as are the folders that it is in. Other files beside it begin \
          with its name. Only one process may use it at a time. `fanfare check --print` shows it as it is written, so \
          what it prints means the same file in the same folder only.",
    presence: Or(Text { kind: "the path of a file", check: check_database }, || {
        "fanfare-data/events.db".to_owned()
    }),
};

pub(crate) const DURABILITY: Key<Or<Choice<Durability>>> = Key {
    name: "durability",
    doc: "When a publisher is answered and an event is shown. `full`: once the event is on the disk, so that no \
          answer is ever taken back. `relaxed`: once the operating system has it, which is faster; if the machine \
          crashes or loses its power, the newest events may be lost though their publishers were told that they are \
          stored. A crash of this program alone loses nothing in either.",
    presence: Or(
        Choice {
            served: &[("full", Durability::Full), ("relaxed", Durability::Relaxed)],
            later: &[],
            foreign: &[],
        },
        || Durability::Full,
    ),
};

pub(crate) const RETENTION: Key<Optional<Nested>> = Key {
    name: "retention",
    doc: "What is kept in the file.",
    presence: Optional(Nested("a table, see [`[log.retention]`](#logretention)"), "its defaults"),
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
    example: "[log]\ntype = \"sqlite\"\npath = \"/var/lib/fanfare/events.db\"\n\
              retention = { max_age = \"30d\", max_events = \"none\" }\n\
              window = { events = 50000, bytes = \"256MiB\" }\n",
    keys: &[&TYPE, &PATH, &DURABILITY, &RETENTION, &WINDOW],
    foreign: &[],
};

/// Of type `memory`.
static MEMORY_SECTION: Section = Section {
    title: "[log]",
    variant: Some("memory"),
    about: "",
    example: "",
    keys: &[&TYPE, &WINDOW],
    foreign: &[
        Foreign::refused(PATH.name, "a log of type `memory` has no file; `type = \"sqlite\"` has one"),
        Foreign::refused(
            DURABILITY.name,
            "a log of type `memory` forgets everything at a restart; `type = \"sqlite\"` does not",
        ),
        Foreign::refused(
            RETENTION.name,
            "a log of type `memory` keeps what `window` holds; `window = { events = …, bytes = \"…\" }` is its limit",
        ),
    ],
};

/// No log is as old.
const MAX_AGE_BOUNDS: Time = Time { min: Duration::from_secs(1), max: Duration::from_hours(24 * 36_500) };

pub(crate) const MAX_AGE: Key<Or<Limit<Time>>> = Key {
    name: "max_age",
    doc: "Events that were stored longer ago go.",
    presence: Or(Limit(MAX_AGE_BOUNDS), || Some(Duration::from_hours(24 * 7))),
};

pub(crate) const MAX_EVENTS: Key<Or<Limit<Count<u64>>>> = Key {
    name: "max_events",
    doc: "Of more events the oldest go.",
    presence: Or(Limit(Count { min: 1, max: 1_000_000_000_000 }), || Some(1_000_000)),
};

pub(crate) const MAX_BYTES: Key<Or<Limit<Bytes>>> = Key {
    name: "max_bytes",
    doc: "Where the file is larger, the oldest events go.",
    presence: Or(Limit(Bytes { min: 1 << 20, max: 1 << 50 }), || Some(1 << 30)),
};

pub(crate) static RETENTION_SECTION: Section = Section {
    title: "[log.retention]",
    variant: None,
    about: "What is kept in the file. All limits hold together; `\"none\"` switches one off, and without any the file \
            grows for ever.",
    example: "",
    keys: &[&MAX_AGE, &MAX_EVENTS, &MAX_BYTES],
    foreign: &[],
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
    let (kind, section) = match fields.get(&TYPE, checker) {
        Type::Sqlite => (LogKind::Sqlite(read_sqlite(&mut fields, checker)), &SECTION),
        Type::Memory => (LogKind::Memory, &MEMORY_SECTION),
    };
    let mut window = super::sub(&mut fields, &WINDOW, checker);
    fields.finish(section, checker);
    let log = Log {
        kind,
        window: Window { events: window.get(&EVENTS, checker), bytes: window.get(&BYTES, checker) },
    };
    window.finish(&WINDOW_SECTION, checker);
    log
}

fn read_sqlite(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Sqlite {
    let written = fields.get(&PATH, checker);
    let durability = fields.get(&DURABILITY, checker);
    let mut retention = super::sub(fields, &RETENTION, checker);
    let sqlite = Sqlite {
        path: checker.folder.join(&written),
        written,
        durability,
        retention: Retention {
            max_age: retention.get(&MAX_AGE, checker),
            max_events: retention.get(&MAX_EVENTS, checker),
            max_bytes: retention.get(&MAX_BYTES, checker).map(|bytes| bytes as u64),
        },
    };
    retention.finish(&RETENTION_SECTION, checker);
    sqlite
}
