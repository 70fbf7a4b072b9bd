//! The ledger against a model that keeps plain sets, over any order of events, requests, retention and restarts.

use fanfare_event::{Event, SourceNumber};
use proptest::prelude::*;

use super::*;
use crate::faulty_log::event;

const TYPES: [&str; 4] = ["sales.order.created", "sales.order.paid", "inventory.update", "inventory"];

fn kind(text: &str) -> EventType {
    EventType::new(text).unwrap()
}

fn patterns(texts: &[&str]) -> NamePatterns {
    NamePatterns::new(texts.iter().map(|text| NamePattern::parse(text).unwrap()))
}

fn ttl(default: u64, by_type: &[(&str, u64)]) -> Ttl {
    let by_type = by_type
        .iter()
        .map(|(text, seconds)| (NamePattern::parse(text).unwrap(), Duration::from_secs(*seconds)))
        .collect();
    Ttl { default: Duration::from_secs(default), by_type }
}

fn offer(matches: &[&str], ttl: Option<Ttl>) -> Offer {
    Offer { sink: SinkName::new("warehouse"), matches: patterns(matches), ttl }
}

/// Offers that a restart may change to.
fn offers() -> [Offer; 4] {
    [
        offer(&["*"], None),
        offer(&["*"], Some(ttl(5, &[("sales.order.created", 20), ("inventory.*", 2)]))),
        offer(&["sales.order.*"], None),
        offer(&["inventory", "sales.order.paid"], Some(ttl(10, &[]))),
    ]
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_second(i64::try_from(seconds).unwrap()).unwrap()
}

fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

fn stored(number: u64, kind: &str, stored_at: u64, sink: &str) -> Stored {
    let event = Event { kind: self::kind(kind), ..event("i", sink) };
    Stored {
        seq: seq(number),
        stored_at: at(stored_at),
        source_number: SourceNumber::FIRST,
        event: event.into(),
    }
}

#[test]
fn the_most_exact_time_to_live_holds() {
    let check = |by_type: &[(&str, u64)], text: &str, seconds: u64| {
        let ttl = offer(&["*"], Some(ttl(1, by_type))).ttl_of(&kind(text));
        assert_eq!(ttl, Some(Duration::from_secs(seconds)), "{by_type:?} {text}");
    };
    let all = [("a.b", 2), ("a.*", 3), ("a.b.*", 4), ("*", 5)];
    check(&all, "a.b", 2);
    check(&all, "a.b.c", 4);
    check(&all, "a.c", 3);
    check(&all, "a", 5);
    check(&[], "a", 1);
    assert_eq!(offer(&["*"], None).ttl_of(&kind("a")), None);
}

#[test]
fn an_event_is_expired_when_its_time_is_up() {
    let ttl = Some(Duration::from_mins(1));
    assert!(!is_expired(at(100), ttl, at(159)));
    assert!(is_expired(at(100), ttl, at(160)));
    assert!(!is_expired(at(100), ttl, at(0)), "a clock may go back");
    assert!(!is_expired(at(0), Some(Duration::MAX), at(10_000_000_000)));
    assert!(!is_expired(at(0), None, at(10_000_000_000)));
}

/// What a log holds, and what a client knows, as plain sets.
#[derive(Debug)]
struct Model {
    offer: Offer,
    events: Vec<Stored>,
    next: u64,
    oldest: u64,
    now: u64,
    confirmed: BTreeSet<Seq>,
    batches: Vec<(u64, Vec<Seq>, bool)>,
}

impl Model {
    fn due(&self, narrow: &NamePatterns) -> Vec<Seq> {
        let is_due = |stored: &&Stored| {
            let kind = &stored.event.kind;
            stored.seq.get() >= self.oldest
                && stored.event.deliveries[0].sink == self.offer.sink
                && self.offer.matches.matches(kind.as_str())
                && narrow.matches(kind.as_str())
                && !self.confirmed.contains(&stored.seq)
                && !is_expired(stored.stored_at, self.offer.ttl_of(kind), at(self.now))
        };
        self.events.iter().filter(is_due).map(|stored| stored.seq).collect()
    }
}

