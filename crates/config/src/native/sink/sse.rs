//! A sink of type `sse`.

use std::time::Duration;

use fanfare_event::Profile;

use super::jwt::{self, JWT};
use super::{CORS, ENABLED, FOREIGN, HEADERS, MATCH, TYPE, read_cors, read_headers};
use crate::checker::{Checker, Fields};
use crate::keys::{Key, Optional, Or, Section};
use crate::native::listener::{self, LISTENER};
use crate::native::words::{URL_ID, URL_PATH};
use crate::shapes::{Choice, Count, Flag, Text, Time};
use crate::{Identity, OnLag, Span, SseSink};

pub(crate) const ID: Key<Optional<Text>> = Key {
    name: "id",
    doc: "The stream is at `GET /sse/{id}`.",
    presence: Optional(URL_ID, "required where there is no `path`"),
};

pub(crate) const PATH: Key<Optional<Text>> = Key {
    name: "path",
    doc: "The path of the stream's URL, instead of `/sse/{id}`. Unique among all endpoints.",
    presence: Optional(URL_PATH, "`/sse/{id}`"),
};

pub(crate) const PROFILE: Key<Or<Choice<Profile>>> = Key {
    name: "profile",
    doc: "How an event is written. `cdevent`: `event: cdevent`, the event's own id, and its body as JSON. `envelope`: \
          `event: message`, the event's number, and an object with `id`, `event_id`, `event_type`, `entity_id`, \
          `created_at`, `data`, `source` and `meta`; such a stream begins with `event: info`. `message`: \
          `event: message`, the event's number, and its body as JSON.",
    presence: Or(
        Choice {
            served: &[
                (Profile::Cdevent.name(), Profile::Cdevent),
                (Profile::Envelope.name(), Profile::Envelope),
                (Profile::Message.name(), Profile::Message),
            ],
            later: &[],
            foreign: &[],
        },
        || Profile::Cdevent,
    ),
};

pub(crate) const KEEP_ALIVE: Key<Or<Time>> = Key {
    name: "keep_alive",
    doc: "After so long a silence on a connection a comment is sent, or an `event: heartbeat` with the profile \
          `envelope`, so that proxies keep it open.",
    presence: Or(Time { min: Duration::from_millis(10), max: Duration::from_hours(24) }, || {
        Duration::from_secs(30)
    }),
};

pub(crate) const BUFFER: Key<Or<Count<usize>>> = Key {
    name: "buffer",
    doc: "How many events that it should see a client may fall behind before `on_lag`.",
    presence: Or(Count { min: 1, max: 100_000_000 }, || 1000),
};

pub(crate) const ON_LAG: Key<Or<Choice<OnLag>>> = Key {
    name: "on_lag",
    doc: "What happens to a client that falls further behind. `catch_up`: it gets what it missed from the log. \
          `notice`: it is told how many events it missed, and goes on with newer ones. `disconnect`: it is closed.",
    presence: Or(
        Choice {
            served: &[
                ("catch_up", OnLag::CatchUp),
                ("notice", OnLag::Notice),
                ("disconnect", OnLag::Disconnect),
            ],
            later: &[],
            foreign: &[],
        },
        || OnLag::CatchUp,
    ),
};

pub(crate) const REPLAY: Key<Or<Flag>> = Key {
    name: "replay",
    doc: "Whether a client that comes back with `Last-Event-ID` (the header, which wins, or `?last_event_id=`) gets \
          what it missed.",
    presence: Or(Flag, || true),
};

pub(crate) const RETRY: Key<Or<Time>> = Key {
    name: "retry",
    doc: "How long browsers are told to wait before they reconnect; each is told a little more or less.",
    presence: Or(Time { min: Duration::from_millis(1), max: Duration::from_hours(1) }, || {
        Duration::from_secs(3)
    }),
};

pub(crate) const MAX_CONNECTIONS: Key<Or<Count<usize>>> = Key {
    name: "max_connections",
    doc: "How many clients may be connected at once. One more is told to come back later.",
    presence: Or(Count { min: 1, max: 100_000_000 }, || 100_000),
};

