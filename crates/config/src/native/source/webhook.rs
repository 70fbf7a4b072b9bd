//! A source of type `webhook`.

use fanfare_event::Profile;

use super::{HEADERS, HEADERS_TO_KEEP, METADATA, TYPE};
use crate::checker::{Checker, Fields};
use crate::keys::{Foreign, Key, Optional, Or, Section};
use crate::native::listener::{self, LISTENER};
use crate::native::words::{URL_ID, URL_PATH};
use crate::shapes::{Choice, Text};
use crate::{Span, Webhook};

pub(crate) const ID: Key<Optional<Text>> = Key {
    name: "id",
    doc: "The endpoint is `POST /webhook/{id}`.",
    presence: Optional(URL_ID, "required where there is no `path`"),
};

pub(crate) const PATH: Key<Optional<Text>> = Key {
    name: "path",
    doc: "The path of the endpoint's URL, instead of `/webhook/{id}`. Unique among all endpoints.",
    presence: Optional(URL_PATH, "`/webhook/{id}`"),
};

pub(crate) const PROFILE: Key<Or<Choice<Profile>>> = Key {
    name: "profile",
    doc: "What a body is. `cdevent`: a CDEvent, a CloudEvent, or any JSON with a type. `envelope`: an object with \
          `event_id`, `event_type`, `entity_id`, `occurred_at` and `data`, or an array of them. `message`: any JSON; \
          the type of such an event is `message`.",
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

pub(crate) static SECTION: Section = Section {
    title: "[sources.NAME.extractor]",
    variant: Some("webhook"),
    about: "A webhook: one URL that takes events in the body of `POST` requests.",
    example: "[sources.ci.extractor]\ntype = \"webhook\"\nid = \"ci\"\nheaders_to_keep = [\"x-request-id\"]\n\
              metadata = { environment = \"production\" }\n\n\
              [sources.ci.extractor.headers]\n\"X-API-Key\" = { type = \"exists\" }\n",
    keys: &[&TYPE, &ID, &PATH, &LISTENER, &PROFILE, &HEADERS, &HEADERS_TO_KEEP, &METADATA],
    foreign: &[Foreign::refused(
        "signature",
        "write it as a header rule: `[sources.NAME.extractor.headers]`, `\"X-Hub-Signature-256\" = { type = \
             \"signature\", token = \"…\", signature_prefix = \"sha256=\" }`",
    )],
};

pub(super) fn read(mut fields: Fields<'_>, type_span: Span, checker: &mut Checker<'_>) -> Option<Webhook> {
    if !fields.has(ID.name) && !fields.has(PATH.name) {
        checker
            .absent(fields.span(), format!("`id` is missing in {}", fields.title()))
            .help("`id = \"ci\"` puts the webhook at `/webhook/ci`; `path` puts it anywhere else");
    }
    let id = fields.get(&ID, checker);
    let path = fields.get(&PATH, checker);
    let listener = listener::read(&mut fields, checker);
    let profile = fields.get(&PROFILE, checker);
    let headers = super::read_headers(&mut fields, checker);
    let headers_to_keep = super::read_headers_to_keep(&mut fields, &HEADERS_TO_KEEP, checker);
    let metadata = fields.get(&METADATA, checker);
    fields.finish(&SECTION, checker);
    Some(Webhook {
        path: path.or_else(|| id.as_ref().map(|id| format!("/webhook/{id}")))?,
        id,
        listener,
        profile,
        headers,
        headers_to_keep,
        metadata,
        type_span,
    })
}