/// A ledger, and the records that outlive it.
struct Kept {
    ledger: Ledger,
    records: BTreeMap<Box<str>, Box<[u8]>>,
}

impl Kept {
    fn write(&mut self, change: Change) {
        for RecordChange { key, value } in &change.records {
            match value {
                Some(value) => self.records.insert(key.clone(), value.clone()),
                None => self.records.remove(key),
            };
        }
        self.ledger.apply(change);
    }

    /// Reads the log up to its end, in pages of a size that the test chooses.
    fn catch_up(&mut self, model: &Model, page: usize) {
        self.ledger.forget_before(seq(model.oldest));
        while self.ledger.next().get() < model.next {
            let from = self.ledger.next();
            let held =
                model.events.iter().filter(|stored| stored.seq.get() >= model.oldest && stored.seq >= from);
            let events: Vec<_> = held.take(page).cloned().collect();
            let next = if events.len() < page { seq(model.next) } else { events[page - 1].seq.next() };
            self.ledger.learn(&Page { events, next, oldest: seq(model.oldest) }, at(model.now));
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Append {
        kind: usize,
        is_meant: bool,
        hole: u64,
    },
    Wait(u64),
    Extract {
        narrow: Option<usize>,
        max: usize,
        page: usize,
    },
    /// One of the batches that were ever given out, from the newest back.
    Confirm {
        back: usize,
        page: usize,
    },
    Retain(u64),
    /// With this offer from now on.
    Restart(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let page = 1..5usize;
    prop_oneof![
        8 => (0..TYPES.len(), prop::bool::weighted(0.8), prop_oneof![8 => Just(0), 2 => 1..5u64, 1 => 1000..5000u64])
            .prop_map(|(kind, is_meant, hole)| Step::Append { kind, is_meant, hole }),
        2 => (1..8u64).prop_map(Step::Wait),
        4 => (prop::option::of(0..TYPES.len()), 1..6usize, page.clone())
            .prop_map(|(narrow, max, page)| Step::Extract { narrow, max, page }),
        4 => (0..4usize, page).prop_map(|(back, page)| Step::Confirm { back, page }),
        1 => (1..10u64).prop_map(Step::Retain),
        1 => (0..4usize).prop_map(Step::Restart),
    ]
}

fn take(step: &Step, model: &mut Model, kept: &mut Kept) -> Result<(), TestCaseError> {
    match step {
        Step::Append { kind, is_meant, hole } => {
            let sink = if *is_meant { "warehouse" } else { "other" };
            model.events.push(stored(model.next + hole, TYPES[*kind], model.now, sink));
            model.next += hole + 1;
        }
        Step::Wait(seconds) => model.now += seconds,
        Step::Extract { narrow, max, page } => {
            kept.catch_up(model, *page);
            let narrow = narrow.map_or_else(NamePatterns::any, |kind| patterns(&[TYPES[kind]]));
            let due = kept.ledger.due(&narrow, at(model.now), *max);
            let expected = model.due(&narrow);
            prop_assert_eq!(&due.seqs, &expected[..expected.len().min(*max)]);
            prop_assert_eq!(due.count, expected.len() as u64);
            if !due.seqs.is_empty() {
                let id = kept.ledger.last_batch() + 1;
                prop_assert!(model.batches.iter().all(|(own, ..)| *own < id));
                let change = kept.ledger.batch(id, &due.seqs);
                kept.write(change);
                model.batches.push((id, due.seqs, false));
            }
        }
        Step::Confirm { back, page } => {
            kept.catch_up(model, *page);
            let oldest = model.oldest;
            let Some((id, seqs, was_confirmed)) = model.batches.iter_mut().rev().nth(*back) else {
                return Ok(());
            };
            let left = seqs.iter().filter(|seq| seq.get() >= oldest).count();
            match kept.ledger.confirm(*id) {
                Confirm::Unknown => prop_assert_eq!(left, 0, "only what is gone is forgotten"),
                Confirm::Again => prop_assert!(*was_confirmed),
                Confirm::Now(change, count) => {
                    prop_assert!(!*was_confirmed);
                    prop_assert_eq!(count, left);
                    kept.write(change);
                }
            }
            *was_confirmed = true;
            model.confirmed.extend(seqs.iter());
        }
        Step::Retain(events) => model.oldest = (model.oldest + events).min(model.next),
        Step::Restart(which) => {
            model.offer = offers()[*which].clone();
            kept.ledger = Ledger::open(model.offer.clone(), &kept.records).unwrap();
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_does_what_plain_sets_do(first in 0..4usize, steps in prop::collection::vec(step(), 0..80)) {
        let offer = offers()[first].clone();
        let mut model = Model {
            offer: offer.clone(), events: Vec::new(), next: 1000, oldest: 1000, now: 0,
            confirmed: BTreeSet::new(), batches: Vec::new(),
        };
        let records = BTreeMap::new();
        let mut kept = Kept { ledger: Ledger::open(offer, &records).unwrap(), records };
        for step in &steps {
            take(step, &mut model, &mut kept)?;
        }
    }
}

/// Everything is confirmed in order, as a client does that keeps up.
#[test]
fn what_is_done_collapses_into_a_floor() {
    let offer = offer(&["*"], None);
    let mut model = Model {
        offer: offer.clone(),
        events: (1..=10_000).map(|number| stored(number, "t", 0, "warehouse")).collect(),
        next: 10_001,
        oldest: 1,
        now: 0,
        confirmed: BTreeSet::new(),
        batches: Vec::new(),
    };
    let records = BTreeMap::new();
    let mut kept = Kept { ledger: Ledger::open(offer, &records).unwrap(), records };
    for _ in 0..100 {
        take(&Step::Extract { narrow: None, max: 100, page: 1000 }, &mut model, &mut kept).unwrap();
        take(&Step::Confirm { back: 0, page: 1000 }, &mut model, &mut kept).unwrap();
    }
    assert_eq!(kept.ledger.floor, seq(10_001));
    let marks = kept.records.keys().filter(|key| key.starts_with("done/")).count();
    assert!(marks <= 1, "{marks} pages");
    assert!(kept.records.values().map(|value| value.len()).sum::<usize>() < 2000);
}

#[test]
fn what_waits_before_a_damaged_part_of_the_log_is_not_forgotten() {
    let mut ledger = Ledger::open(offer(&["*"], None), &BTreeMap::new()).unwrap();
    let events = |numbers: std::ops::RangeInclusive<u64>| {
        numbers.map(|number| stored(number, "t", 0, "warehouse")).collect::<Vec<_>>()
    };
    ledger.learn(&Page { events: events(1..=3), next: seq(4), oldest: seq(1) }, at(0));
    ledger.learn(&Page { events: Vec::new(), next: seq(4), oldest: seq(8) }, at(0));
    assert_eq!(ledger.next(), seq(8));
    ledger.learn(&Page { events: events(8..=9), next: seq(10), oldest: seq(1) }, at(0));
    let due = ledger.due(&NamePatterns::any(), at(0), 10);
    assert_eq!(due.seqs, [1, 2, 3, 8, 9].map(seq));
}

#[test]
fn the_oldest_of_too_many_batches_is_forgotten() {
    let offer = offer(&["*"], None);
    let records = BTreeMap::new();
    let mut kept = Kept { ledger: Ledger::open(offer.clone(), &records).unwrap(), records };
    for id in 1..=MAX_BATCHES as u64 + 5 {
        let change = kept.ledger.batch(id, &[seq(1), seq(2)]);
        kept.write(change);
    }
    let known = |ledger: &Ledger, id: u64| !matches!(ledger.confirm(id), Confirm::Unknown);
    let again = Ledger::open(offer, &kept.records).unwrap();
    for ledger in [&kept.ledger, &again] {
        assert!(!known(ledger, 5) && known(ledger, 6));
        assert_eq!(ledger.last_batch(), MAX_BATCHES as u64 + 5);
    }
}
