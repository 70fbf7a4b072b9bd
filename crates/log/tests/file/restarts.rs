//! What a restart keeps, and what retention gives back.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fanfare_event::{Event, EventId, Seq, SinkName, SourceName};
use fanfare_log::{
    Appended, Batch, EventLog as _, FileRetention, NewEvent, RecordChange, SourcePosition, Tail, TailStream,
};
use futures_util::StreamExt as _;

use crate::kit::{Place, append, ids, named, put, put_all, sized, try_put, until, wait, walk};

#[test]
fn all_is_as_it_was() {
    let mut place = Place::new();
    place.sources = vec!["first", "second"];
    let sink = SinkName::new("work");
    let source = SourceName::new("late");
    let log = place.open();
    let late = Event { origin: source.clone(), ..Event::clone(&named("late").event) };
    let seqs = put_all(&log, 0..20);
    put(&log, NewEvent { event: Arc::new(late), dedupe: vec![] });
    let position = SourcePosition("7".into());
    wait(log.append(Batch { events: vec![], position: Some((source.clone(), position.clone())) }));
    let change = RecordChange { key: "a".into(), value: Some(b"1".as_slice().into()) };
    wait(log.write_records(&sink, vec![change])).unwrap();
    let (before, epoch) = (walk(&log, Seq::FIRST).0, log.epoch().clone());
    drop(log);
    assert!(!place.beside("-wal").exists(), "a log that was closed in order is one file");

    place.sources = vec!["third", "second", "first"];
    let log = place.open();
    assert_eq!(log.epoch(), &epoch);
    assert_eq!(walk(&log, Seq::FIRST).0, before);
    assert_eq!(wait(log.find(&EventId::new("7").unwrap())), Ok(Some(seqs[7])));
    assert_eq!(try_put(&log, named("7")), Ok(Appended::Duplicate(seqs[7])));
    assert_eq!(wait(log.position(&source)), Ok(Some(position)));
    assert_eq!(wait(log.records(&sink)), Ok(BTreeMap::from([("a".into(), b"1".as_slice().into())])));
    let third = Event { origin: SourceName::new("third"), ..Event::clone(&named("third").event) };
    let seq = put(&log, NewEvent { event: Arc::new(third), dedupe: vec![] });
    assert!(seq > before.last().unwrap().seq);
    // `ci` and `late` came between; the numbers of others are as they were.
    assert_eq!(walk(&log, seq).0[0].source_number.get(), 5);
    assert_eq!(place.heard(), []);
}

#[test]
fn seqs_are_not_reused_when_retention_has_taken_everything() {
    let retention = FileRetention { max_age: Some(Duration::from_mins(1)), ..FileRetention::default() };
    let place = Place::keeping(retention);
    let log = place.open();
    let last = put_all(&log, 0..5).pop().unwrap();
    place.pass(Duration::from_secs(59));
    let kept = put(&log, named("kept"));
    place.pass(Duration::from_secs(1));
    until("the older go by age", || (wait(log.bounds()).unwrap().oldest == kept).then_some(()));
    place.pass(Duration::from_mins(1));
    until("all go by age", || (wait(log.bounds()).unwrap().oldest > kept).then_some(()));
    assert_eq!(walk(&log, Seq::FIRST).0, []);
    let bounds = wait(log.bounds()).unwrap();
    assert_eq!(bounds.newest.map(Seq::next), Some(bounds.oldest));
    drop(log);
    let log = place.open();
    assert!(wait(log.find(&EventId::new("3").unwrap())).unwrap().is_none_or(|seq| seq <= last));
    assert!(put(&log, named("3")) > last.max(kept), "its name is free, its seq is not");
}

#[test]
fn a_name_is_known_also_from_the_table() {
    // More than are collected in memory.
    const EVENTS: usize = 150_000;
    let place = Place::new();
    let log = place.open();
    let id = |n: usize| n.to_string();
    for begin in (0..EVENTS).step_by(1000) {
        append(&log, (begin..begin + 1000).map(|n| sized(&id(n), 0)).collect());
    }
    drop(log);
    let log = place.open();
    for n in (0..EVENTS).step_by(EVENTS / 50) {
        let seq = wait(log.find(&EventId::new(&id(n)).unwrap())).unwrap().unwrap();
        assert_eq!(ids(&wait(log.read(seq, 1)).unwrap().events), [id(n)]);
        assert_eq!(try_put(&log, named(&id(n))), Ok(Appended::Duplicate(seq)));
    }
}

#[test]
fn the_file_stays_about_as_large_as_it_may() {
    const MAX: u64 = 2 << 20;
    let place = Place::keeping(FileRetention { max_bytes: Some(MAX), ..FileRetention::default() });
    let log = place.open();
    for n in 0..200 {
        append(&log, (0..10).map(|m| sized(&format!("{n}-{m}"), 5000)).collect());
    }
    drop(log);
    let bytes = std::fs::metadata(place.path()).unwrap().len();
    assert!((MAX / 2..MAX * 3 / 2).contains(&bytes), "{bytes}");
    let log = place.open();
    let (events, told) = walk(&log, Seq::FIRST);
    assert_eq!(ids(&events).last(), Some(&"199-9"));
    assert!(events.len() > 100 && told.len() == 1, "{} {told:?}", events.len());
}

#[test]
fn a_tail_that_is_behind_reads_the_file() {
    // More than the newest that are kept in memory.
    const EVENTS: usize = 6000;
    let place = Place::new();
    drop(place.open());
    let log = place.open();
    let first = put(&log, named("first"));
    let (mut all, mut later) = (log.tail(None), log.tail(Some(first)));
    for begin in (0..EVENTS).step_by(500) {
        append(&log, (begin..begin + 500).map(|n| sized(&n.to_string(), 0)).collect());
    }
    let next = |tail: &mut TailStream| match wait(tail.next()) {
        Some(Tail::Event(stored)) => stored.event.id.to_string(),
        other => panic!("no event: {other:?}"),
    };
    assert_eq!(next(&mut all), "first");
    for n in 0..EVENTS {
        assert_eq!((next(&mut all), next(&mut later)), (n.to_string(), n.to_string()));
    }
    put(&log, named("last"));
    assert_eq!((next(&mut all), next(&mut later)), ("last".to_owned(), "last".to_owned()));
}
