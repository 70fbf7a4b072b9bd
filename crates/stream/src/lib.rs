//! Fan-out and resume, without I/O and without a clock: it takes payload bytes and `now`, and returns what to do.
//!
//! - [`frame`]: the bytes of Server-Sent Events (WHATWG HTML 9.2), with the framing of a chunk of HTTP/1.1 around them.
//! - [`Fanout`]: the newest frames, and for each distinct subscription which of them it sees.
//! - [`PageCache`]: what was read of the log lately, encoded once for all that are behind.
//! - [`Session`]: one connection's cursor, and what it does next: write, read the log, wait, or close.
//! - [`Batch`]: what the window has behind a cursor, taken once for all of a group that are there.
//!
//! Sockets, timers, tasks and JSON live above.

mod batch;
mod cache;
mod chunk;
mod close;
mod entry;
mod fanout;
pub mod frame;
mod page;
mod session;
mod slab;

pub use batch::{Batch, WRITE_BATCH_BYTES, WRITE_BATCH_FRAMES};
pub use cache::PageCache;
pub use close::CloseReason;
pub use entry::{Entry, Frames, Subscription};
/// The place of an event in the log, which is what a cursor is made of.
pub use fanfare_event::Seq;
pub use fanout::{Fanout, GroupId, MAX_PATTERNS, MAX_PLACES, WindowLimits};
pub use page::{PAGE_BYTES, PAGE_EVENTS, View};
pub use session::{Client, EXPIRING_NOTICE, Expiry, Found, Gap, OnLag, Session, SessionOptions, Start, Step};

/// Time since an origin of the caller's choosing, the same for all calls.
pub type Moment = std::time::Duration;
