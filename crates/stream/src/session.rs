//! One connection: a cursor, a few bytes that go out before it moves, and what to do next.
//!
//! Replay and live are one path. Behind the cursor everything was sent, was hidden from this subscription, or was
//! told to be missing; in front of it the window is read, or, where the cursor has left the window, the log.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use fanfare_event::{Epoch, Position, Profile, Seq};
use jiff::Timestamp;

use crate::fanout::GroupIndex;
use crate::{CloseReason, Fanout, GroupId, Moment, View, frame};

/// Frames that one turn may write from the window, so that one stream cannot starve the others. A stream that is
/// further behind takes whole pages, which it shares with all that are where it is.
pub const WRITE_BATCH_FRAMES: usize = 64;

/// Bytes of frames after which a turn ends, for the same reason. One frame goes out whatever its size.
pub const WRITE_BATCH_BYTES: usize = 256 * 1024;

/// How long to wait before asking a log again that had nothing new, or failed once. Each further failure doubles it.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// How often it doubles at most: a log that failed for long is asked every eight seconds.
const MAX_DOUBLINGS: u32 = 4;

/// How long before the end a client is told that its stream will end, so that it can fetch a new token meanwhile.
pub const EXPIRING_NOTICE: Duration = Duration::from_secs(30);

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

/// What a sink says about its connections, and what is known of this one.
#[derive(Clone, Debug)]
pub struct SessionOptions {
    /// The log's epoch, for positions.
    pub epoch: Epoch,
    /// How the sink writes.
    pub profile: Profile,
    /// Silence after which a keep-alive goes out.
    pub keep_alive: Duration,
    /// Events of its own that the client may fall behind before `on_lag`.
    pub buffer: u64,
    /// What happens then.
    pub on_lag: OnLag,
    /// For a client that reconnects by itself and cannot read headers, how long it should wait before it does, with
    /// the jitter already in it. Such a client gets the opening block, positions in keep-alives, and a `retry:`
    /// before the server ends the stream. `None` for any other.
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
    const fn sentence(self) -> &'static str {
        match self {
            Self::Expired => {
                "expired: some of the events that were missed are no longer kept; the stream goes on with the oldest that is"
            }
            Self::Unknown => "unknown: the last event id is not known here; the stream goes on from now",
        }
    }
}

/// What a connection does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write what was put into `out`, then ask again.
    Write,
    /// Get the page of `from`, hand it to [`Session::page`] (or what else the log says to [`Session::trimmed`],
    /// [`Session::nothing_new`] or [`Session::log_failed`]), then ask again. At `until` ask again in any case.
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

/// A connection's cursor and decisions.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and any of them may be together"
)]
pub struct Session {
    group: GroupId,
    options: SessionOptions,
    /// Everything up to here is dealt with.
    after: Option<Seq>,
    /// How many events the group has seen up to `after`; `None` until the cursor first meets the window. From then
    /// on, a difference to the group's own count is what the client has missed.
    index: Option<GroupIndex>,
    /// Whether the cursor has not left the window since `index` was last compared: nothing can be missed meanwhile.
    is_met: bool,
    /// [`Fanout::overtaken`] when `index` was last compared with the group's count.
    overtaken: u64,
    /// Whether the cursor has jumped over what the log no longer has, and the client was not told yet.
    jumped: bool,
    /// Whether the client was within its buffer once. A client that resumes from far behind is not lagging.
    kept_up: bool,
    /// Whether the client had everything that there was once. Until then it is coming back.
    caught_up: bool,
    /// What goes out before the cursor moves: the opening block, a gap.
    preface: Option<Bytes>,
    /// When the client is told that its stream will end; `None` once it was told, and where it will not.
    notice_at: Option<Moment>,
    /// How many frames were put out.
    frames: u64,
    silent_since: Moment,
    read_not_before: Moment,
    /// How often the log has failed since it last answered.
    failures: u32,
}

impl Session {
    /// A connection that joined this group.
    pub fn new(group: GroupId, start: Start, options: SessionOptions, now: Moment) -> Self {
        let mut session = Self {
            group,
            notice_at: options.expires.map(|expires| expires.at.saturating_sub(EXPIRING_NOTICE)),
            options,
            after: start.after,
            index: None,
            is_met: false,
            overtaken: 0,
            jumped: false,
            kept_up: false,
            caught_up: false,
            preface: None,
            frames: 0,
            silent_since: now,
            read_not_before: now,
            failures: 0,
        };
        let profile = session.options.profile;
        let opening = session.options.retry.map(|retry| frame::opening(profile, &session.position(), retry));
        session.preface = match (frame::greeting(profile), opening) {
            (Some(greeting), Some(opening)) => Some([greeting, opening].concat().into()),
            (greeting, opening) => greeting.or(opening),
        };
        if let Some(gap) = start.gap {
            session.tell_gap(gap);
        }
        session
    }

