//! A sink with its log: reads what is new, gives out batches, takes confirmations. A batch, and a confirmation, is answered
//! once the log has it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fanfare_event::{NamePatterns, Profile, Seq};
use fanfare_log::{AppendError, EventLog, LogError};
use jiff::Timestamp;
use tokio::sync::{Mutex, OwnedMutexGuard};

use super::ledger::{Change, Confirm, Ledger, MAX_BATCH_EVENTS, Offer, Unreadable};

/// Bytes of a batch's events. The answer is made in memory, so that an event more is left for the next one; an event that is
/// larger by itself is a batch of its own.
const MAX_BATCH_BYTES: usize = 8 << 20;

/// Events that are read from the log at a time.
const READ_PAGE: usize = 512;

/// Gives ids to the batches of all sinks: microseconds since 1970, or one more than the last. They stay below 2⁵³, so that
/// JavaScript can hold them, until the year 2255.
#[derive(Debug, Default)]
pub(crate) struct BatchIds(AtomicU64);

impl BatchIds {
    /// An id that is larger than all before it, and than `last`, which an earlier run may have given.
    fn next(&self, last: u64, now: Timestamp) -> u64 {
        let now = u64::try_from(now.as_microsecond()).unwrap_or(0);
        let after = |given: u64| now.max(given + 1).max(last + 1);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |given| Some(after(given)))
            .map_or(now, after)
    }
}

/// A sink whose clients fetch batches and confirm them.
#[derive(Debug)]
pub(super) struct PullSink {
    offer: Offer,
    ids: Arc<BatchIds>,
    /// None until somebody asks, and after a write of which nobody knows what became of it. One request at a time has
    /// it, never for as long as a client takes to read its answer.
    ledger: Arc<Mutex<Option<Ledger>>>,
}

/// A request's turn at the sink.
pub(super) type Turn = OwnedMutexGuard<Option<Ledger>>;

/// A batch as it is sent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extracted {
    /// None where nothing is there.
    pub(super) id: Option<u64>,
    /// Envelopes, as JSON.
    pub(super) events: Vec<Vec<u8>>,
    /// Events that wait beside these.
    pub(super) remaining: u64,
}

