//! The log in a file: SQLite in WAL mode.
//!
//! One thread writes ([`writer`]); all that wait share a commit. Threads of their own read ([`readers`]) and fold the
//! WAL in ([`checkpoint`]). The newest events are in memory ([`newest`]), and so are the newest keys ([`keys`]). Rows
//! carry checksums and a chain ([`row`], [`read`]), because SQLite does not notice every page that is not what it wrote.

mod checkpoint;
mod group;
mod keys;
mod meta;
mod newest;
mod open;
mod pace;
mod prune;
mod queue;
mod read;
mod readers;
mod reindex;
mod retention;
mod row;
mod shared;
mod tail;
mod trouble;
mod writer;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use fanfare_event::{Epoch, EventId, Seq, SinkName, SourceName};
use jiff::Timestamp;
use tokio::sync::{Semaphore, oneshot};

use self::checkpoint::Checkpointer;
use self::group::{Encoded, Head, Request, Work};
use self::keys::Merge;
use self::newest::Newest;
use self::open::{Mode, Opened, Wanted};
use self::queue::Queue;
use self::readers::{Reader, Readers};
use self::reindex::Reindex;
use self::row::Seal;
use self::shared::Shared;
use self::writer::{Upkeep, Writer};
use crate::{
    Answer, AppendError, Appended, Batch, Bounds, EventLog, LogError, NewEvent, Page, RecordChange, Records,
    SourcePosition, TailStream,
};

pub use self::retention::FileRetention;
pub use self::trouble::{Condition, OpenError};

/// Bytes of the WAL after which it is folded into the file. It is not made smaller then but written anew from its
/// beginning.
pub const WAL_BYTES: u64 = 8 << 20;

/// KiB of events that wait to be stored. Who comes later waits before its events are taken.
const WAITING_KIB: u32 = 64 << 10;

/// When a publisher is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Once the event is on the disk.
    Full,
    /// Once the operating system has it: a crash of the machine may lose the newest events, one of the process none.
    Relaxed,
}

/// What a log is opened with.
pub struct SqliteOptions {
    /// The file. Others beside it begin with its name. It and its folder are made if they are not there.
    pub path: PathBuf,
    /// When publishers are answered.
    pub durability: Durability,
    /// What is kept.
    pub retention: FileRetention,
    /// The epoch of a new log; one that is there keeps its own.
    pub epoch: Epoch,
    /// The first event gets this seq at the least: a number that has grown since the log was last opened, so that a seq
    /// that the disk lost is not given again.
    pub first: Seq,
    /// The configured sources. Those without a number get one, in this order.
    pub sources: Vec<SourceName>,
    /// What the time is.
    pub clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    /// Is told of each change that the operator should hear of. Called from the log's threads; must not wait for them.
    pub report: Arc<dyn Fn(&Condition) + Send + Sync>,
}

/// A log in a file. Closes it in order when dropped, which waits for the disk.
pub struct SqliteLog {
    epoch: Epoch,
    shared: Arc<Shared>,
    reader: Reader,
    /// Ended before the writer: the last connection that is closed folds the WAL in, and must be one that can write.
    readers: Option<Readers>,
    queue: Arc<Queue<Request>>,
    waiting: Arc<Semaphore>,
    writer: Option<JoinHandle<()>>,
    max_row: usize,
}

impl SqliteLog {
    /// Opens the log, or begins one. Blocks for as long as it takes to read the newest events' keys, a second at most.
    pub fn open(options: SqliteOptions) -> Result<Self, OpenError> {
        Self::open_on(options, None, keys::READ_FIRST)
    }

    /// Opens it on a disk that is full at so many pages, and reads so many entries of keys before.
    fn open_on(options: SqliteOptions, max_pages: Option<u32>, read_first: usize) -> Result<Self, OpenError> {
        let SqliteOptions { path, durability, retention, epoch, first, sources, clock, report } = options;
        let mode = Mode { durability, max_pages };
        let wanted = Wanted { mode, epoch: &epoch, first: read::sql(first), sources: &sources, read_first };
        let opened = open::open(&path, &wanted)?;
        let Opened { connection, lock, meta, standing, sources, pending, unread, next, trouble } = opened;
        let seq = |number| read::seq(number).unwrap_or(Seq::FIRST);
        let newest = Newest::new(seq(next), seq(standing.oldest.unwrap_or(next)), standing.last.map(seq));
        let seal = Seal::new(&meta.epoch);
        let epoch = meta.epoch.clone();
        let mut merge = Merge::default();
        merge.added(unread.map_or(standing.last.unwrap_or(0), |unread| unread - 1));
        let reindex = Reindex::from(unread);
        let shared = Arc::new(Shared::new(newest, pending, seal, report));
        if let Some(reason) = &trouble {
            (shared.report)(&Condition::Unavailable { reason: reason.clone() });
        }
        let threads = |error: std::io::Error| OpenError::Unusable {
            path: path.clone(),
            reason: format!("its threads cannot be started: {error}"),
        };
        let checkpointer = Checkpointer::start(&path, mode).map_err(threads)?;
        let mut connection = connection;
        checkpointer.watch(&mut connection).map_err(|error| OpenError::Unusable {
            path: path.clone(),
            reason: trouble::describe(&error, &path),
        })?;
        let readers = Readers::start(&path, &shared).map_err(threads)?;
        let queue = Arc::new(Queue::new());
        let head = Head { next, last: standing.last, ordinal: standing.ordinal, rows: standing.rows, meta };
        let writer = Writer {
            path: path.clone(),
            mode,
            retention,
            clock,
            shared: Arc::clone(&shared),
            queue: Arc::clone(&queue),
            checkpointer,
            connection: Some(connection),
            sources,
            head,
            merge,
            reindex,
            is_unflushed: false,
            trouble: trouble.map(|reason| (reason, Instant::now())),
            upkeep: Upkeep::default(),
            _lock: lock,
        };
        let writer =
            Builder::new().name("log-writer".to_owned()).spawn(move || writer.run()).map_err(threads)?;
        let max_row = retention
            .max_bytes
            .map_or(row::MAX_ROW, |max| usize::try_from(max / 2).unwrap_or(usize::MAX).min(row::MAX_ROW));
        Ok(Self {
            epoch,
            shared,
            reader: readers.reader.clone(),
            readers: Some(readers),
            queue,
            waiting: Arc::new(Semaphore::new(WAITING_KIB as usize)),
            writer: Some(writer),
            max_row,
        })
    }

