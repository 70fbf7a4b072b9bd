//! Any event of a stream that is listened to: events that can be framed, or a refusal; and any position of a source. The
//! input is a line with the event's name, a line with its id, a line whose length says the profile, and the data.
#![no_main]

use fanfare_event::{Object, Profile, Seq, SourceName, SourceNumber, Stored};
use fanfare_source::Intake;
use fanfare_source::sse::{Message, Missed, Position, Sse};
use fanfare_transform::Chain;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let input = String::from_utf8_lossy(input);
    let mut parts = input.splitn(4, '\n');
    let mut part = || parts.next().unwrap_or_default();
    let (kind, id, profile, data) = (part(), part(), part(), part());
    // What a log gives back as a position may be anybody's.
    if let Ok(position) = Position::restore(data) {
        assert_eq!(Position::restore(&position.to_text()), Ok(position));
    }
    let message = Message {
        kind: kind.to_owned(),
        data: data.to_owned(),
        last_event_id: (!id.is_empty()).then(|| id.into()),
    };
    let mut missed = Missed::default();
    if let Some(text) = message.missed() {
        missed.add(&text);
    }
    let profile = Profile::ALL[profile.len() % Profile::ALL.len()];
    let intake = Intake::new(SourceName::new("fuzz"), "http://localhost", Object::new(), Chain::default());
    let sse = Sse::new(intake, profile, None, "http://localhost/".to_owned());
    let mut fresh = 0;
    let fresh_id = || {
        fresh += 1;
        format!("fresh-{fresh}")
    };
    let now = "2024-05-01T12:00:00Z".parse().expect("a timestamp");
    let Ok(accepted) = sse.accept(&message, &missed, now, fresh_id) else { return };
    for finished in accepted.delivery.events {
        let stored = Stored {
            seq: Seq::FIRST,
            stored_at: now,
            source_number: SourceNumber::FIRST,
            event: finished.event.into(),
        };
        for profile in Profile::ALL {
            let payload = profile.payload(&stored);
            assert!(!payload.contains(&b'\n') && !payload.contains(&b'\r'), "an event is one line");
        }
    }
});
