//! The client's decoder: however a stream is cut, it says what the test kit's parser says, which knows nothing of it. The
//! first byte says where to cut, the rest is the stream.
#![no_main]

use bytes::Bytes;
use fanfare_client::{Decoded, Decoder, Message, is_sendable};
use fanfare_testkit::sse::{Item, Parser};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    let (head, tail) = bytes.split_at(usize::from(*cut).min(bytes.len()));
    let mut decoder = Decoder::new(1 << 20, None);
    let mut events = Vec::new();
    for part in [head, tail] {
        decoder.feed(Bytes::copy_from_slice(part));
        while let Some(decoded) = decoder.decode() {
            if let Decoded::Message(Message { kind, data, last_event_id, position }) = decoded {
                assert!(position.is_none_or(|position| is_sendable(&position)));
                events.push((kind, data, last_event_id.as_deref().unwrap_or_default().to_owned()));
            }
        }
    }
    let expected = Parser::new().push(bytes).into_iter().filter_map(|item| match item {
        Item::Event(event) => Some((event.kind, event.data, event.last_event_id)),
        _ => None,
    });
    assert_eq!(events, expected.collect::<Vec<_>>());
});
