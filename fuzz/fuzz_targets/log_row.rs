//! Any bytes where a row of the log's file was: opening, reading, finding and following neither panic nor show an event that
//! was not appended, and the log goes on. The first byte says which row it is, and whether its checksum is made to fit, as
//! one who wants to do harm would do; then there is nothing to hold but that it goes on.
#![no_main]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use fanfare_event::{Delivery, Epoch, Event, EventId, EventType, Object, Seq, SinkName, SourceName, Stored};
use fanfare_log::{
    Appended, Batch, DedupeKey, Durability, EventLog, FileRetention, NewEvent, SqliteLog, SqliteOptions, Tail,
};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use rusqlite::Connection;
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

const EPOCH: &str = "fuzz";
const ROWS: usize = 5;

/// Pages that a log of so few rows can have at the most.
const PAGES: usize = 64;

struct Written {
    folder: TempDir,
    file: Vec<u8>,
    events: Vec<Stored>,
}

static WRITTEN: LazyLock<Written> = LazyLock::new(|| {
    // In memory where there is such a folder: nobody cuts the power here, and waiting for a disk is most of the time.
    let memory = Path::new("/dev/shm");
    let folder = if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a folder");
    let log = open(&folder.path().join("events.db"));
    let events = (0..ROWS).map(|n| event(&n.to_string())).collect();
    wait(log.append(Batch { events, position: None }));
    let events = wait(log.read(Seq::FIRST, ROWS)).expect("a page").events;
    assert_eq!(events.len(), ROWS);
    drop(log);
    let file = fs::read(folder.path().join("events.db")).expect("the file");
    Written { folder, file, events }
});

fn event(id: &str) -> NewEvent {
    let id = EventId::new(id).expect("an id");
    let origin = SourceName::new("ci");
    let event = Event {
        id: id.clone(),
        kind: EventType::new("t").expect("a type"),
        source: "/ci".into(),
        subject: Some("s".into()),
        time: Timestamp::UNIX_EPOCH,
        origin: origin.clone(),
        metadata: Object::from_iter([("m".to_owned(), json!(1))]),
        headers: [("x-a".to_owned(), "1".to_owned())].into(),
        body: json!({"id": id.as_str()}),
        deliveries: Delivery::to_everyone(&[SinkName::new("events")].into()),
    };
    NewEvent { dedupe: vec![DedupeKey::event(&origin, &id)], event: Arc::new(event) }
}

fn open(path: &Path) -> SqliteLog {
    let options = SqliteOptions {
        path: path.to_owned(),
        durability: Durability::Relaxed,
        retention: FileRetention::default(),
        epoch: Epoch::new(EPOCH).expect("an epoch"),
        first: Seq::FIRST,
        sources: vec![],
        clock: Arc::new(|| Timestamp::UNIX_EPOCH),
        report: Arc::new(|_| ()),
    };
    SqliteLog::open(options).expect("a file of which one row is bad is opened")
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
        tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime")
    });
    RUNTIME.block_on(future)
}

/// A checksum as the log makes it.
fn sealed(row: &[u8], seq: Seq, stored_at: Timestamp) -> Vec<u8> {
    let mut hash = Xxh3::with_seed(xxh3_64(EPOCH.as_bytes()));
    hash.update(&seq.get().to_le_bytes());
    hash.update(&stored_at.as_millisecond().to_le_bytes());
    hash.update(row);
    [&hash.digest().to_le_bytes(), row].concat()
}

fuzz_target!(|input: (u8, &[u8])| {
    let (choice, bytes) = input;
    let Written { folder, file, events } = &*WRITTEN;
    let path: PathBuf = folder.path().join("events.db");
    let bad = &events[usize::from(choice >> 1) % ROWS];
    let fits = choice & 1 == 1;
    fs::write(&path, file).expect("the file");
    let row = if fits { sealed(bytes, bad.seq, bad.stored_at) } else { bytes.to_vec() };
    let raw = Connection::open(&path).expect("the file");
    raw.execute("UPDATE events SET row = ?1 WHERE seq = ?2", (row, bad.seq.get().cast_signed()))
        .expect("a row");
    drop(raw);

    let log = open(&path);
    let mut from = Seq::FIRST;
    let mut read = Vec::new();
    for _ in 0..PAGES {
        let page = wait(log.read(from, 2)).expect("a page");
        read.extend(page.events);
        let next = page.next.max(page.oldest);
        if next == from {
            break;
        }
        from = next;
    }
    assert!(read.is_sorted_by(|a, b| a.seq < b.seq));
    let mut tail = log.tail(None);
    let mut followed = Vec::new();
    while followed.len() < read.len() {
        match wait(tail.next()) {
            Some(Tail::Event(stored)) => followed.push(stored),
            Some(Tail::Trimmed { .. }) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(followed, read);
    for stored in events {
        let found = wait(log.find(&stored.event.id)).expect("an answer");
        let again = wait(log.append(Batch { events: vec![event(stored.event.id.as_str())], position: None }));
        if stored.seq != bad.seq && !fits {
            assert!(read.contains(stored));
            assert_eq!(found, Some(stored.seq));
            assert_eq!(again, [Ok(Appended::Duplicate(stored.seq))]);
        }
    }
    if !fits {
        assert!(read.iter().all(|stored| events.contains(stored)), "an event that was not appended");
    }
    let new = wait(log.append(Batch { events: vec![event("new")], position: None }));
    let new = new[0].as_ref().expect("it goes on").seq();
    assert!(events.iter().all(|stored| stored.seq < new));
});
