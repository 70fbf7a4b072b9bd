//! What a conformant parser reads out of a frame frames to the same bytes again. The input is a line with the id, and
//! the payload behind it.
#![no_main]

use fanfare_event::{EventId, Profile, Seq};
use fanfare_stream::frame;
use fanfare_testkit::sse::{Item, Parser};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    let Some((id, payload)) = input.split_once('\n') else { return };
    let Ok(id) = EventId::new(id) else { return };
    let bytes = frame::event(Profile::Cdevent, Seq::FIRST, &id, payload.as_bytes());
    let items = Parser::new().push(&bytes);
    let [Item::Event(event)] = &items[..] else { panic!("{items:?}") };
    assert_eq!((event.kind.as_str(), event.last_event_id.as_str()), ("cdevent", id.as_str()));
    assert_eq!(event.data, payload.replace("\r\n", "\n").replace('\r', "\n"));
    assert_eq!(frame::event(Profile::Cdevent, Seq::FIRST, &id, event.data.as_bytes()), bytes);
});
