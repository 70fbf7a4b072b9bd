//! The thread that stores: takes what waits, commits it as one group, shows it, answers, and between groups does the
//! housekeeping in small steps. What a group does to the file is in `group`.

use std::collections::HashMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fanfare_event::{Seq, SourceName, SourceNumber};
use jiff::Timestamp;
use rusqlite::Connection;

use super::checkpoint::{self, Checkpointer};
use super::group::{Failure, Group, Head, Request, Stores};
use super::keys::{Index, Merge, Slice};
use super::meta::{Meta, Standing};
use super::open::{self, Mode};
use super::pace::Pace;
use super::prune::Step;
use super::queue::{Queue, Taken};
use super::read::{seq, sql};
use super::reindex::{REASON, Reindex};
use super::retention::{FileRetention, Held};
use super::shared::Shared;
use super::trouble::{Condition, describe, is_damage};
use crate::AppendError;

/// Bytes of a group. A larger one would make its first publisher wait for the last one's bytes.
const GROUP_BYTES: usize = 4 << 20;

/// How often the age of what is held is looked at, and whether the file can be written again.
const TICK: Duration = Duration::from_secs(1);

/// After a failure, publishers are refused for so long without trying.
const AGAIN: Duration = Duration::from_millis(200);

/// Bytes of rows after which the size of the file is looked at.
const MEASURE_AFTER: usize = 64 << 10;

/// What the clock says.
pub(super) type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

pub(super) struct Writer {
    pub(super) path: PathBuf,
    pub(super) mode: Mode,
    pub(super) retention: FileRetention,
    pub(super) clock: Clock,
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Arc<Queue<Request>>,
    pub(super) checkpointer: Checkpointer,
    /// `None` after a failure: the file is opened anew, and read for where it stands.
    pub(super) connection: Option<Connection>,
    pub(super) sources: HashMap<SourceName, SourceNumber>,
    pub(super) head: Head,
    pub(super) merge: Merge,
    pub(super) reindex: Reindex,
    /// A flush failed, and what it was for has not been written again.
    pub(super) is_unflushed: bool,
    /// Why nothing can be stored, and when that was tried last.
    pub(super) trouble: Option<(String, Instant)>,
    pub(super) upkeep: Upkeep,
    /// Held for as long as the log is open.
    pub(super) _lock: File,
}

/// Where the housekeeping stands.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    /// When it is done next in any case.
    tick: Option<Instant>,
    /// Retention had not finished when it was last looked at.
    unfinished: bool,
    /// Bytes of rows since the file was last measured.
    grown: usize,
    /// Bytes of the file that are in use.
    bytes: u64,
    pace: Pace,
    /// The file is damaged where old events lie.
    stuck: bool,
}

impl Writer {
    pub(super) fn run(mut self) {
        // Also where this panics: nobody may wait for it then.
        let _abandon = Abandon(Arc::clone(&self.queue));
        self.measure();
        self.upkeep.unfinished = true;
        loop {
            let deadline = if self.has_work() { Instant::now() } else { self.tick() };
            match self.queue.take(Some(deadline), GROUP_BYTES, |request| request.cost) {
                Taken::Items(requests) => self.store(requests),
                Taken::Nothing => {}
                Taken::Closed => break,
            }
            self.keep_up();
        }
        // The last connection that closes folds the WAL in and removes it.
    }

    fn has_work(&self) -> bool {
        if self.shared.pending.index() != Index::Whole {
            return !self.reindex.is_paused();
        }
        self.trouble.is_none()
            && (self.upkeep.unfinished || self.merge.is_due(&self.shared.pending, self.head.rows))
    }

    fn tick(&mut self) -> Instant {
        *self.upkeep.tick.get_or_insert_with(|| Instant::now() + TICK)
    }

