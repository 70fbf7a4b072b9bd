//! Where ids and dedupe keys lie: the newest in memory, the others in the table `keys`.
//!
//! A key is a hash, so each insert into the table would change a page of its own, and a batch of a hundred events some
//! two hundred pages. So keys are collected in memory and merged into the table in bulk, slice by slice in the order of
//! their hashes, between commits. The rows hold everything that the table does: what was not merged when the process
//! ended is read from them (`indexed` in the table `meta` says from where).
//!
//! Entries of events that are gone are only removed where a merge passes by. Until then they tell, of an id, that there
//! was one.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fanfare_event::EventId;
use rusqlite::{Connection, OptionalExtension as _};
use sha2::{Digest as _, Sha256};

use super::pace::Pace;
use crate::DedupeKey;

/// A dedupe key as a row holds it: the first half of its SHA-256, so that nobody can make two that are taken for one.
pub(super) type KeyHash = [u8; 16];

/// Entries in memory from which on they are merged. About 3 MiB, and a second's reading after a crash.
const MERGE_AT: usize = 1 << 17;

/// Entries in memory from which on merging goes before publishing: it must not fall behind for ever.
const MERGE_FIRST: usize = 4 * MERGE_AT;

/// The part of all hashes that a slice passes at most, so that removing what is gone is bounded as adding is.
const SLICES: u64 = 256;

/// The hash of a dedupe key.
pub(super) fn hash_key(key: &DedupeKey) -> KeyHash {
    let digest = Sha256::digest(key.0.as_bytes());
    std::array::from_fn(|index| digest[index])
}

/// An entry's word for a dedupe key: half of its hash. Who finds it compares the rest with the row.
pub(super) fn word(key: &KeyHash) -> i64 {
    i64::from_le_bytes(std::array::from_fn(|index| key[index]))
}

/// An entry's word for an id. Who finds it compares the id with the row's.
pub(super) fn id_word(id: &EventId) -> i64 {
    let digest = Sha256::new().chain_update([b'i']).chain_update(id.as_str()).finalize();
    i64::from_le_bytes(std::array::from_fn(|index| digest[index]))
}

/// An entry: a word, and the seq of a row that it may name.
type Entry = (i64, i64);

/// The entries that the table does not have yet. One thread adds and merges, any may look.
#[derive(Debug, Default)]
pub(super) struct Pending(Mutex<Sets>);

#[derive(Debug, Default)]
struct Sets {
    fresh: BTreeSet<Entry>,
    /// Being merged. Some of them may be in the table already.
    merging: BTreeSet<Entry>,
}

impl Pending {
    pub(super) fn add(&self, entries: impl IntoIterator<Item = Entry>) {
        self.lock().fresh.extend(entries);
    }

    fn next(&self, word: i64, from: i64) -> Option<i64> {
        let sets = self.lock();
        let first =
            |set: &BTreeSet<Entry>| set.range((word, from)..=(word, i64::MAX)).next().map(|entry| entry.1);
        match (first(&sets.fresh), first(&sets.merging)) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sets> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first row with `from <= seq` that a word may name.
///
/// Looks into memory first: an entry leaves it only once the table has it, and a look into the table that begins
/// afterwards sees it there.
pub(super) fn next(
    connection: &Connection,
    pending: &Pending,
    word: i64,
    from: i64,
) -> rusqlite::Result<Option<i64>> {
    let in_memory = pending.next(word, from);
    let in_table = connection
        .prepare_cached("SELECT seq FROM keys WHERE word = ?1 AND seq >= ?2 ORDER BY seq LIMIT 1")?
        .query_row((word, from), |row| row.get(0))
        .optional()?;
    Ok(match (in_memory, in_table) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    })
}

/// Merging, as the thread that writes does it.
#[derive(Debug, Default)]
pub(super) struct Merge {
    under_way: Option<Pass>,
    /// The newest row whose entries are in memory.
    newest: i64,
    /// Rows that retention has taken since the last pass began.
    removed: usize,
    /// The oldest row that was held when the last pass began.
    forget_next: i64,
    pace: Pace,
}

/// One pass over all words.
#[derive(Clone, Copy, Debug)]
struct Pass {
    /// Where the next slice begins.
    cursor: Entry,
    /// When it is through, the table has the entries of all rows up to here.
    upto: i64,
    /// Entries of rows before this one go.
    forget_before: i64,
}

/// What a slice did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slice {
    /// It ended here.
    Part(Entry),
    /// It was the last: the table has the entries of all rows up to this seq.
    Through(i64),
}

