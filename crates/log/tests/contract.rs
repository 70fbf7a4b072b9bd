//! What every log keeps to, written against the trait. A new implementation adds one line to `every_log!`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fanfare_event::{Delivery, Draft, Epoch, Event, EventId, Finish, Seq, SinkName, SourceName, Stored};
use fanfare_log::{
    AppendError, Appended, Batch, Bounds, DedupeKey, Durability, EventLog, FileRetention, MemoryLog,
    NewEvent, RecordChange, Retention, SourcePosition, SqliteLog, SqliteOptions, Tail,
};
use futures_util::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use serde_json::json;
use tempfile::TempDir;

/// Events that each log under test keeps.
const KEPT: usize = 8;
const FIRST: u64 = 1000;
/// What each log under test is opened with.
const SOURCES: [&str; 2] = ["first", "second"];

/// A log, and what must outlive it.
struct Fixture {
    log: Arc<dyn EventLog>,
    _folder: Option<TempDir>,
}

fn memory() -> Fixture {
    let retention = Retention { events: KEPT, bytes: 1 << 20 };
    let log = MemoryLog::new(
        Epoch::new("one").unwrap(),
        Seq::new(FIRST).unwrap(),
        retention,
        &SOURCES.map(SourceName::new),
    );
    Fixture { log: Arc::new(log), _folder: None }
}

fn sqlite() -> Fixture {
    let folder = TempDir::new().unwrap();
    let log = SqliteLog::open(SqliteOptions {
        path: folder.path().join("events.db"),
        durability: Durability::Full,
        retention: FileRetention { max_events: Some(KEPT as u64), ..FileRetention::default() },
        epoch: Epoch::new("one").unwrap(),
        first: Seq::new(FIRST).unwrap(),
        sources: SOURCES.map(SourceName::new).to_vec(),
        clock: Arc::new(Timestamp::now),
        report: Arc::new(|condition| panic!("{condition}")),
    });
    Fixture { log: Arc::new(log.unwrap()), _folder: Some(folder) }
}

macro_rules! every_log {
    ($($name:ident: $make:expr;)*) => {
        $(mod $name {
            use super::*;
            macro_rules! contract {
                ($case:ident) => {
                    #[tokio::test]
                    async fn $case() {
                        let fixture = $make;
                        cases::$case(Arc::clone(&fixture.log)).await;
                    }
                };
            }
            contract!(seq_ascends_and_reads_come_back_in_order);
            contract!(a_named_event_is_stored_once);
            contract!(a_batch_answers_for_each_event_and_keeps_its_order);
            contract!(a_position_moves_with_its_batch_or_not_at_all);
            contract!(retention_takes_the_oldest_with_its_names);
            contract!(an_id_finds_the_first_event_that_still_bears_it);
            contract!(where_lately_forgotten_events_lay_is_known);
            contract!(pages_join_without_a_gap);
            contract!(a_tail_tells_everything_once_in_order);
            contract!(a_tail_that_was_overtaken_says_so);
            contract!(sources_keep_their_numbers);
            contract!(a_sinks_records_are_its_own);
        })*
    };
}

every_log! {
    in_memory: memory();
    in_a_file: sqlite();
}

fn event(id: &str) -> Arc<Event> {
    let origin = SourceName::new("ci");
    let finish = Finish {
        origin: &origin,
        root_url: "http://localhost",
        now: "2024-05-01T12:00:00Z".parse().unwrap(),
    };
    let draft = Draft { body: json!({"type": "t", "id": id, "n": 1}), ..Draft::default() };
    let mut event = finish.finish(draft, String::new).unwrap().event;
    event.deliveries = Delivery::to_everyone(&BTreeSet::from([SinkName::new("events")]));
    Arc::new(event)
}

fn named(id: &str) -> NewEvent {
    let event = event(id);
    NewEvent { dedupe: vec![DedupeKey::event(&event.origin, &event.id)], event }
}