    /// Encodes an event on the caller's thread; the writer's is every publisher's.
    fn encode(&self, new: &NewEvent) -> Result<Encoded, String> {
        let keys: Vec<_> = new.dedupe.iter().map(keys::hash_key).collect();
        let row = row::encode(new, &keys)?;
        if row.len() > self.max_row {
            return Err(format!("it is larger than {} bytes, half of what the log may keep", self.max_row));
        }
        Ok(Encoded { id_word: keys::id_word(&new.event.id), event: Arc::clone(&new.event), keys, row })
    }

    /// Hands work to the writer, who does it whether or not anybody waits for the answer.
    async fn ask<T>(
        &self,
        cost: usize,
        work: impl FnOnce(oneshot::Sender<Result<T, AppendError>>) -> Work,
    ) -> Result<T, AppendError> {
        let closed = || AppendError::Unavailable("it is closed".to_owned());
        let kib = u32::try_from(cost / 1024 + 1).unwrap_or(u32::MAX).min(WAITING_KIB);
        let permit = Arc::clone(&self.waiting).acquire_many_owned(kib).await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        let request = Request { work: work(answer), cost, _permit: permit };
        self.queue.push(request).map_err(|_| closed())?;
        // A writer that is gone without an answer may have stored it.
        answered.await.map_err(|_| AppendError::Unknown("it was closed".to_owned()))?
    }

    async fn append_batch(&self, batch: Batch) -> Vec<Result<Appended, AppendError>> {
        let count = batch.events.len();
        let mut events = Vec::with_capacity(count);
        let mut rejected = None;
        for new in &batch.events {
            match self.encode(new) {
                Ok(encoded) => events.push(encoded),
                Err(reason) => {
                    rejected = Some((events.len(), AppendError::Rejected(reason)));
                    break;
                }
            }
        }
        if rejected.is_some() && batch.position.is_some() {
            events.clear();
        }
        let position = batch.position.filter(|_| rejected.is_none());
        let tried = events.len();
        let mut results = if events.is_empty() && position.is_none() {
            Vec::new()
        } else {
            let cost = events.iter().map(|event| event.row.len()).sum();
            match self.ask(cost, |answer| Work::Append { events, position, answer }).await {
                Ok(appended) => appended.into_iter().map(Ok).collect(),
                // Without an event it is the position that has failed.
                Err(error) => vec![Err(error); tried.max(1)],
            }
        };
        if let Some((index, error)) = rejected {
            let others =
                || AppendError::Unavailable("another event of the same batch was refused".to_owned());
            results.extend(
                (results.len()..count).map(|n| Err(if n == index { error.clone() } else { others() })),
            );
        }
        results
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        self.readers = None;
        self.queue.close();
        if let Some(writer) = self.writer.take() {
            // A thread that panicked has nothing to hand over.
            let _ = writer.join();
        }
    }
}

impl fmt::Debug for SqliteLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteLog").field("epoch", &self.epoch).finish_non_exhaustive()
    }
}

impl EventLog for SqliteLog {
    fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    fn append(&self, batch: Batch) -> Answer<'_, Vec<Result<Appended, AppendError>>> {
        Box::pin(self.append_batch(batch))
    }

    fn read(&self, from: Seq, max: usize) -> Answer<'_, Result<Page, LogError>> {
        match self.shared.newest.page(from, max) {
            Some(page) => Box::pin(async move { Ok(page) }),
            None => Box::pin(self.reader.page(from, max)),
        }
    }

    fn find<'a>(&'a self, id: &'a EventId) -> Answer<'a, Result<Option<Seq>, LogError>> {
        Box::pin(self.reader.find(id.clone()))
    }

    fn bounds(&self) -> Answer<'_, Result<Bounds, LogError>> {
        let bounds = self.shared.newest.bounds();
        Box::pin(async move { Ok(bounds) })
    }

    fn position<'a>(
        &'a self,
        source: &'a SourceName,
    ) -> Answer<'a, Result<Option<SourcePosition>, LogError>> {
        Box::pin(self.reader.position(source.clone()))
    }

    fn records<'a>(&'a self, sink: &'a SinkName) -> Answer<'a, Result<Records, LogError>> {
        Box::pin(self.reader.records(sink.clone()))
    }

    fn write_records<'a>(
        &'a self,
        sink: &'a SinkName,
        changes: Vec<RecordChange>,
    ) -> Answer<'a, Result<(), AppendError>> {
        let value = |change: &RecordChange| change.value.as_ref().map_or(0, |value| value.len());
        let cost = changes.iter().map(|change| change.key.len() + value(change)).sum();
        let sink = sink.clone();
        Box::pin(self.ask(cost, |answer| Work::Records { sink, changes, answer }))
    }

    fn tail(&self, after: Option<Seq>) -> TailStream {
        tail::tail(&self.shared, &self.reader, after)
    }
}

#[cfg(test)]
mod tests;
