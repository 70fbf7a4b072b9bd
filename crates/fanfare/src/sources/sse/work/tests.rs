//! A source over a log that fails: what is stored with which position, whatever happens.

use fanfare_event::{NamePatterns, Object, Profile, Seq, Stored};
use fanfare_log::{EventLog, MemoryLog, Retention};
use fanfare_source::{Intake, Routes};
use fanfare_transform::{Chain, Spec, build};
use serde_json::{Value, json};

use super::*;
use crate::faulty_log::{Fault, FaultyLog};

fn sse(transformer: Option<Spec<'_>>) -> Sse {
    let transformers = transformer.map(|spec| ("t".to_owned(), build(spec).unwrap()));
    let intake = Intake::new(SourceName::new("up"), "", Object::new(), Chain::new(transformers));
    Sse::new(intake, Profile::Cdevent, Some(NamePatterns::any()), "http://a/".to_owned())
}

fn event(id: &str, body: &Value) -> Item {
    let message =
        Message { kind: "cdevent".to_owned(), data: body.to_string(), last_event_id: Some(id.into()) };
    Item::Event(message, Some(id.into()))
}

fn simple(id: &str) -> Item {
    event(id, &json!({"type": "t", "id": id}))
}

struct World {
    log: Arc<FaultyLog>,
    publisher: Publisher,
}

impl World {
    fn over(log: FaultyLog) -> Self {
        let log = Arc::new(log);
        let publisher =
            Publisher::new(Arc::clone(&log) as Arc<dyn EventLog>, Routes::to_everyone(&[].into()));
        Self { log, publisher }
    }

    fn worker(&self, transformer: Option<Spec<'_>>) -> Worker<'_> {
        Worker::new(sse(transformer), 100, Position::default(), &self.publisher)
    }

    /// The ids of what the log has, with what each tells of what was missed, and the position.
    async fn stored(&self) -> (Vec<(String, Value)>, Position) {
        let page = self.log.read(Seq::FIRST, 100).await.unwrap();
        let events = page.events.iter().map(|Stored { event, .. }| {
            let missed = event.metadata.get("sse_missed").cloned().unwrap_or_default();
            (event.id.to_string(), missed)
        });
        let position = self.log.position(&SourceName::new("up")).await.unwrap();
        let position = position.map(|stored| Position::restore(&stored.0).unwrap());
        (events.collect(), position.unwrap_or_default())
    }

    async fn check(&self, expected: &[(&str, Value)], id: Option<&str>, missed: &[&str]) {
        let mut position = Position { id: id.map(Arc::from), missed: Missed::default() };
        for text in missed {
            position.missed.add(text);
        }
        let events = expected.iter().map(|(id, missed)| ((*id).to_owned(), missed.clone())).collect();
        assert_eq!(self.stored().await, (events, position));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_log_did_not_take_or_did_not_answer_is_stored_once_and_in_order() {
    for fault in [Fault::Unavailable, Fault::Unknown] {
        let world = World::over(FaultyLog::new());
        let mut worker = world.worker(None);
        world.log.fail_next(fault);
        let nameless =
            Message { kind: "x".to_owned(), data: r#"{"type":"t"}"#.to_owned(), last_event_id: None };
        let items = [simple("a"), Item::Event(nameless, Some("b".into())), simple("c")];
        worker.work(items.into()).await;
        let (events, position) = world.stored().await;
        let ids: Vec<_> = events.iter().map(|(id, _)| id.as_str()).collect();
        assert_eq!((ids.len(), ids[0], ids[2]), (3, "a", "c"), "{fault:?} {ids:?}");
        assert_eq!(position.id.as_deref(), Some("c"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_told_by_the_next_event_that_is_stored() {
    let world = World::over(FaultyLog::new());
    let mut worker = world.worker(None);
    let refused = event("x", &json!({"no": "type"}));
    worker.work([Item::Missed("m".to_owned()), refused, Item::Moved(Some("y".into()))].into()).await;
    world.check(&[], Some("y"), &["m"]).await;
    worker.work([simple("a"), simple("b"), Item::Missed("n".to_owned())].into()).await;
    let none = Value::Null;
    world.check(&[("a", json!(["m"])), ("b", none.clone())], Some("b"), &["n"]).await;
    worker.work([simple("c")].into()).await;
    world.check(&[("a", json!(["m"])), ("b", none), ("c", json!(["n"]))], Some("c"), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_missed_is_not_told_by_a_repetition_that_nobody_hears() {
    let world = World::over(FaultyLog::new());
    let mut worker = world.worker(None);
    let none = || Value::Null;
    worker.work([simple("a"), simple("b")].into()).await;
    let again = [Item::Missed("m".to_owned()), simple("a"), Item::Missed("n".to_owned()), simple("b")];
    worker.work(again.into()).await;
    world.check(&[("a", none()), ("b", none())], Some("b"), &["m", "n"]).await;
    worker.work([simple("b"), simple("c"), simple("d")].into()).await;
    let all = [("a", none()), ("b", none()), ("c", none()), ("d", none())];
    world.check(&all, Some("d"), &["m", "n"]).await;
    worker.work([simple("e")].into()).await;
    let last = [("e", json!(["m", "n"]))];
    world.check(&[&all[..], &last].concat(), Some("e"), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_position_alone_is_stored_too_where_the_log_is_out_of_reach() {
    for fault in [Fault::Unavailable, Fault::Unknown] {
        let world = World::over(FaultyLog::new());
        let mut worker = world.worker(None);
        world.log.fail_next(fault);
        worker.work([Item::Missed("m".to_owned()), Item::Moved(Some("x".into()))].into()).await;
        world.check(&[], Some("x"), &["m"]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_the_log_never_takes_is_left_out_and_the_others_are_stored() {
    let retention = Retention { events: 100, bytes: 20_000 };
    let log = MemoryLog::new(fanfare_event::Epoch::new("e").unwrap(), Seq::FIRST, retention, &[]);
    let world = World::over(FaultyLog::over(log));
    let mut worker = world.worker(None);
    let large = |id: &str| event(id, &json!({"type": "t", "id": id, "n": "x".repeat(30_000)}));
    let items = [simple("a"), Item::Missed("m".to_owned()), large("b"), simple("c"), large("d"), large("e")];
    worker.work(items.into()).await;
    world.check(&[("a", Value::Null), ("c", json!(["m"]))], Some("e"), &[]).await;
    assert!(worker.position == world.stored().await.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn transformers_remember_what_the_log_has_and_nothing_else() {
    let spec = || Some(Spec::Deduplicate { capacity: 10, key_path: "/key" });
    let keyed = |id: &str, key: u8| event(id, &json!({"type": "t", "id": id, "key": key}));
    let world = World::over(FaultyLog::new());
    let mut worker = world.worker(spec());
    world.log.fail_next(Fault::Unavailable);
    let items = [keyed("a", 1), keyed("b", 1), keyed("c", 2), keyed("d", 2)];
    worker.work(items.into()).await;
    world.check(&[("a", Value::Null), ("c", Value::Null)], Some("d"), &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_while_the_log_holds_it_is_there_with_its_position_or_not_at_all() {
    let world = World::over(FaultyLog::new());
    let mut worker = world.worker(None);
    worker.work([simple("a")].into()).await;
    world.log.fail_next(Fault::Held);
    let held = tokio::time::timeout(std::time::Duration::from_millis(20), worker.work([simple("b")].into()));
    assert!(held.await.is_err());
    world.check(&[("a", Value::Null)], Some("a"), &[]).await;
}