fn unnamed(id: &str) -> NewEvent {
    NewEvent { dedupe: vec![], event: event(id) }
}

async fn append(log: &dyn EventLog, events: Vec<NewEvent>) -> Vec<Result<Appended, AppendError>> {
    log.append(Batch { events, position: None }).await
}

/// Appends one event that must be new, and tells where it lies.
async fn put(log: &dyn EventLog, new: NewEvent) -> Seq {
    match append(log, vec![new]).await.pop() {
        Some(Ok(Appended::New(seq))) => seq,
        other => panic!("not stored: {other:?}"),
    }
}

fn ids(events: &[Stored]) -> Vec<&str> {
    events.iter().map(|stored| stored.event.id.as_str()).collect()
}

mod cases {
    use super::*;

    pub(super) async fn seq_ascends_and_reads_come_back_in_order(log: Arc<dyn EventLog>) {
        let Bounds { oldest, newest } = log.bounds().await.unwrap();
        assert_eq!(newest.map_or(Seq::FIRST, Seq::next), oldest, "nothing is held");
        let a = put(&*log, named("a")).await;
        let b = put(&*log, named("b")).await;
        assert!(oldest <= a && a < b);
        let page = log.read(a, 10).await.unwrap();
        assert_eq!(ids(&page.events), ["a", "b"]);
        assert_eq!(page.events[0].event, event("a"), "what comes out is what went in");
        assert!(page.next > b);
        assert_eq!(log.bounds().await.unwrap(), Bounds { oldest: a, newest: Some(b) });
        let nothing = log.read(page.next, 10).await.unwrap();
        assert_eq!((ids(&nothing.events), nothing.next), (vec![], page.next));
    }

    pub(super) async fn a_named_event_is_stored_once(log: Arc<dyn EventLog>) {
        let a = put(&*log, named("a")).await;
        assert_eq!(append(&*log, vec![named("a")]).await, [Ok(Appended::Duplicate(a))]);
        let again = append(&*log, vec![named("b"), named("b")]).await;
        let b = again[0].clone().unwrap().seq();
        assert_eq!(again, [Ok(Appended::New(b)), Ok(Appended::Duplicate(b))]);
        put(&*log, unnamed("a")).await;
        assert_eq!(ids(&log.read(a, 10).await.unwrap().events), ["a", "b", "a"]);
    }

    pub(super) async fn a_batch_answers_for_each_event_and_keeps_its_order(log: Arc<dyn EventLog>) {
        assert_eq!(append(&*log, vec![]).await, []);
        let results = append(&*log, vec![named("a"), named("b"), named("c")]).await;
        let seqs: Vec<_> = results.into_iter().map(|result| result.unwrap().seq()).collect();
        assert!(seqs.is_sorted() && seqs.len() == 3);
        assert_eq!(ids(&log.read(seqs[0], 10).await.unwrap().events), ["a", "b", "c"]);
    }

    pub(super) async fn a_position_moves_with_its_batch_or_not_at_all(log: Arc<dyn EventLog>) {
        let source = SourceName::new("ci");
        assert_eq!(log.position(&source).await, Ok(None));
        let at = |text: &str| Some((source.clone(), SourcePosition(text.into())));
        log.append(Batch { events: vec![named("a")], position: at("1") }).await;
        assert_eq!(log.position(&source).await, Ok(Some(SourcePosition("1".into()))));
        log.append(Batch { events: vec![], position: at("2") }).await;
        assert_eq!(
            log.position(&source).await,
            Ok(Some(SourcePosition("2".into()))),
            "a position alone is a record"
        );
        assert_eq!(log.position(&SourceName::new("other")).await, Ok(None));
    }

