//! Folding the WAL into the file. Most of it is done by a thread of its own while events are stored; the writer only
//! folds in the rest, which is little, so that the WAL begins anew.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread::{Builder, JoinHandle};

use rusqlite::Connection;

use super::WAL_BYTES;
use super::open::{Mode, connect};
use super::queue::{Queue, Taken};

/// Bytes of a page in the WAL, <https://sqlite.org/fileformat2.html#walformat>: 4096 and a header.
const FRAME: u64 = 4096 + 24;

/// Frames after which the WAL is folded in.
#[expect(clippy::cast_possible_truncation, reason = "a few thousand")]
const FOLD_AT: u32 = (WAL_BYTES / FRAME) as u32;

/// Frames after which the writer folds it in by itself, whatever publishing waits.
const FOLD_NOW: u32 = 8 * FOLD_AT;

/// The thread, and how far it is.
#[derive(Debug)]
pub(super) struct Checkpointer {
    orders: Arc<Queue<()>>,
    done: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// Frames in the WAL, as the last commit left it.
    frames: Arc<AtomicU32>,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waits for the WAL to grow beyond so many frames.
    Until(u32),
    /// The thread is at it.
    Folding,
}

impl Checkpointer {
    pub(super) fn start(path: &Path, mode: Mode) -> std::io::Result<Self> {
        let orders = Arc::new(Queue::new());
        let done = Arc::new(AtomicBool::new(false));
        let thread = {
            let (orders, done, path) = (Arc::clone(&orders), Arc::clone(&done), path.to_owned());
            Builder::new()
                .name("log-checkpoint".to_owned())
                .spawn(move || fold_when_told(&orders, &done, &path, mode))?
        };
        Ok(Self {
            orders,
            done,
            thread: Some(thread),
            frames: Arc::new(AtomicU32::new(0)),
            stage: Stage::Until(FOLD_AT),
        })
    }

    /// Watches a connection's commits, and keeps SQLite from folding in by itself.
    pub(super) fn watch(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let frames = Arc::clone(&self.frames);
        connection.wal_hook(Some(move |_: &mut _, pages: i32| {
            frames.store(u32::try_from(pages).unwrap_or(0), Ordering::Relaxed);
            Ok(())
        }))
    }

    /// Does what is to do after a commit.
    pub(super) fn step(&mut self, connection: &Connection) {
        let frames = self.frames.load(Ordering::Relaxed);
        match self.stage {
            Stage::Until(limit) if frames >= limit.max(FOLD_NOW) => {
                fold(connection, "PRAGMA wal_checkpoint(RESTART)");
                self.stage = Stage::Until(after(frames));
            }
            Stage::Until(limit) if frames >= limit => {
                self.done.store(false, Ordering::Relaxed);
                // Closed only when the log is.
                let _ = self.orders.push(());
                self.stage = Stage::Folding;
            }
            Stage::Folding if self.done.load(Ordering::Acquire) => {
                fold(connection, "PRAGMA wal_checkpoint(PASSIVE)");
                self.stage = Stage::Until(after(frames));
            }
            // It began anew.
            Stage::Until(limit) if limit > FOLD_AT && frames < FOLD_AT => self.stage = Stage::Until(FOLD_AT),
            Stage::Until(_) | Stage::Folding => {}
        }
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.orders.close();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has nothing to hand over.
            let _ = thread.join();
        }
    }
}

/// A reader may have kept the WAL from beginning anew; then it is folded in again after as much again.
fn after(frames: u32) -> u32 {
    frames.saturating_add(FOLD_AT)
}

fn fold_when_told(orders: &Queue<()>, done: &AtomicBool, path: &Path, mode: Mode) {
    let mut connection = None;
    while let Taken::Items(_) = orders.take(None, usize::MAX, |()| 1) {
        if connection.is_none() {
            connection = connect(path, mode).ok();
        }
        if let Some(connection) = &connection {
            fold(connection, "PRAGMA wal_checkpoint(PASSIVE)");
        }
        done.store(true, Ordering::Release);
    }
}

/// Folds all of it in and empties it, or fails.
pub(super) fn fold_all(connection: &Connection) -> rusqlite::Result<()> {
    let is_blocked: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if is_blocked {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(rusqlite::Error::SqliteFailure(busy, None));
    }
    Ok(())
}

/// What cannot be folded in stays in the WAL, is whole there, and is tried again when that has grown; a disk that fails
/// shows with the next commit.
fn fold(connection: &Connection, pragma: &str) {
    let _ = connection.query_row(pragma, [], |_| Ok(()));
}
