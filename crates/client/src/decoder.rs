//! From bytes to events, by WHATWG HTML 9.2.6, and what of an id can be resumed from. Pure.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use reqwest::header::HeaderValue;
use sse_core::{SseDecoder, SseEvent};

/// Bytes of an id that is sent back. Servers commonly take 8 KiB of headers together, and refuse more.
const MAX_SENT_ID: usize = 4096;

/// An event, as the standard dispatches it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Its type: `message`, where the server names none.
    pub kind: String,
    /// Its data; lines are joined with LF.
    pub data: String,
    /// The last event id string: this event's own, or that of the last block before it that has one. `None` where there is
    /// none, or the server has taken it back.
    pub last_event_id: Option<Arc<str>>,
    /// What resumes behind this event: the same, or the one before where it cannot be sent ([`is_sendable`]).
    pub position: Option<Arc<str>>,
}

/// What stands in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded {
    /// An event.
    Message(Message),
    /// Where to resume has moved without an event: a block has an id alone.
    Moved(Option<Arc<str>>),
    /// The server says how long to wait before coming back.
    Retry(Duration),
    /// An event was larger than allowed and is left out.
    TooLarge,
}

/// The decoder of one stream. What it is given in one piece or in a thousand makes no difference.
#[derive(Clone, Debug)]
pub struct Decoder {
    lines: SseDecoder,
    pending: Bytes,
    position: Option<Arc<str>>,
}

impl Decoder {
    /// A decoder at the start of a stream that resumes from a position. `max_event` bounds the bytes of an event's data.
    pub fn new(max_event: usize, position: Option<Arc<str>>) -> Self {
        let max_event = NonZeroUsize::new(max_event).unwrap_or(NonZeroUsize::MIN);
        let mut lines = SseDecoder::with_limit(max_event);
        lines.reconnect_with_id(position.clone());
        Self { lines, pending: Bytes::new(), position }
    }

    /// Takes the next bytes of the stream. Everything of those before must have been asked for.
    pub fn feed(&mut self, bytes: Bytes) {
        debug_assert!(!self.pending.has_remaining(), "bytes are taken when those before are used up");
        self.pending = bytes;
    }

    /// What resumes behind all that was told.
    pub fn position(&self) -> Option<&Arc<str>> {
        self.position.as_ref()
    }

    /// The next thing that the bytes complete.
    pub fn decode(&mut self) -> Option<Decoded> {
        match self.lines.next(&mut self.pending) {
            Some(Ok(SseEvent::Message(event))) => {
                self.moved(event.last_event_id.as_ref());
                Some(Decoded::Message(Message {
                    kind: event.event.into_owned(),
                    data: event.data,
                    last_event_id: event.last_event_id,
                    position: self.position.clone(),
                }))
            }
            Some(Ok(SseEvent::Retry(milliseconds))) => {
                Some(Decoded::Retry(Duration::from_millis(milliseconds.into())))
            }
            Some(Err(_)) => Some(Decoded::TooLarge),
            None => {
                let id = self.lines.last_event_id().cloned();
                self.moved(id.as_ref()).then(|| Decoded::Moved(self.position.clone()))
            }
        }
    }

    fn moved(&mut self, id: Option<&Arc<str>>) -> bool {
        if self.position.as_ref() == id || !id.is_none_or(|id| is_sendable(id)) {
            return false;
        }
        self.position = id.cloned();
        true
    }
}

