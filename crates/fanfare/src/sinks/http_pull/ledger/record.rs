//! How a ledger is written down: names and values of its records.
//!
//! `state` is JSON. `done/{page}` has the bits of a page of marks, `batch/{id}` whether a batch is confirmed and its events.
//! Numbers in names are hexadecimal.

use std::collections::BTreeMap;

use fanfare_event::Seq;
use fanfare_log::{RecordChange, Records};
use serde_json::{Value, json};

use super::MAX_BATCH_EVENTS;
use super::marks::{Bits, Marks};

/// What this writes, and the newest that it can read.
const VERSION: u64 = 1;

const STATE: &str = "state";
const MARKS: &str = "done/";
const BATCH: &str = "batch/";

/// What was kept cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::sinks::http_pull) enum Unreadable {
    /// A newer version wrote it.
    #[error(
        "what the sink keeps with the log has version {0}, and this program knows {VERSION}: use a newer one"
    )]
    Newer(u64),
    /// It is damaged.
    #[error("what the sink keeps with the log is damaged (record `{0}`)")]
    Damaged(String),
}

/// What was kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) state: State,
    pub(super) marks: Marks,
    pub(super) batches: BTreeMap<u64, Batch>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct State {
    pub(super) floor: Seq,
    /// What was for the sink before this is confirmed, gone, or not on this offer.
    pub(super) next: Seq,
    pub(super) offer: String,
    pub(super) last_batch: u64,
}

/// A batch, as it is written down: whether it is confirmed, then its events as runs, each the distance from the end of the
/// one before, and its length. Of a confirmed one only the last event is left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Batch {
    last: Seq,
    bytes: Box<[u8]>,
}

pub(super) fn read(records: &Records) -> Result<Kept, Unreadable> {
    let state = match records.get(STATE) {
        Some(value) => State::read(value)?,
        None => State { floor: Seq::FIRST, next: Seq::FIRST, offer: String::new(), last_batch: 0 },
    };
    let mut kept = Kept { state, marks: Marks::default(), batches: BTreeMap::new() };
    for (name, value) in records {
        let damaged = || Unreadable::Damaged(name.to_string());
        if let Some(page) = name.strip_prefix(MARKS) {
            let page = u64::from_str_radix(page, 16).map_err(|_| damaged())?;
            kept.marks.insert_page(page, read_bits(value).ok_or_else(damaged)?);
        } else if let Some(id) = name.strip_prefix(BATCH) {
            let id = u64::from_str_radix(id, 16).map_err(|_| damaged())?;
            kept.batches.insert(id, Batch::read(value).ok_or_else(damaged)?);
        } else if &**name != STATE {
            return Err(damaged());
        }
    }
    Ok(kept)
}

pub(super) fn marks(page: u64, bits: &Bits) -> RecordChange {
    let value = bits.iter().flat_map(|word| word.to_le_bytes()).collect();
    RecordChange { key: format!("{MARKS}{page:x}").into(), value: Some(value) }
}

pub(super) fn no_marks(page: u64) -> RecordChange {
    RecordChange { key: format!("{MARKS}{page:x}").into(), value: None }
}

pub(super) fn no_batch(id: u64) -> RecordChange {
    RecordChange { key: format!("{BATCH}{id:x}").into(), value: None }
}

fn read_bits(value: &[u8]) -> Option<Bits> {
    let mut bits = Bits::default();
    let (words, rest) = value.as_chunks::<8>();
    if words.len() != bits.len() || !rest.is_empty() {
        return None;
    }
    for (own, word) in bits.iter_mut().zip(words) {
        *own = u64::from_le_bytes(*word);
    }
    Some(bits)
}

impl State {
    pub(super) fn record(&self) -> RecordChange {
        let value = json!({
            "version": VERSION,
            "floor": self.floor.get(),
            "next": self.next.get(),
            "offer": self.offer,
            "last_batch": self.last_batch,
        });
        RecordChange { key: STATE.into(), value: Some(value.to_string().into_bytes().into()) }
    }

    fn read(value: &[u8]) -> Result<Self, Unreadable> {
        let damaged = || Unreadable::Damaged(STATE.to_owned());
        let value: Value = serde_json::from_slice(value).map_err(|_| damaged())?;
        let number = |name: &str| value.get(name).and_then(Value::as_u64).ok_or_else(damaged);
        let seq = |name: &str| Seq::new(number(name)?).ok_or_else(damaged);
        match number("version")? {
            VERSION => Ok(Self {
                floor: seq("floor")?,
                next: seq("next")?,
                offer: value.get("offer").and_then(Value::as_str).ok_or_else(damaged)?.to_owned(),
                last_batch: number("last_batch")?,
            }),
            version => Err(Unreadable::Newer(version)),
        }
    }
}

