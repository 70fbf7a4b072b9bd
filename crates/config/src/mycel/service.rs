//! `service`: names, which are used for nothing here.

use super::Conversion;
use crate::checker::Fields;
use crate::hcl::Block;
use crate::keys::{Foreign, Key, Optional, Section};
use crate::shapes::{ANY_TEXT, Text};

const NAME: Key<Optional<Text>> =
    Key { name: "name", doc: "The name of the service; not used.", presence: Optional(ANY_TEXT, "none") };

const VERSION: Key<Optional<Text>> =
    Key { name: "version", doc: "Its version; not used.", presence: Optional(ANY_TEXT, "none") };

pub(super) static SECTION: Section = Section {
    title: "`service`",
    variant: None,
    about: "What the service is called. There may be several.",
    example: "",
    keys: &[&NAME, &VERSION],
    foreign: &[
        Foreign::ignored(
            "admin_port",
            "there is no listener for health and metrics; `[admin]` is a native table",
        ),
        Foreign::refused("rate_limit", "a proxy in front of this can limit rates"),
        Foreign::refused("workflow", "there are no workflows"),
    ],
};

pub(super) fn check(block: Block, conversion: &mut Conversion<'_, '_>) {
    let (header, span) = (block.header(), block.span);
    let table = block.body.into_table(&mut conversion.checker.diagnostics);
    let mut fields = Fields::new("`service`", header, &table);
    fields.entry(NAME.name);
    fields.entry(VERSION.name);
    fields.finish(&SECTION, conversion.checker);
    // Nothing asks for its values.
    conversion.unread.push(span);
}
