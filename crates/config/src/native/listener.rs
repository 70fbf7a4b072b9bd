//! `[listeners.NAME]`: more addresses to listen on beside `[http]`, and the key that picks one.

use super::http::HOST;
use super::tls::{self, LISTENER_TLS};
use super::words::check_name;
use crate::Listener;
use crate::checker::{Checker, Fields, quoted, suggest};
use crate::keys::{Key, Optional, Required, Section};
use crate::shapes::{ANY_TEXT, Count, Text};
use crate::tree::Table;

pub(crate) const LISTENER_PORT: Key<Required<Count<u16>>> = Key {
    name: "port",
    doc: "The TCP port. `0` takes any free one.",
    presence: Required(Count { min: 0, max: u16::MAX }),
};

pub(crate) const LISTENER: Key<Optional<Text>> = Key {
    name: "listener",
    doc: "The listener that it is reached at, by the name of its table.",
    presence: Optional(ANY_TEXT, "`[http]`"),
};

pub(crate) static SECTION: Section = Section {
    title: "[listeners.NAME]",
    variant: None,
    about: "Another address to listen on. A source or a sink picks it with `listener = \"NAME\"`; its deadlines and limits \
            are those of `[http]`. `[http]` itself is not listened on where everything is elsewhere.",
    example: "[listeners.public]\nhost = \"0.0.0.0\"\nport = 3002\n\n\
              [sinks.events]\ntype = \"sse\"\nid = \"events\"\nlistener = \"public\"\n",
    keys: &[&HOST, &LISTENER_PORT, &LISTENER_TLS],
    foreign: &[],
};

/// Reads `[listeners]`. Their names are known to the checker from then on.
pub(super) fn read_all(table: &Table, checker: &mut Checker<'_>) -> Vec<Listener> {
    let mut listeners: Vec<Listener> = Vec::new();
    for entry in &table.entries {
        let Some(table) = checker.table(&entry.name, &entry.node) else { continue };
        if let Err(problem) = check_name(&entry.name) {
            checker.error(entry.span, "this name cannot be used for a listener").label(problem);
        }
        let mut fields = Fields::new(super::shown_title("listeners", &entry.name), entry.span, table);
        let host = fields.get(&HOST, checker);
        let port = fields.get(&LISTENER_PORT, checker);
        let tls = tls::read(&mut fields, checker);
        fields.finish(&SECTION, checker);
        let port = port.unwrap_or_default();
        listeners.push(Listener { name: entry.name.clone(), span: entry.span, host, port, tls });
    }
    checker.listeners = listeners.iter().map(|listener| listener.name.clone()).collect();
    listeners
}

/// The listener of a source or a sink, if it names one that there is.
pub(super) fn read(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Option<String> {
    let (name, span) = fields.get_with_span(&LISTENER, checker);
    let name = name?;
    if checker.listeners.contains(&name) {
        return Some(name);
    }
    let known: Vec<_> = checker.listeners.iter().map(String::as_str).collect();
    let help = if known.is_empty() {
        "listeners are tables `[listeners.NAME]`; leave `listener` out for `[http]`".to_owned()
    } else {
        suggest(&name, &known, "listeners")
    };
    checker.error(span, format!("there is no listener {}", quoted(&name))).help(help);
    None
}
