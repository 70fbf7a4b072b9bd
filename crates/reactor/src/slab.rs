//! Values in places that are used again, each with a generation, so that who comes late finds nobody else.

use std::mem;
use std::num::NonZeroU32;

use crate::id::{MAX_PLACES, Place};

/// Places that are made at once. A chunk never moves, so that growing copies nothing and needs no memory twice.
const CHUNK: u32 = 128;

/// The end of the list of vacant places.
const NONE: u32 = u32::MAX;

/// What many connections needed once stays, for those that come next.
pub(crate) struct Slab<T> {
    chunks: Vec<Box<[Slot<T>]>>,
    /// The first vacant place.
    vacant: u32,
}

pub(crate) struct Slot<T> {
    generation: NonZeroU32,
    state: State<T>,
}

enum State<T> {
    Vacant { next: u32 },
    Taken(T),
}

impl<T> Slab<T> {
    pub(crate) fn new() -> Self {
        Self { chunks: Vec::new(), vacant: NONE }
    }

    /// Puts a value in. Where there are [`MAX_PLACES`] already, the value comes back.
    pub(crate) fn insert(&mut self, value: T) -> Result<Place, T> {
        if self.vacant == NONE && !self.grow() {
            return Err(value);
        }
        let index = self.vacant;
        let Some(slot) = self.slot(index) else { return Err(value) };
        let generation = slot.generation;
        let State::Vacant { next } = slot.state else { return Err(value) };
        slot.state = State::Taken(value);
        self.vacant = next;
        Ok(Place { index, generation })
    }

    /// What is there, if it is still what was there.
    pub(crate) fn get(&mut self, place: Place) -> Option<&mut T> {
        let slot = self.slot(place.index)?;
        if slot.generation == place.generation { slot.value() } else { None }
    }

    /// What is there, whatever it is.
    pub(crate) fn at(&mut self, index: u32) -> Option<&mut T> {
        self.slot(index)?.value()
    }

    /// The place of what is there now.
    pub(crate) fn place(&mut self, index: u32) -> Option<Place> {
        Some(Place { index, generation: self.slot(index)?.generation })
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<T> {
        let vacant = self.vacant;
        let slot = self.slot(index)?;
        slot.value()?;
        let taken = mem::replace(&mut slot.state, State::Vacant { next: vacant });
        // Behind the last comes the first.
        slot.generation = slot.generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
        self.vacant = index;
        if let State::Taken(value) = taken { Some(value) } else { None }
    }

    /// Where something is.
    pub(crate) fn taken(&self) -> Vec<u32> {
        let slots = (0..).zip(self.chunks.iter().flatten());
        slots.filter(|(_, slot)| matches!(slot.state, State::Taken(_))).map(|(index, _)| index).collect()
    }

    fn slot(&mut self, index: u32) -> Option<&mut Slot<T>> {
        self.chunks.get_mut((index / CHUNK) as usize)?.get_mut((index % CHUNK) as usize)
    }

    /// Makes more places. Returns whether there can be more.
    fn grow(&mut self) -> bool {
        // There are no more chunks than places.
        let start = u32::try_from(self.chunks.len()).unwrap_or(MAX_PLACES).saturating_mul(CHUNK);
        if start >= MAX_PLACES {
            return false;
        }
        let slot = |index| {
            let next = if index + 1 < start + CHUNK { index + 1 } else { NONE };
            Slot { generation: NonZeroU32::MIN, state: State::Vacant { next } }
        };
        self.chunks.push((start..start + CHUNK).map(slot).collect());
        self.vacant = start;
        true
    }
}

impl<T> Slot<T> {
    fn value(&mut self) -> Option<&mut T> {
        match &mut self.state {
            State::Taken(value) => Some(value),
            State::Vacant { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// It does what a list of all that was ever put in does.
        #[test]
        fn a_place_is_one_values_only(steps in proptest::collection::vec(any::<(bool, usize)>(), 1..600)) {
            let mut slab = Slab::new();
            let (mut there, mut gone) = (Vec::<(Place, usize)>::new(), Vec::<Place>::new());
            for (number, (put, which)) in steps.into_iter().enumerate() {
                if put || there.is_empty() {
                    there.push((slab.insert(number).unwrap(), number));
                } else {
                    let (place, value) = there.swap_remove(which % there.len());
                    prop_assert_eq!(slab.remove(place.index), Some(value));
                    prop_assert_eq!(slab.remove(place.index), None);
                    gone.push(place);
                }
                for (place, value) in &there {
                    prop_assert_eq!(slab.get(*place), Some(&mut value.clone()));
                    prop_assert_eq!(slab.at(place.index), Some(&mut value.clone()));
                    prop_assert_eq!(slab.place(place.index), Some(*place));
                }
                prop_assert!(gone.iter().all(|place| slab.get(*place).is_none()));
                let mut taken: Vec<_> = there.iter().map(|(place, _)| place.index).collect();
                taken.sort_unstable();
                prop_assert_eq!(slab.taken(), taken);
            }
        }
    }

    #[test]
    fn places_are_used_again_before_there_are_more() {
        let mut slab = Slab::new();
        for _ in 0..3 {
            for value in 0..CHUNK {
                slab.insert(value).unwrap();
            }
            assert_eq!(slab.chunks.len(), 1);
            (0..CHUNK).for_each(|index| assert!(slab.remove(index).is_some()));
        }
    }
}
