//! For any sequence of appends, retention steps, restarts and reads, what a reader sees is a contiguous run of what was
//! appended.

use std::sync::Arc;

use fanfare_event::{Epoch, Seq};
use fanfare_log::{Appended, EventLog, FileRetention, MemoryLog, Retention};
use proptest::prelude::*;

use crate::kit::{FIRST, Place, append, named, put, wait, walk};

const KEPT: usize = 12;

#[derive(Clone, Debug)]
enum Step {
    /// Events by these names; some are repetitions.
    Append(Vec<u8>),
    /// From this part of what was ever appended on, so many.
    Read(u8, usize),
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop::collection::vec(0..40_u8, 0..8).prop_map(Step::Append),
        4 => (any::<u8>(), 0..9_usize).prop_map(|(from, max)| Step::Read(from, max)),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..30)
}

/// What was ever appended, in order.
type Model = Vec<(Seq, String)>;

fn held(model: &Model) -> &[(Seq, String)] {
    &model[model.len().saturating_sub(KEPT)..]
}

fn check_append(log: &dyn EventLog, model: &mut Model, names: &[u8]) {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let results = append(log, names.iter().map(|name| named(name)).collect());
    let before = held(model).to_vec();
    let mut new: Model = Vec::new();
    for (name, result) in names.into_iter().zip(results) {
        let known = before.iter().chain(&new).find(|(_, known)| *known == name);
        match (known, result.unwrap()) {
            (Some((seq, _)), appended) => assert_eq!(appended, Appended::Duplicate(*seq)),
            (None, Appended::New(seq)) => new.push((seq, name)),
            (None, Appended::Duplicate(seq)) => panic!("{name} is not at {seq}"),
        }
    }
    assert!(model.iter().chain(&new).is_sorted_by(|a, b| a.0 < b.0), "{model:?} {new:?}");
    model.extend(new);
}

fn check_read(log: &dyn EventLog, model: &Model, from: u8, max: usize) {
    let from = model
        .get(model.len() * usize::from(from) / 256)
        .map_or(Seq::FIRST, |(seq, _)| if from.is_multiple_of(2) { *seq } else { seq.next() });
    let page = wait(log.read(from, max)).unwrap();
    let seen: Model = page.events.iter().map(|stored| (stored.seq, stored.event.id.to_string())).collect();
    let kept: Model = held(model).iter().filter(|(seq, _)| *seq >= from).cloned().collect();
    assert_eq!(seen, kept[..max.min(kept.len())], "from {from}");
    if let Some((oldest, _)) = held(model).first() {
        assert_eq!(page.oldest, *oldest);
    }
    assert!(kept.get(seen.len()).is_none_or(|(next, _)| page.next <= *next), "{page:?}");
}

fn check(mut log: Arc<dyn EventLog>, restart: impl Fn() -> Option<Arc<dyn EventLog>>, steps: Vec<Step>) {
    let mut model = Model::new();
    for step in steps {
        match step {
            Step::Append(names) => {
                // One by one where retention is at work: a log may take it on after each event or after each batch.
                let batch = if model.len() + names.len() > KEPT { 1 } else { names.len().max(1) };
                names.chunks(batch).for_each(|names| check_append(&*log, &mut model, names));
            }
            Step::Read(from, max) => check_read(&*log, &model, from, max),
            Step::Restart => {
                drop(std::mem::replace(&mut log, Arc::new(empty_log())));
                match restart() {
                    Some(again) => log = again,
                    None => return,
                }
            }
        }
    }
    let (events, _) = walk(&*log, Seq::FIRST);
    let seen: Model = events.iter().map(|stored| (stored.seq, stored.event.id.to_string())).collect();
    assert_eq!(seen, held(&model));
    let new = put(&*log, named("new"));
    assert!(model.last().is_none_or(|(last, _)| new > *last));
}

fn empty_log() -> MemoryLog {
    let retention = Retention { events: KEPT, bytes: 1 << 20 };
    MemoryLog::new(Epoch::new("one").unwrap(), Seq::new(FIRST).unwrap(), retention, &[])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn a_reader_of_the_file_sees_a_contiguous_run(steps in steps()) {
        let place =
            Place::keeping(FileRetention { max_events: Some(KEPT as u64), ..FileRetention::default() });
        check(Arc::new(place.open()), || Some(Arc::new(place.open())), steps);
        prop_assert_eq!(place.heard(), []);
    }

    #[test]
    fn a_reader_of_the_memory_sees_a_contiguous_run(steps in steps()) {
        check(Arc::new(empty_log()), || None, steps);
    }
}
