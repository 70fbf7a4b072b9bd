//! `[http]`, the listener.

use std::time::Duration;

use super::tls::{self, HTTP_TLS};
use super::words::{check_host, check_root_url};
use crate::checker::{Checker, Fields};
use crate::keys::{Foreign, Key, Optional, Or, Section};
use crate::shapes::{Bytes, Choice, Count, Text, Time};
use crate::{DeliveryPath, Http};

pub(crate) const HOST: Key<Or<Text>> = Key {
    name: "host",
    doc: "The address to listen on, or a name that is looked up at the start. `0.0.0.0` listens on all IPv4 \
          addresses, `::` on all addresses, `127.0.0.1` on none that others can reach.",
    presence: Or(Text { kind: "an IP address or a host name", check: check_host }, || "0.0.0.0".to_owned()),
};

pub(crate) const PORT: Key<Or<Count<u16>>> = Key {
    name: "port",
    doc: "The TCP port. `0` takes any free one.",
    presence: Or(Count { min: 0, max: u16::MAX }, || 8080),
};

pub(crate) const ROOT_URL: Key<Optional<Text>> = Key {
    name: "root_url",
    doc: "How others reach this server. An event without a source of its own gets `{root_url}/?source={name of the \
          source}` as its `context.source`.",
    presence: Optional(
        Text { kind: "an absolute `http` or `https` URL", check: check_root_url },
        "`http://{host}:{port}`, with `https` where there is `tls`, and with `localhost` for an address that means \"all\"",
    ),
};

const DEADLINE: Time = Time { min: Duration::from_millis(10), max: Duration::from_hours(1) };

pub(crate) const HEADER_TIMEOUT: Key<Or<Time>> = Key {
    name: "header_timeout",
    doc: "How long a client may take to send the head of a request. Then it is closed.",
    presence: Or(DEADLINE, || Duration::from_secs(10)),
};

pub(crate) const BODY_TIMEOUT: Key<Or<Time>> = Key {
    name: "body_timeout",
    doc: "How long a client may take to send the body of a request. Then the request is refused.",
    presence: Or(DEADLINE, || Duration::from_secs(30)),
};

pub(crate) const SEND_TIMEOUT: Key<Or<Time>> = Key {
    name: "send_timeout",
    doc: "A peer that takes nothing of what is sent to it for so long is closed.",
    presence: Or(DEADLINE, || Duration::from_mins(1)),
};

pub(crate) const MAX_BODY: Key<Or<Bytes>> = Key {
    name: "max_body",
    doc: "The largest body of a request, after decompression. A larger one is answered 413.",
    presence: Or(Bytes { min: 1, max: 1 << 30 }, || 4 << 20),
};

pub(crate) const DELIVERY: Key<Or<Choice<DeliveryPath>>> = Key {
    name: "delivery",
    doc: "How streams of plain HTTP/1.1 are written. `reactor`: by threads of their own, which keep about half a kilobyte \
          for a client. `portable`: by the HTTP library, as those over TLS, of HTTP/2 and on other systems than Linux are \
          in any case.",
    presence: Or(
        Choice {
            served: &[("reactor", DeliveryPath::Reactor), ("portable", DeliveryPath::Portable)],
            later: &[],
            foreign: &[],
        },
        || DeliveryPath::Reactor,
    ),
};

pub(crate) const DELIVERY_THREADS: Key<Optional<Count<usize>>> = Key {
    name: "delivery_threads",
    doc: "How many threads `delivery = \"reactor\"` has.",
    presence: Optional(Count { min: 1, max: 256 }, "as many as there are processors for it"),
};

pub(crate) static SECTION: Section = Section {
    title: "[http]",
    variant: None,
    about: "The HTTP listener of webhooks and streams.",
    example: "[http]\nhost = \"0.0.0.0\"\nport = 8080\nroot_url = \"https://events.example.com\"\n",
    keys: &[
        &HOST,
        &PORT,
        &ROOT_URL,
        &HEADER_TIMEOUT,
        &BODY_TIMEOUT,
        &SEND_TIMEOUT,
        &MAX_BODY,
        &DELIVERY,
        &DELIVERY_THREADS,
        &HTTP_TLS,
    ],
    foreign: &[
        Foreign::ignored(
            "access_log",
            "every stream and every refusal is a log line, which `RUST_LOG` filters",
        ),
        Foreign::ignored("request_timeout", "streams never end; see `header_timeout` and `body_timeout`"),
    ],
};

pub(super) fn read(mut fields: Fields<'_>, checker: &mut Checker<'_>) -> Http {
    let http = Http {
        host: fields.get(&HOST, checker),
        port: fields.get(&PORT, checker),
        root_url: fields.get(&ROOT_URL, checker).map(|url| url.trim_end_matches('/').to_owned()),
        header_timeout: fields.get(&HEADER_TIMEOUT, checker),
        body_timeout: fields.get(&BODY_TIMEOUT, checker),
        send_timeout: fields.get(&SEND_TIMEOUT, checker),
        max_body: fields.get(&MAX_BODY, checker),
        delivery: fields.get(&DELIVERY, checker),
        delivery_threads: fields.get(&DELIVERY_THREADS, checker),
        tls: tls::read(&mut fields, checker),
    };
    fields.finish(&SECTION, checker);
    http
}