impl Batch {
    /// A batch of these events, ascending.
    pub(super) fn open(seqs: &[Seq]) -> Self {
        Self::write(false, seqs)
    }

    /// The same, confirmed.
    pub(super) fn confirmed(&self) -> Self {
        Self::write(true, &[self.last])
    }

    pub(super) fn is_confirmed(&self) -> bool {
        self.bytes.first() == Some(&1)
    }

    /// Its last event.
    pub(super) fn last(&self) -> Seq {
        self.last
    }

    /// Its events, ascending.
    pub(super) fn seqs(&self) -> impl Iterator<Item = Seq> {
        Runs { bytes: self.bytes.get(1..).unwrap_or_default(), end: 0 }
            .flatten()
            .flat_map(|(start, length)| start..start + length)
            .filter_map(Seq::new)
    }

    pub(super) fn record(&self, id: u64) -> RecordChange {
        RecordChange { key: format!("{BATCH}{id:x}").into(), value: Some(self.bytes.clone()) }
    }

    fn write(is_confirmed: bool, seqs: &[Seq]) -> Self {
        let mut bytes = vec![u8::from(is_confirmed)];
        let mut end = 0;
        for run in seqs.chunk_by(|a, b| a.get() + 1 == b.get()) {
            let (start, length) = (run.first().map_or(0, |seq| seq.get()), run.len() as u64);
            write_number(start - end, &mut bytes);
            write_number(length, &mut bytes);
            end = start + length;
        }
        Self { last: seqs.last().copied().unwrap_or(Seq::FIRST), bytes: bytes.into() }
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (0 | 1, runs) = bytes.split_first()? else { return None };
        let (mut last, mut count) = (None, 0u64);
        for run in (Runs { bytes: runs, end: 0 }) {
            let (start, length) = run?;
            count = count.checked_add(length).filter(|count| *count <= MAX_BATCH_EVENTS as u64)?;
            last = Seq::new(start.checked_add(length)?.checked_sub(1)?);
        }
        Some(Self { last: last?, bytes: bytes.into() })
    }
}

/// Runs of a batch: their first place and their length. `None` for what is damaged.
struct Runs<'a> {
    bytes: &'a [u8],
    end: u64,
}

impl Iterator for Runs<'_> {
    type Item = Option<(u64, u64)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.bytes.is_empty() {
            return None;
        }
        let run = (|| {
            let start = self.end.checked_add(read_number(&mut self.bytes)?)?;
            let length = read_number(&mut self.bytes)?;
            self.end = start.checked_add(length)?;
            (length > 0).then_some((start, length))
        })();
        if run.is_none() {
            self.bytes = &[];
        }
        Some(run)
    }
}

/// LEB128: seven bits a byte, the lowest first.
fn write_number(mut number: u64, bytes: &mut Vec<u8>) {
    loop {
        let low = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seqs(numbers: &[u64]) -> Vec<Seq> {
        numbers.iter().filter_map(|number| Seq::new(*number)).collect()
    }

    #[test]
    fn events_side_by_side_take_few_bytes() {
        let check =
            |numbers: &[u64], bytes: usize| assert_eq!(Batch::open(&seqs(numbers)).bytes.len(), bytes);
        check(&(1..=1000).collect::<Vec<_>>(), 1 + 1 + 2);
        check(&[1, 3, 5], 1 + 3 * 2);
        check(&[1_795_253_901_869_209], 1 + 8 + 1);
    }

    proptest! {
        #[test]
        fn a_batch_reads_back_as_itself(numbers in proptest::collection::btree_set(1..u64::MAX / 2, 1..50), side in 0..9u64) {
            let numbers: std::collections::BTreeSet<_> = numbers.iter().flat_map(|n| *n..=*n + side).collect();
            let seqs = seqs(&numbers.into_iter().collect::<Vec<_>>());
            let batch = Batch::open(&seqs);
            let read = Batch::read(&batch.bytes).unwrap();
            prop_assert_eq!(&read, &batch);
            prop_assert_eq!(read.seqs().collect::<Vec<_>>(), seqs);
            prop_assert_eq!(Batch::read(&batch.confirmed().bytes), Some(batch.confirmed()));
        }

        #[test]
        fn no_record_panics(name in "state|done/[0-9a-g]{0,17}|batch/[0-9a-g]{0,17}|\\PC{0,5}", value in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            Just(vec![0; 128]),
            Just(br#"{"version":2}"#.to_vec()),
        ]) {
            let _ = read(&BTreeMap::from([(name.into(), value.into())]));
        }
    }

    #[test]
    fn what_a_newer_version_wrote_is_not_touched() {
        let records = BTreeMap::from([(STATE.into(), br#"{"version":2}"#.to_vec().into())]);
        assert_eq!(read(&records).unwrap_err(), Unreadable::Newer(2));
    }
}
