//! A source of type `mock`.

use std::time::Duration;

use super::TYPE;
use crate::Mock;
use crate::checker::{Checker, Fields};
use crate::keys::{Key, Or, Section};
use crate::shapes::Time;

pub(crate) const INTERVAL: Key<Or<Time>> = Key {
    name: "interval",
    doc: "Between two events; the first comes at the start.",
    presence: Or(Time { min: Duration::from_millis(1), max: Duration::from_hours(24 * 365) }, || {
        Duration::from_secs(10)
    }),
};

pub(crate) static SECTION: Section = Section {
    title: "[sources.NAME.extractor]",
    variant: Some("mock"),
    about: "Makes an event of type `mock.random_number` with a random number again and again, to try things out.",
    example: "[sources.try.extractor]\ntype = \"mock\"\ninterval = \"2s\"\n\n\
              [sinks.try]\ntype = \"sse\"\nid = \"try\"\nprofile = \"envelope\"\n",
    keys: &[&TYPE, &INTERVAL],
    foreign: &[],
};

pub(super) fn read(mut fields: Fields<'_>, checker: &mut Checker<'_>) -> Mock {
    let interval = fields.get(&INTERVAL, checker);
    fields.finish(&SECTION, checker);
    Mock { interval }
}
