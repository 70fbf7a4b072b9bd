//! Hard limits of an event, each with its unit, its reason and what happens at it.
//!
//! What an operator can set lives in the configuration; these cannot be set.

/// Bytes of an event id. An id travels back in a `Last-Event-ID` header, and proxies commonly allow 4 to 8 KiB
/// for all headers together. A longer one is refused.
pub const MAX_EVENT_ID: usize = 512;

/// Bytes of an event type. Types are matched for every distinct subscription. A longer one is refused.
pub const MAX_EVENT_TYPE: usize = 256;

/// Bytes of a type pattern that a client sends: of the longest type, and `.*` behind it. A longer one means nothing and is
/// refused.
pub const MAX_ASKED_PATTERN: usize = MAX_EVENT_TYPE + 2;

/// Type patterns that one request may name. Events are held against each of them. More are refused.
pub const MAX_ASKED_PATTERNS: usize = 64;

/// Bytes of the name of a room or of a user. Clients send several in one URL, and streams are held against them. A longer
/// one is refused.
pub const MAX_NAME: usize = 256;

/// Rooms or users that one event may name for one route. They are kept with the event, and each is looked up when it is
/// delivered. More are refused.
pub const MAX_TARGETS: usize = 100;

/// Bytes of a source or subject. They are not on the wire by themselves, but are kept with the event. A longer
/// one is refused.
pub const MAX_REFERENCE: usize = 4096;

/// Events that one delivery may become, through batches and transformers together. A larger delivery is
/// refused as a whole, because it is appended as one record.
pub const MAX_EVENTS_PER_DELIVERY: usize = 1000;

/// Bytes of a CloudEvents attribute in a header, after percent-decoding. A longer one is refused.
pub const MAX_ATTRIBUTE: usize = 4096;

const _: () = assert!(MAX_EVENT_ID <= 4096, "an id must fit a header line behind common proxies");
const _: () = assert!(MAX_REFERENCE <= MAX_ATTRIBUTE, "a source that is accepted may come in a header");