const BEGIN: Entry = (i64::MIN, i64::MIN);
const END: Entry = (i64::MAX, i64::MAX);

impl Merge {
    /// Entries of rows up to this one were added.
    pub(super) fn added(&mut self, newest: i64) {
        self.newest = self.newest.max(newest);
    }

    /// Retention took so many rows.
    pub(super) fn removed(&mut self, rows: usize) {
        self.removed += rows;
    }

    /// Whether there is something to merge.
    pub(super) fn is_due(&self, pending: &Pending) -> bool {
        self.under_way.is_some() || self.removed >= MERGE_AT || pending.lock().fresh.len() >= MERGE_AT
    }

    /// Whether publishing must wait for it.
    pub(super) fn is_urgent(&self, pending: &Pending) -> bool {
        self.under_way.is_some() && pending.lock().fresh.len() >= MERGE_FIRST
    }

    /// Merges the next slice within a transaction of the caller's, which tells [`Merge::committed`] or
    /// [`Merge::failed`] what became of it. `oldest`: the oldest row that is held.
    pub(super) fn slice(
        &mut self,
        connection: &Connection,
        pending: &Pending,
        oldest: i64,
    ) -> rusqlite::Result<Slice> {
        let pass = *self.under_way.get_or_insert_with(|| {
            let mut sets = pending.lock();
            sets.merging = std::mem::take(&mut sets.fresh);
            self.removed = 0;
            // What is gone now goes with the next pass only, so that ids are known for a while after their events.
            let forget_before = std::mem::replace(&mut self.forget_next, oldest);
            Pass { cursor: BEGIN, upto: self.newest, forget_before }
        });
        let widest = (pass.cursor.0.saturating_add_unsigned(u64::MAX / SLICES), i64::MAX);
        let entries: Vec<Entry> =
            pending.lock().merging.range(pass.cursor..=widest).take(self.pace.rows()).copied().collect();
        let end = entries.last().filter(|_| entries.len() == self.pace.rows()).copied().unwrap_or(widest);
        let mut insert =
            connection.prepare_cached("INSERT OR IGNORE INTO keys (word, seq) VALUES (?1, ?2)")?;
        for entry in entries {
            insert.execute(entry)?;
        }
        connection
            .prepare_cached("DELETE FROM keys WHERE word BETWEEN ?1 AND ?2 AND seq < ?3")?
            .execute((pass.cursor.0, end.0, pass.forget_before))?;
        Ok(if end == END { Slice::Through(pass.upto) } else { Slice::Part(end) })
    }

    /// The slice's transaction is through, after so long.
    pub(super) fn committed(&mut self, slice: Slice, pending: &Pending, took: Duration) {
        self.pace.took(took);
        match (slice, &mut self.under_way) {
            (Slice::Part((word, i64::MAX)), Some(pass)) => pass.cursor = (word + 1, i64::MIN),
            (Slice::Part((word, seq)), Some(pass)) => pass.cursor = (word, seq + 1),
            (Slice::Through(_), under_way) => {
                *under_way = None;
                pending.lock().merging.clear();
            }
            (Slice::Part(_), None) => {}
        }
    }

    /// The slice's transaction stored nothing. What a pass does can be done twice, so it begins again.
    pub(super) fn failed(&mut self) {
        if let Some(pass) = &mut self.under_way {
            pass.cursor = BEGIN;
        }
    }
}
