//! Reading rows, and what is told where they are damaged: never a row that is not what was appended, and never a hole
//! that is not told. Which thread does it is in `readers`.

use fanfare_event::{EventId, Seq, Stored};
use rusqlite::{Connection, OptionalExtension as _};

use super::keys::{self, Pending};
use super::newest::PAGE_BYTES;
use super::row::{self, Row, Seal};
use super::trouble::is_damage;
use crate::Page;

/// Why rows were not read to the end.
#[derive(Debug)]
pub(super) enum Unread {
    /// One is not what was appended, or the file is damaged around it.
    Damaged,
    /// It cannot be read now.
    Failed(rusqlite::Error),
}

/// Where the log stood before a page was read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) next: Seq,
    pub(super) oldest: Seq,
    pub(super) last: Option<Seq>,
}

/// A page, and what of it is lost.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) page: Page,
    pub(super) damage: Option<(Seq, Seq)>,
}

/// Reads whole rows with `from <= seq`, ascending, for as long as `more` wants some.
pub(super) fn each(
    connection: &Connection,
    seal: Seal,
    from: i64,
    mut more: impl FnMut(Row) -> bool,
) -> Result<(), Unread> {
    let sort =
        |error: rusqlite::Error| if is_damage(&error) { Unread::Damaged } else { Unread::Failed(error) };
    let mut statement = connection
        .prepare_cached("SELECT seq, stored_at, row FROM events WHERE seq >= ?1 ORDER BY seq")
        .map_err(sort)?;
    let mut rows = statement.query([from]).map_err(sort)?;
    while let Some(row) = rows.next().map_err(sort)? {
        if !more(whole(row, seal).map_err(sort)?.ok_or(Unread::Damaged)?) {
            break;
        }
    }
    Ok(())
}

/// The row, if it is what was appended.
fn whole(row: &rusqlite::Row<'_>, seal: Seal) -> rusqlite::Result<Option<Row>> {
    let (seq, stored_at) = (row.get::<_, i64>(0)?, row.get(1)?);
    let Ok(bytes) = row.get_ref(2)?.as_blob() else { return Ok(None) };
    Ok(row::decode(bytes, seal, seq.cast_unsigned(), stored_at).ok())
}

/// The row at this place, if there is one and it is whole.
pub(super) fn at(connection: &Connection, seal: Seal, seq: i64) -> rusqlite::Result<Option<Row>> {
    let row = connection
        .prepare_cached("SELECT seq, stored_at, row FROM events WHERE seq = ?1")?
        .query_row([seq], |row| whole(row, seal))
        .optional();
    match row {
        Err(error) if is_damage(&error) => Ok(None),
        row => row.map(Option::flatten),
    }
}

/// A whole row behind `bad`, close to it, and not behind `last`. Where several parts are damaged it may leave out what
/// lies between them; that is told as lost, as they are.
pub(super) fn next_whole(connection: &Connection, seal: Seal, bad: i64, last: i64) -> Option<i64> {
    let probe = |from: i64| {
        let mut found = None;
        each(connection, seal, from, |row| {
            found = i64::try_from(row.place.seq).ok();
            false
        })
        .ok()?;
        found.filter(|seq| *seq >= from)
    };
    let mut step = 1_i64;
    let mut before = bad;
    let (mut low, mut found) = loop {
        let from = bad.saturating_add(step).min(last);
        if from > bad
            && let Some(found) = probe(from)
        {
            break (before, found);
        }
        if from == last || from <= bad {
            return None;
        }
        before = from;
        step = step.saturating_mul(2);
    };
    // `low` met damage, `found` is whole: narrows down to the first that is.
    let mut high = found;
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        match probe(middle) {
            Some(whole) => {
                found = found.min(whole);
                high = middle;
            }
            None => low = middle,
        }
    }
    Some(found)
}

/// At most `max` events with `from <= seq`. Each row names the one before it, so what lies between two is known to be
/// nothing; where it is not, the page ends before the hole, or, where it begins with one, says in `oldest` where it
/// ends.
pub(super) fn page(
    connection: &Connection,
    seal: Seal,
    known: Known,
    from: Seq,
    max: usize,
) -> rusqlite::Result<Reading> {
    let start = from.max(known.oldest);
    let mut events: Vec<Stored> = Vec::new();
    let mut bytes = 0;
    // What the next row must name as the one before it, at the most.
    let mut previous = start.get() - 1;
    let mut whole_behind_hole = None;
    let mut full = max == 0;
    let outcome = if full {
        Ok(())
    } else {
        each(connection, seal, sql(start), |row| {
            let place = row.place;
            let fits =
                if events.is_empty() { place.previous <= previous } else { place.previous == previous };
            if !fits || place.seq <= previous {
                whole_behind_hole = Some(place.seq);
                return false;
            }
            bytes += row.event.weight();
            if events.len() == max || (bytes > PAGE_BYTES && !events.is_empty()) {
                full = true;
                return false;
            }
            let Ok(stored) = row.into_stored() else {
                whole_behind_hole = Some(place.seq + 1);
                return false;
            };
            previous = place.seq;
            events.push(stored);
            true
        })
    };
    let is_hole = match outcome {
        Ok(()) if whole_behind_hole.is_some() => true,
        // All was read: the newest row that is known must have been there.
        Ok(()) => !full && known.last.is_some_and(|last| last >= start && last.get() > previous),
        Err(Unread::Damaged) => true,
        Err(Unread::Failed(error)) => return Err(error),
    };
    let oldest = known.oldest;
    let Some(last) = events.last().map(|stored| stored.seq) else {
        if full {
            let next = if known.last.is_some_and(|last| last >= start) { from } else { known.next.max(from) };
            return Ok(Reading { page: Page { events, next, oldest }, damage: None });
        }
        if is_hole {
            let end = known.last.unwrap_or(start);
            let whole = whole_behind_hole
                .and_then(Seq::new)
                .or_else(|| next_whole(connection, seal, sql(start), sql(end)).and_then(seq))
                .unwrap_or_else(|| end.next().max(start.next()));
            let damage = Some((start, whole));
            return Ok(Reading { page: Page { events, next: from, oldest: whole }, damage });
        }
        return Ok(Reading { page: Page { events, next: known.next.max(from), oldest }, damage: None });
    };
    let next = if full || is_hole { last.next() } else { known.next.max(last.next()) };
    Ok(Reading { page: Page { events, next, oldest }, damage: None })
}

/// Where the first event of this id lies; else where one that is gone lay, if that is still known.
pub(super) fn find(
    connection: &Connection,
    seal: Seal,
    pending: &Pending,
    oldest: Seq,
    id: &EventId,
) -> rusqlite::Result<Option<Seq>> {
    let (table, word) = (pending.table(), keys::id_word(id));
    let mut from = sql(oldest);
    while let Some(candidate) = keys::next(connection, pending, table, word, from)? {
        if let Some(row) = at(connection, seal, candidate)? {
            if row.event.id == *id {
                return Ok(seq(candidate));
            }
            pending.confirm(table, &row, word)?;
        }
        from = candidate.saturating_add(1);
    }
    let gone = keys::next(connection, pending, table, word, 0)?;
    Ok(gone.filter(|gone| *gone < sql(oldest)).and_then(seq))
}

/// A seq as SQLite keeps it. None is as large as 2⁶³, see [`Seq::next`].
pub(super) fn sql(seq: Seq) -> i64 {
    i64::try_from(seq.get()).unwrap_or(i64::MAX)
}

/// And back.
pub(super) fn seq(number: i64) -> Option<Seq> {
    u64::try_from(number).ok().and_then(Seq::new)
}
