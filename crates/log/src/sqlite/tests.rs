//! A disk that is full, and more unmerged keys than are read at once. What needs no such disk is in `tests/file`.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fanfare_event::{Delivery, Event, EventType};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::DedupeKey;

/// 200 KiB.
const PAGES: u32 = 50;

fn event(n: usize) -> NewEvent {
    let origin = SourceName::new("ci");
    let id = EventId::new(&n.to_string()).unwrap();
    let event = Event {
        id: id.clone(),
        kind: EventType::new("t").unwrap(),
        source: "/ci".into(),
        subject: None,
        time: Timestamp::UNIX_EPOCH,
        origin: origin.clone(),
        metadata: serde_json::Map::new(),
        headers: [].into(),
        body: json!("x".repeat(3000)),
        deliveries: Delivery::to_everyone(&[].into()),
    };
    NewEvent { dedupe: vec![DedupeKey::event(&origin, &id)], event: Arc::new(event) }
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn put(log: &SqliteLog, n: usize) -> Result<Appended, AppendError> {
    wait(log.append(Batch { events: vec![event(n)], position: None })).pop().unwrap()
}

/// Tries until it is taken: after a failure the log refuses for a while without trying.
fn put_until(log: &SqliteLog, n: usize) -> Appended {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        match put(log, n) {
            Ok(appended) => return appended,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
    }
}

type Heard = Arc<Mutex<Vec<Condition>>>;

fn options(folder: &TempDir, clock: &Arc<AtomicI64>, heard: &Heard) -> SqliteOptions {
    let (now, ears) = (Arc::clone(clock), Arc::clone(heard));
    SqliteOptions {
        path: folder.path().join("events.db"),
        durability: Durability::Full,
        retention: FileRetention { max_age: Some(Duration::from_mins(1)), ..FileRetention::default() },
        epoch: Epoch::from_number(1),
        first: Seq::FIRST,
        sources: vec![],
        clock: Arc::new(move || Timestamp::from_millisecond(now.load(Ordering::Relaxed)).unwrap()),
        report: Arc::new(move |condition| ears.lock().unwrap().push(condition.clone())),
    }
}

fn clock() -> Arc<AtomicI64> {
    Arc::new(AtomicI64::new(1_700_000_000_000))
}

#[test]
fn a_full_disk_refuses_and_goes_on_when_retention_makes_room() {
    let folder = TempDir::new().unwrap();
    let (clock, heard) = (clock(), Heard::default());
    let log = SqliteLog::open_on(options(&folder, &clock, &heard), Some(PAGES), keys::READ_FIRST).unwrap();
    let stored: Vec<Seq> = (0..100).map_while(|n| put(&log, n).ok()).map(Appended::seq).collect();
    assert!((20..60).contains(&stored.len()), "{}", stored.len());
    for n in 0..10 {
        let refused = put(&log, stored.len() + n);
        assert!(
            matches!(&refused, Err(AppendError::Unavailable(reason)) if reason.starts_with("the disk is full (")),
            "{refused:?}"
        );
    }
    assert_eq!(wait(log.read(stored[0], 100)).unwrap().events.len(), stored.len(), "reading goes on");
    assert_eq!(put_until(&log, 0), Appended::Duplicate(stored[0]), "what is stored already needs no room");
    assert!(matches!(&heard.lock().unwrap()[..], [Condition::Unavailable { .. }]), "once");

    clock.fetch_add(60_000, Ordering::Relaxed);
    let again = put_until(&log, 1000).seq();
    assert!(again > *stored.last().unwrap());
    assert_eq!(wait(log.read(Seq::FIRST, 100)).unwrap().events.len(), 1);
    assert_eq!(heard.lock().unwrap().last(), Some(&Condition::Recovered));
}

#[test]
fn publishers_wait_until_all_keys_are_read_from_the_rows() {
    const EVENTS: usize = 40;
    let folder = TempDir::new().unwrap();
    let (clock, heard) = (clock(), Heard::default());
    let log = SqliteLog::open(options(&folder, &clock, &heard)).unwrap();
    let stored: Vec<Seq> = (0..EVENTS).map(|n| put(&log, n).unwrap().seq()).collect();
    drop(log);
    let log = SqliteLog::open_on(options(&folder, &clock, &heard), None, 10).unwrap();
    for (n, seq) in stored.iter().enumerate() {
        assert_eq!(put_until(&log, n), Appended::Duplicate(*seq));
        assert_eq!(wait(log.find(&event(n).event.id)), Ok(Some(*seq)));
    }
    assert!(put(&log, EVENTS).unwrap().seq() > stored[EVENTS - 1]);
    let reason = reindex::REASON.to_owned();
    assert_eq!(*heard.lock().unwrap(), [Condition::Unavailable { reason }, Condition::Recovered]);
}
