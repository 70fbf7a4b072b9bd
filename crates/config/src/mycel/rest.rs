//! A connector of type `rest`: requests become events.

use super::Conversion;
use super::connector::{Connector, TYPE};
use super::cors::{self, CORS};
use super::flow::Routes;
use super::listeners::{Address, Listeners};
use super::sse::HOST;
use crate::building::Block;
use crate::checker::quoted;
use crate::keys::{Foreign, Key, Or, Section};
use crate::loose::Whole;
use crate::native::source;
use crate::shapes::Choice;
use crate::tree::{Data, Entry, Node};

const PORT: Key<Or<Whole>> =
    Key { name: "port", doc: "The TCP port.", presence: Or(Whole { min: 1, max: 65_535 }, || 3000) };

const FORMAT: Key<Or<Choice<()>>> = Key {
    name: "format",
    doc: "What bodies are.",
    presence: Or(Choice { served: &[("json", ())], later: &[], foreign: &[("xml", "publish JSON")] }, || ()),
};

pub(super) static SECTION: Section = Section {
    title: "`connector`",
    variant: Some("rest"),
    about: "Takes requests. Its URLs are the `operation`s of the [flows](#flow) that are from it.",
    example: "",
    keys: &[&TYPE, &PORT, &HOST, &FORMAT, &CORS],
    foreign: &[
        Foreign::refused(
            "auth",
            "header rules say who may publish; they are a native key, which `FANFARE__SOURCES__NAME__EXTRACTOR__HEADERS` sets too",
        ),
        Foreign::refused(
            "tls",
            "it is a native key: `FANFARE__HTTP__TLS__CERTIFICATE` and `FANFARE__HTTP__TLS__KEY` set it for the first connector \
             of the files, `FANFARE__LISTENERS__NAME__TLS__CERTIFICATE` and so on for another",
        ),
    ],
};

pub(super) fn address(connector: &Connector, conversion: &mut Conversion<'_, '_>) -> Address {
    let mut fields = connector.fields();
    let (host, host_span) = fields.get_with_span(&HOST, conversion.checker);
    let (port, port_span) = fields.get_with_span(&PORT, conversion.checker);
    Address { host, host_span, port, port_span }
}

/// The source that it is; `None` where no flow is from it.
pub(super) fn convert(
    connector: &Connector,
    flows: &[Routes],
    listeners: &Listeners,
    conversion: &mut Conversion<'_, '_>,
) -> Option<Entry> {
    let mut extractor = Block::new(connector.span);
    extractor.text(source::TYPE.name, "rest", connector.type_span);
    let mut operations: Vec<Node> = Vec::new();
    for (operation, span) in
        flows.iter().filter(|it| it.from == connector.name).filter_map(|it| it.operation.as_ref())
    {
        if !operations.iter().any(|before| before.as_text() == Some(operation)) {
            let data = Data::Text { text: operation.clone(), exact: None };
            operations.push(Node { span: *span, data, raw: None });
        }
    }
    let is_unused = operations.is_empty();
    extractor.node(
        source::rest::OPERATIONS.name,
        Node { span: connector.span, data: Data::List(operations), raw: None },
    );
    listeners.pick(connector, &mut extractor);
    let mut fields = connector.fields();
    // They have been read, where it listens.
    for name in [TYPE.name, HOST.name, PORT.name] {
        fields.entry(name);
    }
    if is_unused {
        address(connector, conversion);
    }
    fields.get(&FORMAT, conversion.checker);
    cors::convert(&mut fields, &cors::REST_SECTION, &mut extractor, conversion);
    conversion.finish(fields, &connector.table, &SECTION);
    if is_unused {
        conversion.warn_unused(connector, "no requests are taken");
        return None;
    }
    let mut native = Block::new(connector.span);
    native.block(source::EXTRACTOR.name, extractor);
    Some(native.into_entry(&connector.name))
}

impl Conversion<'_, '_> {
    /// Says that no flow is from a connector, unless one may be that could not be read.
    pub(super) fn warn_unused(&mut self, connector: &Connector, what: &str) {
        if !self.checker.incomplete {
            self.checker
                .warning(connector.span, format!("{what}: no flow is from {}", quoted(&connector.name)))
                .help(
                    "`flow \"NAME\" { from { … } to { … } }` sends its events to a connector of type `sse`",
                );
        }
    }
}
