//! `[admin]`, the listener at which an operator sees and ends streams.

use std::net::IpAddr;

use super::listener::LISTENER_PORT;
use super::rule;
use super::sink::HEADERS;
use super::words::check_host;
use crate::Admin;
use crate::checker::{Checker, Fields};
use crate::keys::{Key, Or, Section};
use crate::shapes::Text;

pub(crate) const HOST: Key<Or<Text>> = Key {
    name: "host",
    doc: "The address to listen on, or a name that is looked up at the start. One that others can reach needs `headers`.",
    presence: Or(Text { kind: "an IP address or a host name", check: check_host }, || "127.0.0.1".to_owned()),
};

pub(crate) static SECTION: Section = Section {
    title: "[admin]",
    variant: None,
    about: "An address of its own, where `GET /admin/connections` lists the open streams and `DELETE /admin/connections` ends \
            those of a user, of a room or of a sink, or one of them. Nothing is listened on without it. See \
            [Streams that are open](operating.md#streams-that-are-open).",
    example: "[admin]\nport = 9090\n",
    keys: &[&HOST, &LISTENER_PORT, &HEADERS],
    foreign: &[],
};

pub(super) fn read(mut fields: Fields<'_>, checker: &mut Checker<'_>) -> Admin {
    let span = fields.span();
    let (host, host_span) = fields.get_with_span(&HOST, checker);
    let port = fields.get(&LISTENER_PORT, checker).unwrap_or_default();
    let rules = fields.entry(HEADERS.name);
    let headers =
        rules.map(|entry| rule::read_all(HEADERS.name, &entry.node, true, checker)).unwrap_or_default();
    fields.finish(&SECTION, checker);
    // Rules that could not be read have been reported.
    if headers.is_empty() && !rules.is_some_and(|entry| has_rules(&entry.node)) && !is_loopback(&host) {
        checker
            .absent(host_span, format!("`[admin]` on `{host}` needs header rules"))
            .label("anyone who reaches it could end every stream")
            .help(
                "add rules in `[admin.headers]`, or listen on `127.0.0.1`, which only this machine reaches",
            );
    }
    Admin { span, host, port, headers }
}

fn has_rules(node: &crate::tree::Node) -> bool {
    use crate::tree::Data;
    match &node.data {
        Data::Table(table) => !table.entries.is_empty(),
        Data::List(items) => !items.is_empty(),
        _ => true,
    }
}

/// Whether only this machine reaches an address. What another name means is not known before it is looked up.
fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}
