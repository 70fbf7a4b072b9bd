//! A group of requests as one transaction: all that wait share one commit, and one flush of the disk. Who waits, and
//! what is done when it fails, is in `writer`.

use std::collections::HashMap;
use std::sync::Arc;

use fanfare_event::{Event, Seq, SinkName, SourceName, SourceNumber, Stored};
use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::keys::{self, KeyHash, Pending};
use super::meta::Meta;
use super::open::{self, PROMISE};
use super::row::{self, Place, Seal};
use super::{read, trouble};
use crate::{AppendError, Appended, RecordChange, SourcePosition};

/// Something to store, and who waits for it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) work: Work,
    /// Bytes, for the bounds of a group.
    pub(super) cost: usize,
    /// Held for as long as the request lives.
    pub(super) _permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
pub(super) enum Work {
    Append {
        events: Vec<Encoded>,
        position: Option<(SourceName, SourcePosition)>,
        answer: oneshot::Sender<Result<Vec<Appended>, AppendError>>,
    },
    Records {
        sink: SinkName,
        changes: Vec<RecordChange>,
        answer: oneshot::Sender<Result<(), AppendError>>,
    },
}

/// An event, ready to be stored.
#[derive(Debug)]
pub(super) struct Encoded {
    pub(super) event: Arc<Event>,
    pub(super) keys: Vec<KeyHash>,
    pub(super) id_word: i64,
    pub(super) row: Vec<u8>,
}

/// What the writer knows of the file; a transaction works on a copy, which holds once it is committed.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// The seq that the next event gets.
    pub(super) next: i64,
    /// The newest row.
    pub(super) last: Option<i64>,
    /// How many rows were stored up to `last`.
    pub(super) ordinal: u64,
    /// How many are held.
    pub(super) rows: u64,
    pub(super) meta: Meta,
}

/// What a transaction has to say once it is committed.
#[derive(Debug, Default)]
pub(super) struct Stores {
    pub(super) events: Vec<Stored>,
    /// Entries for the keys of these events.
    pub(super) entries: Vec<(i64, i64)>,
    /// What became of each request, in order; nothing for records.
    pub(super) appended: Vec<Vec<Appended>>,
    /// Bytes of rows.
    pub(super) bytes: usize,
}

/// A transaction that is being filled.
pub(super) struct Group<'a> {
    pub(super) connection: &'a Connection,
    pub(super) seal: Seal,
    pub(super) pending: &'a Pending,
    pub(super) sources: &'a mut HashMap<SourceName, SourceNumber>,
    pub(super) head: &'a mut Head,
    pub(super) now: Timestamp,
    /// The oldest row that is held: a key of one before it is free.
    pub(super) oldest: i64,
    /// Keys of this group's events.
    pub(super) named: HashMap<KeyHash, i64>,
    pub(super) stores: &'a mut Stores,
}

impl Group<'_> {
    /// Stores what a request asks for.
    pub(super) fn add(&mut self, work: &mut Work) -> rusqlite::Result<()> {
        match work {
            Work::Append { events, position, .. } => {
                let appended = events.iter_mut().map(|event| self.append(event)).collect::<Result<_, _>>()?;
                self.stores.appended.push(appended);
                if let Some((source, position)) = position {
                    self.connection
                        .prepare_cached("REPLACE INTO positions (source, position) VALUES (?1, ?2)")?
                        .execute((source.as_str(), &*position.0))?;
                }
            }
            Work::Records { sink, changes, .. } => {
                self.stores.appended.push(Vec::new());
                for RecordChange { key, value } in changes {
                    match value {
                        Some(value) => self
                            .connection
                            .prepare_cached("REPLACE INTO records (sink, key, value) VALUES (?1, ?2, ?3)")?
                            .execute((sink.as_str(), &**key, &**value))?,
                        None => self
                            .connection
                            .prepare_cached("DELETE FROM records WHERE sink = ?1 AND key = ?2")?
                            .execute((sink.as_str(), &**key))?,
                    };
                }
            }
        }
        Ok(())
    }

    /// Keeps seqs promised ahead of what is given.
    pub(super) fn promise(&mut self) -> rusqlite::Result<()> {
        let half = self.head.next.saturating_add_unsigned(PROMISE / 2);
        if self.head.meta.promised < half {
            self.head.meta.promised = self.head.next.saturating_add_unsigned(PROMISE);
            self.head.meta.write(self.connection)?;
        }
        Ok(())
    }

    fn append(&mut self, new: &mut Encoded) -> rusqlite::Result<Appended> {
        for key in &new.keys {
            if let Some(seq) = self.known(key)? {
                return Ok(Appended::Duplicate(seq));
            }
        }
        let source = open::number(self.connection, self.sources, &new.event.origin)?;
        let at = self.head.next;
        let stored_at = self.now.as_millisecond();
        let place = Place {
            seq: at.cast_unsigned(),
            stored_at,
            previous: self.head.last.unwrap_or(0).cast_unsigned(),
            ordinal: self.head.ordinal + 1,
            source,
        };
        row::seal(&mut new.row, self.seal, &place);
        self.connection
            .prepare_cached("INSERT INTO events (seq, stored_at, row) VALUES (?1, ?2, ?3)")?
            .execute((at, stored_at, &new.row[..]))?;
        self.head.next = at.saturating_add(1);
        self.head.last = Some(at);
        self.head.ordinal += 1;
        self.head.rows += 1;
        self.stores.bytes += new.row.len();
        self.stores.entries.push((new.id_word, at));
        for key in &new.keys {
            self.named.insert(*key, at);
            self.stores.entries.push((keys::word(key), at));
        }
        // Fits: a file of these numbers was opened.
        let seq = read::seq(at).unwrap_or(Seq::FIRST);
        self.stores.events.push(Stored {
            seq,
            stored_at: Timestamp::from_millisecond(stored_at).unwrap_or(self.now),
            source_number: source,
            event: Arc::clone(&new.event),
        });
        Ok(Appended::New(seq))
    }

    /// Where the event lies that has this key.
    fn known(&self, key: &KeyHash) -> rusqlite::Result<Option<Seq>> {
        if let Some(seq) = self.named.get(key) {
            return Ok(read::seq(*seq));
        }
        let mut from = self.oldest;
        let (table, word) = (self.pending.table(), keys::word(key));
        while let Some(candidate) = keys::next(self.connection, self.pending, table, word, from)? {
            if let Some(row) = read::at(self.connection, self.seal, candidate)? {
                if row.keys.contains(key) {
                    return Ok(read::seq(candidate));
                }
                self.pending.confirm(table, &row, word)?;
            }
            from = candidate.saturating_add(1);
        }
        Ok(None)
    }
}

impl Work {
    /// Answers who waits; who is gone is not there to answer.
    pub(super) fn answer(self, appended: Result<Vec<Appended>, AppendError>) {
        match self {
            Self::Append { answer, .. } => drop(answer.send(appended)),
            Self::Records { answer, .. } => drop(answer.send(appended.map(|_| ()))),
        }
    }
}

/// Why a transaction was not committed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Nothing of it was stored.
    Nothing(rusqlite::Error),
    /// It may be on the disk.
    Unknown(rusqlite::Error),
}

impl Failure {
    pub(super) fn of_commit(error: rusqlite::Error) -> Self {
        if trouble::is_certain(&error) { Self::Nothing(error) } else { Self::Unknown(error) }
    }
}