/// An [`Identity`], before its keys are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdentityKind {
    None,
    Query,
    Jwt,
}

pub(crate) const IDENTITY: Key<Or<Choice<IdentityKind>>> = Key {
    name: "identity",
    doc: "Who may ask for `?room=`, `?rooms=` and `?user_id=`. `none`: nobody; such a request is refused (403). `query`: \
          everyone, for whatever they like; nothing is checked. `jwt`: who shows a token that grants it; without a token \
          nobody may listen.",
    presence: Or(
        Choice {
            served: &[
                ("none", IdentityKind::None),
                ("query", IdentityKind::Query),
                ("jwt", IdentityKind::Jwt),
            ],
            later: &[],
            foreign: &[],
        },
        || IdentityKind::None,
    ),
};

pub(crate) const MAX_ROOMS: Key<Or<Count<usize>>> = Key {
    name: "max_rooms",
    doc: "How many rooms one client may be in. One that asks for more is refused (400).",
    presence: Or(Count { min: 1, max: 1000 }, || 100),
};

pub(crate) static SECTION: Section = Section {
    title: "[sinks.NAME]",
    variant: Some("sse"),
    about: "A stream of Server-Sent Events.",
    example: "[sinks.builds]\ntype = \"sse\"\nid = \"builds\"\nmatch = [\"dev.cdevents.build.*\"]\nkeep_alive = \"15s\"\n",
    keys: &[
        &ENABLED,
        &TYPE,
        &ID,
        &PATH,
        &LISTENER,
        &MATCH,
        &PROFILE,
        &KEEP_ALIVE,
        &BUFFER,
        &ON_LAG,
        &REPLAY,
        &RETRY,
        &MAX_CONNECTIONS,
        &IDENTITY,
        &JWT,
        &MAX_ROOMS,
        &HEADERS,
        &CORS,
    ],
    foreign: &FOREIGN,
};

/// `span` is where the sink is.
pub(super) fn read(
    span: Span,
    mut fields: Fields<'_>,
    type_span: Span,
    checker: &mut Checker<'_>,
) -> SseSink {
    if !fields.has(ID.name) && !fields.has(PATH.name) {
        checker
            .absent(span, format!("`id` is missing in {}", fields.title()))
            .help("`id = \"events\"` puts the stream at `/sse/events`; `path` puts it anywhere else");
    }
    let id = fields.get(&ID, checker);
    let path = fields.get(&PATH, checker);
    let sink = SseSink {
        path: path.or_else(|| id.as_ref().map(|id| format!("/sse/{id}"))).unwrap_or_default(),
        id,
        listener: listener::read(&mut fields, checker),
        matches: fields.get(&MATCH, checker),
        profile: fields.get(&PROFILE, checker),
        keep_alive: fields.get(&KEEP_ALIVE, checker),
        buffer: fields.get(&BUFFER, checker),
        on_lag: fields.get(&ON_LAG, checker),
        replay: fields.get(&REPLAY, checker),
        retry: fields.get(&RETRY, checker),
        max_connections: fields.get(&MAX_CONNECTIONS, checker),
        identity: read_identity(&mut fields, checker),
        max_rooms: fields.get(&MAX_ROOMS, checker),
        headers: read_headers(&mut fields, checker),
        cors: read_cors(&mut fields, checker),
        type_span,
    };
    fields.finish(&SECTION, checker);
    sink
}

fn read_identity(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Identity {
    let (kind, span) = fields.get_with_span(&IDENTITY, checker);
    let entry = fields.entry(JWT.name);
    let jwt = entry.and_then(|entry| jwt::read(entry, checker));
    if (kind == IdentityKind::Jwt) != entry.is_some() {
        jwt::report_unpaired(span, entry.map(|entry| entry.span), checker);
    }
    match (kind, jwt) {
        (IdentityKind::Jwt, Some(jwt)) => Identity::Jwt(Box::new(jwt)),
        // What is missing has been said, and nothing starts on it.
        (IdentityKind::None | IdentityKind::Jwt, _) => Identity::None,
        (IdentityKind::Query, _) => Identity::Query,
    }
}
