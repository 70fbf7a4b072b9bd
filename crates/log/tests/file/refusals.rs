//! What is not opened, and what is said then.

use std::fs;
use std::path::Path;

use fanfare_event::Seq;
use fanfare_log::OpenError;
use rusqlite::Connection;

use crate::kit::{Place, named, put, walk};

fn check(place: &Place, path: &Path, expected: &str) {
    let before = fs::read(path).ok();
    let error = place.try_open(path).err().unwrap();
    let said = format!("{error}; {}", error.advice());
    assert!(said.contains(expected) && said.contains(path.to_str().unwrap()), "{said}");
    assert_eq!(fs::read(path).ok(), before, "what is not ours is left alone");
}

#[test]
fn what_is_no_log_is_left_alone() {
    let place = Place::new();
    let path = |name: &str| place.beside(&format!("-{name}"));
    fs::create_dir(path("folder")).unwrap();
    check(&place, &path("folder"), "is a folder; `log.path` names a file");
    fs::write(path("text"), "not a database".repeat(100)).unwrap();
    check(&place, &path("text"), "is not a log of Fanfare: it is no SQLite database");
    let foreign = Connection::open(path("foreign")).unwrap();
    foreign.execute_batch("CREATE TABLE orders (id INTEGER)").unwrap();
    drop(foreign);
    check(&place, &path("foreign"), "another program's SQLite database; set another `log.path`");
    fs::write(path("file"), "").unwrap();
    let error = place.try_open(&path("file").join("events.db")).err().unwrap();
    assert!(matches!(&error, OpenError::Folder { .. }), "{error}");
}

#[test]
fn a_newer_format_is_not_touched() {
    let place = Place::new();
    drop(place.open());
    let file = Connection::open(place.path()).unwrap();
    file.pragma_update(None, "user_version", 2).unwrap();
    file.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).unwrap();
    drop(file);
    check(&place, &place.path(), "written by a newer Fanfare: its format is 2, this one knows 1");
}

#[test]
fn one_process_has_it() {
    let place = Place::new();
    let log = place.open();
    let error = place.try_open(&place.path()).err().unwrap();
    assert!(matches!(error, OpenError::InUse { .. }), "{error}");
    drop(log);
    put(&place.open(), named("a"));
}

#[test]
fn folders_are_made_and_an_empty_file_is_begun() {
    let place = Place::new();
    let path = place.path().with_file_name("a").join("b").join("events.db");
    put(&place.try_open(&path).unwrap(), named("a"));
    fs::write(place.path(), "").unwrap();
    let log = place.open();
    put(&log, named("a"));
    assert_eq!(walk(&log, Seq::FIRST).0.len(), 1);
}
