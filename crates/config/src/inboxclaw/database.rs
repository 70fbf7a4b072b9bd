//! `database`, where events are kept.

use std::time::Duration;

use crate::building::Block;
use crate::checker::{Checker, Fields};
use crate::keys::{Foreign, Key, Optional, Or, Section};
use crate::loose::Whole;
use crate::native::log;
use crate::native::words::check_database;
use crate::shapes::{NO_LIMIT, Text};

const DB_PATH: Key<Or<Text>> = Key {
    name: "db_path",
    doc: "The file, from the folder of the configuration. It is Fanfare's own: one that Inboxclaw has filled is not \
          read, and is refused.",
    presence: Or(Text { kind: "the path of a file", check: check_database }, || "./data/data.db".to_owned()),
};

/// A hundred years of days; more is for ever, which 0 says.
const DAYS_BOUNDS: Whole = Whole { min: i64::MIN, max: 36_500 };

const RETENTION_DAYS: Key<Or<Whole>> = Key {
    name: "retention_days",
    doc: "For how many days events are kept. With 0 or less they are kept for ever. There is no other limit.",
    presence: Or(DAYS_BOUNDS, || 30),
};

const DAYS: Key<Optional<Whole>> = Key {
    name: "days",
    doc: "Another name of `retention_days`.",
    presence: Optional(DAYS_BOUNDS, "`retention_days`"),
};

pub(super) static SECTION: Section = Section {
    title: "`database`",
    variant: None,
    about: "Where events are kept.",
    example: "database:\n  db_path: ./data/events.db\n  retention_days: 7\n\nsink:\n  sse: {}\n",
    keys: &[&DB_PATH, &RETENTION_DAYS, &DAYS],
    foreign: &[Foreign::ignored("echo", "statements of the database are not logged")],
};

pub(super) fn convert(mut fields: Fields<'_>, out: &mut Block, checker: &mut Checker<'_>) {
    let mut block = Block::new(fields.span());
    block.text(log::TYPE.name, "sqlite", fields.span());
    let (path, span) = fields.get_with_span(&DB_PATH, checker);
    block.text(log::PATH.name, path, span);
    let (mut days, mut days_span) = fields.get_with_span(&RETENTION_DAYS, checker);
    if let Some(alias) = fields.entry(DAYS.name) {
        if fields.has(RETENTION_DAYS.name) {
            checker
                .error(alias.span, "`days` and `retention_days` are the same key")
                .also(days_span, "it is here already")
                .help("remove one of the two");
        }
        let value = fields.get(&DAYS, checker);
        (days, days_span) = (value.unwrap_or(days), alias.node.span);
    }
    let mut retention = Block::new(fields.span());
    match u64::try_from(days) {
        Ok(days @ 1..) => {
            retention.duration(log::MAX_AGE.name, Duration::from_hours(days.saturating_mul(24)), days_span);
        }
        _ => retention.text(log::MAX_AGE.name, NO_LIMIT, days_span),
    }
    retention.text(log::MAX_EVENTS.name, NO_LIMIT, days_span);
    retention.text(log::MAX_BYTES.name, NO_LIMIT, days_span);
    block.block(log::RETENTION.name, retention);
    fields.finish(&SECTION, checker);
    out.block("log", block);
}