    /// The group that it belongs to.
    pub fn group(&self) -> GroupId {
        self.group
    }

    /// Where the stream has come to; before the first write, where it starts.
    pub fn position(&self) -> Position {
        Position { epoch: self.options.epoch.clone(), after: self.after }
    }

    /// Everything up to here was sent, was hidden from the subscription, or was told to be missing.
    pub fn after(&self) -> Option<Seq> {
        self.after
    }

    /// What to send before the server ends the stream.
    pub fn farewell(&self) -> Option<Bytes> {
        self.options.retry.map(frame::retry)
    }

    /// How many frames the stream was given: events and everything else.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// What to do next. Frames to write are put behind what is in `out`.
    pub fn poll(&mut self, now: Moment, fanout: &Fanout, out: &mut VecDeque<Bytes>) -> Step {
        if self.options.expires.is_some_and(|expires| now >= expires.at) {
            return Step::Close(CloseReason::TokenExpired);
        }
        if let Some(preface) = self.preface.take() {
            return self.write(preface, now, out);
        }
        if let Some(expires) = self.options.expires
            && self.notice_at.is_some_and(|notice| now >= notice)
        {
            self.notice_at = None;
            return self.write(frame::expiring(expires.time), now, out);
        }
        let met_window = fanout.covers(self.after);
        if let Some(told) = self.meet_window(fanout, met_window) {
            return self.write(told, now, out);
        }
        match self.check_lag(fanout) {
            Lag::None => {}
            Lag::Skipped(told) => return self.write(told, now, out),
            Lag::TooFar => return Step::Close(CloseReason::Lagged),
        }
        let near = met_window && self.behind(fanout) <= WRITE_BATCH_FRAMES as u64;
        if near && self.write_window(fanout, out) {
            self.silent_since = now;
            return Step::Write;
        }
        let keep_alive_at = self.silent_since + self.options.keep_alive;
        if now >= keep_alive_at {
            let position = self.options.retry.map(|_| self.position());
            return self.write(frame::keep_alive(self.options.profile, position.as_ref()), now, out);
        }
        let expires_at =
            self.options.expires.map_or(Moment::MAX, |expires| self.notice_at.unwrap_or(expires.at));
        let until = keep_alive_at.min(expires_at);
        if near {
            return Step::Wait { until };
        }
        if now < self.read_not_before {
            return Step::Wait { until: until.min(self.read_not_before) };
        }
        Step::Read { from: self.from(), in_turn: !(met_window && self.caught_up), until }
    }

    /// Takes the page that [`Step::Read`] asked for. What is to be written of it is put behind what is in `out`.
    pub fn page(&mut self, now: Moment, page: &View, out: &mut VecDeque<Bytes>) {
        let from = self.from();
        if !(page.from()..page.next()).contains(&from) {
            return self.nothing_new(now);
        }
        self.failures = 0;
        let (count, bytes) = page.behind(self.after);
        self.after = page.next().previous();
        if let Some(index) = &mut self.index {
            *index += count;
        }
        if count > 0 {
            self.frames += count;
            self.silent_since = now;
            out.push_back(bytes);
        }
    }

    /// The log that [`Step::Read`] asked no longer has anything before `oldest`.
    pub fn trimmed(&mut self, oldest: Seq) {
        self.failures = 0;
        self.after = self.after.max(oldest.previous());
        self.jumped = true;
    }

    /// The log that [`Step::Read`] asked has nothing yet; it is asked again after a while.
    pub fn nothing_new(&mut self, now: Moment) {
        self.failures = 0;
        self.read_not_before = now + READ_AGAIN;
    }

    /// The read that [`Step::Read`] asked for failed; it is tried again after a while.
    pub fn log_failed(&mut self, now: Moment) {
        self.read_not_before = now + READ_AGAIN * 2_u32.pow(self.failures.min(MAX_DOUBLINGS));
        self.failures += 1;
    }

    fn write(&mut self, frame: Bytes, now: Moment, out: &mut VecDeque<Bytes>) -> Step {
        out.push_back(frame);
        self.frames += 1;
        self.silent_since = now;
        Step::Write
    }

    /// The seq that the cursor is in front of.
    fn from(&self) -> Seq {
        self.after.map_or(Seq::FIRST, Seq::next)
    }

