//! Pages for those who are behind: out of what others read lately, or else out of the window, or else out of the log,
//! which everybody who needs the same part reads once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fanfare_event::Seq;
use fanfare_stream::{Found, PAGE_EVENTS, PageCache, Subscription, View};
use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use super::hub::Hub;
use crate::turns::Turns;

/// Bytes of pages that are kept for others. What many who come back at once need: tens of thousands of events of a
/// kilobyte. With less, those who are at different places read the log again and again.
const CACHE_BYTES: usize = 32 * 1024 * 1024;

/// How often pages that nobody used since the last time are dropped, so that what a replay took is given back.
const AGE_EVERY: Duration = Duration::from_secs(10);

/// Events that the log is asked for at a time. Two pages: enough that asking costs little beside reading.
const READ_EVENTS: usize = 2 * PAGE_EVENTS;

/// Reads that are under way at once. Encoding what they bring competes with live delivery for the processors; more are
/// needed only where clients are at different places. Nobody gets a turn while there are so many.
const READS: usize = 2;

/// How long a turn waits for the log at most. Those whose pages are here already go on while the log hangs, if slowly.
const READ_PATIENCE: Duration = Duration::from_millis(100);

/// Events that are encoded without letting others run, so that a live event does not wait for a whole page.
const ENCODE_EVENTS: usize = 16;

/// What came of reading from a place.
#[derive(Clone, Debug)]
enum Read {
    /// It is among the pages.
    Page,
    Trimmed(Seq),
    Nothing,
    Failed,
}

/// The pages, and the reads that are under way.
#[derive(Debug)]
pub(super) struct Replay {
    shared: Mutex<Shared>,
    turns: Turns,
    /// A read is over.
    read: Notify,
    /// The log did not answer the last read.
    failing: AtomicBool,
}

#[derive(Debug)]
struct Shared {
    pages: PageCache,
    /// By where they begin; what came of each is sent once.
    reads: BTreeMap<Seq, watch::Receiver<Option<Read>>>,
}

impl Replay {
    pub(super) fn new() -> Self {
        let shared = Shared { pages: PageCache::new(CACHE_BYTES), reads: BTreeMap::new() };
        Self {
            shared: shared.into(),
            turns: Turns::new(),
            read: Notify::new(),
            failing: AtomicBool::new(false),
        }
    }

    /// Gives turns, for ever, in a task of its own, and none while the log is busy. Between two of them everything else
    /// that can run does, so that an event that comes live waits behind one page of replay, and not behind one for every
    /// client that is behind.
    pub(super) async fn give_turns(&self) {
        loop {
            self.turns.asked().await;
            // Where it takes longer the turn is given all the same.
            let _ = tokio::time::timeout(READ_PATIENCE, self.log_has_time()).await;
            self.turns.give();
            tokio::task::yield_now().await;
        }
    }

    async fn log_has_time(&self) {
        while self.lock().reads.len() >= READS {
            self.read.notified().await;
        }
    }

    /// Drops pages that are no longer used, for ever.
    pub(super) async fn age(&self) {
        let mut every = tokio::time::interval(AGE_EVERY);
        loop {
            every.tick().await;
            self.lock().pages.age();
        }
    }

    /// What a stream that is behind gets for its cursor: the page that `from` lies in. Who gives up waiting for it does no harm; the read goes on for others.
    pub(super) async fn page(
        &self,
        hub: &Arc<Hub>,
        from: Seq,
        subscription: &Subscription,
        in_turn: bool,
    ) -> Found {
        if in_turn {
            self.turns.take().await;
        }
        loop {
            let (start, mut read) = match self.find(hub, from, subscription) {
                Looked::Found(page) => return Found::Page(page),
                Looked::Reading(start, read) => (start, read),
            };
            let came = match read.wait_for(Option::is_some).await {
                Ok(came) => came.clone(),
                // The read is gone without a word: it panicked.
                Err(_) => Some(Read::Failed),
            };
            // What came of another place's read is no answer here, but may have brought this one's page.
            match came {
                Some(Read::Failed) => return Found::Failed,
                Some(Read::Trimmed(oldest)) if start == from => return Found::Trimmed(oldest),
                Some(Read::Nothing) if start == from => return Found::Nothing,
                _ => {}
            }
        }
    }

    fn find(&self, hub: &Arc<Hub>, from: Seq, subscription: &Subscription) -> Looked {
        let mut shared = self.lock();
        if let Some(page) = shared.pages.find(from, subscription) {
            return Looked::Found(page);
        }
        // A read that began shortly before: it reaches this far unless something cuts it short, because every event
        // takes at least one seq.
        let near = shared.reads.range(..=from).next_back();
        if let Some((start, read)) = near.filter(|(start, _)| from.get() - start.get() < READ_EVENTS as u64) {
            return Looked::Reading(*start, read.clone());
        }
        // No more events than seqs lie before the next page.
        let max = shared.pages.next_page(from).map_or(READ_EVENTS, |next| {
            usize::try_from(next.get() - from.get()).map_or(READ_EVENTS, |seqs| seqs.min(READ_EVENTS))
        });
        if let Some((entries, next)) = hub.window().look(|fanout| fanout.read(from, max)) {
            shared.pages.insert(from, next, entries);
            if let Some(page) = shared.pages.find(from, subscription) {
                return Looked::Found(page);
            }
        }
        let (tell, read) = watch::channel(None);
        shared.reads.insert(from, read.clone());
        drop(shared);
        let hub = Arc::clone(hub);
        tokio::spawn(async move {
            let ended = EndsRead { hub: &hub, from };
            let came = hub.replay().read(&hub, from, max).await;
            drop(ended);
            tell.send_replace(Some(came));
        });
        Looked::Reading(from, read)
    }

    /// Reads the log, and keeps what it says for all.
    async fn read(&self, hub: &Hub, from: Seq, max: usize) -> Read {
        let page = match hub.log().read(from, max).await {
            Ok(page) => page,
            Err(error) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    warn!(%error, "the log cannot be read; streams that are behind wait");
                }
                return Read::Failed;
            }
        };
        if self.failing.swap(false, Ordering::Relaxed) {
            info!("the log can be read again");
        }
        let start = page.oldest.max(from);
        let mut entries = Vec::with_capacity(page.events.len());
        for events in page.events.chunks(ENCODE_EVENTS) {
            entries.extend(events.iter().map(|stored| hub.entry(stored)));
            tokio::task::yield_now().await;
        }
        self.lock().pages.insert(start, page.next, entries);
        if page.oldest > from {
            Read::Trimmed(page.oldest)
        } else if page.next > from {
            Read::Page
        } else {
            Read::Nothing
        }
    }

    /// No code that holds the lock leaves the pages half changed when it panics.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Looked {
    Found(View),
    /// It is being read, from here.
    Reading(Seq, watch::Receiver<Option<Read>>),
}

/// A read under way is one no more, also where it panics.
struct EndsRead<'a> {
    hub: &'a Hub,
    from: Seq,
}

impl Drop for EndsRead<'_> {
    fn drop(&mut self) {
        let replay = self.hub.replay();
        replay.lock().reads.remove(&self.from);
        replay.read.notify_one();
    }
}

#[cfg(test)]
mod tests;
