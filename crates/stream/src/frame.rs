//! The bytes of Server-Sent Events (WHATWG HTML 9.2.5). Lines end in LF.
//!
//! Ids and event names come as types that cannot hold a line break or NUL; payloads may hold anything.

use std::time::Duration;

use fanfare_event::{EventId, Position, Profile, Seq};
use jiff::Timestamp;

pub use crate::chunk::{Frame, SizeLine};

/// What a stream of a profile begins with, before anything else.
pub fn greeting(profile: Profile) -> Option<Frame> {
    match profile {
        Profile::Cdevent | Profile::Message => None,
        Profile::Envelope => Some(Frame::new(&[b"event: info\ndata: connected\n\n"])),
    }
}

/// One event in a profile. `payload` is what [`Profile::payload`] gives: UTF-8. A line break in it begins another
/// `data:` line; of the three that the specification knows a client sees LF.
pub fn event(profile: Profile, seq: Seq, id: &EventId, payload: &[u8]) -> Frame {
    let name = match profile {
        Profile::Cdevent => "cdevent",
        Profile::Envelope | Profile::Message => "message",
    };
    let (name, id) = (("event: ", name), ("id: ", &*profile.id_of_event(seq, id)));
    // To the specification their order is the same; those who read lines by hand know it from the profile's own documents.
    match profile {
        Profile::Cdevent | Profile::Envelope => block([name, id], payload),
        Profile::Message => block([id, name], payload),
    }
}

/// What is sent on a silent connection. With a position it also moves the client's last event id. Of all
/// profiles but `envelope` it dispatches nothing.
pub fn keep_alive(profile: Profile, position: Option<&Position>) -> Frame {
    let id =
        position.map_or_else(String::new, |position| format!("id: {}\n", profile.id_of_position(position)));
    match profile {
        Profile::Cdevent => format!(": keep-alive\n{id}\n").into(),
        Profile::Message => format!(": keepalive\n{id}\n").into(),
        Profile::Envelope => format!("event: heartbeat\n{id}data: ping\n\n").into(),
    }
}

/// The block that opens a browser's stream: where to resume from, and after how long. It has no data, so it
/// dispatches nothing.
pub fn opening(profile: Profile, position: &Position, retry: Duration) -> Frame {
    format!("id: {}\nretry: {}\n\n", profile.id_of_position(position), retry.as_millis()).into()
}

/// Tells a browser when to come back. Sent just before the server ends a stream.
pub fn retry(retry: Duration) -> Frame {
    format!("retry: {}\n\n", retry.as_millis()).into()
}

/// Tells a client that it missed events for being too slow.
pub fn lagged(skipped: u64) -> Frame {
    format!("event: error\ndata: lagged: {skipped} messages skipped\n\n").into()
}

/// Tells a client that it cannot resume from where it asked to, and that the stream goes on from `position`.
/// A sentence, not JSON: clients in the field take any JSON for an event.
pub fn gap(profile: Profile, position: &Position, sentence: &str) -> Frame {
    format!("event: gap\nid: {}\ndata: {sentence}\n\n", profile.id_of_position(position)).into()
}

/// Tells a client that its token, and its stream with it, ends soon. A sentence, not JSON, for the same reason; without
/// an id, so that the client's last event id stays what it is.
pub fn expiring(time: Timestamp) -> Frame {
    format!("event: expiring\ndata: the token expires at {time}\n\n").into()
}

fn block([(first, one), (second, two)]: [(&str, &str); 2], payload: &[u8]) -> Frame {
    let mut parts: Vec<&[u8]> =
        [first, one, "\n", second, two, "\n"].into_iter().map(str::as_bytes).collect();
    for line in lines(payload) {
        parts.extend([&b"data: "[..], line, b"\n"]);
    }
    parts.push(b"\n");
    Frame::new(&parts)
}

