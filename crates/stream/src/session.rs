//! One connection: a cursor, a few bytes that go out before it moves, and what to do next.
//!
//! Replay and live are one path. Behind the cursor everything was sent, was hidden from this subscription, or was
//! told to be missing; in front of it the window is read, or, where the cursor has left the window, the log.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use fanfare_event::{Epoch, Position, Profile, Seq};

use crate::fanout::GroupIndex;
use crate::{CloseReason, Entry, Fanout, GroupId, Moment, Subscription, frame};

/// Frames that one turn may write, so that one stream cannot starve the others.
pub const WRITE_BATCH_FRAMES: usize = 64;

/// Bytes of frames after which a turn ends, for the same reason. One frame goes out whatever its size.
pub const WRITE_BATCH_BYTES: usize = 256 * 1024;

/// How long to wait before asking a log again that failed or had nothing new.
const READ_AGAIN: Duration = Duration::from_millis(500);

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
    /// Read the log from here, hand the page to [`Session::page`] (or a failure to [`Session::log_failed`]), then
    /// ask again.
    Read {
        /// The seq to read from.
        from: Seq,
    },
    /// Wait for an event of the group, at most until this moment, then ask again.
    Wait {
        /// That moment.
        until: Moment,
    },
    /// End the stream, without a clean end.
    Close(CloseReason),
}

/// A page of the log, with the frames of its events.
#[derive(Clone, Debug)]
pub struct LogPage {
    /// The events, ascending.
    pub entries: Vec<Entry>,
    /// The log said: ask again from here.
    pub next: Seq,
    /// The oldest that the log still holds.
    pub oldest: Seq,
}

/// A connection's cursor and decisions.
#[derive(Debug)]
pub struct Session {
    group: GroupId,
    options: SessionOptions,
    /// Everything up to here is dealt with.
    after: Option<Seq>,
    /// How many events the group has seen up to `after`; `None` until the cursor first meets the window. From then
    /// on, a difference to the group's own count is what the client has missed.
    index: Option<GroupIndex>,
    /// [`Fanout::overtaken`] when `index` was last compared with the group's count.
    overtaken: u64,
    /// Whether the cursor has jumped over what the log no longer has since then.
    jumped: bool,
    /// Whether the client has kept up once. A client that resumes from far behind is not lagging.
    kept_up: bool,
    /// What goes out before the cursor moves: the opening block, a gap.
    preface: Option<Bytes>,
    /// Frames of one page of the log.
    replay: VecDeque<Bytes>,
    silent_since: Moment,
    read_not_before: Moment,
}

