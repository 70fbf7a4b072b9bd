//! Every order in which threads may leave things and take them: `scripts/test loom`.

use std::sync::Arc as StdArc;

use loom::sync::{Arc, Notify};
use loom::thread;

use super::*;

/// Wakes as the real one does: what is told before the receiver sleeps wakes it all the same.
fn leave(inbox: &Inbox<Vec<u8>>, waker: &Notify, item: u8) {
    if inbox.leave(|mail| mail.push(item)) {
        waker.notify();
    }
}

/// Takes until it has so many. Sleeps only where it was told of nothing; `looks` without being told, as one does who is at
/// work. Where something is left behind while it sleeps it never ends, which loom reports.
fn receive(inbox: &Inbox<Vec<u8>>, waker: &Notify, count: usize, looks: bool) -> Vec<u8> {
    let (mut all, mut taken) = (Vec::new(), Vec::new());
    while all.len() < count {
        if looks && inbox.has_mail() {
            inbox.take(&mut taken);
            all.append(&mut taken);
            continue;
        }
        waker.wait();
        inbox.take(&mut taken);
        all.append(&mut taken);
    }
    all
}

/// Loom takes a thread away from its work at any moment, but no more than so often; without that bound it would be at it
/// for hours.
const PREEMPTIONS: usize = 3;

fn check(looks: bool) {
    let mut model = loom::model::Builder::new();
    model.preemption_bound = Some(PREEMPTIONS);
    model.check(move || {
        let (inbox, waker) = (Arc::new(Inbox::<Vec<u8>>::new()), Arc::new(Notify::new()));
        let others: Vec<_> = [&[1, 2][..], &[3]]
            .into_iter()
            .map(|items| {
                let (inbox, waker) = (Arc::clone(&inbox), Arc::clone(&waker));
                thread::spawn(move || items.iter().for_each(|item| leave(&inbox, &waker, *item)))
            })
            .collect();
        let mut received = receive(&inbox, &waker, 3, looks);
        for other in others {
            other.join().unwrap();
        }
        // In the order in which each of them left it.
        assert!(received.iter().position(|item| *item == 1) < received.iter().position(|item| *item == 2));
        received.sort_unstable();
        assert_eq!(received, [1, 2, 3]);
    });
}

#[test]
fn loom_nothing_is_left_behind_while_the_receiver_sleeps() {
    check(false);
}

#[test]
fn loom_nothing_is_left_behind_by_who_looks_while_at_work() {
    check(true);
}

#[test]
fn loom_what_is_left_is_taken_or_dropped_when_the_receiver_ends() {
    loom::model(|| {
        let inbox = Arc::new(Inbox::<Vec<StdArc<()>>>::new());
        let item = StdArc::new(());
        let other = {
            let (inbox, item) = (Arc::clone(&inbox), StdArc::clone(&item));
            thread::spawn(move || {
                let _ = inbox.leave(|mail| mail.push(item));
            })
        };
        let mut taken = Vec::new();
        inbox.take(&mut taken);
        drop(taken);
        inbox.close();
        other.join().unwrap();
        assert_eq!(StdArc::strong_count(&item), 1);
    });
}