/// The lines between line breaks: CR LF, LF, or CR.
fn lines(mut payload: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut done = false;
    std::iter::from_fn(move || {
        if done {
            return None;
        }
        let Some(end) = payload.iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
            done = true;
            return Some(payload);
        };
        let (line, rest) = payload.split_at(end);
        payload = rest.strip_prefix(b"\r\n").unwrap_or(&rest[1..]);
        Some(line)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanfare_event::Epoch;
    use fanfare_testkit::sse::{Item, Parser};
    use proptest::prelude::*;

    fn position(seq: u64) -> Position {
        Position { epoch: Epoch::new("e1").unwrap(), after: Seq::new(seq) }
    }

    fn seq(number: u64) -> Seq {
        Seq::new(number).unwrap()
    }

    #[test]
    fn the_bytes_are_the_documents() {
        let check = |frame: Frame, expected: &str| assert_eq!(std::str::from_utf8(&frame), Ok(expected));
        let id = EventId::new("e-7").unwrap();
        check(
            event(Profile::Cdevent, seq(7), &id, br#"{"a":1}"#),
            "event: cdevent\nid: e-7\ndata: {\"a\":1}\n\n",
        );
        check(
            event(Profile::Cdevent, seq(7), &id, b"a\nb\r\nc\rd"),
            "event: cdevent\nid: e-7\ndata: a\ndata: b\ndata: c\ndata: d\n\n",
        );
        check(event(Profile::Cdevent, seq(7), &id, b""), "event: cdevent\nid: e-7\ndata: \n\n");
        check(event(Profile::Cdevent, seq(7), &id, b"\n"), "event: cdevent\nid: e-7\ndata: \ndata: \n\n");
        check(keep_alive(Profile::Cdevent, None), ": keep-alive\n\n");
        check(keep_alive(Profile::Cdevent, Some(&position(7))), ": keep-alive\nid: @e1.7\n\n");
        check(opening(Profile::Cdevent, &position(0), Duration::from_secs(3)), "id: @e1.0\nretry: 3000\n\n");
        check(retry(Duration::from_millis(1500)), "retry: 1500\n\n");
        check(lagged(15), "event: error\ndata: lagged: 15 messages skipped\n\n");
        check(
            gap(Profile::Cdevent, &position(7), "unknown: so"),
            "event: gap\nid: @e1.7\ndata: unknown: so\n\n",
        );
        check(
            expiring("2026-11-21T15:00:00Z".parse().unwrap()),
            "event: expiring\ndata: the token expires at 2026-11-21T15:00:00Z\n\n",
        );
        assert_eq!(greeting(Profile::Cdevent), None);
    }

    #[test]
    fn the_bytes_of_envelopes_are_inboxclaws() {
        let check = |frame: Frame, expected: &str| assert_eq!(std::str::from_utf8(&frame), Ok(expected));
        let (profile, id) = (Profile::Envelope, EventId::new("evt_abc").unwrap());
        check(greeting(profile).unwrap(), "event: info\ndata: connected\n\n");
        check(event(profile, seq(42), &id, b"{}"), "event: message\nid: 42\ndata: {}\n\n");
        check(keep_alive(profile, None), "event: heartbeat\ndata: ping\n\n");
        check(keep_alive(profile, Some(&position(7))), "event: heartbeat\nid: 7\ndata: ping\n\n");
        check(opening(profile, &position(0), Duration::from_secs(3)), "id: 0\nretry: 3000\n\n");
        check(gap(profile, &position(7), "expired: so"), "event: gap\nid: 7\ndata: expired: so\n\n");
    }

    #[test]
    fn the_bytes_of_messages_are_mycels() {
        let check = |frame: Frame, expected: &str| assert_eq!(std::str::from_utf8(&frame), Ok(expected));
        let (profile, id) = (Profile::Message, EventId::new("evt_abc").unwrap());
        assert_eq!(greeting(profile), None);
        check(event(profile, seq(42), &id, b"{}"), "id: 42\nevent: message\ndata: {}\n\n");
        check(keep_alive(profile, None), ": keepalive\n\n");
        check(keep_alive(profile, Some(&position(7))), ": keepalive\nid: 7\n\n");
    }

    proptest! {
        /// What a conformant parser reads out of a frame frames to the same bytes again.
        #[test]
        fn frame_parse_frame_is_the_identity(id in "[^\\p{Cc}\\s]{1,40}", payload in "\\PC*|[a-z\\n\\r]{0,40}") {
            prop_assume!(EventId::new(&id).is_ok());
            let id = EventId::new(&id).unwrap();
            let frame = event(Profile::Cdevent, seq(7), &id, payload.as_bytes());
            let parsed: Vec<_> = Parser::new().push(&frame);
            let [Item::Event(read)] = &parsed[..] else { panic!("{parsed:?}") };
            prop_assert_eq!((read.kind.as_str(), read.last_event_id.as_str()), ("cdevent", id.as_str()));
            prop_assert_eq!(&read.data, &payload.replace("\r\n", "\n").replace('\r', "\n"));
            prop_assert_eq!(event(Profile::Cdevent, seq(7), &id, read.data.as_bytes()), frame);
        }
    }
}
