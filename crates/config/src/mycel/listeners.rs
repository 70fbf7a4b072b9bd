//! Where connectors listen: the first address is `[http]`, each further one a listener that is called as the first
//! connector there.

use super::Conversion;
use super::connector::{Connector, Kind};
use super::flow::Routes;
use super::{rest, sse};
use crate::Span;
use crate::building::Block;
use crate::native::{http, listener};

/// The addresses of a configuration.
pub(super) struct Listeners(Vec<Listener>);

struct Listener {
    address: Address,
    /// Of the first connector there.
    name: String,
    span: Span,
    /// Who is there, by name.
    connectors: Vec<String>,
}

/// A host and a port, and where they are written.
pub(super) struct Address {
    pub(super) host: String,
    pub(super) host_span: Span,
    pub(super) port: i64,
    pub(super) port_span: Span,
}

impl Listeners {
    /// Looks where the connectors are: first those that take requests, then the streams.
    pub(super) fn new(
        connectors: &[Connector],
        flows: &[Routes],
        conversion: &mut Conversion<'_, '_>,
    ) -> Self {
        let mut listeners = Self(Vec::new());
        let rest = connectors.iter().filter(|it| it.kind == Some(Kind::Rest));
        for connector in rest.filter(|it| flows.iter().any(|flow| flow.from == it.name)) {
            listeners.add(connector, rest::address(connector, conversion));
        }
        for connector in connectors.iter().filter(|it| it.kind == Some(Kind::Sse)) {
            listeners.add(connector, sse::address(connector, conversion));
        }
        listeners
    }

    fn add(&mut self, connector: &Connector, address: Address) {
        let is_here = |it: &&mut Listener| it.address.host == address.host && it.address.port == address.port;
        if let Some(listener) = self.0.iter_mut().find(is_here) {
            listener.connectors.push(connector.name.clone());
        } else {
            let name = connector.name.clone();
            self.0.push(Listener { address, connectors: vec![name.clone()], name, span: connector.span });
        }
    }

    /// Puts into a source or a sink where it is reached.
    pub(super) fn pick(&self, connector: &Connector, out: &mut Block) {
        let place = self.0.iter().position(|it| it.connectors.contains(&connector.name));
        if let Some(listener) = place.filter(|place| *place > 0).and_then(|place| self.0.get(place)) {
            out.text(listener::LISTENER.name, listener.name.as_str(), connector.name_span);
        }
    }

    /// Writes `[http]` and `[listeners]`.
    pub(super) fn write(self, out: &mut Block) {
        let mut others = Vec::new();
        for (index, Listener { address, name, span, .. }) in self.0.into_iter().enumerate() {
            let mut block = Block::new(span);
            block.text(http::HOST.name, address.host, address.host_span);
            block.integer(http::PORT.name, address.port, address.port_span);
            if index == 0 { out.block("http", block) } else { others.push(block.into_entry(&name)) }
        }
        if !others.is_empty() {
            out.table("listeners", others);
        }
    }
}
