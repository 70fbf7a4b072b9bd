//! What the file says of the log as a whole: its epoch and its promises, and where its rows begin and end.

use fanfare_event::Epoch;
use rusqlite::{Connection, OptionalExtension as _};
use xxhash_rust::xxh3::Xxh3;

use super::row::{self, Seal};
use super::trouble::is_damage;

/// What the log as a whole knows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) epoch: Epoch,
    /// Every seq that was ever given is below.
    pub(super) promised: i64,
    /// The table `keys` has all entries of rows up to here.
    pub(super) indexed: i64,
}

/// Where the log stands, as the file has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    /// The oldest row; 1 where the file is damaged there.
    pub(super) oldest: Option<i64>,
    /// The newest row; where the file is damaged there, the last seq that it can have.
    pub(super) last: Option<i64>,
    /// How many rows were stored up to `last`.
    pub(super) ordinal: u64,
    /// How many are held.
    pub(super) rows: u64,
}

impl Meta {
    pub(super) fn read(connection: &Connection) -> rusqlite::Result<Self> {
        connection
            .prepare_cached("SELECT epoch, promised, indexed, checksum FROM meta WHERE one = 1")?
            .query_row([], |row| {
                let meta = Self {
                    epoch: Epoch::new(&row.get::<_, String>(0)?)
                        .ok_or(rusqlite::Error::QueryReturnedNoRows)?,
                    promised: row.get(1)?,
                    indexed: row.get(2)?,
                };
                if row.get::<_, i64>(3)? == meta.checksum() {
                    Ok(meta)
                } else {
                    Err(rusqlite::Error::QueryReturnedNoRows)
                }
            })
    }

    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        connection
            .prepare_cached(
                "REPLACE INTO meta (one, epoch, promised, indexed, checksum) VALUES (1, ?1, ?2, ?3, ?4)",
            )?
            .execute((self.epoch.as_str(), self.promised, self.indexed, self.checksum()))
            .map(|_| ())
    }

    fn checksum(&self) -> i64 {
        let mut hash = Xxh3::new();
        hash.update(self.epoch.as_str().as_bytes());
        hash.update(&self.promised.to_le_bytes());
        hash.update(&self.indexed.to_le_bytes());
        hash.digest().cast_signed()
    }
}

impl Standing {
    /// Reads it; `promised`: every seq is below.
    pub(super) fn read(connection: &Connection, seal: Seal, promised: i64) -> rusqlite::Result<Self> {
        let first = end(connection, seal, "SELECT seq, stored_at, row FROM events ORDER BY seq LIMIT 1")?;
        let last = end(connection, seal, "SELECT seq, stored_at, row FROM events ORDER BY seq DESC LIMIT 1")?;
        let damaged = promised.saturating_sub(1).max(1);
        let ordinal = last.map_or(0, |end| end.ordinal.unwrap_or(0));
        let rows = match (first, last) {
            (Some(End { ordinal: Some(first), .. }), Some(End { ordinal: Some(last), .. })) => {
                last.saturating_sub(first) + 1
            }
            _ => 0,
        };
        Ok(Self {
            oldest: first.map(|end| end.seq.unwrap_or(1)),
            last: last.map(|end| end.seq.filter(|_| end.ordinal.is_some()).unwrap_or(damaged)),
            ordinal,
            rows,
        })
    }
}

/// The first or the last row, as far as it can be read.
#[derive(Clone, Copy)]
struct End {
    seq: Option<i64>,
    ordinal: Option<u64>,
}

fn end(connection: &Connection, seal: Seal, sql: &str) -> rusqlite::Result<Option<End>> {
    let row = connection.prepare(sql)?.query_row([], |row| {
        let (seq, stored_at) = (row.get::<_, i64>(0)?, row.get(1)?);
        let whole =
            row::decode(row.get_ref(2)?.as_blob().unwrap_or_default(), seal, seq.cast_unsigned(), stored_at);
        Ok(End { seq: Some(seq), ordinal: whole.ok().map(|row| row.place.ordinal) })
    });
    match row.optional() {
        Err(error) if is_damage(&error) => Ok(Some(End { seq: None, ordinal: None })),
        other => other,
    }
}
