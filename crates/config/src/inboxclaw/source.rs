//! `sources.NAME`.

use super::interval::Interval;
use super::{NamedBlock, Types};
use crate::building::Block;
use crate::checker::{Checker, Fields};
use crate::keys::{Foreign, Key, Optional, Or, Section};
use crate::loose::Word;
use crate::native::source;
use crate::native::words::check_url_name;
use crate::tree::Entry;

/// The types, before their keys are read.
#[derive(Clone, Copy)]
enum Kind {
    Mock,
    Webhook,
}

const TYPES: Types<Kind> =
    Types { key: &TYPE, what: "source", served: &[("mock", Kind::Mock), ("webhook", Kind::Webhook)] };

const TYPE: Key<Optional<Word>> = Key {
    name: "type",
    doc: "`mock` or `webhook`.",
    presence: Optional(
        Word(&[
            "mock",
            "webhook",
            "faktury_online",
            "fio",
            "gmail",
            "google_calendar",
            "google_drive",
            "home_assistant",
            "nordigen",
        ]),
        "the name of the source",
    ),
};

const INTERVAL: Key<Or<Interval>> = Key {
    name: source::mock::INTERVAL.name,
    doc: "Between two events.",
    presence: Or(Interval(source::mock::INTERVAL.presence.0), source::mock::INTERVAL.presence.1),
};

const COALESCE: Foreign =
    Foreign::refused("coalesce", "events are not merged with each other: each is streamed as it comes");

pub(super) static WEBHOOK_SECTION: Section = Section {
    title: "`sources.NAME`",
    variant: Some("webhook"),
    about: "Takes events at `POST /NAME/`: an object with `event_id`, `event_type`, `entity_id`, `occurred_at` and \
            `data`, or an array of them. An `event_id` is stored once: a second event with it is answered like the \
            first, and not sent again.",
    example: "sources:\n  web_frontend:\n    type: webhook\n\nsink:\n  sse: {}\n",
    keys: &[&TYPE],
    foreign: &[COALESCE],
};

pub(super) static MOCK_SECTION: Section = Section {
    title: "`sources.NAME`",
    variant: Some("mock"),
    about: "Makes an event of type `mock.random_number` with a random number again and again, to try things out.",
    example: "sources:\n  mock:\n    interval: 5s\n\nsink:\n  sse: {}\n",
    keys: &[&TYPE, &INTERVAL],
    foreign: &[COALESCE],
};

/// A source as a native one; `None` where its type is not served.
pub(super) fn convert(block: &NamedBlock<'_>, checker: &mut Checker<'_>) -> Option<Entry> {
    let Entry { name, span, .. } = block.entry;
    let mut fields = Fields::new(block.title.clone(), *span, block.table);
    let kind = TYPES.read(block, &mut fields, checker)?;
    let mut extractor = Block::new(*span);
    match kind.kind {
        Kind::Webhook => {
            fields.finish(&WEBHOOK_SECTION, checker);
            if let Err(problem) = check_url_name(name) {
                checker
                    .error(*span, "this name cannot be used for a webhook")
                    .label(problem)
                    .help("the name is part of the URL: `POST /NAME/`");
                return None;
            }
            extractor.text(source::TYPE.name, "webhook", kind.span);
            extractor.text(source::webhook::PATH.name, format!("/{name}/"), *span);
            extractor.text(source::webhook::PROFILE.name, "envelope", *span);
        }
        Kind::Mock => {
            extractor.text(source::TYPE.name, "mock", kind.span);
            let (interval, span) = fields.get_with_span(&INTERVAL, checker);
            extractor.duration(source::mock::INTERVAL.name, interval, span);
            fields.finish(&MOCK_SECTION, checker);
        }
    }
    let mut source = Block::new(*span);
    source.block("extractor", extractor);
    Some(source.into_entry(name))
}
