//! The types of what waits, each kept once.

use std::collections::HashMap;
use std::time::Duration;

use fanfare_event::EventType;

/// Names a type for as long as something of it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot(u32);

impl Slot {
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}

/// Types by slot. As many as are waiting at once.
#[derive(Debug, Default)]
pub(super) struct Types {
    slots: Vec<Kind>,
    by_name: HashMap<EventType, Slot>,
    free: Vec<Slot>,
}

#[derive(Debug)]
struct Kind {
    name: EventType,
    ttl: Option<Duration>,
    waiting: usize,
}

impl Types {
    /// The slot of a type of which one more waits.
    pub(super) fn intern(&mut self, name: &EventType, ttl: Option<Duration>) -> Slot {
        if let Some(slot) = self.by_name.get(name) {
            self.slots[slot.index()].waiting += 1;
            return *slot;
        }
        let kind = Kind { name: name.clone(), ttl, waiting: 1 };
        let slot = if let Some(slot) = self.free.pop() {
            self.slots[slot.index()] = kind;
            slot
        } else {
            // There are never more than events waiting, which memory bounds far below this.
            let slot = Slot(u32::try_from(self.slots.len()).unwrap_or(u32::MAX));
            self.slots.push(kind);
            slot
        };
        self.by_name.insert(name.clone(), slot);
        slot
    }

    /// One less waits.
    pub(super) fn release(&mut self, slot: Slot) {
        let kind = &mut self.slots[slot.index()];
        kind.waiting -= 1;
        if kind.waiting == 0 {
            self.by_name.remove(&kind.name);
            self.free.push(slot);
        }
    }

    pub(super) fn ttl(&self, slot: Slot) -> Option<Duration> {
        self.slots[slot.index()].ttl
    }

    /// By slot, whether its type is one of these; and how many of these types wait.
    pub(super) fn which(&self, is_one: impl Fn(&EventType) -> bool) -> (Vec<bool>, u64) {
        let which: Vec<_> = self.slots.iter().map(|kind| is_one(&kind.name)).collect();
        let wanted = self.slots.iter().zip(&which).filter(|(_, is_one)| **is_one);
        let count = wanted.map(|(kind, _)| kind.waiting as u64).sum();
        (which, count)
    }
}