impl Session {
    /// A connection that joined this group.
    pub fn new(group: GroupId, start: Start, options: SessionOptions, now: Moment) -> Self {
        let mut session = Self {
            group,
            options,
            after: start.after,
            index: None,
            overtaken: 0,
            jumped: false,
            kept_up: false,
            preface: None,
            replay: VecDeque::new(),
            silent_since: now,
            read_not_before: now,
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

    /// What to send before the server ends the stream.
    pub fn farewell(&self) -> Option<Bytes> {
        self.options.retry.map(frame::retry)
    }

    /// What to do next. Frames to write are put behind what is in `out`.
    pub fn poll(&mut self, now: Moment, fanout: &Fanout, out: &mut VecDeque<Bytes>) -> Step {
        if let Some(preface) = self.preface.take() {
            out.push_back(preface);
            return self.wrote(now);
        }
        if !self.replay.is_empty() {
            self.write_replay(out);
            return self.wrote(now);
        }
        let met_window = fanout.covers(self.after);
        if met_window && let Some(told) = self.meet_window(fanout) {
            out.push_back(told);
            return self.wrote(now);
        }
        match self.check_lag(fanout) {
            Lag::None => {}
            Lag::Skipped(told) => {
                out.push_back(told);
                return self.wrote(now);
            }
            Lag::TooFar => return Step::Close(CloseReason::Lagged),
        }
        if met_window {
            if self.write_window(fanout, out) {
                return self.wrote(now);
            }
        } else if now >= self.read_not_before {
            return Step::Read { from: self.after.map_or(Seq::FIRST, Seq::next) };
        }
        let keep_alive_at = self.silent_since + self.options.keep_alive;
        if now >= keep_alive_at {
            let position = self.options.retry.map(|_| self.position());
            out.push_back(frame::keep_alive(self.options.profile, position.as_ref()));
            return self.wrote(now);
        }
        let until = if met_window { keep_alive_at } else { keep_alive_at.min(self.read_not_before) };
        Step::Wait { until }
    }

    /// Takes the page that [`Step::Read`] asked for.
    pub fn page(&mut self, now: Moment, page: &LogPage, subscription: &Subscription) {
        let from = self.after.map_or(Seq::FIRST, Seq::next);
        if page.oldest > from {
            // Retention was faster. A client that had kept up is told how many it missed when it meets the window
            // again; one that is still resuming is told now, because nobody counted for it.
            self.after = page.oldest.previous();
            self.jumped = true;
            if self.index.is_none() {
                self.tell_gap(Gap::Expired);
            }
            return;
        }
        if page.next <= from {
            self.read_not_before = now + READ_AGAIN;
            return;
        }
        self.replay.extend(page.entries.iter().filter_map(|entry| subscription.frame(entry)).cloned());
        self.after = page.next.previous();
        if let Some(index) = &mut self.index {
            *index += self.replay.len() as u64;
        }
    }

    /// The read that [`Step::Read`] asked for failed; it is tried again after a while.
    pub fn log_failed(&mut self, now: Moment) {
        self.read_not_before = now + READ_AGAIN;
    }

    fn wrote(&mut self, now: Moment) -> Step {
        self.silent_since = now;
        Step::Write
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
    /// events that it missed.
    fn meet_window(&mut self, fanout: &Fanout) -> Option<Bytes> {
        if self.after > fanout.newest() {
            // The log answered before its tail did. What comes up to `after` is not this client's.
            return None;
        }
        let index = fanout.index_behind(self.group, self.after);
        let jumped = std::mem::take(&mut self.jumped);
        let counted = self.index.replace(index);
        let missed = counted.map_or(0, |counted| index.saturating_sub(counted));
        let uncounted = jumped && counted.is_some() && self.overtaken != fanout.overtaken();
        let told = (missed > 0 || uncounted).then(|| self.missed(fanout, missed));
        self.overtaken = fanout.overtaken();
        told
    }

    /// What is told of events that the client missed: how many, or, where the tail was overtaken meanwhile and nobody
    /// counted, that there are some.
    fn missed(&mut self, fanout: &Fanout, count: u64) -> Bytes {
        let before = std::mem::replace(&mut self.overtaken, fanout.overtaken());
        if before == fanout.overtaken() { frame::lagged(count) } else { self.gap(Gap::Expired) }
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
                let Some((seq, _)) = fanout.frame_at(self.group, kept_from) else { return Lag::None };
                self.after = seq.previous();
                self.index = Some(kept_from);
                Lag::Skipped(self.missed(fanout, kept_from - index))
            }
        }
    }

    fn write_replay(&mut self, out: &mut VecDeque<Bytes>) {
        let mut budget = Budget::default();
        while budget.left()
            && let Some(frame) = self.replay.pop_front()
        {
            budget.spend(&frame);
            out.push_back(frame);
        }
    }

    /// Puts out what the window has behind the cursor. Returns whether that was anything.
    fn write_window(&mut self, fanout: &Fanout, out: &mut VecDeque<Bytes>) -> bool {
        let Some(mut index) = self.index else { return false };
        let mut budget = Budget::default();
        while budget.left()
            && let Some((seq, frame)) = fanout.frame_at(self.group, index)
        {
            budget.spend(frame);
            out.push_back(frame.clone());
            self.after = Some(seq);
            index += 1;
        }
        self.index = Some(index);
        if index == fanout.end(self.group) {
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
