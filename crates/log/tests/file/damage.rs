//! Files that are not what was written: cut short, zeroed, torn or old in parts. Whatever happened to them, opening
//! refuses, or what is served is what was appended and what is missing is told; and no seq is given twice.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;
use std::path::Path;

use fanfare_event::{Seq, Stored};
use fanfare_log::{AppendError, Appended, EventLog as _, OpenError, SqliteLog};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use tempfile::TempDir;

use crate::kit::{FIRST, Place, append, named, sized, try_put, until, walk};

/// A log's two files, as they lay on the disk at a moment.
#[derive(Clone)]
struct Files {
    database: Vec<u8>,
    wal: Vec<u8>,
}

/// A log at an earlier moment and at a later one, and what was appended until then.
struct Copies {
    old: Files,
    new: Files,
    appended: BTreeMap<Seq, Stored>,
}

impl Files {
    fn of(place: &Place) -> Self {
        let read = |path: &Path| fs::read(path).unwrap_or_default();
        Self { database: read(&place.path()), wal: read(&place.beside("-wal")) }
    }

    fn lengths(&self) -> [usize; 2] {
        [self.database.len(), self.wal.len()]
    }

    fn get(&mut self, which: Which) -> &mut Vec<u8> {
        match which {
            Which::Database => &mut self.database,
            Which::Wal => &mut self.wal,
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Which {
    Database,
    Wal,
}

#[derive(Clone, Copy, Debug)]
enum Damage {
    /// Nothing is left from here on.
    Cut,
    /// So many bytes are zero.
    Zero(usize),
    /// So many bytes are what they were at the earlier moment.
    Old(usize),
    /// So many bytes are what lies elsewhere in the file.
    Misplaced(usize),
}

fn copies() -> Copies {
    let place = Place::new();
    let log = place.open();
    fill(&log, 0..40);
    drop(log);
    let log = place.open();
    let old = Files::of(&place);
    fill(&log, 40..60);
    let appended = walk(&log, Seq::FIRST).0.into_iter().map(|stored| (stored.seq, stored)).collect();
    Copies { old, new: Files::of(&place), appended }
}

fn fill(log: &SqliteLog, ids: Range<usize>) {
    for n in ids {
        // Some do not fit a page.
        let size = if n % 10 == 9 { 9000 } else { 300 };
        append(log, vec![sized(&n.to_string(), size)]);
    }
}

fn damage(files: &mut Files, old: &mut Files, which: Which, at: usize, kind: Damage) {
    let old = old.get(which).clone();
    let file = files.get(which);
    let at = at.min(file.len());
    match kind {
        Damage::Cut => file.truncate(at),
        Damage::Zero(bytes) => {
            let end = (at + bytes).min(file.len());
            file[at..end].fill(0);
        }
        Damage::Old(bytes) => {
            let end = (at + bytes).min(file.len()).min(old.len());
            if at < end {
                file[at..end].copy_from_slice(&old[at..end]);
            }
        }
        Damage::Misplaced(bytes) => {
            let from = (file.len() / 2) / bytes * bytes;
            let length = bytes.min(file.len() - at).min(file.len() - from);
            file.copy_within(from..from + length, at);
        }
    }
}

/// How many cases came out how: a test that only ever meets one of them is blind.
#[derive(Clone, Copy, Debug, Default)]
struct Outcomes {
    refused: usize,
    /// Nothing of it is missing.
    whole: usize,
    /// Something is missing, and nothing is wrong.
    in_part: usize,
    /// Of those that were opened: nothing can be stored any more.
    full_stop: usize,
}

/// Opens damaged files, and holds what it serves to what was appended.
fn check(copies: &Copies, files: &Files, what: &str, outcomes: &mut Outcomes) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("events.db");
    fs::write(&path, &files.database).unwrap();
    fs::write(folder.path().join("events.db-wal"), &files.wal).unwrap();
    let place = Place::new();
    let log = match place.try_open(&path) {
        Ok(log) => log,
        Err(OpenError::Damaged { .. } | OpenError::Foreign { .. } | OpenError::Unusable { .. }) => {
            outcomes.refused += 1;
            return;
        }
        Err(error) => panic!("{what}: {error}"),
    };
    if files.database.is_empty() {
        // Nothing is left: it begins anew, as another log.
        return;
    }
    let (events, told) = walk(&log, Seq::new(FIRST).unwrap());
    for stored in &events {
        assert_eq!(copies.appended.get(&stored.seq), Some(stored), "{what}: served wrong");
    }
    let last = events.last().map_or(FIRST, |stored| stored.seq.get());
    let missing = copies
        .appended
        .keys()
        .filter(|seq| seq.get() < last && events.binary_search_by_key(*seq, |stored| stored.seq).is_err());
    for seq in missing {
        // The next that was served is one that the reader was told it goes on with.
        let next = events.iter().find(|stored| stored.seq > *seq).unwrap().seq;
        assert!(told.contains(&next), "{what}: {seq} is missing, and nobody was told: {told:?}");
    }
    if events.len() == copies.appended.len() {
        outcomes.whole += 1;
    } else {
        outcomes.in_part += 1;
    }
    let newest = *copies.appended.keys().last().unwrap();
    let put = || match try_put(&log, named("new")) {
        Err(AppendError::Unavailable(reason)) if reason.contains("it is made anew") => None,
        other => Some(other),
    };
    match until(what, put) {
        Ok(Appended::New(seq)) => {
            assert!(seq > newest, "{what}: {seq} was given before");
            let (again, _) = walk(&log, Seq::new(FIRST).unwrap());
            assert_eq!(again.last().unwrap().event.id.as_str(), "new", "{what}");
            assert_eq!(again.len(), events.len() + 1, "{what}");
        }
        Err(AppendError::Unavailable(_) | AppendError::Unknown(_)) => outcomes.full_stop += 1,
        other => panic!("{what}: {other:?}"),
    }
}

fn check_all(which: Which, step: usize, kinds: &[Damage]) -> Outcomes {
    let mut outcomes = Outcomes::default();
    let mut copies = copies();
    let length = copies.new.get(which).len();
    for at in (0..=length).step_by(step) {
        for kind in kinds {
            let mut files = copies.new.clone();
            let mut old = copies.old.clone();
            damage(&mut files, &mut old, which, at, *kind);
            check(&copies, &files, &format!("{which:?} {kind:?} at {at}"), &mut outcomes);
        }
    }
    outcomes
}

#[test]
fn what_is_whole_is_served() {
    let copies = copies();
    let mut outcomes = Outcomes::default();
    check(&copies, &copies.new, "undamaged", &mut outcomes);
    assert_eq!(outcomes.whole, 1);
    let place = Place::new();
    fs::write(place.path(), &copies.new.database).unwrap();
    fs::write(place.beside("-wal"), &copies.new.wal).unwrap();
    let log = place.open();
    let (events, told) = walk(&log, Seq::new(FIRST).unwrap());
    assert_eq!((events.len(), told), (copies.appended.len(), vec![]));
}

#[test]
fn pages_of_the_file() {
    let outcomes = check_all(
        Which::Database,
        4096,
        &[Damage::Cut, Damage::Zero(4096), Damage::Zero(512), Damage::Old(4096), Damage::Misplaced(4096)],
    );
    // Neither refuses everything nor finds everything whole.
    assert!(outcomes.refused > 0 && outcomes.whole > 0 && outcomes.in_part > 0, "{outcomes:?}");
    assert!(outcomes.refused + outcomes.full_stop < outcomes.whole.min(outcomes.in_part), "{outcomes:?}");
}

#[test]
fn frames_of_the_wal() {
    let outcomes = check_all(Which::Wal, 4120, &[Damage::Cut, Damage::Zero(4120), Damage::Zero(512)]);
    // What is behind the damage is lost, and what was folded in is served.
    assert!(outcomes.in_part > 0 && outcomes.refused + outcomes.full_stop == 0, "{outcomes:?}");
}

#[test]
fn any_sectors_of_either() {
    let copies = copies();
    let outcomes = Cell::new(Outcomes::default());
    let sectors = copies.new.lengths().map(|bytes| (bytes / 512).max(1));
    let places = prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), 0..4_u8), 1..4);
    let mut runner = TestRunner::new(ProptestConfig {
        cases: 120,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let run = runner.run(&places, |places| {
        let mut files = copies.new.clone();
        for (is_wal, sector, kind) in &places {
            let which = if *is_wal { Which::Wal } else { Which::Database };
            let kind = match kind {
                0 => Damage::Cut,
                1 => Damage::Zero(512),
                2 => Damage::Old(512),
                _ => Damage::Misplaced(512),
            };
            let at = sector.index(sectors[usize::from(*is_wal)]) * 512;
            damage(&mut files, &mut copies.old.clone(), which, at, kind);
        }
        let mut counted = outcomes.get();
        check(&copies, &files, &format!("{places:?}"), &mut counted);
        outcomes.set(counted);
        Ok(())
    });
    run.unwrap();
    let outcomes = outcomes.get();
    assert!(outcomes.refused + outcomes.full_stop < outcomes.whole + outcomes.in_part, "{outcomes:?}");
}

#[test]
fn a_reader_is_told_once_and_the_operator_too() {
    let mut copies = copies();
    // The middle of the rows.
    let middle = copies.new.database.len() / 2 / 4096 * 4096;
    damage(&mut copies.new, &mut copies.old.clone(), Which::Database, middle, Damage::Zero(4096));
    let place = Place::new();
    fs::write(place.path(), &copies.new.database).unwrap();
    fs::write(place.beside("-wal"), &copies.new.wal).unwrap();
    let log = place.open();
    let first = walk(&log, Seq::FIRST);
    assert!(first.0.len() < copies.appended.len());
    assert_eq!(walk(&log, Seq::FIRST), first);
    assert_eq!(place.heard().len(), 1, "{:?}", place.heard());
    assert!(log.epoch().as_str() == "one");
}
