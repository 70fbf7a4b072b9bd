//! What a connection takes of memory, as a sum.

use super::*;
use crate::connection::{Connection, MAX_PARTS, Pending};
use crate::id::Place;
use crate::slab::Slot;

/// An owner of the size that owners are meant to have: six words.
struct SixWords(#[expect(dead_code, reason = "it takes room")] [u64; 6]);

impl Owner for SixWords {
    fn placed(&mut self, _: ConnectionId) {}

    fn ending(&self) -> Option<CloseReason> {
        None
    }

    fn has_come_to(&self, _: Option<Seq>) {}

    fn read(&mut self, _: ConnectionId, _: Seq, _: bool) {}

    fn ended(self, _: CloseReason, _: &Session) {}
}

/// What doubles when it is full has at most so much room for each of those that are in it.
const SLACK: usize = 2;

#[test]
fn an_idle_connection_takes_what_is_promised() {
    let slot = size_of::<Slot<Connection<SixWords>>>();
    assert!(slot <= 176, "{slot}");
    let member = SLACK * size_of::<u32>();
    let timer = SLACK * size_of::<Place>();
    let queue = SLACK * size_of::<u32>();
    assert!(slot + member + timer + queue <= 208);
}

/// Beside what it shares with others: frames and pages.
#[test]
fn a_connection_whose_socket_is_full_takes_what_is_promised() {
    // The head and what is said first, a page in three parts, and a farewell; a vector may have as much again.
    let parts = SLACK * (MAX_PARTS + 3 + 1) * size_of::<Bytes>();
    assert!(size_of::<Pending>() + parts <= 896);
}
