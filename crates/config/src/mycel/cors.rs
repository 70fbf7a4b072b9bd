//! `cors` of a connector.

use super::Conversion;
use crate::building::Block;
use crate::checker::{Checker, Fields, items};
use crate::keys::{Foreign, Key, Optional, Read, Section};
use crate::native::sink::ALLOWED_ORIGINS as NATIVE;
use crate::native::words::check_origin;
use crate::shapes::{Nested, quote};
use crate::tree::{Data, Node, Table};

use std::borrow::Cow;

pub(super) const CORS: Key<Optional<Nested>> = Key {
    name: "cors",
    doc: "Which pages of other origins may use it.",
    presence: Optional(Nested("a block, see [`cors`](#cors-of-type-sse)"), "none"),
};

const ORIGINS: Key<Optional<Origins>> = Key {
    name: "origins",
    doc: "The origins, as browsers send them; `\"*\"` for all. An empty list is none.",
    presence: Optional(Origins, "none"),
};

const ALLOWED_ORIGINS: Key<Optional<Origins>> = Key {
    name: "allowed_origins",
    doc: "Another name of `origins`.",
    presence: Optional(Origins, "`origins`"),
};

const CREDENTIALS: Foreign = Foreign::ignored("allow_credentials", "nothing here asks for a page's cookies");

pub(super) static SSE_SECTION: Section = Section {
    title: "`cors`",
    variant: Some("sse"),
    about: "Which pages of other origins may read a stream. Without it none may, as in Mycel.",
    example: "",
    keys: &[&ORIGINS, &ALLOWED_ORIGINS],
    foreign: &[
        Foreign::ignored("methods", "a stream is read with `GET`"),
        Foreign::ignored("headers", "a stream may always be sent `Last-Event-ID` and `Authorization`"),
        CREDENTIALS,
    ],
};

pub(super) static REST_SECTION: Section = Section {
    title: "`cors`",
    variant: Some("rest"),
    about: "Which pages of other origins may send requests. Without it none may.",
    example: "",
    keys: &[&ORIGINS, &ALLOWED_ORIGINS],
    foreign: &[
        Foreign::ignored("methods", "those of the operations are allowed"),
        Foreign::ignored("headers", "what a request with JSON needs is allowed"),
        CREDENTIALS,
    ],
};

/// Converts what a connector has of it into a native `cors`.
pub(super) fn convert(
    fields: &mut Fields<'_>,
    section: &'static Section,
    out: &mut Block,
    conversion: &mut Conversion<'_, '_>,
) {
    let Some(entry) = fields.entry(CORS.name) else { return };
    let Some(table) = conversion.table(CORS.name, &entry.node) else { return };
    let mut inner = Fields::new("`cors`", entry.span, table);
    let (mut origins, mut span) = inner.get_with_span(&ORIGINS, conversion.checker);
    if let Some(alias) = inner.entry(ALLOWED_ORIGINS.name) {
        if inner.has(ORIGINS.name) {
            conversion
                .checker
                .error(alias.span, "`allowed_origins` and `origins` are the same key")
                .also(span, "it is here already")
                .help("remove one of the two");
        }
        (origins, span) = inner.get_with_span(&ALLOWED_ORIGINS, conversion.checker);
    }
    conversion.finish(inner, table, section);
    let origins = origins.unwrap_or_default();
    if !origins.is_empty() {
        let origins: Vec<_> = origins.iter().map(String::as_str).collect();
        let mut cors = Block::new(entry.span);
        cors.list(NATIVE.name, &origins, span);
        out.block(CORS.name, cors);
    }
}

/// Origins in a list, or in a text with commas between them.
struct Origins;

impl Read for Origins {
    type Value = Vec<String>;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<Vec<String>> {
        let mut origins = Vec::new();
        if let Data::Text { text, .. } = &node.data {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            origins.extend(parts.map(|part| (part.to_owned(), node.span)));
        } else {
            for (index, item) in items(key, node, &self.kind(), checker)?.iter().enumerate() {
                let item_key = format!("{key}[{index}]");
                let text = crate::checker::text(&item_key, item, "an origin", checker);
                origins.extend(text.map(|text| (text.trim().to_owned(), item.span)));
            }
        }
        let mut read = Vec::new();
        for (origin, span) in origins {
            match check_origin(&origin) {
                Ok(()) => read.push(origin),
                Err(problem) => {
                    let message = format!("`{key}` must be origins, as in \"https://app.example.com\"");
                    checker.error(span, message).label(problem);
                }
            }
        }
        Some(read)
    }

    fn kind(&self) -> Cow<'static, str> {
        "a list of origins, or a text with commas between them".into()
    }

    fn write(&self, value: &Vec<String>) -> Option<String> {
        let items: Vec<_> = value.iter().map(|origin| quote(origin)).collect();
        Some(format!("[{}]", items.join(", ")))
    }
}

impl Conversion<'_, '_> {
    /// The table that a block or an object is, or `None` after saying that it is none.
    pub(super) fn table<'t>(&mut self, key: &str, node: &'t Node) -> Option<&'t Table> {
        if let Data::Table(table) = &node.data {
            return Some(table);
        }
        self.checker.wrong_type(key, node, "a block");
        None
    }
}
