//! The log in memory: keeps the newest events up to a bound, and forgets everything with the process.

mod forgotten;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fanfare_event::{Epoch, EventId, Seq, SinkName, SourceName, SourceNumber, Stored};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use tokio::sync::watch;

use self::forgotten::Forgotten;
use crate::reach::Reach;
use crate::{
    Answer, AppendError, Appended, Batch, Bounds, DedupeKey, EventLog, LogError, NewEvent, Page,
    RecordChange, Records, SourcePosition, Tail, TailStream,
};

/// How much is kept. The oldest events go first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Events.
    pub events: usize,
    /// Bytes, as [`fanfare_event::Event::weight`] estimates them.
    pub bytes: usize,
}

/// A log in memory.
#[derive(Debug)]
pub struct MemoryLog {
    epoch: Epoch,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// The newest seq, to wake the tail. Sent while the state is locked, so it never runs ahead of the state.
    newest: watch::Sender<Option<Seq>>,
}

#[derive(Debug)]
struct State {
    retention: Retention,
    /// Ascending by seq.
    entries: VecDeque<Entry>,
    bytes: usize,
    /// The seq that the next event gets.
    next: Seq,
    /// For each id that is held, its first and its last event.
    ids: HashMap<EventId, (Seq, Seq)>,
    /// Where ids lay that are not held any more.
    forgotten: Forgotten,
    dedupe: HashMap<DedupeKey, Seq>,
    positions: HashMap<SourceName, SourcePosition>,
    numbers: HashMap<SourceName, SourceNumber>,
    records: HashMap<SinkName, Records>,
}

#[derive(Debug)]
struct Entry {
    stored: Stored,
    dedupe: Vec<DedupeKey>,
    weight: usize,
}

/// Events that the tail takes at a time, so that it holds the lock briefly.
const TAIL_CHUNK: usize = 256;

impl MemoryLog {
    /// An empty log whose first event gets `first`. What is named must differ from every earlier life of the log:
    /// the epoch must be new, and `first` above all that was ever given out. `sources` are numbered in this order.
    pub fn new(epoch: Epoch, first: Seq, retention: Retention, sources: &[SourceName]) -> Self {
        let mut state = State {
            retention,
            entries: VecDeque::new(),
            bytes: 0,
            next: first,
            ids: HashMap::new(),
            forgotten: Forgotten::default(),
            dedupe: HashMap::new(),
            positions: HashMap::new(),
            numbers: HashMap::new(),
            records: HashMap::new(),
        };
        for source in sources {
            state.number(source);
        }
        let (newest, _) = watch::channel(first.previous());
        Self { epoch, shared: Arc::new(Shared { state: Mutex::new(state), newest }) }
    }
}

impl Shared {
    /// No code that holds the lock can leave the state half changed by panicking, so a poisoned lock is as good.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl EventLog for MemoryLog {
    fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    fn append(&self, batch: Batch) -> Answer<'_, Vec<Result<Appended, AppendError>>> {
        let mut state = self.shared.lock();
        let results = state.append(batch);
        self.shared.newest.send_replace(state.newest());
        drop(state);
        Box::pin(async move { results })
    }

    fn read(&self, from: Seq, max: usize) -> Answer<'_, Result<Page, LogError>> {
        let page = self.shared.lock().read(from, max);
        Box::pin(async move { Ok(page) })
    }

    fn find<'a>(&'a self, id: &'a EventId) -> Answer<'a, Result<Option<Seq>, LogError>> {
        let found = self.shared.lock().find(id);
        Box::pin(async move { Ok(found) })
    }

    fn bounds(&self) -> Answer<'_, Result<Bounds, LogError>> {
        let bounds = self.shared.lock().bounds();
        Box::pin(async move { Ok(bounds) })
    }

    fn position<'a>(
        &'a self,
        source: &'a SourceName,
    ) -> Answer<'a, Result<Option<SourcePosition>, LogError>> {
        let position = self.shared.lock().positions.get(source).cloned();
        Box::pin(async move { Ok(position) })
    }

    fn records<'a>(&'a self, sink: &'a SinkName) -> Answer<'a, Result<Records, LogError>> {
        let records = self.shared.lock().records.get(sink).cloned().unwrap_or_default();
        Box::pin(async move { Ok(records) })
    }

    fn write_records<'a>(
        &'a self,
        sink: &'a SinkName,
        changes: Vec<RecordChange>,
    ) -> Answer<'a, Result<(), AppendError>> {
        let mut state = self.shared.lock();
        let records = state.records.entry(sink.clone()).or_default();
        for RecordChange { key, value } in changes {
            match value {
                Some(value) => records.insert(key, value),
                None => records.remove(&key),
            };
        }
        drop(state);
        Box::pin(async move { Ok(()) })
    }

    fn tail(&self, after: Option<Seq>) -> TailStream {
        let cursor = TailCursor {
            shared: Arc::clone(&self.shared),
            newest: self.shared.newest.subscribe(),
            reach: Reach::behind(after),
        };
        stream::unfold(cursor, |mut cursor| async move {
            let items = cursor.take().await;
            Some((stream::iter(items), cursor))
        })
        .flatten()
        .boxed()
    }
}

