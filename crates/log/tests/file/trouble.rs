//! A disk or another program that gets in the way, and that the log goes on by itself afterwards.

use fanfare_event::{Seq, SourceName};
use fanfare_log::{AppendError, Batch, Condition, EventLog as _, SourcePosition};
use rusqlite::Connection;

use crate::kit::{Place, ids, named, put, put_all, try_put, until, wait, walk};

#[test]
fn another_programs_lock_is_waited_out() {
    let place = Place::new();
    let log = place.open();
    let before = put_all(&log, 0..3);
    let other = Connection::open(place.path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for _ in 0..5 {
        let refused = try_put(&log, named("refused"));
        assert!(
            matches!(&refused, Err(AppendError::Unavailable(reason)) if reason.contains("another program")),
            "{refused:?}"
        );
    }
    let position = Some((SourceName::new("source"), SourcePosition("p".into())));
    let refused = wait(log.append(Batch { events: Vec::new(), position }));
    assert!(matches!(refused[..], [Err(AppendError::Unavailable(_))]), "a position alone too: {refused:?}");
    assert_eq!(walk(&log, Seq::FIRST).0.len(), 3, "reading goes on");
    assert!(matches!(&place.heard()[..], [Condition::Unavailable { .. }]), "once: {:?}", place.heard());
    other.execute_batch("ROLLBACK").unwrap();
    until("it is told", || (place.heard().last() == Some(&Condition::Recovered)).then_some(()));
    assert!(put(&log, named("refused")) > before[2]);
    assert_eq!(ids(&walk(&log, Seq::FIRST).0), ["0", "1", "2", "refused"]);
    assert_eq!(place.heard().len(), 2, "{:?}", place.heard());
}
