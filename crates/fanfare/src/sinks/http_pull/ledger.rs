//! What a sink still has to give out: pure, told of the log's pages and of `now`, and giving back what to keep.
//!
//! Kept in memory is what waits: of each event its place, its type and when it was stored. What is confirmed is a bit
//! for each place from `floor` on, and nothing below it. How that is written down is in `record`.

mod marks;
mod record;
mod types;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fanfare_config::Ttl;
use fanfare_event::{Audience, Delivery, EventType, NamePattern, NamePatterns, Seq, SinkName, Stored};
use fanfare_log::{Page, RecordChange, Records};
use jiff::{SignedDuration, Timestamp};

use marks::Marks;
use record::{Batch, State};
use types::Types;

pub(super) use record::Unreadable;

/// Events of one batch, whatever its client asks for. What is left is counted in the answer, and is in the next batch once
/// this one is confirmed.
pub(super) const MAX_BATCH_EVENTS: usize = 10_000;

/// Batches that are remembered for each sink, confirmed or not. With the largest batches they take some 30 MB at worst, and a
/// few hundred KB where events lie side by side. The oldest is forgotten when there are more; its events are still given out.
pub(super) const MAX_BATCHES: usize = 1000;

/// What a sink gives out.
#[derive(Clone, Debug)]
pub(super) struct Offer {
    pub(super) sink: SinkName,
    pub(super) matches: NamePatterns,
    pub(super) ttl: Option<Ttl>,
}

/// What waits, what is confirmed, and which batches are open.
#[derive(Debug)]
pub(super) struct Ledger {
    offer: Offer,
    /// Unconfirmed and on offer, of all that lies before `next`.
    waiting: BTreeMap<Seq, Waiting>,
    /// Nothing of that is too old before this.
    expires: Timestamp,
    types: Types,
    /// The log is read from here on.
    next: Seq,
    /// The first that may be unconfirmed and is not on offer: too old, or of a type that is not meant. Another offer
    /// may have it, so that it is not forgotten that it is there.
    withheld: Option<Seq>,
    /// All that was for this sink before this is confirmed or gone.
    floor: Seq,
    /// The log has nothing before this.
    oldest: Seq,
    /// What is confirmed, from `floor` on.
    marks: Marks,
    batches: BTreeMap<u64, Batch>,
    last_batch: u64,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    kind: types::Slot,
    stored_at: Timestamp,
}

/// What can be given out now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The first of them, ascending.
    pub(super) seqs: Vec<Seq>,
    /// How many there are.
    pub(super) count: u64,
}

/// What confirming a batch comes to.
#[derive(Debug)]
pub(super) enum Confirm {
    /// Nobody knows it.
    Unknown,
    /// It was confirmed before.
    Again,
    /// So many of its events are still in the log, and are confirmed by this.
    Now(Change, usize),
}

/// A change that is applied once it is written down.
#[must_use = "a change that is not applied is written down only"]
#[derive(Debug)]
pub(super) struct Change {
    /// What to write down.
    pub(super) records: Vec<RecordChange>,
    id: u64,
    batch: Batch,
    /// Confirmed by it.
    confirmed: Vec<Seq>,
    forgotten: Vec<u64>,
    floor: Seq,
}

impl Ledger {
    /// A ledger as its records have it. Where what is on offer has changed since, what was withheld is looked at anew.
    pub(super) fn open(offer: Offer, records: &Records) -> Result<Self, Unreadable> {
        let record::Kept { state, marks, batches } = record::read(records)?;
        let next = if state.offer == offer.text() { state.next.max(state.floor) } else { state.floor };
        let last_batch = batches.keys().next_back().copied().unwrap_or(0).max(state.last_batch);
        Ok(Self {
            offer,
            waiting: BTreeMap::new(),
            expires: Timestamp::MAX,
            types: Types::default(),
            next,
            withheld: (next > state.floor).then_some(state.floor),
            floor: state.floor,
            oldest: Seq::FIRST,
            marks,
            batches,
            last_batch,
        })
    }

    /// Where reading the log goes on.
    pub(super) fn next(&self) -> Seq {
        self.next
    }

