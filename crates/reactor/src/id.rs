//! What names a connection and a thread.

use std::num::{NonZeroU32, NonZeroU64};

/// Threads, at most: what a [`ConnectionId`] has room for, and more than one server needs.
pub const MAX_THREADS: usize = 1 << THREAD_BITS;

/// Connections of a thread, at most, for the same reason.
pub(crate) const MAX_PLACES: u32 = 1 << PLACE_BITS;

const THREAD_BITS: u32 = 8;
const PLACE_BITS: u32 = 24;
const GENERATION_BITS: u32 = 32;

const _: () = assert!(THREAD_BITS + PLACE_BITS + GENERATION_BITS == u64::BITS, "an id has no bits to spare");

/// A thread of a reactor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Thread(pub(crate) u8);

impl Thread {
    /// A number below that of the threads.
    pub fn index(self) -> usize {
        self.0.into()
    }
}

/// A connection of a reactor. None that comes later has the same, until its place was used four thousand million times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(NonZeroU64);

impl ConnectionId {
    /// The id as a number that is not zero.
    pub fn get(self) -> u64 {
        self.0.get()
    }

    /// The id that [`ConnectionId::get`] gave; `None` for zero.
    pub fn new(number: u64) -> Option<Self> {
        NonZeroU64::new(number).map(Self)
    }

    pub(crate) fn of(thread: Thread, place: Place) -> Self {
        let upper = u64::from(thread.0) << PLACE_BITS | u64::from(place.index);
        Self(NonZeroU64::from(place.generation) | upper << GENERATION_BITS)
    }

    /// The thread that it is on, as far as the number is one that [`ConnectionId::get`] gave.
    pub(crate) fn thread(self) -> Thread {
        let [thread, ..] = self.get().to_be_bytes();
        Thread(thread)
    }

    /// Where it is on its thread.
    pub(crate) fn place(self) -> Option<Place> {
        let low = |number: u64| u32::try_from(number & u64::from(u32::MAX)).ok();
        let index = low(self.get() >> GENERATION_BITS)? & (MAX_PLACES - 1);
        Some(Place { index, generation: NonZeroU32::new(low(self.get())?)? })
    }
}

/// Where a connection is on its thread, as long as it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) index: u32,
    /// How often the place was used.
    pub(crate) generation: NonZeroU32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_id_says_where_its_connection_is(
            thread: u8,
            index in 0..MAX_PLACES,
            generation in 1..=u32::MAX,
        ) {
            let place = Place { index, generation: NonZeroU32::new(generation).unwrap() };
            let id = ConnectionId::of(Thread(thread), place);
            prop_assert_eq!((id.thread(), id.place()), (Thread(thread), Some(place)));
            prop_assert_eq!(ConnectionId::new(id.get()), Some(id));
        }
    }
}