    pub(super) async fn retention_takes_the_oldest_with_its_names(log: Arc<dyn EventLog>) {
        let first = put(&*log, named("0")).await;
        for n in 1..=KEPT {
            put(&*log, named(&n.to_string())).await;
        }
        let bounds = log.bounds().await.unwrap();
        assert!(bounds.oldest > first);
        let page = log.read(first, 100).await.unwrap();
        assert_eq!(
            (page.events.len(), page.oldest),
            (KEPT, bounds.oldest),
            "the page says that something is gone"
        );
        let found = log.find(&EventId::new("0").unwrap()).await.unwrap();
        assert!(
            found.is_none_or(|seq| seq == first),
            "a log need not know where it lay, but it knows no other place"
        );
        let again = put(&*log, named("0")).await;
        assert!(Some(again) > bounds.newest, "a forgotten name is free, a seq never is");
    }

    pub(super) async fn an_id_finds_the_first_event_that_still_bears_it(log: Arc<dyn EventLog>) {
        let id = EventId::new("twin").unwrap();
        let first = put(&*log, unnamed("twin")).await;
        put(&*log, unnamed("x")).await;
        let second = put(&*log, unnamed("twin")).await;
        assert_eq!(log.find(&id).await, Ok(Some(first)));
        for n in 0..KEPT - 2 {
            put(&*log, unnamed(&n.to_string())).await;
        }
        assert_eq!(log.find(&id).await, Ok(Some(second)));
        assert_eq!(log.find(&EventId::new("nobody").unwrap()).await, Ok(None));
    }

    pub(super) async fn where_lately_forgotten_events_lay_is_known(log: Arc<dyn EventLog>) {
        let id = EventId::new("0").unwrap();
        let first = put(&*log, named("0")).await;
        for n in 1..=KEPT {
            put(&*log, named(&n.to_string())).await;
        }
        assert_eq!(log.find(&id).await, Ok(Some(first)));
        assert!(first < log.bounds().await.unwrap().oldest);
        let again = put(&*log, named("0")).await;
        assert_eq!(log.find(&id).await, Ok(Some(again)), "what is held goes first");
    }

    pub(super) async fn pages_join_without_a_gap(log: Arc<dyn EventLog>) {
        for n in 0..KEPT {
            put(&*log, named(&n.to_string())).await;
        }
        let mut from = log.bounds().await.unwrap().oldest;
        let mut seen = vec![];
        loop {
            let page = log.read(from, 3).await.unwrap();
            assert!(page.events.len() <= 3);
            if page.next == from {
                break;
            }
            seen.extend(page.events.iter().map(|stored| stored.event.id.to_string()));
            from = page.next;
        }
        assert_eq!(seen, (0..KEPT).map(|n| n.to_string()).collect::<Vec<_>>());
        let none = log.read(Seq::FIRST, 0).await.unwrap();
        assert_eq!((none.events.len(), none.next), (0, Seq::FIRST), "nothing was asked for");
    }

    pub(super) async fn a_tail_tells_everything_once_in_order(log: Arc<dyn EventLog>) {
        let a = put(&*log, named("a")).await;
        let mut all = log.tail(None);
        let mut later = log.tail(Some(a));
        assert!(
            matches!(all.next().await, Some(Tail::Event(stored)) if (stored.seq, &stored.event) == (a, &event("a")))
        );
        assert_eq!(all.next().now_or_never(), None);
        assert_eq!(later.next().now_or_never(), None);
        let mut expected = vec![];
        for n in 0..KEPT {
            let id = n.to_string();
            let seq = put(&*log, named(&id)).await;
            append(&*log, vec![named(&id)]).await;
            expected.push((seq, event(&id)));
        }
        for tail in [&mut all, &mut later] {
            let told = tail.take(KEPT).map(|item| match item {
                Tail::Event(Stored { seq, event, .. }) => (seq, event),
                other => panic!("no event: {other:?}"),
            });
            assert_eq!(told.collect::<Vec<_>>().await, expected);
        }
    }

