//! `type = "sse"`: a stream of Server-Sent Events that others serve. What its URL means is in `sse_url`, what is sent
//! beside it in `outgoing`.

use std::time::Duration;

use fanfare_event::Profile;

use super::webhook::PROFILE as WEBHOOK_PROFILE;
use super::{ENABLED as SOURCE_ENABLED, METADATA, TYPE};
use crate::checker::{Checker, Fields, quoted};
use crate::keys::{Key, Optional, Or, Section};
use crate::native::client_tls::{self, TLS};
use crate::native::outgoing::{self, HEADERS};
use crate::native::sink::Patterns;
use crate::native::sse_url::{self, Parts};
use crate::native::variable::{Variable, read_either};
use crate::native::words::check_field_value;
use crate::shapes::{Bytes, Choice, Count, Flag, Hidden, Text, Time};
use crate::{OutgoingHeader, Span, SseSource, SseUrl};

pub(crate) const ENABLED: Key<Or<Flag>> = Key {
    name: SOURCE_ENABLED.name,
    doc: "`false` switches it off: the source receives nothing, with a warning.",
    presence: SOURCE_ENABLED.presence,
};

pub(crate) const URL: Key<Optional<Hidden>> = Key {
    name: "url",
    doc: "The stream: `https://hub.example.com/sse/events`, or `http://`. It may have a query, and name a user and a \
          password, which are sent as `Authorization`; beside scheme, host, port and path it is masked wherever it \
          could be seen.",
    presence: Optional(Hidden, "one of `url` and `url_env` must be there"),
};

pub(crate) const URL_ENV: Key<Optional<Variable>> = Key {
    name: "url_env",
    doc: "The name of the environment variable that holds the URL. It must be set, and not empty.",
    presence: Optional(Variable, "see `url`"),
};

pub(crate) const PROFILE: Key<Or<Choice<Profile>>> = Key {
    name: WEBHOOK_PROFILE.name,
    doc: "What an event's data is. `cdevent`: a CDEvent, a CloudEvent, or any JSON with a type. `envelope`: an object \
          with `event_id`, `event_type`, `entity_id`, `occurred_at` and `data`, or an array of them. `message`: any JSON, \
          or any text; the type of such an event is its name in the stream, `message` where it has none.",
    presence: WEBHOOK_PROFILE.presence,
};

pub(crate) const EVENTS: Key<Optional<Patterns>> = Key {
    name: "events",
    doc: "The names in the stream (`event:`) of the events that are taken: an exact name, `prefix.*`, or `*`. What has no \
          name is a `message`.",
    presence: Optional(
        Patterns { if_empty: "leave it out to take all but what is no event" },
        "all but `info`, `heartbeat`, `error`, `gap` and `expiring`",
    ),
};

pub(crate) const MAX_RETRIES: Key<Optional<Count<u32>>> = Key {
    name: "max_retries",
    doc: "Failures in a row after which the source gives up, until the next start; with `0` the first one ends it.",
    presence: Optional(Count { min: 0, max: u32::MAX }, "it never gives up"),
};

pub(crate) const RECONNECT_DELAY: Key<Or<Time>> = Key {
    name: "reconnect_delay",
    doc: "Before the first try to connect again, until the server says otherwise (`retry:`). It doubles from failure to \
          failure up to 30 seconds, and is jittered.",
    presence: Or(Time { min: Duration::from_millis(10), max: Duration::from_secs(30) }, || {
        Duration::from_secs(1)
    }),
};

pub(crate) const READ_TIMEOUT: Key<Or<Time>> = Key {
    name: "read_timeout",
    doc: "Of silence, after which a connection is taken for dead. Keep-alives are no silence, so it should be longer than \
          what the server leaves between them.",
    presence: Or(Time { min: Duration::from_secs(1), max: Duration::from_hours(1) }, || {
        Duration::from_secs(90)
    }),
};

pub(crate) const MAX_EVENT: Key<Or<Bytes>> = Key {
    name: "max_event",
    doc: "What one event's data may be at most. A larger one is left out, and the log and the next event's metadata say so.",
    presence: Or(Bytes { min: 1 << 10, max: 256 << 20 }, || 16 << 20),
};

pub(crate) const USER_AGENT: Key<Optional<Text>> = Key {
    name: "user_agent",
    doc: "What the client calls itself.",
    presence: Optional(
        Text { kind: "a name that a header can say", check: check_user_agent },
        "`fanfare/` and the version",
    ),
};