    /// The largest id that a batch ever had.
    pub(super) fn last_batch(&self) -> u64 {
        self.last_batch
    }

    /// Takes in a page that was read from `next`. Where a part of the log is lost the page says where it goes on; what waits
    /// before that is still there.
    pub(super) fn learn(&mut self, page: &Page, now: Timestamp) {
        for stored in &page.events {
            if stored.seq >= self.next && self.is_meant(stored) && !self.marks.contains(stored.seq) {
                self.take(stored, now);
            }
        }
        self.next = self.next.max(page.next).max(page.oldest);
    }

    /// The log has nothing before this any more.
    pub(super) fn forget_before(&mut self, oldest: Seq) {
        let kept = self.waiting.split_off(&oldest);
        for gone in std::mem::replace(&mut self.waiting, kept).into_values() {
            self.types.release(gone.kind);
        }
        self.oldest = self.oldest.max(oldest);
        self.next = self.next.max(oldest);
        self.floor = self.floor.max(oldest);
        self.withheld = self.withheld.map(|first| first.max(oldest));
    }

    /// The log does not have this event any more.
    pub(super) fn forget(&mut self, seq: Seq) {
        if let Some(gone) = self.waiting.remove(&seq) {
            self.types.release(gone.kind);
        }
    }

    /// What of these types can be given out, the oldest first, at most `max`.
    pub(super) fn due(&mut self, narrow: &NamePatterns, now: Timestamp, max: usize) -> Due {
        self.withhold_expired(now);
        let (wanted, count) = self.types.which(|kind| narrow.matches(kind.as_str()));
        let waiting = self.waiting.iter().filter(|(_, waiting)| wanted[waiting.kind.index()]);
        // Not further than to the last that there is: others may be many.
        let many = usize::try_from(count).unwrap_or(usize::MAX).min(max);
        Due { seqs: waiting.map(|(seq, _)| *seq).take(many).collect(), count }
    }

    /// Makes a batch of these events, ascending and not none.
    pub(super) fn batch(&self, id: u64, seqs: &[Seq]) -> Change {
        self.change(id, Batch::open(seqs), Vec::new())
    }

    /// Confirms a batch.
    pub(super) fn confirm(&self, id: u64) -> Confirm {
        let Some(batch) = self.batches.get(&id) else { return Confirm::Unknown };
        if batch.is_confirmed() {
            return Confirm::Again;
        }
        let count = batch.seqs().filter(|seq| *seq >= self.oldest).count();
        let seqs = batch.seqs().filter(|seq| *seq >= self.floor).collect();
        Confirm::Now(self.change(id, batch.confirmed(), seqs), count)
    }

    /// What was written down holds.
    pub(super) fn apply(&mut self, change: Change) {
        let Change { records: _, id, batch, confirmed, forgotten, floor } = change;
        for seq in confirmed {
            self.marks.insert(seq);
            self.forget(seq);
        }
        self.floor = floor;
        self.marks.remove_before(floor);
        for forgotten in forgotten {
            self.batches.remove(&forgotten);
        }
        self.last_batch = self.last_batch.max(id);
        self.batches.insert(id, batch);
    }

    fn change(&self, id: u64, batch: Batch, confirmed: Vec<Seq>) -> Change {
        let still_waits = |seq: &&Seq| confirmed.binary_search(seq).is_err();
        let next = self.waiting.keys().find(still_waits).copied().unwrap_or(self.next);
        let floor = self.withheld.map_or(next, |withheld| withheld.min(next)).max(self.floor);
        let forgotten = self.outlived(id);
        let state = State { floor, next, offer: self.offer.text(), last_batch: self.last_batch.max(id) };
        let mut records = vec![state.record(), batch.record(id)];
        records.extend(forgotten.iter().map(|id| record::no_batch(*id)));
        records.extend(self.marks.records(&confirmed, floor));
        Change { records, id, batch, confirmed, forgotten, floor }
    }

