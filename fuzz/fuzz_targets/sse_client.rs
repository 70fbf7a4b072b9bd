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
    let (mut events, mut retry) = (Vec::new(), None);
    for part in [head, tail] {
        decoder.feed(Bytes::copy_from_slice(part));
        while let Some(decoded) = decoder.decode() {
            match decoded {
                Decoded::Message(Message { kind, data, last_event_id, position }) => {
                    assert!(position.is_none_or(|position| is_sendable(&position)));
                    events.push((kind, data, last_event_id.as_deref().unwrap_or_default().to_owned()));
                }
                Decoded::Retry(delay) => retry = Some(delay.as_millis()),
                Decoded::Moved(_) | Decoded::TooLarge => {}
            }
        }
    }
    let mut parser = Parser::new();
    let expected = parser.push(bytes).into_iter().filter_map(|item| match item {
        Item::Event(event) => Some((event.kind, event.data, event.last_event_id)),
        _ => None,
    });
    assert_eq!(events, expected.collect::<Vec<_>>());
    let id = parser.last_event_id();
    if is_sendable(id) {
        assert_eq!(decoder.position().map(AsRef::as_ref).unwrap_or_default(), id);
    }
    // The decoder takes no wait of more than 49 days; the client waits for minutes at most.
    if parser.retry().is_none_or(|retry| u32::try_from(retry).is_ok()) {
        assert_eq!(retry, parser.retry().map(u128::from));
    }
});
