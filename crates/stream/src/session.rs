//! One connection: a cursor, a few bytes that go out before it moves, and what to do next. The words for that are in
//! `terms`; what comes from the log is taken in `reading`.
//!
//! Replay and live are one path. Behind the cursor everything was sent, was hidden from this subscription, or was
//! told to be missing; in front of it the window is read, or, where the cursor has left the window, the log.

use std::sync::Arc;
use std::time::Duration;

use fanfare_event::{Position, Seq};

use crate::fanout::GroupIndex;
use crate::frame::Frame;
use crate::{Batch, CloseReason, Fanout, GroupId, Moment, frame};

mod reading;
mod terms;

pub use terms::{Client, Expiry, Found, Gap, OnLag, SessionOptions, Start, Step};

/// How long before the end a client is told that its stream will end, so that it can fetch a new token meanwhile.
pub const EXPIRING_NOTICE: Duration = Duration::from_secs(30);

/// A connection's cursor and decisions. There is one for each client, so it is small: what all clients of a sink have in
/// common is elsewhere, and so is what most of them do not have.
#[derive(Debug)]
pub struct Session {
    options: Arc<SessionOptions>,
    /// What only few have, or only at first.
    rare: Option<Box<Rare>>,
    /// Everything up to here is dealt with.
    after: Option<Seq>,
    /// How many events the group has seen up to `after`, where that `is_counted`. Then a difference to the group's own count
    /// is what the client has missed.
    index: GroupIndex,
    /// [`Fanout::overtaken`] when `index` was last compared with the group's count.
    overtaken: u64,
    /// How many frames were put out.
    frames: u64,
    silent_since: Millis,
    group: GroupId,
    /// [`Client::retry`]; 0 for none.
    retry: u32,
    flags: Flags,
}

/// Facts of a session, of which any may be together.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct Flags {
    /// The cursor has met the window once, so that there is an index.
    is_counted: bool,
    /// The cursor has not left the window since `index` was last compared: nothing can be missed meanwhile.
    is_met: bool,
    /// The cursor has jumped over what the log no longer has, and the client was not told yet.
    jumped: bool,
    /// The client was within its buffer once. A client that resumes from far behind is not lagging.
    kept_up: bool,
    /// The client had everything that there was once. Until then it is coming back.
    caught_up: bool,
}

/// What only few sessions have, or only at first.
#[derive(Debug, Default)]
struct Rare {
    /// What goes out before the cursor moves: the opening block, a gap.
    preface: Option<Frame>,
    expires: Option<Expiry>,
    /// When the client is told that its stream will end; `None` once it was told, and where it will not.
    notice_at: Option<Moment>,
    /// When a log that had nothing new, or failed, is asked again.
    read_not_before: Moment,
    /// How often the log has failed since it last answered.
    failures: u32,
}

impl Rare {
    fn is_needed(&self, now: Moment) -> bool {
        self.preface.is_some() || self.expires.is_some() || self.failures > 0 || now < self.read_not_before
    }
}

/// A moment in eight bytes.
#[derive(Clone, Copy, Debug)]
struct Millis(u64);

impl Millis {
    fn of(moment: Moment) -> Self {
        Self(u64::try_from(moment.as_millis()).unwrap_or(u64::MAX))
    }

    fn moment(self) -> Moment {
        Moment::from_millis(self.0)
    }
}

