//! What all threads share: where the log stands, and the newest events, which the tail gets from here and not from the
//! file. Only the writer changes it, after each commit.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fanfare_event::{Seq, Stored};
use tokio::sync::watch;

use crate::{Bounds, Page};

/// Events that are kept ready. The tail is only behind by more while its process is starved.
const MAX_EVENTS: usize = 4096;

/// Bytes of them, as [`fanfare_event::Event::weight`] estimates; 16 MiB.
const MAX_BYTES: usize = 16 << 20;

/// Bytes of events after which a page ends, so that a few large ones cannot fill the memory of many readers.
pub(super) const PAGE_BYTES: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct Newest {
    state: Mutex<Standing>,
    /// Sent while the state is locked, so it never runs ahead of the state.
    wake: watch::Sender<()>,
}

/// Where the log stands.
#[derive(Debug)]
pub(super) struct Standing {
    /// The seq that the next event gets.
    pub(super) next: Seq,
    /// The oldest event that is held; `next` where none is. Raised before retention removes anything.
    pub(super) oldest: Seq,
    /// The newest row in the file.
    pub(super) last: Option<Seq>,
    /// All events from here on that are held are in `ring`.
    ring_from: Seq,
    ring: VecDeque<(Stored, usize)>,
    bytes: usize,
}

impl Newest {
    pub(super) fn new(next: Seq, oldest: Seq, last: Option<Seq>) -> Self {
        let state = Standing { next, oldest, last, ring_from: next, ring: VecDeque::new(), bytes: 0 };
        Self { state: Mutex::new(state), wake: watch::channel(()).0 }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Standing> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.wake.subscribe()
    }

    pub(super) fn bounds(&self) -> Bounds {
        let state = self.lock();
        Bounds { oldest: state.oldest, newest: state.next.previous() }
    }

    /// Events were committed, and these are all since the last time.
    pub(super) fn publish(&self, events: Vec<Stored>, next: Seq) {
        let mut state = self.lock();
        if let (Some(first), Some(last)) = (events.first(), events.last()) {
            if state.last.is_none_or(|newest| newest < state.oldest) {
                state.oldest = first.seq;
            }
            state.last = Some(last.seq);
        }
        for stored in events {
            let weight = stored.event.weight();
            state.bytes += weight;
            state.ring.push_back((stored, weight));
        }
        state.next = next;
        while state.ring.len() > MAX_EVENTS || state.bytes > MAX_BYTES {
            state.drop_first();
        }
        self.wake.send_replace(());
    }

    /// The file turned out to hold more than was known: what is in it is read from it.
    pub(super) fn restart(&self, next: Seq, last: Option<Seq>) {
        let mut state = self.lock();
        state.next = next;
        state.last = last;
        state.ring.clear();
        state.bytes = 0;
        state.ring_from = next;
        self.wake.send_replace(());
    }

    /// Retention takes everything before `oldest`, or everything there is.
    pub(super) fn forget(&self, oldest: Option<Seq>) {
        let mut state = self.lock();
        let oldest = oldest.unwrap_or(state.next);
        state.oldest = state.oldest.max(oldest);
        while state.ring.front().is_some_and(|(stored, _)| stored.seq < oldest) {
            state.drop_first();
        }
        self.wake.send_replace(());
    }

    /// A page out of memory, if it has all of it.
    pub(super) fn page(&self, from: Seq, max: usize) -> Option<Page> {
        let state = self.lock();
        if from < state.ring_from && state.oldest < state.ring_from {
            return None;
        }
        let start = state.ring.partition_point(|(stored, _)| stored.seq < from);
        let mut events = Vec::new();
        let mut bytes = 0;
        for (stored, weight) in state.ring.range(start..).take(max) {
            bytes += weight;
            if bytes > PAGE_BYTES && !events.is_empty() {
                break;
            }
            events.push(stored.clone());
        }
        let all = start + events.len() == state.ring.len();
        let next = match events.last() {
            _ if all => state.next.max(from),
            Some(last) => last.seq.next(),
            None => from,
        };
        Some(Page { events, next, oldest: state.oldest })
    }
}

impl Standing {
    fn drop_first(&mut self) {
        if let Some((stored, weight)) = self.ring.pop_front() {
            self.bytes -= weight;
            self.ring_from = stored.seq.next();
        }
    }
}