/// Where a tail has come to.
struct TailCursor {
    shared: Arc<Shared>,
    newest: watch::Receiver<Option<Seq>>,
    reach: Reach,
}

impl TailCursor {
    /// Waits for something to tell.
    async fn take(&mut self) -> Vec<Tail> {
        loop {
            // Marks the newest as seen before reading, so that what comes in between wakes the wait below.
            self.newest.borrow_and_update();
            let page = self.shared.lock().read(self.reach.next(), TAIL_CHUNK);
            let items = self.reach.take(page);
            if !items.is_empty() {
                return items;
            }
            // The sender lives in `shared`, which this cursor holds: the channel cannot close.
            let _ = self.newest.changed().await;
        }
    }
}

impl State {
    fn append(&mut self, batch: Batch) -> Vec<Result<Appended, AppendError>> {
        let too_large = |new: &NewEvent| new.event.weight() > self.retention.bytes;
        let first_refused = batch.events.iter().position(too_large);
        let count = batch.events.len();
        let accepted = match (first_refused, &batch.position) {
            (None, _) => count,
            (Some(_), Some(_)) => 0,
            (Some(index), None) => index,
        };
        let mut results: Vec<_> =
            batch.events.into_iter().take(accepted).map(|new| Ok(self.append_one(new))).collect();
        if let Some(refused) = first_refused {
            results.extend((accepted..count).map(|index| {
                Err(if index == refused {
                    AppendError::Rejected(format!(
                        "it is larger than the {} bytes that the log keeps in all",
                        self.retention.bytes
                    ))
                } else {
                    AppendError::Unavailable("another event of the same batch was refused".to_owned())
                })
            }));
        } else if let Some((source, position)) = batch.position {
            self.positions.insert(source, position);
        }
        results
    }

    fn append_one(&mut self, new: NewEvent) -> Appended {
        if let Some(seq) = new.dedupe.iter().find_map(|key| self.dedupe.get(key)) {
            return Appended::Duplicate(*seq);
        }
        let source_number = self.number(&new.event.origin);
        let seq = self.next;
        self.next = seq.next();
        self.ids.entry(new.event.id.clone()).and_modify(|(_, last)| *last = seq).or_insert((seq, seq));
        for key in &new.dedupe {
            self.dedupe.insert(key.clone(), seq);
        }
        let weight = new.event.weight();
        self.bytes += weight;
        self.entries.push_back(Entry {
            stored: Stored { seq, stored_at: Timestamp::now(), source_number, event: new.event },
            dedupe: new.dedupe,
            weight,
        });
        while self.entries.len() > self.retention.events || self.bytes > self.retention.bytes {
            self.forget_oldest();
        }
        Appended::New(seq)
    }

    fn number(&mut self, source: &SourceName) -> SourceNumber {
        if let Some(number) = self.numbers.get(source) {
            return *number;
        }
        let number = u32::try_from(self.numbers.len() + 1).ok().and_then(SourceNumber::new);
        let number = number.unwrap_or(SourceNumber::FIRST);
        self.numbers.insert(source.clone(), number);
        number
    }

    fn forget_oldest(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.bytes -= entry.weight;
        for key in &entry.dedupe {
            self.dedupe.remove(key);
        }
        let id = &entry.stored.event.id;
        if let Some((first, last)) = self.ids.get_mut(id) {
            let next = (*first < *last)
                .then(|| self.entries.iter().find(|entry| entry.stored.event.id == *id))
                .flatten();
            if let Some(next) = next {
                *first = next.stored.seq;
            } else {
                self.ids.remove(id);
                self.forgotten.insert(id, entry.stored.seq);
            }
        }
    }

    fn find(&self, id: &EventId) -> Option<Seq> {
        self.ids.get(id).map(|(first, _)| *first).or_else(|| self.forgotten.get(id))
    }

    fn newest(&self) -> Option<Seq> {
        self.next.previous()
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            oldest: self.entries.front().map_or(self.next, |entry| entry.stored.seq),
            newest: self.newest(),
        }
    }

    fn read(&self, from: Seq, max: usize) -> Page {
        let start = self.entries.partition_point(|entry| entry.stored.seq < from);
        let events: Vec<_> =
            self.entries.range(start..).take(max).map(|entry| entry.stored.clone()).collect();
        let all = start + events.len() == self.entries.len();
        let next = match events.last() {
            Some(last) if !all => last.seq.next(),
            None if !all => from,
            // Nothing is left behind these, up to what is given out next.
            _ => self.next.max(from),
        };
        Page { events, next, oldest: self.bounds().oldest }
    }
}
