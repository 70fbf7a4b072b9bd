//! Where ids and dedupe keys lie: the newest in memory, the others in the table `keys`.
//!
//! A key is a hash, so each insert into the table would change a page of its own, and a batch of a hundred events some
//! two hundred pages. So keys are collected in memory and merged into the table in bulk, slice by slice in the order of
//! their hashes, between commits. The rows hold everything that the table does: what was not merged when the process
//! ended is read from them (`indexed` in the table `meta` says from where).
//!
//! Entries of events that are gone are only removed by a merge, once there are many. Until then they tell, of an id, that
//! there was one.
//!
//! Whoever meets damage in the table says so here ([`Pending::suspect`]); what is done then is in `reindex`.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fanfare_event::EventId;
use rusqlite::{Connection, OptionalExtension as _};
use sha2::{Digest as _, Sha256};

use super::pace::{self, Pace};
use super::row::Row;
use super::trouble::is_damage;
use crate::DedupeKey;

/// A dedupe key as a row holds it: the first half of its SHA-256, so that nobody can make two that are taken for one.
pub(super) type KeyHash = [u8; 16];

/// Entries in memory from which on they are merged. About 3 MiB, and a second's reading after a crash.
const MERGE_AT: usize = 1 << 17;

/// Entries in memory from which on merging goes before publishing: it must not fall behind for ever.
const MERGE_FIRST: usize = 4 * MERGE_AT;

/// Entries that are read from the rows at a start before the log is open. More than can be unmerged after a crash, so
/// that only a table that was being filled makes publishers wait.
pub(super) const READ_FIRST: usize = 4 * MERGE_FIRST;

/// The part of all words that a slice passes at the most, and at the least: one part in so many. What is gone is looked
/// for among all entries there, so a slice of a large table must be narrow.
const WIDEST: u64 = u64::MAX >> 8;
const NARROWEST: u64 = u64::MAX >> 24;

/// Rows that retention must have taken before their entries are looked for, at least, and as a part of what is held:
/// looking passes all entries there are.
const SWEEP_AT: u64 = MERGE_AT as u64;
const SWEEP_PART: u64 = 8;

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

/// The words of a row's entries.
pub(super) fn words(row: &Row) -> impl Iterator<Item = i64> {
    row.keys.iter().map(word).chain([id_word(&row.event.id)])
}

/// What memory and the table have together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Index {
    /// The entries of all rows.
    #[default]
    Whole,
    /// Nobody knows: the table is damaged.
    Damaged,
    /// Not all yet: they are being read from the rows.
    Filling,
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
    index: Index,
    /// How often the table was made anew.
    table: u64,
}

impl Pending {
    pub(super) fn add(&self, entries: impl IntoIterator<Item = Entry>) {
        self.lock().fresh.extend(entries);
    }

    pub(super) fn index(&self) -> Index {
        self.lock().index
    }

    /// Which table it is, one after another.
    pub(super) fn table(&self) -> u64 {
        self.lock().table
    }

    /// The same while the index is whole. What was looked up is right if it is so before and after.
    pub(super) fn whole_table(&self) -> Option<u64> {
        let sets = self.lock();
        (sets.index == Index::Whole).then_some(sets.table)
    }

    /// This table is damaged. Who was slow to find out may mean one that is gone.
    fn suspect(&self, table: u64) {
        let mut sets = self.lock();
        if sets.table == table {
            sets.index = Index::Damaged;
        }
    }

    /// The table lacks entries that are not here either.
    pub(super) fn lacks(&self) {
        self.lock().index = Index::Filling;
    }

    /// The table was made anew, and nothing is here.
    pub(super) fn empty(&self) {
        let mut sets = self.lock();
        *sets = Sets { index: Index::Filling, table: sets.table + 1, ..Sets::default() };
    }

    /// The entries of all rows are there.
    pub(super) fn complete(&self) {
        self.lock().index = Index::Whole;
    }

