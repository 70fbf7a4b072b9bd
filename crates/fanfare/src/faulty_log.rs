//! A log in memory that fails when a test says so, and counts how often it is read.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use fanfare_event::{
    Audience, Delivery, Draft, Epoch, Event, EventId, Finish, Names, Seq, SinkName, SourceName,
};
use fanfare_log::{
    Answer, AppendError, Appended, Batch, Bounds, EventLog, LogError, MemoryLog, NewEvent, Page,
    RecordChange, Records, Retention, SourcePosition, TailStream,
};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::Notify;

/// What happens to a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// It is refused.
    Unavailable,
    /// It is done, and nobody is told.
    Unknown,
    /// It waits for [`FaultyLog::release`], and is done then.
    Held,
}

#[derive(Debug)]
pub(crate) struct FaultyLog {
    log: MemoryLog,
    fault: Mutex<Option<Fault>>,
    released: Notify,
    /// How often it was asked for a page.
    pub(crate) reads: AtomicUsize,
    /// Whether it gives none.
    pub(crate) is_unreadable: AtomicBool,
}

/// An event with this id, for this sink.
pub(crate) fn event(id: &str, sink: &str) -> Event {
    let origin = SourceName::new("source");
    let finish = Finish { origin: &origin, root_url: "", now: Timestamp::UNIX_EPOCH };
    let set = Names { kind: Some("t".to_owned()), id: Some(id.to_owned()), ..Names::default() };
    let draft = Draft { body: json!({}), set, is_enveloped: true, ..Draft::default() };
    let mut event = finish.finish(draft, String::new).unwrap().event;
    event.deliveries = Arc::new([Delivery { sink: SinkName::new(sink), audience: Audience::Everyone }]);
    event
}

impl FaultyLog {
    pub(crate) fn new() -> Self {
        let retention = Retention { events: 10_000, bytes: 1 << 24 };
        Self::over(MemoryLog::new(Epoch::new("e").unwrap(), Seq::FIRST, retention, &[]))
    }

    pub(crate) fn over(log: MemoryLog) -> Self {
        Self {
            log,
            fault: Mutex::new(None),
            released: Notify::new(),
            reads: AtomicUsize::new(0),
            is_unreadable: AtomicBool::new(false),
        }
    }

    /// What happens to the next write.
    pub(crate) fn fail_next(&self, fault: Fault) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(fault);
    }

    /// Lets a held write go on.
    pub(crate) fn release(&self) {
        self.released.notify_one();
    }

    pub(crate) async fn store(&self, event: Event) {
        let new = NewEvent { event: event.into(), dedupe: Vec::new() };
        self.log.append(Batch { events: vec![new], position: None }).await;
    }

    async fn fault(&self) -> Option<Fault> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner).take();
        if fault == Some(Fault::Held) {
            self.released.notified().await;
        }
        fault
    }
}

impl EventLog for FaultyLog {
    fn epoch(&self) -> &Epoch {
        self.log.epoch()
    }

    fn append(&self, batch: Batch) -> Answer<'_, Vec<Result<Appended, AppendError>>> {
        Box::pin(async move {
            let count = batch.events.len().max(1);
            match self.fault().await {
                None | Some(Fault::Held) => self.log.append(batch).await,
                Some(Fault::Unavailable) => vec![Err(AppendError::Unavailable("a test".to_owned())); count],
                Some(Fault::Unknown) => {
                    self.log.append(batch).await;
                    vec![Err(AppendError::Unknown("a test".to_owned())); count]
                }
            }
        })
    }

    fn read(&self, from: Seq, max: usize) -> Answer<'_, Result<Page, LogError>> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if self.is_unreadable.load(Ordering::Relaxed) {
            return Box::pin(async { Err(LogError("a test".to_owned())) });
        }
        self.log.read(from, max)
    }

    fn find<'a>(&'a self, id: &'a EventId) -> Answer<'a, Result<Option<Seq>, LogError>> {
        self.log.find(id)
    }

    fn bounds(&self) -> Answer<'_, Result<Bounds, LogError>> {
        self.log.bounds()
    }

    fn position<'a>(
        &'a self,
        source: &'a SourceName,
    ) -> Answer<'a, Result<Option<SourcePosition>, LogError>> {
        self.log.position(source)
    }

    fn records<'a>(&'a self, sink: &'a SinkName) -> Answer<'a, Result<Records, LogError>> {
        self.log.records(sink)
    }

    fn write_records<'a>(
        &'a self,
        sink: &'a SinkName,
        changes: Vec<RecordChange>,
    ) -> Answer<'a, Result<(), AppendError>> {
        Box::pin(async move {
            match self.fault().await {
                None | Some(Fault::Held) => self.log.write_records(sink, changes).await,
                Some(Fault::Unavailable) => Err(AppendError::Unavailable("a test".to_owned())),
                Some(Fault::Unknown) => {
                    self.log.write_records(sink, changes).await?;
                    Err(AppendError::Unknown("a test".to_owned()))
                }
            }
        })
    }

    fn tail(&self, after: Option<Seq>) -> TailStream {
        self.log.tail(after)
    }
}