    /// Batches that are forgotten when this one is written: those whose events are gone, and the oldest of too many.
    fn outlived(&self, id: u64) -> Vec<u64> {
        let gone = |(own, batch): &(&u64, &Batch)| **own != id && batch.last() < self.oldest;
        let mut outlived: BTreeSet<u64> = self.batches.iter().filter(gone).map(|(own, _)| *own).collect();
        let is_new = usize::from(!self.batches.contains_key(&id));
        let surplus = (self.batches.len() + is_new).saturating_sub(outlived.len() + MAX_BATCHES);
        let kept = self.batches.keys().filter(|own| **own != id && !outlived.contains(*own));
        let oldest: Vec<_> = kept.take(surplus).copied().collect();
        outlived.extend(oldest);
        outlived.into_iter().collect()
    }

    fn is_meant(&self, stored: &Stored) -> bool {
        // What is for some clients of a stream is for none here: the sink may have been a stream once.
        let is_to = |to: &Delivery| to.sink == self.offer.sink && to.audience == Audience::Everyone;
        stored.event.deliveries.iter().any(is_to)
    }

    fn take(&mut self, stored: &Stored, now: Timestamp) {
        let kind = &stored.event.kind;
        let stored_at = stored.stored_at;
        if self.offer.matches.matches(kind.as_str()) {
            let ttl = self.offer.ttl_of(kind);
            if !is_expired(stored_at, ttl, now) {
                self.expires = self.expires.min(expiry(stored_at, ttl));
                let kind = self.types.intern(kind, ttl);
                self.waiting.insert(stored.seq, Waiting { kind, stored_at });
                return;
            }
        }
        self.withhold(stored.seq);
    }

    fn withhold(&mut self, seq: Seq) {
        self.withheld = Some(self.withheld.map_or(seq, |first| first.min(seq)));
    }

    fn withhold_expired(&mut self, now: Timestamp) {
        if now < self.expires {
            return;
        }
        let Self { waiting, types, .. } = self;
        let mut expired = Vec::new();
        let mut next = Timestamp::MAX;
        waiting.retain(|seq, waiting| {
            let ttl = types.ttl(waiting.kind);
            let keep = !is_expired(waiting.stored_at, ttl, now);
            if keep {
                next = next.min(expiry(waiting.stored_at, ttl));
            } else {
                expired.push((*seq, waiting.kind));
            }
            keep
        });
        self.expires = next;
        for (seq, kind) in expired {
            self.types.release(kind);
            self.withhold(seq);
        }
    }
}

impl Offer {
    /// For how long events of this type are given out; `None`: for ever.
    fn ttl_of(&self, kind: &EventType) -> Option<Duration> {
        let ttl = self.ttl.as_ref()?;
        let rank = |pattern: &NamePattern| match pattern {
            NamePattern::Exact(_) => (2, 0),
            NamePattern::Below(prefix) => (1, prefix.len()),
            NamePattern::Any => (0, 0),
        };
        let matching = ttl.by_type.iter().filter(|(pattern, _)| pattern.matches(kind.as_str()));
        let by_type = matching.max_by_key(|(pattern, _)| rank(pattern)).map(|(_, ttl)| *ttl);
        Some(by_type.unwrap_or(ttl.default))
    }

    /// Two offers of the same events have the same text.
    fn text(&self) -> String {
        let matches: Vec<_> = self.matches.iter().map(ToString::to_string).collect();
        let ttl = self.ttl.as_ref().map(|ttl| {
            let mut by_type: Vec<_> =
                ttl.by_type.iter().map(|(pattern, ttl)| (pattern.to_string(), ttl.as_millis())).collect();
            by_type.sort_unstable();
            (ttl.default.as_millis(), by_type)
        });
        format!("{:?}", (matches, ttl))
    }
}

fn is_expired(stored_at: Timestamp, ttl: Option<Duration>, now: Timestamp) -> bool {
    ttl.is_some() && now >= expiry(stored_at, ttl)
}

/// When it is too old; the end of time where that is never.
fn expiry(stored_at: Timestamp, ttl: Option<Duration>) -> Timestamp {
    // What is longer than a duration can be, or than there is time, is for ever.
    let ttl = ttl.and_then(|ttl| SignedDuration::try_from(ttl).ok());
    ttl.and_then(|ttl| stored_at.checked_add(ttl).ok()).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