pub(crate) static SECTION: Section = Section {
    title: "[sources.NAME.extractor]",
    variant: Some("sse"),
    about: "Listens to a stream of Server-Sent Events: another Fanfare, a cdviz-collector, or any other. Where it stopped \
            is stored with its events, so that it goes on there after a restart.",
    example: "[sources.hub.extractor]\ntype = \"sse\"\nurl = \"https://region-1.example.com/sse/regional\"\n\
              metadata = { region = \"us-east-1\" }\n",
    keys: &[
        &TYPE,
        &ENABLED,
        &URL,
        &URL_ENV,
        &PROFILE,
        &EVENTS,
        &HEADERS,
        &USER_AGENT,
        &MAX_RETRIES,
        &RECONNECT_DELAY,
        &READ_TIMEOUT,
        &MAX_EVENT,
        &TLS,
        &METADATA,
    ],
    foreign: &[],
};

/// `source` is the name of the source. `None` where it is switched off, too.
pub(super) fn read(
    source: &str,
    mut fields: Fields<'_>,
    type_span: Span,
    checker: &mut Checker<'_>,
) -> Option<SseSource> {
    let (is_enabled, span) = fields.get_with_span(&ENABLED, checker);
    if is_enabled {
        return read_enabled(fields, type_span, checker);
    }
    // The source's own `enabled` has said it all.
    let was_switched_off = std::mem::replace(&mut checker.switched_off, true);
    if !was_switched_off {
        let name = quoted(source);
        checker.warning(span, format!("the source {name} receives nothing: its extractor is switched off"));
    }
    read_enabled(fields, type_span, checker);
    checker.switched_off = was_switched_off;
    None
}

fn read_enabled(mut fields: Fields<'_>, type_span: Span, checker: &mut Checker<'_>) -> Option<SseSource> {
    let url = read_url(&mut fields, checker);
    let headers = outgoing::read_all(&mut fields, checker);
    let tls = client_tls::read(&mut fields, checker);
    if let Some((_, parts)) = url {
        check_authorization(parts, &headers, checker);
        if let (false, Some((_, span))) = (parts.is_tls, &tls) {
            checker
                .error(*span, "`tls` has no use: the stream's URL begins with `http://`")
                .help("write `https://` to encrypt the connection, or leave `tls` out");
        }
    }
    let profile = fields.get(&PROFILE, checker);
    let events = fields.get(&EVENTS, checker);
    let max_retries = fields.get(&MAX_RETRIES, checker);
    let reconnect_delay = fields.get(&RECONNECT_DELAY, checker);
    let read_timeout = fields.get(&READ_TIMEOUT, checker);
    let max_event = fields.get(&MAX_EVENT, checker);
    let user_agent = fields.get(&USER_AGENT, checker);
    let metadata = fields.get(&METADATA, checker);
    fields.finish(&SECTION, checker);
    Some(SseSource {
        url: url?.0,
        profile,
        events,
        max_retries,
        reconnect_delay,
        read_timeout,
        max_event,
        user_agent: user_agent.unwrap_or_else(|| concat!("fanfare/", env!("CARGO_PKG_VERSION")).to_owned()),
        headers,
        metadata,
        tls: tls.and_then(|(tls, _)| tls),
        type_span,
    })
}

fn read_url(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Option<(SseUrl, Parts)> {
    let given = read_either(fields, &URL, &URL_ENV, "the stream's URL", checker)?;
    let is_written = given.variable.is_none();
    match sse_url::parse(given.secret, given.variable) {
        Ok((url, parts)) => {
            if is_written && parts.has_password {
                checker
                    .warning(given.span, "the stream's URL has a password")
                    .help("`url_env` takes the URL from the environment")
                    .help("a header can take a token from there: `\"Authorization\" = { type = \"secret\", value = \"HUB_TOKEN\", prefix = \"Bearer \" }`");
            }
            Some((url, parts))
        }
        Err(problem) => {
            checker
                .error(given.span, format!("the stream's URL {}", problem.what))
                .help("it looks like `https://hub.example.com/sse/events`")
                .help(problem.advice);
            None
        }
    }
}

/// Who a URL names is sent as `Authorization` (RFC 7617), which is one header.
fn check_authorization(parts: Parts, headers: &[OutgoingHeader], checker: &mut Checker<'_>) {
    let mut others = headers.iter().filter(|header| header.header.eq_ignore_ascii_case("authorization"));
    if let (true, Some(other)) = (parts.has_user, others.next()) {
        checker
            .error(other.span, "`Authorization` is there twice: the stream's URL names a user")
            .help("keep one of them");
    }
}

fn check_user_agent(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("it must not be empty")
    } else if !name.is_ascii() {
        Err("it is of ASCII characters")
    } else {
        check_field_value(&[name])
    }
}