    pub(super) async fn sources_keep_their_numbers(log: Arc<dyn EventLog>) {
        let from = |source: &str, id: &str| {
            let event = Event { origin: SourceName::new(source), ..Event::clone(&event(id)) };
            NewEvent { event: Arc::new(event), dedupe: vec![] }
        };
        let new = vec![
            from("late", "a"),
            from("second", "b"),
            from("later", "c"),
            from("first", "d"),
            from("late", "e"),
        ];
        append(&*log, new).await;
        let page = log.read(log.bounds().await.unwrap().oldest, 10).await.unwrap();
        let numbers: Vec<_> = page.events.iter().map(|stored| stored.source_number.get()).collect();
        assert_eq!(numbers, [3, 2, 4, 1, 3]);
    }

    pub(super) async fn a_sinks_records_are_its_own(log: Arc<dyn EventLog>) {
        let (work, other) = (SinkName::new("work"), SinkName::new("other"));
        let set =
            |key: &str, value: &str| RecordChange { key: key.into(), value: Some(value.as_bytes().into()) };
        let remove = |key: &str| RecordChange { key: key.into(), value: None };
        assert_eq!(log.records(&work).await.unwrap(), BTreeMap::new());
        log.write_records(&work, vec![set("b", "1"), set("a", ""), set("b", "2"), remove("c")])
            .await
            .unwrap();
        log.write_records(&other, vec![set("a", "x")]).await.unwrap();
        let expected = |records: &[(&str, &str)]| -> BTreeMap<Box<str>, Box<[u8]>> {
            records.iter().map(|(key, value)| ((*key).into(), value.as_bytes().into())).collect()
        };
        assert_eq!(log.records(&work).await.unwrap(), expected(&[("a", ""), ("b", "2")]));
        log.write_records(&work, vec![remove("a"), set("c", "3")]).await.unwrap();
        log.write_records(&work, vec![]).await.unwrap();
        assert_eq!(log.records(&work).await.unwrap(), expected(&[("b", "2"), ("c", "3")]));
        assert_eq!(log.records(&other).await.unwrap(), expected(&[("a", "x")]));
    }

    pub(super) async fn a_tail_that_was_overtaken_says_so(log: Arc<dyn EventLog>) {
        let first = put(&*log, named("first")).await;
        let mut tail = log.tail(Some(first));
        for n in 0..=KEPT {
            put(&*log, named(&n.to_string())).await;
        }
        let oldest = log.bounds().await.unwrap().oldest;
        assert_eq!(tail.next().await, Some(Tail::Trimmed { oldest }));
        let Some(Tail::Event(next)) = tail.next().await else { panic!("no event") };
        assert_eq!((next.seq, next.event.id.as_str()), (oldest, "1"));
    }
}

#[tokio::test]
async fn memory_numbers_from_where_it_is_told_and_refuses_what_it_cannot_keep() {
    let log = MemoryLog::new(
        Epoch::new("one").unwrap(),
        Seq::new(FIRST).unwrap(),
        Retention { events: KEPT, bytes: event("a").weight() * 2 },
        &[],
    );
    assert_eq!(put(&log, named("a")).await.get(), FIRST);
    let draft =
        Draft { body: json!({"type": "t", "id": "big", "n": "x".repeat(1 << 12)}), ..Draft::default() };
    let origin = SourceName::new("ci");
    let finish = Finish { origin: &origin, root_url: "", now: "2024-05-01T12:00:00Z".parse().unwrap() };
    let big = NewEvent { event: Arc::new(finish.finish(draft, String::new).unwrap().event), dedupe: vec![] };
    let results = append(&log, vec![named("b"), big.clone(), named("c")]).await;
    assert!(
        matches!(
            results[..],
            [Ok(Appended::New(_)), Err(AppendError::Rejected(_)), Err(AppendError::Unavailable(_))]
        ),
        "{results:?}"
    );
    let position = Some((origin, SourcePosition("1".into())));
    let results = log.append(Batch { events: vec![named("d"), big], position }).await;
    assert!(
        matches!(results[..], [Err(AppendError::Unavailable(_)), Err(AppendError::Rejected(_))]),
        "all or nothing: {results:?}"
    );
}
