//! Making the table `keys` anew where it is damaged, and filling it from the rows, a step at a time. Until that is done
//! nobody can say what is a repetition, so publishers are refused; ids are not looked up either.
//!
//! The damaged table is taken out of the schema and not dropped: dropping it frees every page that it refers to, and a
//! damaged page may refer to somebody else's. Its pages stay unused in the file until that is vacuumed.

use std::time::Instant;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use super::group::Failure;
use super::keys::{Index, Merge};
use super::open::{self, KEYS};
use super::pace::Pace;
use super::trouble::is_damage;
use super::writer::Writer;

/// Why nothing is stored meanwhile.
pub(super) const REASON: &str =
    "the table that finds events by their names was damaged; it is made anew from the events";

/// Why nothing is stored any more.
const HOPELESS: &str = "the table that finds events by their names is damaged and cannot be made anew; the file or its \
     disk must be replaced";

/// What a step reads is counted in entries: about so many for a row.
const ENTRIES_OF_ROW: usize = 3;

/// Where it stands.
#[derive(Debug, Default)]
pub(super) struct Reindex {
    /// The first row whose keys were not read.
    from: i64,
    /// It was made anew in this life of the process. Once is enough: where that does not help, the damage lies
    /// elsewhere, and each time leaves pages unused.
    was_made: bool,
    /// It failed; it is tried again with the next tick.
    is_paused: bool,
    pace: Pace,
}

impl From<Option<i64>> for Reindex {
    fn from(unread: Option<i64>) -> Self {
        Self { from: unread.unwrap_or(1), ..Self::default() }
    }
}

impl Reindex {
    pub(super) fn is_paused(&self) -> bool {
        self.is_paused
    }
}

impl Writer {
    /// A step of it.
    pub(super) fn reindex(&mut self) {
        let step = match self.shared.pending.index() {
            Index::Whole => Ok(()),
            Index::Damaged if self.reindex.was_made => {
                self.refuse_for(HOPELESS.to_owned());
                self.reindex.is_paused = true;
                return;
            }
            Index::Damaged => self.make_anew(),
            Index::Filling if self.merge.is_under_way() || self.shared.pending.is_full() => {
                self.merge_slice()
            }
            Index::Filling => self.read_keys().map_err(Failure::Nothing),
        };
        self.reindex.is_paused = step.is_err();
        match step {
            Ok(()) => {}
            Err(Failure::Nothing(error))
                if is_damage(&error) && self.shared.pending.index() == Index::Damaged =>
            {
                self.connection = None;
                self.refuse_for(HOPELESS.to_owned());
            }
            Err(failure) => {
                self.failed(failure);
            }
        }
    }

    fn make_anew(&mut self) -> Result<(), Failure> {
        self.refuse_for(REASON.to_owned());
        // With it go the statements that know the damaged table.
        self.connection = None;
        self.reconnect().map_err(Failure::Nothing)?;
        let mut meta = self.head.meta.clone();
        meta.indexed = 0;
        self.quietly(|connection| {
            replace(connection)?;
            meta.write(connection)
        })?;
        self.head.meta = meta;
        self.merge = Merge::default();
        self.reindex = Reindex { was_made: true, ..Reindex::from(None) };
        self.shared.pending.empty();
        Ok(())
    }

    /// Reads the keys of some rows.
    fn read_keys(&mut self) -> rusqlite::Result<()> {
        self.reconnect()?;
        let Some(connection) = &self.connection else { return Ok(()) };
        let (from, last) = (self.reindex.from, self.head.last);
        let limit = self.reindex.pace.rows() * ENTRIES_OF_ROW;
        let begun = Instant::now();
        let pending = &self.shared.pending;
        if let Some(next) = open::collect(connection, self.shared.seal, pending, from, last, limit)? {
            self.reindex.pace.took(begun.elapsed());
            self.reindex.from = next;
            self.merge.added(next - 1);
        } else {
            self.merge.added(last.unwrap_or(0));
            pending.complete();
            self.recovered();
        }
        Ok(())
    }
}

/// Puts an empty table in the damaged one's place, within a transaction of the caller's.
fn replace(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, false)?;
    connection.pragma_update(None, "writable_schema", true)?;
    connection.execute("DELETE FROM sqlite_schema WHERE tbl_name = 'keys'", [])?;
    // Also reads the schema again, without the table.
    connection.pragma_update(None, "writable_schema", "RESET")?;
    connection.execute_batch(KEYS)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
    Ok(())
}
