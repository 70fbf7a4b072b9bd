//! `server`, the listener.

use crate::building::Block;
use crate::checker::{Checker, Fields};
use crate::keys::{Key, Or, Section};
use crate::loose::Whole;
use crate::native::http;
use crate::native::words::check_host;
use crate::shapes::Text;

const HOST: Key<Or<Text>> = Key {
    name: "host",
    doc: "The address to listen on. `127.0.0.1` is one that no other machine reaches.",
    presence: Or(Text { kind: "an IP address or a host name", check: check_host }, || "0.0.0.0".to_owned()),
};

const PORT: Key<Or<Whole>> =
    Key { name: "port", doc: "The TCP port.", presence: Or(Whole { min: 0, max: 65_535 }, || 8000) };

pub(super) static SECTION: Section = Section {
    title: "`server`",
    variant: None,
    about: "The listener.",
    example: "server:\n  host: 127.0.0.1\n  port: 8001\n\nsink:\n  sse: {}\n",
    keys: &[&HOST, &PORT],
    foreign: &[],
};

pub(super) fn convert(mut fields: Fields<'_>, out: &mut Block, checker: &mut Checker<'_>) {
    let mut http = Block::new(fields.span());
    let (host, span) = fields.get_with_span(&HOST, checker);
    http.text(http::HOST.name, host, span);
    let (port, span) = fields.get_with_span(&PORT, checker);
    http.integer(http::PORT.name, port, span);
    fields.finish(&SECTION, checker);
    out.block("http", http);
}