/// Why a request cannot be served now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unavailable {
    /// The log cannot be read.
    #[error(transparent)]
    Read(#[from] LogError),
    /// The log cannot be written.
    #[error(transparent)]
    Write(#[from] AppendError),
    /// What is kept with the log makes no sense.
    #[error(transparent)]
    Kept(#[from] Unreadable),
}

impl PullSink {
    pub(super) fn new(offer: Offer, ids: Arc<BatchIds>) -> Self {
        Self { offer, ids, ledger: Arc::default() }
    }

    pub(super) fn name(&self) -> &fanfare_event::SinkName {
        &self.offer.sink
    }

    /// Waits for a turn. Whoever goes away meanwhile gives it up.
    pub(super) async fn turn(&self) -> Turn {
        Arc::clone(&self.ledger).lock_owned().await
    }

    /// Makes a batch of the oldest events of these types.
    pub(super) async fn extract(
        &self,
        mut held: Turn,
        log: &dyn EventLog,
        types: &NamePatterns,
        max: usize,
        now: Timestamp,
    ) -> Result<Extracted, Unavailable> {
        let ledger = self.ready(&mut held, log, now).await?;
        loop {
            let due = ledger.due(types, now, max.min(MAX_BATCH_EVENTS));
            if due.seqs.is_empty() {
                return Ok(Extracted { id: None, events: Vec::new(), remaining: 0 });
            }
            let Read { seqs, events, gone } = read(log, &due.seqs).await?;
            for gone in &gone {
                ledger.forget(*gone);
            }
            if seqs.is_empty() && gone.is_empty() {
                return Err(LogError("it does not show yet what it has".to_owned()).into());
            }
            if seqs.is_empty() {
                // Retention took them all meanwhile, and may have left others.
                continue;
            }
            let id = self.ids.next(ledger.last_batch(), now);
            let change = ledger.batch(id, &seqs);
            self.write(log, &mut held, change).await?;
            let remaining = due.count - (seqs.len() + gone.len()) as u64;
            return Ok(Extracted { id: Some(id), events, remaining });
        }
    }

    /// Confirms a batch, and says how many events that were. None where nobody knows it.
    pub(super) async fn confirm(
        &self,
        mut held: Turn,
        log: &dyn EventLog,
        id: u64,
        now: Timestamp,
    ) -> Result<Option<usize>, Unavailable> {
        match self.ready(&mut held, log, now).await?.confirm(id) {
            Confirm::Unknown => Ok(None),
            Confirm::Again => Ok(Some(0)),
            Confirm::Now(change, count) => {
                self.write(log, &mut held, change).await?;
                Ok(Some(count))
            }
        }
    }

    /// The ledger, up to what the log has now.
    async fn ready<'a>(
        &self,
        held: &'a mut Option<Ledger>,
        log: &dyn EventLog,
        now: Timestamp,
    ) -> Result<&'a mut Ledger, Unavailable> {
        if held.is_none() {
            *held = Some(Ledger::open(self.offer.clone(), &log.records(&self.offer.sink).await?)?);
        }
        let Some(ledger) = held else { return Err(LogError("the sink was not opened".to_owned()).into()) };
        let bounds = log.bounds().await?;
        ledger.forget_before(bounds.oldest);
        while bounds.newest.is_some_and(|newest| ledger.next() <= newest) {
            let from = ledger.next();
            ledger.learn(&log.read(from, READ_PAGE).await?, now);
            if ledger.next() == from {
                // A log that lags behind itself; what it does not show yet comes with the next request.
                break;
            }
            // A log in memory answers at once, and others want to get on too.
            tokio::task::yield_now().await;
        }
        Ok(ledger)
    }

    /// Writes a change down, and applies it then. What nobody knows to be written or not is read again.
    async fn write(
        &self,
        log: &dyn EventLog,
        held: &mut Option<Ledger>,
        mut change: Change,
    ) -> Result<(), AppendError> {
        let records = std::mem::take(&mut change.records);
        let written = log.write_records(&self.offer.sink, records).await;
        match (&written, held.as_mut()) {
            (Ok(()), Some(ledger)) => ledger.apply(change),
            (Err(AppendError::Unknown(_)), _) => *held = None,
            (Ok(()), None) | (Err(_), _) => {}
        }
        written
    }
}

/// Events that were read for a batch.
#[derive(Debug, Default)]
struct Read {
    seqs: Vec<Seq>,
    events: Vec<Vec<u8>>,
    /// Asked for, and not there any more.
    gone: Vec<Seq>,
}

/// Reads these events, ascending, as far as one batch may be.
async fn read(log: &dyn EventLog, wanted: &[Seq]) -> Result<Read, LogError> {
    let mut read = Read::default();
    let mut bytes = 0;
    let mut wanted = wanted.iter().copied().peekable();
    while let Some(from) = wanted.peek().copied() {
        let page = log.read(from, wanted.len().min(READ_PAGE)).await?;
        for stored in &page.events {
            while let Some(gone) = wanted.next_if(|seq| *seq < stored.seq) {
                read.gone.push(gone);
            }
            if wanted.next_if_eq(&stored.seq).is_some() {
                let payload = Profile::Envelope.payload(stored);
                bytes += payload.len();
                if bytes > MAX_BATCH_BYTES && !read.seqs.is_empty() {
                    return Ok(read);
                }
                read.seqs.push(stored.seq);
                read.events.push(payload);
            }
        }
        // Where neither goes on, the log lags behind itself.
        let next = page.next.max(page.oldest);
        if next <= from {
            return Ok(read);
        }
        while let Some(gone) = wanted.next_if(|seq| *seq < next) {
            read.gone.push(gone);
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests;