    /// How many events of its group lie before the client.
    fn behind(&self, fanout: &Fanout) -> u64 {
        self.index.map_or(0, |index| fanout.end(self.group).saturating_sub(index))
    }

    fn gap(&self, gap: Gap) -> Bytes {
        frame::gap(self.options.profile, &self.position(), gap.sentence())
    }

    fn tell_gap(&mut self, gap: Gap) {
        let told = self.gap(gap);
        self.preface = Some(match self.preface.take() {
            Some(opening) => [opening, told].concat().into(),
            None => told,
        });
    }

    /// Where the cursor is in the window, its count is compared with the group's. Returns what to tell the client of
    /// events that it missed: how many, or, where nobody counted them, that there are some.
    fn meet_window(&mut self, fanout: &Fanout, met: bool) -> Option<Bytes> {
        let jumped = std::mem::take(&mut self.jumped);
        // Where the log answered before its tail did, what comes up to `after` is not this client's.
        let met = met && self.after <= fanout.newest();
        let was_met = std::mem::replace(&mut self.is_met, met);
        if !met {
            // From here on nobody knows how many it should have seen.
            return jumped.then(|| {
                self.index = None;
                self.gap(Gap::Expired)
            });
        }
        if was_met && !jumped && self.overtaken == fanout.overtaken() {
            return None;
        }
        let index = fanout.index_behind(self.group, self.after);
        let counted = self.index.replace(index);
        let overtaken = self.was_overtaken(fanout);
        self.caught_up |= index == fanout.end(self.group);
        let missed = counted.map_or(0, |counted| index.saturating_sub(counted));
        if missed > 0 && !overtaken {
            return Some(frame::lagged(missed));
        }
        (missed > 0 || jumped && (counted.is_none() || overtaken)).then(|| self.gap(Gap::Expired))
    }

    /// Whether the tail was overtaken since this was last asked.
    fn was_overtaken(&mut self, fanout: &Fanout) -> bool {
        std::mem::replace(&mut self.overtaken, fanout.overtaken()) != fanout.overtaken()
    }

    fn check_lag(&mut self, fanout: &Fanout) -> Lag {
        let Some(index) = self.index else { return Lag::None };
        let end = fanout.end(self.group);
        if end.saturating_sub(index) <= self.options.buffer {
            self.kept_up = true;
            return Lag::None;
        }
        if !self.kept_up {
            return Lag::None;
        }
        match self.options.on_lag {
            OnLag::CatchUp => Lag::None,
            OnLag::Disconnect => Lag::TooFar,
            OnLag::Notice => {
                let kept_from = end - self.options.buffer;
                // With a buffer larger than the window, the log still has what the client may have.
                let Some(seq) = fanout.event_at(self.group, kept_from) else { return Lag::None };
                self.after = seq.previous();
                self.index = Some(kept_from);
                // Nobody counted what the tail was not told.
                let overtaken = self.was_overtaken(fanout);
                let skipped = kept_from - index;
                Lag::Skipped(if overtaken { self.gap(Gap::Expired) } else { frame::lagged(skipped) })
            }
        }
    }

    /// Puts out what the window has behind the cursor. Returns whether that was anything.
    fn write_window(&mut self, fanout: &Fanout, out: &mut VecDeque<Bytes>) -> bool {
        let Some(mut index) = self.index else { return false };
        let mut budget = Budget::default();
        let mut behind = fanout.behind(self.group, self.after);
        while budget.left()
            && let Some((seq, frame)) = behind.next()
        {
            budget.spend(frame);
            out.push_back(frame.clone());
            self.after = Some(seq);
            index += 1;
        }
        self.index = Some(index);
        self.frames += budget.frames as u64;
        if index == fanout.end(self.group) {
            self.caught_up = true;
            // The rest is hidden from this subscription.
            self.after = self.after.max(fanout.newest());
        }
        budget.frames > 0
    }
}

enum Lag {
    None,
    /// What to tell the client of what it skipped.
    Skipped(Bytes),
    TooFar,
}

/// What one turn may still write.
#[derive(Default)]
struct Budget {
    frames: usize,
    bytes: usize,
}

impl Budget {
    fn left(&self) -> bool {
        self.frames < WRITE_BATCH_FRAMES && self.bytes < WRITE_BATCH_BYTES
    }

    fn spend(&mut self, frame: &Bytes) {
        self.frames += 1;
        self.bytes += frame.len();
    }
}

#[cfg(test)]
mod tests;
