//! What a session is told, and what it says.

use std::time::Duration;

use fanfare_event::{Epoch, Profile, Seq};
use jiff::Timestamp;

#[cfg(doc)]
use crate::Session;
use crate::frame::Frame;
use crate::{Batch, CloseReason, Moment, View};

/// What happens to a client that falls behind by more than the sink's buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OnLag {
    /// Nothing is skipped: what has left the window is read from the log. Where the log no longer has it, the
    /// client is told how many are missing.
    CatchUp,
    /// What is older than the newest `buffer` events is skipped, and the client is told how many that was.
    Notice,
    /// The connection is closed.
    Disconnect,
}

/// What a sink says about its connections; the same for all of them.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// The log's epoch, for positions.
    pub epoch: Epoch,
    /// How the sink writes.
    pub profile: Profile,
    /// Silence after which a keep-alive goes out.
    pub keep_alive: Duration,
    /// Events of its own that a client may fall behind before `on_lag`.
    pub buffer: u64,
    /// What happens then.
    pub on_lag: OnLag,
}

/// What is known of one client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Client {
    /// For a client that reconnects by itself and cannot read headers, how long it should wait before it does, with
    /// the jitter already in it; in milliseconds. Such a client gets the opening block, positions in keep-alives, and a
    /// `retry:` before the server ends the stream. `None` for any other.
    pub retry: Option<Duration>,
    /// When the stream ends because its client's token does. `None` where it showed none.
    pub expires: Option<Expiry>,
}

/// When a stream's token expires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The end of the stream.
    pub at: Moment,
    /// The same for people, as the token says it.
    pub time: Timestamp,
}

/// Where a stream begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The event behind which it begins.
    pub after: Option<Seq>,
    /// Why that is not where the client asked to begin.
    pub gap: Option<Gap>,
}

/// Why a stream cannot begin where the client asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// Retention has taken what comes next; the stream goes on with the oldest event that is kept.
    Expired,
    /// Nobody knows the event; the stream goes on from now.
    Unknown,
}

impl Gap {
    pub(super) const fn sentence(self) -> &'static str {
        match self {
            Self::Expired => {
                "expired: some of the events that were missed are no longer kept; the stream goes on with the oldest that is"
            }
            Self::Unknown => "unknown: the last event id is not known here; the stream goes on from now",
        }
    }
}

/// What a connection does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write this, then ask again.
    Write(Frame),
    /// Write frames of this, as many as can be written now, say to [`Session::sent`] how many those were, then ask again.
    Batch(Batch),
    /// Get the page of `from`, hand it, or what else the log says, to [`Session::found`], then ask again. At `until` ask
    /// again in any case.
    Read {
        /// The seq to read from.
        from: Seq,
        /// Whether this is a stream that is coming back from far behind. Those wait for their turn, so that the
        /// streams that keep up are not held up by many of them.
        in_turn: bool,
        /// That moment.
        until: Moment,
    },
    /// Wait for an event of the group, at most until this moment, then ask again.
    Wait {
        /// That moment.
        until: Moment,
    },
    /// End the stream, without a clean end.
    Close(CloseReason),
}

/// What came of [`Step::Read`].
#[derive(Clone, Debug)]
pub enum Found {
    /// The part of the log that was asked for.
    Page(View),
    /// The log no longer has anything before this.
    Trimmed(Seq),
    /// There is nothing yet.
    Nothing,
    /// The log did not answer.
    Failed,
}
