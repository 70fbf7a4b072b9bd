//! Any request to a webhook: events that can be framed, or a refusal. The input is lines `name: value`, an empty line, and
//! the body.
#![no_main]

mod head;

use fanfare_auth::HeaderRules;
use fanfare_event::{Object, Profile, Seq, SourceName, SourceNumber, Stored};
use fanfare_source::Intake;
use fanfare_source::webhook::Webhook;
use fanfare_transform::Chain;
use libfuzzer_sys::fuzz_target;

use head::Head;

fuzz_target!(|request: &[u8]| {
    let end = request.windows(2).position(|pair| pair == b"\n\n").unwrap_or(0);
    let (head, body) = (&request[..end], request.get(end + 2..).unwrap_or_default());
    let intake = Intake::new(SourceName::new("fuzz"), "http://localhost", Object::new(), Chain::default());
    // A header of the request's own decides, so that one corpus serves both.
    let is_enveloped = head.windows(11).any(|part| part == b"x-envelope:");
    let profile = if is_enveloped { Profile::Envelope } else { Profile::Cdevent };
    let webhook = Webhook::new(intake, profile, HeaderRules::default(), vec!["x-kept".to_owned()], 1 << 16);
    let mut fresh = 0;
    let fresh_id = || {
        fresh += 1;
        format!("fresh-{fresh}")
    };
    let now = "2024-05-01T12:00:00Z".parse().expect("a timestamp");
    let Ok(accepted) = webhook.accept(&Head::read(head), body, now, fresh_id) else { return };
    for finished in &accepted.delivery.events {
        let stored = Stored {
            seq: Seq::FIRST,
            stored_at: now,
            source_number: SourceNumber::FIRST,
            event: finished.event.clone().into(),
        };
        for profile in Profile::ALL {
            let payload = profile.payload(&stored);
            assert!(!payload.contains(&b'\n') && !payload.contains(&b'\r'), "an event is one line");
            let read: serde_json::Value = serde_json::from_slice(&payload).expect("JSON");
            let body = if profile == Profile::Envelope { &read["data"] } else { &read };
            assert_eq!(*body, finished.event.body);
        }
    }
});