    /// Whether reading further entries must wait for merging.
    pub(super) fn is_full(&self) -> bool {
        self.lock().fresh.len() >= MERGE_FIRST
    }

    fn note(&self, table: u64, error: &rusqlite::Error) {
        if is_damage(error) {
            self.suspect(table);
        }
    }

    /// Fails where a row, which is whole, has no such word: the entry that led there is not one that was made for it.
    pub(super) fn confirm(&self, table: u64, row: &Row, word: i64) -> rusqlite::Result<()> {
        if words(row).any(|own| own == word) {
            return Ok(());
        }
        self.suspect(table);
        let corrupt = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        Err(rusqlite::Error::SqliteFailure(corrupt, None))
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
/// afterwards sees it there. `table`: the one that the caller began with.
pub(super) fn next(
    connection: &Connection,
    pending: &Pending,
    table: u64,
    word: i64,
    from: i64,
) -> rusqlite::Result<Option<i64>> {
    let in_memory = pending.next(word, from);
    let in_table = connection
        .prepare_cached("SELECT seq FROM keys WHERE word = ?1 AND seq >= ?2 ORDER BY seq LIMIT 1")?
        .query_row((word, from), |row| row.get(0))
        .optional()
        .inspect_err(|error| pending.note(table, error))?;
    Ok(match (in_memory, in_table) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    })
}

/// Merging, as the thread that writes does it.
#[derive(Debug)]
pub(super) struct Merge {
    under_way: Option<Pass>,
    /// The newest row whose entries are in memory.
    newest: i64,
    /// Rows that retention has taken since entries were last looked for that are gone.
    removed: u64,
    /// The oldest row that was held then.
    forget_next: i64,
    /// Entries that a slice merges.
    pace: Pace,
    /// Words that it passes.
    width: u64,
}

impl Default for Merge {
    fn default() -> Self {
        Self { under_way: None, newest: 0, removed: 0, forget_next: 0, pace: Pace::default(), width: WIDEST }
    }
}

/// One pass over all words.
#[derive(Clone, Copy, Debug)]
struct Pass {
    /// Where the next slice begins.
    cursor: Entry,
    /// When it is through, the table has the entries of all rows up to here.
    upto: i64,
    /// Entries of rows before this one go, if it is one that looks for them.
    forget_before: Option<i64>,
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
    pub(super) fn removed(&mut self, rows: u64) {
        self.removed += rows;
    }

    /// Whether there is something to merge, or enough to remove; so many rows are held.
    pub(super) fn is_due(&self, pending: &Pending, held: u64) -> bool {
        self.under_way.is_some() || self.sweeps(held) || pending.lock().fresh.len() >= MERGE_AT
    }

    fn sweeps(&self, held: u64) -> bool {
        self.removed >= SWEEP_AT.max(held / SWEEP_PART)
    }

    pub(super) fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Whether publishing must wait for it.
    pub(super) fn is_urgent(&self, pending: &Pending) -> bool {
        self.under_way.is_some() && pending.lock().fresh.len() >= MERGE_FIRST
    }

    /// Merges the next slice within a transaction of the caller's, which tells [`Merge::committed`] or
    /// [`Merge::failed`] what became of it. `oldest`: the oldest of the rows that are held, `held`: how many.
    pub(super) fn slice(
        &mut self,
        connection: &Connection,
        pending: &Pending,
        oldest: i64,
        held: u64,
    ) -> rusqlite::Result<Slice> {
        let table = pending.table();
        self.change(connection, pending, oldest, held).inspect_err(|error| pending.note(table, error))
    }