/// Whether an id can be sent back as it is (`Last-Event-ID`, RFC 9110, 5.5): without control characters, without white space
/// at its ends, and of at most 4 KiB.
#[must_use]
pub fn is_sendable(id: &str) -> bool {
    let is_blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    id.len() <= MAX_SENT_ID
        && !is_blank(id.as_bytes().first())
        && !is_blank(id.as_bytes().last())
        && HeaderValue::from_bytes(id.as_bytes()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanfare_testkit::sse::{Item, Parser};
    use proptest::prelude::*;

    /// What a stream of these pieces says to a client that resumes from a position.
    fn decode(pieces: &[&[u8]], max_event: usize, position: Option<&str>) -> Vec<Decoded> {
        let mut decoder = Decoder::new(max_event, position.map(Arc::from));
        let mut all = Vec::new();
        for piece in pieces {
            decoder.feed(Bytes::copy_from_slice(piece));
            all.extend(std::iter::from_fn(|| decoder.decode()));
        }
        all
    }

    fn message(kind: &str, data: &str, id: Option<&str>) -> Decoded {
        let id: Option<Arc<str>> = id.map(Arc::from);
        let (kind, data) = (kind.to_owned(), data.to_owned());
        Decoded::Message(Message { kind, data, last_event_id: id.clone(), position: id })
    }

    fn moved(id: Option<&str>) -> Decoded {
        Decoded::Moved(id.map(Arc::from))
    }

    #[test]
    fn a_block_with_an_id_alone_moves_where_to_resume() {
        let opening = b"id: @e.7\nretry: 3000\n\n";
        let retry = Decoded::Retry(Duration::from_secs(3));
        assert_eq!(decode(&[opening], 99, None), [retry, moved(Some("@e.7"))]);
        // What the next event says counts, if it is there already.
        assert_eq!(decode(&[b"id: 1\n\nid: 2\ndata: a\n\n"], 99, None), [message("message", "a", Some("2"))]);
        assert_eq!(decode(&[b"id: 1\n\ndata: a\n\n"], 99, None), [message("message", "a", Some("1"))]);
        assert_eq!(decode(&[b"id\n\n"], 99, Some("1")), [moved(None)]);
        assert_eq!(decode(&[b": keep-alive\n\n", b"id: 1\n\n", b"id: 2\n"], 99, Some("1")), []);
    }

    #[test]
    fn an_id_that_cannot_be_sent_back_is_told_and_not_resumed_from() {
        let long = "i".repeat(MAX_SENT_ID + 1);
        for id in ["a\u{1}b", "\u{7f}", " a", "a\t", &long] {
            let stream = format!("id: {id}\ndata: a\n\n");
            let expected = Message {
                kind: "message".to_owned(),
                data: "a".to_owned(),
                last_event_id: Some(id.into()),
                position: Some("before".into()),
            };
            let decoded = decode(&[stream.as_bytes()], 1 << 20, Some("before"));
            assert_eq!(decoded, [Decoded::Message(expected)], "{id:?}");
        }
        assert!(is_sendable("Größe, a b\tc"));
    }

    #[test]
    fn an_event_that_is_too_large_is_left_out_and_the_next_is_not() {
        let stream = b"id: 1\ndata: 12345\n\nid: 2\ndata: 123456\ndata: 7\nid: 3\n\nid: 4\ndata: x\n\n";
        let all =
            [message("message", "12345", Some("1")), Decoded::TooLarge, message("message", "x", Some("4"))];
        assert_eq!(decode(&[stream], 5, None), all);
    }

    /// Lines of which some are fields, in the three line ends, and now and then nothing a server would send.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            4 => "(data|id|event|retry|foo|)(:| : ?|: )?[a-c0-9: ]{0,4}",
            1 => "(data|id): [\\x00\u{feff}\u{1f600}é]{0,3}",
            2 => Just(String::new()),
        ];
        let end = prop_oneof![Just("\n"), Just("\r"), Just("\r\n")];
        let lines = prop::collection::vec((line, end), 0..40);
        let mark = prop::bool::weighted(0.2);
        let noise = prop::collection::vec(any::<u8>(), 0..4);
        (mark, lines, noise).prop_map(|(mark, lines, noise)| {
            let mut bytes = if mark { b"\xef\xbb\xbf".to_vec() } else { Vec::new() };
            for (line, end) in lines {
                bytes.extend_from_slice(line.as_bytes());
                bytes.extend_from_slice(end.as_bytes());
            }
            bytes.extend(noise);
            bytes
        })
    }

    proptest! {
        /// Two readings of the standard that know nothing of each other say the same, in whatever pieces the bytes come.
        #[test]
        fn it_is_read_as_the_standard_says(stream in stream(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<_> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();

            let mut parser = Parser::new();
            let mut expected = Vec::new();
            for item in parser.push(&stream) {
                if let Item::Event(event) = item {
                    expected.push((event.kind, event.data, event.last_event_id));
                }
            }
            let decoded = decode(&pieces, 1 << 20, None);
            let events: Vec<_> = decoded.iter().filter_map(|decoded| match decoded {
                Decoded::Message(Message { kind, data, last_event_id, .. }) => {
                    Some((kind.clone(), data.clone(), last_event_id.as_deref().unwrap_or_default().to_owned()))
                }
                _ => None,
            }).collect();
            prop_assert_eq!(events, expected);

            let retry = decoded.iter().rev().find_map(|decoded| match decoded {
                Decoded::Retry(delay) => Some(delay.as_millis()),
                _ => None,
            });
            prop_assert_eq!(retry, parser.retry().map(u128::from));

            let position = decoded.iter().rev().find_map(|decoded| match decoded {
                Decoded::Message(Message { position, .. }) | Decoded::Moved(position) => Some(position.clone()),
                _ => None,
            });
            let id = parser.last_event_id();
            if id.is_empty() || is_sendable(id) {
                let position = position.flatten();
                prop_assert_eq!(position.as_deref().unwrap_or_default(), id);
            }
        }
    }
}