    fn store(&mut self, mut requests: Vec<Request>) {
        if self.shared.pending.index() != Index::Whole {
            let reason = self.trouble.as_ref().map_or_else(|| REASON.to_owned(), |trouble| trouble.0.clone());
            return refuse(requests, &AppendError::Unavailable(reason));
        }
        if let Some((reason, tried)) = &self.trouble
            && tried.elapsed() < AGAIN
        {
            let reason = reason.clone();
            return refuse(requests, &AppendError::Unavailable(reason));
        }
        let mut stores = Stores::default();
        let given = self.head.next;
        match self.commit(&mut requests, &mut stores) {
            Ok(()) => {
                self.upkeep.grown += stores.bytes;
                if !stores.events.is_empty() {
                    // Repetitions alone write nothing, and so say nothing of the disk.
                    self.recovered();
                    // First the keys: who learns of an event finds it.
                    self.shared.pending.add(stores.entries);
                    self.merge.added(self.head.last.unwrap_or(0));
                    self.shared.newest.publish(stores.events, seq(self.head.next).unwrap_or(Seq::FIRST));
                }
                for (request, appended) in requests.into_iter().zip(stores.appended) {
                    request.work.answer(Ok(appended));
                }
            }
            Err(failure) => {
                // What was given to a commit that failed is not given again.
                let given = stores.events.last().map_or(given, |stored| sql(stored.seq.next()));
                self.head.next = self.head.next.max(given);
                refuse(requests, &self.failed(failure));
            }
        }
    }

    /// One transaction for all. The head is changed only by a commit.
    fn commit(&mut self, requests: &mut [Request], stores: &mut Stores) -> Result<(), Failure> {
        self.reconnect().map_err(Failure::Nothing)?;
        let Some(connection) = &self.connection else { return Ok(()) };
        let mut head = self.head.clone();
        let fill = || {
            connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            let mut group = Group {
                connection,
                seal: self.shared.seal,
                pending: &self.shared.pending,
                sources: &mut self.sources,
                head: &mut head,
                now: (self.clock)(),
                oldest: sql(self.shared.newest.lock().oldest),
                named: HashMap::new(),
                stores,
            };
            for request in requests {
                group.add(&mut request.work)?;
            }
            group.promise()
        };
        fill().map_err(Failure::Nothing)?;
        // Count holds with every commit; what else may not stay is removed between them.
        let by_count = FileRetention { max_events: self.retention.max_events, ..FileRetention::default() };
        let step = Step {
            retention: by_count,
            held: Held { rows: head.rows, bytes: 0 },
            now: Timestamp::UNIX_EPOCH,
            upto: self.head.last.unwrap_or(0),
            limit: self.upkeep.pace.rows(),
        };
        if by_count.is_exceeded(step.held) && !self.upkeep.stuck {
            match step.remove(connection, &self.shared) {
                Ok(removed) => {
                    head.rows = head.rows.saturating_sub(removed.rows);
                    self.merge.removed(removed.rows);
                    self.upkeep.unfinished |= !removed.all;
                }
                Err(error) if is_damage(&error) => self.upkeep.unfinished = true,
                Err(error) => return Err(Failure::Nothing(error)),
            }
        }
        connection
            .prepare_cached("COMMIT")
            .and_then(|mut commit| commit.execute([]))
            .map_err(Failure::of_commit)?;
        self.head = head;
        Ok(())
    }

