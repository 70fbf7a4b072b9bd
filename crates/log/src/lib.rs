//! The log: the only place that mints `seq`. An event is visible to readers only once the log has it.
//!
//! Here live the trait that every log keeps, the contract tests for it (in `tests/`), the log in memory, and the log
//! in a file.
//! What a log does not know: sinks, streams, rooms, profiles. It keeps an event's deliveries and never reads them.

mod memory;
mod reach;
mod sqlite;

use std::collections::BTreeMap;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use fanfare_event::{Epoch, Event, EventId, Seq, SinkName, SourceName, Stored};
use futures_util::Stream;

pub use memory::{MemoryLog, Retention};
pub use sqlite::{Condition, Durability, FileRetention, OpenError, SqliteLog, SqliteOptions, WAL_BYTES};

/// An answer that may take its time.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Events as they become visible, and what happens to a reader of them.
pub type TailStream = Pin<Box<dyn Stream<Item = Tail> + Send>>;

/// What a sink keeps with the log: values by name.
pub type Records = BTreeMap<Box<str>, Box<[u8]>>;

/// A log of events. Object-safe; every implementation passes the same contract tests.
///
/// Three things hold for all of them. `seq` strictly ascends within an epoch and has holes. A read may lag behind
/// an acknowledgement that was given on another node; only `find` and `bounds().newest` are strong. And sources are
/// numbered from 1, first those that the log was opened with, in their order, then others as they come; a source keeps
/// its number for as long as the log lives.
pub trait EventLog: Send + Sync + 'static {
    /// One life of the sequence: a new store, a new epoch.
    fn epoch(&self) -> &Epoch;

    /// Appends a batch as one atomic record, and answers for each event, in order, once it is as durable as
    /// configured. Of a batch without events it says only, as one error, that the position was not stored.
    ///
    /// After the first failure nothing behind it is stored, so that a retry keeps the order. With a position the
    /// batch is all or nothing.
    fn append(&self, batch: Batch) -> Answer<'_, Vec<Result<Appended, AppendError>>>;

    /// At most `max` events with `from <= seq`, ascending.
    fn read(&self, from: Seq, max: usize) -> Answer<'_, Result<Page, LogError>>;

    /// Where the first event of this id lies, if the log still has one. Where retention took them all a log may still
    /// know where one lay, which is before `bounds().oldest`: whoever saw it last is then known to have missed
    /// something, and goes on with the oldest.
    fn find<'a>(&'a self, id: &'a EventId) -> Answer<'a, Result<Option<Seq>, LogError>>;

    /// What the log holds.
    fn bounds(&self) -> Answer<'_, Result<Bounds, LogError>>;

    /// What a source last stored as its own position.
    fn position<'a>(&'a self, source: &'a SourceName)
    -> Answer<'a, Result<Option<SourcePosition>, LogError>>;

    /// What a sink keeps with the log; see [`EventLog::write_records`].
    fn records<'a>(&'a self, sink: &'a SinkName) -> Answer<'a, Result<Records, LogError>>;

    /// Changes what a sink keeps with the log: small values by name, opaque here, that live as long as the log does.
    /// All changes or none, and durable as an append is.
    fn write_records<'a>(
        &'a self,
        sink: &'a SinkName,
        changes: Vec<RecordChange>,
    ) -> Answer<'a, Result<(), AppendError>>;

    /// Every event behind `after` (`None`: all that are held), as it becomes visible, without an end. One tail a
    /// process; everything above fans out from it.
    fn tail(&self, after: Option<Seq>) -> TailStream;
}

/// A change to what a sink keeps with the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordChange {
    /// The name, unique within the sink.
    pub key: Box<str>,
    /// The new value; `None` removes it.
    pub value: Option<Box<[u8]>>,
}

/// What is appended as one record. The events may be none: a source's position still moves.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The events, in order.
    pub events: Vec<NewEvent>,
    /// How far its source has come.
    pub position: Option<(SourceName, SourcePosition)>,
}

/// An event that is to be appended.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The event.
    pub event: Arc<Event>,
    /// What its publisher calls it. If the log knows one of these the event is a repetition and is not stored
    /// again. Kept as long as the event is.
    pub dedupe: Vec<DedupeKey>,
}

/// A publisher's name for an event.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DedupeKey(Arc<str>);

impl DedupeKey {
    /// The event's own id, within its source.
    pub fn event(source: &SourceName, id: &EventId) -> Self {
        Self(format!("e\0{source}\0{id}").into())
    }

    /// The `index`th event of a delivery that was named as a whole (`Idempotency-Key`), within its source.
    pub fn delivery(source: &SourceName, key: &str, index: usize) -> Self {
        Self(format!("d\0{source}\0{index}\0{key}").into())
    }
}

/// How far a source has come, in its own words; opaque here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourcePosition(pub Box<str>);

/// What became of an event that was appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    /// It was stored here.
    New(Seq),
    /// It is a repetition of the event that lies here.
    Duplicate(Seq),
}

impl Appended {
    /// Where the event lies.
    #[must_use]
    pub fn seq(self) -> Seq {
        match self {
            Self::New(seq) | Self::Duplicate(seq) => seq,
        }
    }
}

/// Why an event was not appended, by what its publisher may do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Never stored; trying again cannot help.
    #[error("the log cannot take this event: {0}")]
    Rejected(String),
    /// This try stored nothing; try again.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
    /// It may be stored, and may even appear later; try again with the same id.
    #[error("the log did not answer: {0}")]
    Unknown(String),
}

/// Why a log did not answer a reader. Trying again may help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the log is unavailable: {0}")]
pub struct LogError(pub String);

/// A part of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The events, ascending. Every seq in `from..next` that is not here is gone or never was.
    pub events: Vec<Stored>,
    /// Ask again from here. Equal to `from` where there is nothing yet.
    pub next: Seq,
    /// The oldest that the log still holds. Greater than `from`: part of what was asked for is gone, by retention or,
    /// where the store is damaged, lost; it goes on here.
    pub oldest: Seq,
}

/// What a log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest that is held; one behind `newest` where nothing is.
    pub oldest: Seq,
    /// The newest that ever was; `None` before the first.
    pub newest: Option<Seq>,
}

/// What a tail tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Tail {
    /// The next event.
    Event(Stored),
    /// What comes next is gone, by retention or by damage: this reader goes on behind it.
    Trimmed {
        /// The oldest that is held there.
        oldest: Seq,
    },
    /// The log is out of reach. The tail reconnects by itself and goes on behind its last event.
    Stalled(LogError),
    /// The log began anew; nothing comes after this.
    EpochChanged,
}

impl fmt::Display for Appended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New(seq) => write!(f, "stored at {seq}"),
            Self::Duplicate(seq) => write!(f, "a repetition of {seq}"),
        }
    }
}