impl Session {
    /// A connection that joined this group.
    pub fn new(
        group: GroupId,
        start: Start,
        options: Arc<SessionOptions>,
        Client { retry, expires }: Client,
        now: Moment,
    ) -> Self {
        // Zero means none, and no client is told to wait for longer than 49 days.
        let retry = retry.map_or(0, |retry| u32::try_from(retry.as_millis()).unwrap_or(u32::MAX).max(1));
        let mut session = Self {
            options,
            rare: None,
            after: start.after,
            index: 0,
            overtaken: 0,
            frames: 0,
            silent_since: Millis::of(now),
            group,
            retry,
            flags: Flags::default(),
        };
        let profile = session.options.profile;
        let opening = session.retry().map(|retry| frame::opening(profile, &session.position(), retry));
        let told = start.gap.map(|gap| session.gap(gap));
        let parts = [frame::greeting(profile), opening, told];
        let parts: Vec<&[u8]> = parts.iter().flatten().map(|part| &**part).collect();
        if !parts.is_empty() || expires.is_some() {
            let preface = (!parts.is_empty()).then(|| Frame::new(&parts));
            let notice_at = expires.map(|expires| expires.at.saturating_sub(EXPIRING_NOTICE));
            session.rare = Some(Rare { preface, expires, notice_at, ..Rare::default() }.into());
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
    pub fn farewell(&self) -> Option<Frame> {
        self.retry().map(frame::retry)
    }

    /// How many frames the stream was given: events and everything else.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// What to do next.
    pub fn poll(&mut self, now: Moment, fanout: &Fanout) -> Step {
        if let Some(step) = self.poll_rare(now) {
            return step;
        }
        let met_window = fanout.covers(self.after);
        if let Some(told) = self.meet_window(fanout, met_window) {
            return self.write(told, now);
        }
        match self.check_lag(fanout) {
            Lag::None => {}
            Lag::Skipped(told) => return self.write(told, now),
            Lag::TooFar => return Step::Close(CloseReason::Lagged),
        }
        let near = met_window && self.behind(fanout) <= crate::WRITE_BATCH_FRAMES as u64;
        if near && let Some(batch) = self.batch(fanout) {
            return Step::Batch(batch);
        }
        let keep_alive_at = self.silent_since.moment() + self.options.keep_alive;
        if now >= keep_alive_at {
            let position = self.retry().map(|_| self.position());
            return self.write(frame::keep_alive(self.options.profile, position.as_ref()), now);
        }
        let until = keep_alive_at.min(self.expiry_due());
        if near {
            return Step::Wait { until };
        }
        let read_not_before = self.rare.as_ref().map_or(Moment::ZERO, |rare| rare.read_not_before);
        if now < read_not_before {
            return Step::Wait { until: until.min(read_not_before) };
        }
        Step::Read { from: self.from(), in_turn: !(met_window && self.flags.caught_up), until }
    }

    /// Whether the frames of a batch are just what [`Session::poll`] would say now to write next. Meant for a batch that one
    /// of the group was given and that has all that the group saw since.
    pub fn follows(&self, batch: &Batch, now: Moment) -> bool {
        let Flags { is_counted, is_met, jumped, kept_up, .. } = self.flags;
        self.group == batch.group
            && is_counted
            && is_met
            && !jumped
            && self.index == batch.index
            && self.overtaken == batch.overtaken
            && self.rare.as_ref().is_none_or(|rare| rare.preface.is_none() && now < self.expiry_due())
            && (!kept_up
                || self.options.on_lag == OnLag::CatchUp
                || batch.end - self.index <= self.options.buffer)
    }

    /// The first so many frames of a batch were sent, or will be whatever happens.
    pub fn sent(&mut self, batch: &Batch, count: usize, now: Moment) {
        let Some(last) = batch.seqs.get(..count).and_then(<[Seq]>::last) else { return };
        self.flags.kept_up |= batch.end.saturating_sub(self.index) <= self.options.buffer;
        self.after = self.after.max(Some(*last));
        self.index += count as u64;
        self.frames += count as u64;
        self.silent_since = Millis::of(now);
        if batch.is_all() && self.index == batch.end {
            self.flags.caught_up = true;
            // The rest is hidden from this subscription.
            self.after = self.after.max(batch.newest);
        }
    }

    /// What comes before anything that the window has to say.
    fn poll_rare(&mut self, now: Moment) -> Option<Step> {
        let rare = self.rare.as_mut()?;
        if rare.expires.is_some_and(|expires| now >= expires.at) {
            return Some(Step::Close(CloseReason::TokenExpired));
        }
        let told = rare.preface.take().or_else(|| {
            let expires = rare.expires?;
            rare.notice_at.take_if(|notice| now >= *notice)?;
            Some(frame::expiring(expires.time))
        });
        if !rare.is_needed(now) {
            self.rare = None;
        }
        told.map(|told| self.write(told, now))
    }

    /// When the client is to be told that its stream will end, or it ends.
    fn expiry_due(&self) -> Moment {
        let Some(rare) = &self.rare else { return Moment::MAX };
        rare.expires.map_or(Moment::MAX, |expires| rare.notice_at.unwrap_or(expires.at))
    }

    fn retry(&self) -> Option<Duration> {
        (self.retry > 0).then(|| Duration::from_millis(self.retry.into()))
    }

    fn write(&mut self, frame: Frame, now: Moment) -> Step {
        self.frames += 1;
        self.silent_since = Millis::of(now);
        Step::Write(frame)
    }

    /// The seq that the cursor is in front of.
    fn from(&self) -> Seq {
        self.after.map_or(Seq::FIRST, Seq::next)
    }

    /// How many events of its group lie before the client.
    fn behind(&self, fanout: &Fanout) -> u64 {
        if self.flags.is_counted { fanout.end(self.group).saturating_sub(self.index) } else { 0 }
    }

    fn gap(&self, gap: Gap) -> Frame {
        frame::gap(self.options.profile, &self.position(), gap.sentence())
    }

    /// Where the cursor is in the window, its count is compared with the group's. Returns what to tell the client of
    /// events that it missed: how many, or, where nobody counted them, that there are some.
    fn meet_window(&mut self, fanout: &Fanout, met: bool) -> Option<Frame> {
        let jumped = std::mem::take(&mut self.flags.jumped);
        // Where the log answered before its tail did, what comes up to `after` is not this client's.
        let met = met && self.after <= fanout.newest();
        let was_met = std::mem::replace(&mut self.flags.is_met, met);
        if !met {
            // From here on nobody knows how many it should have seen.
            return jumped.then(|| {
                self.flags.is_counted = false;
                self.gap(Gap::Expired)
            });
        }
        if was_met && !jumped && self.overtaken == fanout.overtaken() {
            return None;
        }
        let index = fanout.index_behind(self.group, self.after);
        let counted = std::mem::replace(&mut self.index, index);
        let was_counted = std::mem::replace(&mut self.flags.is_counted, true);
        let overtaken = self.was_overtaken(fanout);
        self.flags.caught_up |= index == fanout.end(self.group);
        let missed = if was_counted { index.saturating_sub(counted) } else { 0 };
        if missed > 0 && !overtaken {
            return Some(frame::lagged(missed));
        }
        (missed > 0 || jumped && (!was_counted || overtaken)).then(|| self.gap(Gap::Expired))
    }

    /// Whether the tail was overtaken since this was last asked.
    fn was_overtaken(&mut self, fanout: &Fanout) -> bool {
        std::mem::replace(&mut self.overtaken, fanout.overtaken()) != fanout.overtaken()
    }

    fn check_lag(&mut self, fanout: &Fanout) -> Lag {
        if !self.flags.is_counted {
            return Lag::None;
        }
        let (index, end) = (self.index, fanout.end(self.group));
        if end.saturating_sub(index) <= self.options.buffer {
            self.flags.kept_up = true;
            return Lag::None;
        }
        if !self.flags.kept_up {
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
                self.index = kept_from;
                // Nobody counted what the tail was not told.
                let overtaken = self.was_overtaken(fanout);
                let skipped = kept_from - index;
                Lag::Skipped(if overtaken { self.gap(Gap::Expired) } else { frame::lagged(skipped) })
            }
        }
    }

    /// What the window has behind the cursor, if it has anything. Otherwise the cursor moves behind what is hidden from this
    /// subscription.
    fn batch(&mut self, fanout: &Fanout) -> Option<Batch> {
        if !self.flags.is_counted {
            return None;
        }
        let batch = Batch::take(fanout, self.group, self.after, self.index);
        if batch.is_none() && self.index == fanout.end(self.group) {
            self.flags.caught_up = true;
            self.after = self.after.max(fanout.newest());
        }
        batch
    }
}

enum Lag {
    None,
    /// What to tell the client of what it skipped.
    Skipped(Frame),
    TooFar,
}

#[cfg(test)]
mod tests;
