//! Removing what may not stay, a step at a time. How much that is decides `retention`, when it is done `writer`.

use jiff::Timestamp;
use rusqlite::Connection;

use super::read::{seq, sql};
use super::retention::{FileRetention, Held};
use super::shared::Shared;

/// A step of it.
pub(super) struct Step {
    pub(super) retention: FileRetention,
    pub(super) held: Held,
    pub(super) now: Timestamp,
    /// Rows behind this one stay.
    pub(super) upto: i64,
    /// Rows that it removes at most.
    pub(super) limit: usize,
}

/// What it did.
pub(super) struct Removed {
    pub(super) rows: u64,
    /// Nothing is left to remove.
    pub(super) all: bool,
}

impl Step {
    pub(super) fn remove(&self, connection: &Connection, shared: &Shared) -> rusqlite::Result<Removed> {
        let oldest = sql(shared.newest.lock().oldest);
        let limit = i64::try_from(self.limit).unwrap_or(i64::MAX);
        let rows: Vec<(i64, i64)> = connection
            .prepare_cached(
                "SELECT seq, stored_at FROM events WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq LIMIT ?3",
            )?
            .query_map((oldest, self.upto, limit), |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let stored_at = rows.iter().map(|(_, stored_at)| *stored_at);
        let many = self.retention.removable(self.held, self.now.as_millisecond(), stored_at);
        let Some((last, _)) = many.checked_sub(1).and_then(|index| rows.get(index)) else {
            return Ok(Removed { rows: 0, all: true });
        };
        let kept: Option<i64> = connection
            .prepare_cached("SELECT min(seq) FROM events WHERE seq > ?1")?
            .query_row([last], |row| row.get(0))?;
        // Readers must know before anything is missing.
        shared.newest.forget(kept.and_then(seq));
        let removed = connection.prepare_cached("DELETE FROM events WHERE seq <= ?1")?.execute([last])?;
        Ok(Removed { rows: removed as u64, all: many < self.limit })
    }
}