    /// Opens the file anew after a failure, and finds out what it holds.
    pub(super) fn reconnect(&mut self) -> rusqlite::Result<()> {
        if self.connection.is_some() {
            return Ok(());
        }
        let mut connection = open::connect(&self.path, self.mode)?;
        if self.is_unflushed {
            // The kernel says once that it lost something, and takes it for written from then on. So nothing that is in the
            // WAL counts until the file has it, by writes and a flush of its own.
            checkpoint::fold_all(&connection)?;
            self.is_unflushed = false;
        }
        let meta = Meta::read(&connection)?;
        if meta.epoch != self.head.meta.epoch {
            return Err(rusqlite::Error::InvalidPath(self.path.clone()));
        }
        let standing = Standing::read(&connection, self.shared.seal, meta.promised)?;
        let last = standing.last;
        if last != self.head.last {
            // A commit of which nobody knew whether it went through.
            let from = self.head.last.unwrap_or(0);
            let Shared { pending, seal, .. } = &*self.shared;
            // Where all keys are read anew these are among them.
            if pending.index() == Index::Whole {
                open::collect(&connection, *seal, pending, from.saturating_add(1), last, usize::MAX)?;
                self.merge.added(last.unwrap_or(0));
            }
            let newest = last.map_or(self.head.next, |last| self.head.next.max(last.saturating_add(1)));
            self.head.next = newest;
            let next = seq(newest).unwrap_or(Seq::FIRST);
            self.shared.newest.restart(next, last.and_then(seq));
        }
        self.sources = open::sources(&connection)?;
        self.head.last = last;
        self.head.ordinal = standing.ordinal;
        self.head.rows = standing.rows;
        self.head.meta = meta;
        self.checkpointer.watch(&mut connection)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Takes note of a failure, and says what to tell publishers.
    pub(super) fn failed(&mut self, failure: Failure) -> AppendError {
        // Rolls back what is under way.
        self.connection = None;
        self.merge.failed();
        let (error, is_unknown) = match failure {
            Failure::Nothing(error) => (error, false),
            Failure::Unknown(error) => (error, true),
        };
        self.is_unflushed |= is_unknown;
        let is_reindexed = is_damage(&error) && self.shared.pending.index() == Index::Damaged;
        let reason = if is_reindexed { REASON.to_owned() } else { describe(&error, &self.path) };
        self.refuse_for(reason.clone());
        if is_unknown { AppendError::Unknown(reason) } else { AppendError::Unavailable(reason) }
    }

    /// Nothing is stored now, and this is why.
    pub(super) fn refuse_for(&mut self, reason: String) {
        let is_news = self.trouble.as_ref().is_none_or(|(known, _)| *known != reason);
        self.trouble = Some((reason.clone(), Instant::now()));
        if is_news {
            (self.shared.report)(&Condition::Unavailable { reason });
        }
    }

    pub(super) fn recovered(&mut self) {
        if self.trouble.take().is_some() {
            (self.shared.report)(&Condition::Recovered);
        }
    }

    /// The housekeeping: one small step of each kind.
    fn keep_up(&mut self) {
        let is_tick = self.tick() <= Instant::now();
        if is_tick {
            self.upkeep.tick = None;
        }
        if self.shared.pending.index() != Index::Whole {
            if is_tick || !self.reindex.is_paused() {
                self.reindex();
            }
            self.fold();
            return;
        }
        if self.trouble.is_some() {
            if is_tick {
                self.try_again();
            }
            return;
        }
        if self.upkeep.grown >= MEASURE_AFTER || is_tick {
            self.measure();
            let held = Held { rows: self.head.rows, bytes: self.upkeep.bytes };
            self.upkeep.unfinished |= is_tick || self.retention.is_exceeded(held);
        }
        if self.upkeep.unfinished {
            self.prune();
        }
        while self.trouble.is_none() && self.merge.is_due(&self.shared.pending, self.head.rows) {
            if let Err(failure) = self.merge_slice() {
                self.failed(failure);
            }
            if !self.merge.is_urgent(&self.shared.pending) {
                break;
            }
        }
        self.fold();
    }

    fn fold(&mut self) {
        if let Some(connection) = &self.connection {
            self.checkpointer.step(connection);
        }
    }

    /// Whether the file can be written again. Retention first: it may be what makes room.
    fn try_again(&mut self) {
        self.prune();
        if let Err(error) = self.reconnect() {
            self.failed(Failure::Nothing(error));
            return;
        }
        // Something must be written to know: a promise that seems to be due.
        let promised = std::mem::replace(&mut self.head.meta.promised, 0);
        match self.commit(&mut [], &mut Stores::default()) {
            Ok(()) => self.recovered(),
            Err(failure) => {
                self.head.meta.promised = promised;
                self.failed(failure);
            }
        }
    }

    /// Bytes of the file that are in use, with what lies in the WAL.
    fn measure(&mut self) {
        let Some(connection) = &self.connection else { return };
        self.upkeep.grown = 0;
        let pages = |pragma: &str| -> rusqlite::Result<u64> {
            connection
                .prepare_cached(pragma)?
                .query_row([], |row| row.get::<_, i64>(0))
                .map(i64::cast_unsigned)
        };
        // What cannot be read now is as it was.
        if let (Ok(all), Ok(free)) = (pages("PRAGMA page_count"), pages("PRAGMA freelist_count")) {
            self.upkeep.bytes = all.saturating_sub(free) * 4096;
        }
    }

    /// A step of retention.
    fn prune(&mut self) {
        self.upkeep.unfinished = false;
        if self.upkeep.stuck || self.reconnect().is_err() {
            return;
        }
        let step = Step {
            retention: self.retention,
            held: Held { rows: self.head.rows, bytes: self.upkeep.bytes },
            now: (self.clock)(),
            upto: i64::MAX,
            limit: self.upkeep.pace.rows(),
        };
        let begun = Instant::now();
        match self.quietly(|connection| step.remove(connection, &self.shared)) {
            Ok(removed) if removed.rows > 0 => {
                self.upkeep.pace.took(begun.elapsed());
                self.head.rows = self.head.rows.saturating_sub(removed.rows);
                self.merge.removed(removed.rows);
                self.measure();
                let held = Held { rows: self.head.rows, bytes: self.upkeep.bytes };
                self.upkeep.unfinished = !removed.all || self.retention.is_exceeded(held);
            }
            Ok(_) => {}
            Err(Failure::Nothing(error)) if is_damage(&error) => {
                // Publishing goes on for as long as it can.
                self.connection = None;
                self.upkeep.stuck = true;
                let reason = describe(&error, &self.path);
                (self.shared.report)(&Condition::Unpruned { reason });
            }
            Err(failure) => {
                self.failed(failure);
            }
        }
    }

    /// A step of merging keys.
    pub(super) fn merge_slice(&mut self) -> Result<(), Failure> {
        self.reconnect().map_err(Failure::Nothing)?;
        let begun = Instant::now();
        let oldest = sql(self.shared.newest.lock().oldest);
        let shared = Arc::clone(&self.shared);
        let mut merge = std::mem::take(&mut self.merge);
        let mut meta = self.head.meta.clone();
        let held = self.head.rows;
        let result = self.quietly(|connection| {
            let slice = merge.slice(connection, &shared.pending, oldest, held)?;
            if let Slice::Through(indexed) = slice {
                meta.indexed = indexed;
                meta.write(connection)?;
            }
            Ok(slice)
        });
        self.merge = merge;
        let slice = result?;
        self.head.meta = meta;
        self.merge.committed(slice, &self.shared.pending, begun.elapsed());
        Ok(())
    }

    /// A transaction that nobody waits for: it is not flushed by itself, but with the next that is. What is lost with
    /// it is done again.
    pub(super) fn quietly<T>(
        &self,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        let Some(connection) = &self.connection else {
            return Err(Failure::Nothing(rusqlite::Error::InvalidQuery));
        };
        let run = || {
            // Not prepared once: SQLite sets it while it compiles the statement.
            connection.execute_batch("PRAGMA synchronous = NORMAL")?;
            connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            let value = change(connection)?;
            connection.prepare_cached("COMMIT")?.execute([])?;
            connection.pragma_update(None, "synchronous", open::synchronous(self.mode.durability))?;
            Ok(value)
        };
        run().map_err(Failure::Nothing)
    }
}

/// Drops what still waits when the writer is gone.
struct Abandon(Arc<Queue<Request>>);

impl Drop for Abandon {
    fn drop(&mut self) {
        self.0.close();
        while let Taken::Items(_) = self.0.take(None, usize::MAX, |_| 0) {}
    }
}

fn refuse(requests: Vec<Request>, error: &AppendError) {
    for request in requests {
        request.work.answer(Err(error.clone()));
    }
}
