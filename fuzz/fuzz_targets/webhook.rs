//! Any request to a webhook: events that can be framed, or a refusal.
#![no_main]

use arbitrary::Arbitrary;
use fanfare_auth::{HeaderRules, RequestHeaders};
use fanfare_event::{Object, Profile, SourceName};
use fanfare_source::Intake;
use fanfare_source::webhook::{RequestHead, Webhook};
use fanfare_transform::Chain;
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    headers: Vec<(Name, &'a [u8])>,
    body: &'a [u8],
}

/// Headers that mean something here.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Name {
    ContentType,
    ContentEncoding,
    IdempotencyKey,
    SpecVersion,
    Id,
    Source,
    Type,
    Subject,
    Time,
    Extension,
    Kept,
}

impl Name {
    fn text(self) -> &'static str {
        match self {
            Self::ContentType => "content-type",
            Self::ContentEncoding => "content-encoding",
            Self::IdempotencyKey => "idempotency-key",
            Self::SpecVersion => "ce-specversion",
            Self::Id => "ce-id",
            Self::Source => "ce-source",
            Self::Type => "ce-type",
            Self::Subject => "ce-subject",
            Self::Time => "ce-time",
            Self::Extension => "ce-extension",
            Self::Kept => "x-kept",
        }
    }
}

struct Head<'a>(Vec<(Name, &'a [u8])>);

impl RequestHeaders for Head<'_> {
    fn values<'a>(&'a self, name: &str) -> Box<dyn Iterator<Item = &'a [u8]> + 'a> {
        let name = name.to_owned();
        Box::new(self.0.iter().filter(move |(own, _)| own.text() == name).map(|(_, value)| *value))
    }
}

impl RequestHead for Head<'_> {
    fn for_each(&self, each: &mut dyn FnMut(&str, &[u8])) {
        for (name, value) in &self.0 {
            each(name.text(), value);
        }
    }
}

fuzz_target!(|input: Input<'_>| {
    let intake = Intake::new(SourceName::new("fuzz"), "http://localhost", Object::new(), Chain::default());
    let webhook = Webhook::new(intake, HeaderRules::default(), vec!["x-kept".to_owned()], 1 << 16);
    let mut fresh = 0;
    let fresh_id = || {
        fresh += 1;
        format!("fresh-{fresh}")
    };
    let now = "2024-05-01T12:00:00Z".parse().expect("a timestamp");
    let Ok(accepted) = webhook.accept(&Head(input.headers), input.body, now, fresh_id) else { return };
    for finished in &accepted.delivery.events {
        let payload = Profile::Cdevent.payload(&finished.event);
        assert!(!payload.contains(&b'\n') && !payload.contains(&b'\r'), "an event is one line");
        let read: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
        assert_eq!(read, finished.event.body);
    }
});
