//! Any message of a broker: events that can be framed, or a refusal. The input is a line with the routing key, lines
//! `name: value` (`content-type`, `profile`, and headers), an empty line, and the body.
#![no_main]

use fanfare_event::{Object, Profile, Seq, SourceName, SourceNumber, Stored};
use fanfare_source::Intake;
use fanfare_source::amqp::{Amqp, Message, Unconfirmed};
use fanfare_transform::Chain;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(0);
    let (head, body) = (&input[..end], input.get(end + 2..).unwrap_or_default());
    let head = String::from_utf8_lossy(head);
    let mut lines = head.lines();
    let mut message = Message {
        body: body.to_vec(),
        routing_key: lines.next().unwrap_or_default().to_owned(),
        ..Message::default()
    };
    let mut profile = Profile::Cdevent;
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        match name {
            "content-type" => drop(message.properties.insert("content_type".to_owned(), value.into())),
            "profile" => profile = Profile::ALL[value.len() % Profile::ALL.len()],
            _ => drop(message.headers.insert(name.to_owned(), value.into())),
        }
    }
    // What a log gives back as a position may be anybody's.
    if let Ok(unconfirmed) = Unconfirmed::restore(&head, 10) {
        let written = unconfirmed.position_with(&[message.fingerprint()]);
        assert!(Unconfirmed::restore(&written, 10).is_ok());
    }
    let intake = Intake::new(SourceName::new("fuzz"), "http://localhost", Object::new(), Chain::default());
    let amqp = Amqp::new(intake, profile, vec!["kept".to_owned()], 1 << 16);
    let mut fresh = 0;
    let fresh_id = || {
        fresh += 1;
        format!("fresh-{fresh}")
    };
    let now = "2024-05-01T12:00:00Z".parse().expect("a timestamp");
    let Ok(delivery) = amqp.accept(&message, now, fresh_id) else { return };
    for finished in &delivery.events {
        let stored = Stored {
            seq: Seq::FIRST,
            stored_at: now,
            source_number: SourceNumber::FIRST,
            event: finished.event.clone().into(),
        };
        for profile in Profile::ALL {
            let payload = profile.payload(&stored);
            assert!(!payload.contains(&b'\n') && !payload.contains(&b'\r'), "an event is one line");
        }
    }
});
