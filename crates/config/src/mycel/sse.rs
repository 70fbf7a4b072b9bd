//! A connector of type `sse`: a stream.

use std::time::Duration;

use super::Conversion;
use super::connector::{Connector, TYPE};
use super::cors::{self, CORS};
use super::duration::GoDuration;
use super::listeners::{Address, Listeners};
use crate::building::Block;
use crate::keys::{Key, Or, Section};
use crate::loose::Whole;
use crate::native::sink;
use crate::native::sink::sse::{IDENTITY, KEEP_ALIVE, PROFILE};
use crate::native::words::{URL_PATH, check_host};
use crate::shapes::{Text, Time};
use crate::tree::Entry;

const PORT: Key<Or<Whole>> =
    Key { name: "port", doc: "The TCP port.", presence: Or(Whole { min: 1, max: 65_535 }, || 3002) };

pub(super) const HOST: Key<Or<Text>> = Key {
    name: "host",
    doc: "The address to listen on. `127.0.0.1` is one that no other machine reaches.",
    presence: Or(Text { kind: "an IP address or a host name", check: check_host }, || "0.0.0.0".to_owned()),
};

const PATH: Key<Or<Text>> = Key {
    name: "path",
    doc: "The path of the stream's URL.",
    presence: Or(URL_PATH, || "/events".to_owned()),
};

const HEARTBEAT_INTERVAL: Key<Or<GoDuration>> = Key {
    name: "heartbeat_interval",
    doc: "After so long a silence on a connection a comment is sent.",
    presence: Or(GoDuration(Time { min: Duration::from_millis(10), max: Duration::from_hours(24) }), || {
        Duration::from_secs(30)
    }),
};

pub(super) static SECTION: Section = Section {
    title: "`connector`",
    variant: Some("sse"),
    about: "A stream of Server-Sent Events: `event: message`, an `id:` that is the same for everyone, and the event as \
            JSON. Clients join rooms with `?room=a` and `?rooms=a,b`, and say who they are with `?user_id=42`. Several \
            connectors may have one host and port, with paths of their own.",
    example: "connector \"api\" {\n  type = \"rest\"\n  port = 8080\n}\n\n\
              connector \"events\" {\n  type = \"sse\"\n  port = 3002\n  path = \"/events\"\n\n  \
              heartbeat_interval = \"30s\"\n\n  cors {\n    origins = [\"https://app.example.com\"]\n  }\n}\n\n\
              flow \"notify\" {\n  from {\n    connector = \"api\"\n    operation = \"POST /notify\"\n  }\n  \
              to {\n    connector = \"events\"\n    operation = \"broadcast\"\n  }\n}\n",
    keys: &[&TYPE, &PORT, &HOST, &PATH, &HEARTBEAT_INTERVAL, &CORS],
    foreign: &[],
};

pub(super) fn address(connector: &Connector, conversion: &mut Conversion<'_, '_>) -> Address {
    let mut fields = connector.fields();
    let (host, host_span) = fields.get_with_span(&HOST, conversion.checker);
    let (port, port_span) = fields.get_with_span(&PORT, conversion.checker);
    Address { host, host_span, port, port_span }
}

/// The sink that it is.
pub(super) fn convert(
    connector: &Connector,
    listeners: &Listeners,
    conversion: &mut Conversion<'_, '_>,
) -> Entry {
    let mut fields = connector.fields();
    let mut sink = Block::new(connector.span);
    // They have been read.
    for name in [TYPE.name, HOST.name, PORT.name] {
        fields.entry(name);
    }
    sink.text(sink::TYPE.name, "sse", connector.type_span);
    let is_variable = fields.entry(PATH.name).is_some_and(|entry| entry.node.raw.is_some());
    let (path, span) = fields.get_with_span(&PATH, conversion.checker);
    if is_variable && path.len() > 1 {
        conversion.checker.concealed.push(path.clone());
    }
    sink.text(PATH.name, path, span);
    listeners.pick(connector, &mut sink);
    sink.text(PROFILE.name, "message", connector.span);
    sink.text(IDENTITY.name, "query", connector.span);
    let (interval, span) = fields.get_with_span(&HEARTBEAT_INTERVAL, conversion.checker);
    sink.duration(KEEP_ALIVE.name, interval, span);
    cors::convert(&mut fields, &cors::SSE_SECTION, &mut sink, conversion);
    conversion.finish(fields, &connector.table, &SECTION);
    sink.into_entry(&connector.name)
}
