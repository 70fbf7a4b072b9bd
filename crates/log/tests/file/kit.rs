//! A log in a folder of its own, with a clock that tests set and ears that hear what it reports.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fanfare_event::{Delivery, Epoch, Event, EventId, EventType, Seq, SinkName, SourceName, Stored};
use fanfare_log::{
    AppendError, Appended, Batch, Condition, DedupeKey, Durability, EventLog, FileRetention, NewEvent,
    OpenError, SqliteLog, SqliteOptions,
};
use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;

/// What each log is opened with, at every restart: a clock that stands still must not make it reuse a seq.
pub(crate) const FIRST: u64 = 1000;

/// How long a test waits for what the log does by itself.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Place {
    folder: TempDir,
    pub(crate) retention: FileRetention,
    pub(crate) sources: Vec<&'static str>,
    /// Milliseconds since 1970.
    pub(crate) clock: Arc<AtomicI64>,
    pub(crate) heard: Arc<Mutex<Vec<Condition>>>,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            retention: FileRetention::default(),
            sources: vec!["ci"],
            clock: Arc::new(AtomicI64::new(1_700_000_000_000)),
            heard: Arc::default(),
        }
    }

    pub(crate) fn keeping(retention: FileRetention) -> Self {
        Self { retention, ..Self::new() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("events.db")
    }

    pub(crate) fn beside(&self, end: &str) -> PathBuf {
        self.folder.path().join(format!("events.db{end}"))
    }

    pub(crate) fn open(&self) -> SqliteLog {
        self.try_open(&self.path()).unwrap()
    }

    pub(crate) fn try_open(&self, path: &Path) -> Result<SqliteLog, OpenError> {
        let clock = Arc::clone(&self.clock);
        let heard = Arc::clone(&self.heard);
        SqliteLog::open(SqliteOptions {
            path: path.to_owned(),
            durability: Durability::Relaxed,
            retention: self.retention,
            epoch: Epoch::new("one").unwrap(),
            first: Seq::new(FIRST).unwrap(),
            sources: self.sources.iter().map(|name| SourceName::new(name)).collect(),
            clock: Arc::new(move || Timestamp::from_millisecond(clock.load(Ordering::Relaxed)).unwrap()),
            report: Arc::new(move |condition| heard.lock().unwrap().push(condition.clone())),
        })
    }

    pub(crate) fn pass(&self, time: Duration) {
        self.clock.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    pub(crate) fn heard(&self) -> Vec<Condition> {
        self.heard.lock().unwrap().clone()
    }
}

pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

/// Asks until there is an answer.
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// An event whose body is about this long.
pub(crate) fn sized(id: &str, bytes: usize) -> NewEvent {
    let origin = SourceName::new("ci");
    let id = EventId::new(id).unwrap();
    let event = Event {
        id: id.clone(),
        kind: EventType::new("t").unwrap(),
        source: "/ci".into(),
        subject: None,
        time: Timestamp::UNIX_EPOCH,
        origin: origin.clone(),
        metadata: serde_json::Map::new(),
        headers: [].into(),
        body: json!({"id": id.as_str(), "text": "x".repeat(bytes)}),
        deliveries: Delivery::to_everyone(&[SinkName::new("events")].into()),
    };
    NewEvent { dedupe: vec![DedupeKey::event(&origin, &id)], event: Arc::new(event) }
}

pub(crate) fn named(id: &str) -> NewEvent {
    sized(id, 200)
}

pub(crate) fn append(log: &dyn EventLog, events: Vec<NewEvent>) -> Vec<Result<Appended, AppendError>> {
    wait(log.append(Batch { events, position: None }))
}

pub(crate) fn try_put(log: &dyn EventLog, new: NewEvent) -> Result<Appended, AppendError> {
    append(log, vec![new]).pop().unwrap()
}

/// Appends an event that must be new.
pub(crate) fn put(log: &dyn EventLog, new: NewEvent) -> Seq {
    match try_put(log, new) {
        Ok(Appended::New(seq)) => seq,
        other => panic!("not stored: {other:?}"),
    }
}

pub(crate) fn put_all(log: &dyn EventLog, ids: impl IntoIterator<Item = usize>) -> Vec<Seq> {
    ids.into_iter().map(|n| put(log, named(&n.to_string()))).collect()
}

/// All that is served from a place on, and the places at which something was told to be missing.
pub(crate) fn walk(log: &dyn EventLog, from: Seq) -> (Vec<Stored>, Vec<Seq>) {
    let (mut from, mut events, mut told) = (from, Vec::new(), Vec::new());
    loop {
        let page = wait(log.read(from, 7)).unwrap();
        assert!(page.events.iter().is_sorted_by(|a, b| a.seq < b.seq), "{page:?}");
        assert!(page.events.iter().all(|event| (from..page.next).contains(&event.seq)), "{page:?}");
        if page.oldest > from {
            told.push(page.oldest);
        }
        let next = page.next.max(page.oldest);
        events.extend(page.events);
        if next == from {
            return (events, told);
        }
        from = next;
    }
}

pub(crate) fn ids(events: &[Stored]) -> Vec<&str> {
    events.iter().map(|stored| stored.event.id.as_str()).collect()
}
