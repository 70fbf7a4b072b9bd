//! Where events lay that retention took lately. A client that comes back with the id of one is told that it missed
//! something, and goes on with the oldest event there is; without this it would look like an id that nobody knows.

use std::collections::hash_map::RandomState;
use std::collections::{HashMap, VecDeque};
use std::hash::BuildHasher as _;

use fanfare_event::{EventId, Seq};

/// Ids that are remembered, about 40 bytes each. The oldest go first.
const MAX_FORGOTTEN: usize = 65_536;

/// The places of ids, by a hash with a secret key. Two ids that share one (once in 2⁶⁴ pairs) could be taken for each
/// other; a client then goes on with the oldest event instead of now.
#[derive(Debug, Default)]
pub(super) struct Forgotten {
    hasher: RandomState,
    places: HashMap<u64, Seq>,
    /// The keys of `places`, each once, in the order in which they came.
    order: VecDeque<u64>,
}

impl Forgotten {
    pub(super) fn insert(&mut self, id: &EventId, seq: Seq) {
        let key = self.hasher.hash_one(id);
        if self.places.insert(key, seq).is_some() {
            return;
        }
        self.order.push_back(key);
        if self.order.len() > MAX_FORGOTTEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.places.remove(&oldest);
        }
    }

    pub(super) fn get(&self, id: &EventId) -> Option<Seq> {
        self.places.get(&self.hasher.hash_one(id)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_known_and_no_more_than_the_limit() {
        let id = |n: usize| EventId::new(&n.to_string()).unwrap();
        let seq = |n: usize| Seq::new(n as u64 + 1).unwrap();
        let mut forgotten = Forgotten::default();
        for n in 0..=MAX_FORGOTTEN {
            forgotten.insert(&id(n), seq(n));
        }
        assert_eq!(forgotten.get(&id(0)), None);
        assert_eq!(forgotten.get(&id(1)), Some(seq(1)));
        forgotten.insert(&id(1), seq(MAX_FORGOTTEN + 7));
        assert_eq!(forgotten.get(&id(1)), Some(seq(MAX_FORGOTTEN + 7)), "an id that was used again");
        assert_eq!((forgotten.order.len(), forgotten.places.len()), (MAX_FORGOTTEN, MAX_FORGOTTEN));
    }
}
