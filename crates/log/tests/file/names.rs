//! Damage that hits only the table that finds events by their names: it is made anew from the events, and then every
//! name is known as before.

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use fanfare_event::{EventId, Seq};
use fanfare_log::{AppendError, Appended, Condition, EventLog as _, SqliteLog};
use rusqlite::Connection;

use crate::kit::{FIRST, Place, append, named, put, sized, try_put, until, wait, walk};

/// More than are collected in memory before they are merged into the table.
const EVENTS: usize = 70_000;
const PAGE: usize = 4096;

/// The file of a log whose table has entries, the pages of the table (the root first), and one of the events' pages.
struct Written {
    file: Vec<u8>,
    seqs: Vec<Seq>,
    keys: Vec<usize>,
    other: usize,
}

static WRITTEN: LazyLock<Written> = LazyLock::new(|| {
    let place = Place::new();
    let log = place.open();
    let mut seqs = Vec::new();
    for begin in (0..EVENTS).step_by(1000) {
        let events = (begin..begin + 1000).map(|n| sized(&n.to_string(), 0)).collect();
        seqs.extend(append(&log, events).into_iter().map(|appended| appended.unwrap().seq()));
    }
    until("the table has entries", || (indexed(&place.path()) > 0).then_some(()));
    drop(log);
    let file = Connection::open(place.path()).unwrap();
    let pages = |table: &str| -> Vec<usize> {
        let mut pages = file.prepare("SELECT pageno FROM dbstat WHERE name = ?1 ORDER BY path").unwrap();
        pages
            .query_map([table], |row| row.get::<_, u32>(0))
            .unwrap()
            .map(|page| page.unwrap() as usize)
            .collect()
    };
    let (keys, events) = (pages("keys"), pages("events"));
    assert!(keys.len() > 100);
    drop(file);
    Written { file: fs::read(place.path()).unwrap(), seqs, keys, other: events[events.len() / 2] }
});

fn indexed(path: &Path) -> i64 {
    Connection::open(path).unwrap().query_row("SELECT indexed FROM meta", [], |row| row.get(0)).unwrap()
}

/// Asks for names all over, each until there is an answer.
fn all_are_known(log: &SqliteLog, what: &str) {
    for n in (0..EVENTS).step_by(EVENTS / 40) {
        let (id, seq) = (n.to_string(), WRITTEN.seqs[n]);
        let found = until(what, || wait(log.find(&EventId::new(&id).unwrap())).ok());
        assert_eq!(found, Some(seq), "{what}: {id}");
        assert_eq!(put_again(log, &id, what), Appended::Duplicate(seq), "{what}: {id}");
    }
}

fn put_again(log: &SqliteLog, id: &str, what: &str) -> Appended {
    until(what, || match try_put(log, named(id)) {
        Ok(appended) => Some(appended),
        Err(AppendError::Unavailable(reason)) => {
            assert!(reason.contains("by their names"), "{what}: {reason}");
            None
        }
        other => panic!("{what}: {other:?}"),
    })
}

/// Opens a log whose file was damaged; whether by a reader or by a publisher is who meets the damage first.
fn check(what: &str, finds_first: bool, damage: impl FnOnce(&mut Vec<u8>, &Written)) {
    let place = Place::new();
    let mut file = WRITTEN.file.clone();
    damage(&mut file, &WRITTEN);
    fs::write(place.path(), file).unwrap();
    check_file(&place, what, finds_first);
}

fn check_file(place: &Place, what: &str, finds_first: bool) {
    let log = place.open();
    if !finds_first {
        assert_eq!(put_again(&log, "1", what), Appended::Duplicate(WRITTEN.seqs[1]), "{what}");
    }
    all_are_known(&log, what);
    assert!(
        matches!(&place.heard()[..], [Condition::Unavailable { reason }, Condition::Recovered]
            if reason.contains("it is made anew")),
        "{what}: {:?}",
        place.heard()
    );
    let new = put(&log, named("new"));
    drop(log);

    let log = place.open();
    all_are_known(&log, what);
    assert_eq!(put_again(&log, "new", what), Appended::Duplicate(new));
    assert_eq!(walk(&log, new).0.len(), 1);
    assert_eq!(place.heard().len(), 2, "{what}: {:?}", place.heard());
    drop(log);
    let file = Connection::open(place.path()).unwrap();
    file.execute_batch("VACUUM").unwrap();
    let whole: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok", "{what}");
}

fn zero(file: &mut [u8], page: usize, bytes: usize) {
    file[(page - 1) * PAGE..][..bytes].fill(0);
}

#[test]
fn pages_that_are_zero() {
    check("the root", false, |file, written| zero(file, written.keys[0], PAGE));
    check("half of the pages", true, |file, written| {
        for page in written.keys.iter().skip(1).step_by(2) {
            zero(file, *page, 512);
        }
    });
}

#[test]
fn pages_of_another_table() {
    check("all below the root", true, |file, written| {
        let from = (written.other - 1) * PAGE;
        for page in &written.keys[1..] {
            file.copy_within(from..from + PAGE, (page - 1) * PAGE);
        }
    });
}

#[test]
fn entries_that_lead_to_other_events() {
    let place = Place::new();
    fs::write(place.path(), &WRITTEN.file).unwrap();
    let file = Connection::open(place.path()).unwrap();
    file.execute_batch("UPDATE keys SET seq = seq + 1").unwrap();
    drop(file);
    check_file(&place, "each leads to the next event", false);
}

#[test]
fn a_table_that_was_not_filled_to_the_end_is_filled_at_the_next_start() {
    let place = Place::new();
    let mut file = WRITTEN.file.clone();
    zero(&mut file, WRITTEN.keys[0], PAGE);
    fs::write(place.path(), file).unwrap();
    let log = place.open();
    // Meets the damage; the log is closed before it can be through.
    assert!(try_put(&log, named("1")).is_err());
    until("it is made anew", || (indexed(&place.path()) == 0).then_some(()));
    drop(log);
    let log = place.open();
    all_are_known(&log, "after a restart in the midst");
    assert!(put(&log, named("new")) >= Seq::new(FIRST).unwrap());
}