    fn change(
        &mut self,
        connection: &Connection,
        pending: &Pending,
        oldest: i64,
        held: u64,
    ) -> rusqlite::Result<Slice> {
        let pass = match self.under_way {
            Some(pass) => pass,
            None => self.begin(pending, oldest, held),
        };
        let widest = (pass.cursor.0.saturating_add_unsigned(self.width), i64::MAX);
        let entries: Vec<Entry> =
            pending.lock().merging.range(pass.cursor..=widest).take(self.pace.rows()).copied().collect();
        let end = entries.last().filter(|_| entries.len() == self.pace.rows()).copied().unwrap_or(widest);
        let mut insert =
            connection.prepare_cached("INSERT OR IGNORE INTO keys (word, seq) VALUES (?1, ?2)")?;
        for entry in entries {
            insert.execute(entry)?;
        }
        if let Some(before) = pass.forget_before {
            connection
                .prepare_cached("DELETE FROM keys WHERE word BETWEEN ?1 AND ?2 AND seq < ?3")?
                .execute((pass.cursor.0, end.0, before))?;
        }
        Ok(if end == END { Slice::Through(pass.upto) } else { Slice::Part(end) })
    }

    fn begin(&mut self, pending: &Pending, oldest: i64, held: u64) -> Pass {
        let mut sets = pending.lock();
        sets.merging = std::mem::take(&mut sets.fresh);
        let forget_before = self.sweeps(held).then(|| {
            self.removed = 0;
            // What is gone now goes with the next that looks, so that ids are known for a while after their events.
            std::mem::replace(&mut self.forget_next, oldest)
        });
        let pass = Pass { cursor: BEGIN, upto: self.newest, forget_before };
        self.under_way = Some(pass);
        pass
    }

    /// The slice's transaction is through, after so long.
    pub(super) fn committed(&mut self, slice: Slice, pending: &Pending, took: Duration) {
        self.pace.took(took);
        self.width = match took {
            took if took > pace::STEP => (self.width / 2).max(NARROWEST),
            took if took < pace::STEP / 2 => (self.width * 2).min(WIDEST),
            _ => self.width,
        };
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Merges until a pass is through, and tells up to where the table then has everything.
    fn pass(merge: &mut Merge, connection: &Connection, pending: &Pending, oldest: i64) -> i64 {
        loop {
            let slice = merge.slice(connection, pending, oldest, 0).unwrap();
            merge.committed(slice, pending, pace::STEP);
            if let Slice::Through(upto) = slice {
                return upto;
            }
        }
    }

    #[test]
    fn entries_are_found_before_between_and_after_and_go_late() {
        const ROWS: i64 = 1000;
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE keys (word INTEGER, seq INTEGER, PRIMARY KEY (word, seq)) WITHOUT ROWID",
            )
            .unwrap();
        let pending = Pending::default();
        let mut merge = Merge::default();
        // Words all over, several rows each, and both ends.
        let word = |seq: i64| match seq {
            1 => i64::MIN,
            2 => i64::MAX,
            _ => (seq % 700).wrapping_mul(0x1234_5678_9abc_def1),
        };
        pending.add((1..=ROWS).map(|seq| (word(seq), seq)));
        merge.added(ROWS);
        let all_found =
            || (1..=ROWS).all(|seq| next(&connection, &pending, 0, word(seq), seq).unwrap() == Some(seq));
        assert!(all_found(), "in memory");
        for _ in 0..10 {
            let slice = merge.slice(&connection, &pending, 1, 0).unwrap();
            merge.committed(slice, &pending, pace::STEP);
            assert!(all_found(), "half way");
        }
        merge.failed();
        assert_eq!(pass(&mut merge, &connection, &pending, 1), ROWS);
        assert!(all_found() && pending.lock().merging.is_empty(), "in the table");

        let left =
            || -> i64 { connection.query_row("SELECT count(*) FROM keys", [], |row| row.get(0)).unwrap() };
        for expected in [ROWS, ROWS / 2] {
            assert!(!merge.is_due(&pending, 0));
            merge.removed(SWEEP_AT);
            assert!(merge.is_due(&pending, 0) && !merge.is_due(&pending, SWEEP_AT * (SWEEP_PART + 1)));
            pass(&mut merge, &connection, &pending, ROWS / 2 + 1);
            assert_eq!(left(), expected, "entries outlive their rows by one sweep");
        }
    }
}
