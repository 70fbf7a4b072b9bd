//! `deduplicate`: drops events whose key was seen before.
//!
//! A key counts as seen only once the event is safe in the log: a publisher whose event could not be stored sends
//! it again, and must not be told then that it is a repetition.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fanfare_event::Draft;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::build::BuildError;
use crate::transform::{Claim, Claims, DeliveryId, Refusal, Transform};

/// Remembers up to `capacity` keys, first in first out, at about 100 bytes each.
pub(crate) struct Deduplicate {
    /// 0 turns it off.
    capacity: usize,
    key_path: String,
    keys: Arc<Mutex<Keys>>,
}

/// The hash of a key. A key may be a whole body; what is remembered of it has one size.
type Key = [u8; 32];

struct Keys {
    capacity: usize,
    /// Oldest first.
    seen_in_order: VecDeque<Key>,
    /// The same keys.
    seen: HashSet<Key>,
    /// On their way to the log, with the delivery that has them. Bounded by what is on its way at one time.
    in_flight: HashMap<Key, DeliveryId>,
}

enum Verdict {
    First,
    Repeated,
    InFlight,
}

/// A key on its way.
struct KeyClaim {
    keys: Arc<Mutex<Keys>>,
    key: Key,
}

impl Deduplicate {
    pub(crate) fn new(capacity: usize, key_path: &str) -> Result<Self, BuildError> {
        check_pointer(key_path)?;
        let keys = Keys {
            capacity,
            seen_in_order: VecDeque::new(),
            seen: HashSet::new(),
            in_flight: HashMap::new(),
        };
        Ok(Self { capacity, key_path: key_path.to_owned(), keys: Arc::new(Mutex::new(keys)) })
    }
}

impl Transform for Deduplicate {
    fn apply(&self, draft: Draft, claims: &mut Claims) -> Result<Vec<Draft>, Refusal> {
        if self.capacity == 0 {
            return Ok(vec![draft]);
        }
        // A key that is null is one that nobody gave: two such events are not the same.
        let Some(value) = draft.body.pointer(&self.key_path).filter(|value| !value.is_null()) else {
            log::debug!("deduplicate: the body has nothing at {}; the event passes", self.key_path);
            return Ok(vec![draft]);
        };
        let key = hash(value);
        match lock(&self.keys).begin(key, claims.delivery()) {
            Verdict::First => {
                claims.add(KeyClaim { keys: Arc::clone(&self.keys), key });
                Ok(vec![draft])
            }
            Verdict::Repeated => {
                log::debug!(
                    "deduplicate: the key at {} was seen before; the event is dropped",
                    self.key_path
                );
                Ok(Vec::new())
            }
            Verdict::InFlight => Err(Refusal::InFlight),
        }
    }
}

impl Claim for KeyClaim {
    fn commit(self: Box<Self>) {
        lock(&self.keys).remember(self.key);
    }
}

impl Drop for KeyClaim {
    fn drop(&mut self) {
        lock(&self.keys).in_flight.remove(&self.key);
    }
}

impl Keys {
    fn begin(&mut self, key: Key, delivery: DeliveryId) -> Verdict {
        if self.seen.contains(&key) {
            return Verdict::Repeated;
        }
        match self.in_flight.get(&key) {
            // Both are in one record of the log: either both get there or neither does.
            Some(holder) if *holder == delivery => Verdict::Repeated,
            Some(_) => Verdict::InFlight,
            None => {
                self.in_flight.insert(key, delivery);
                Verdict::First
            }
        }
    }

    fn remember(&mut self, key: Key) {
        if self.seen.insert(key) {
            self.seen_in_order.push_back(key);
        }
        while self.seen_in_order.len() > self.capacity {
            if let Some(oldest) = self.seen_in_order.pop_front() {
                self.seen.remove(&oldest);
            }
        }
    }
}

/// Nothing in here panics while it holds the lock.
fn lock(keys: &Mutex<Keys>) -> MutexGuard<'_, Keys> {
    keys.lock().unwrap_or_else(PoisonError::into_inner)
}

fn check_pointer(pointer: &str) -> Result<(), BuildError> {
    let problem = if !pointer.is_empty() && !pointer.starts_with('/') {
        "it must begin with a slash"
    } else if pointer.split('~').skip(1).any(|rest| !rest.starts_with(['0', '1'])) {
        "a ~ must be written ~0, and a / within a name ~1"
    } else {
        return Ok(());
    };
    Err(BuildError::KeyPath { problem })
}

/// Equal for values that are equal as JSON, whatever the order of their keys.
fn hash(value: &Value) -> Key {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            let mut hasher = Sha256::new_with_prefix(b"{");
            for (name, member) in members {
                hasher.update(Sha256::digest(name));
                hasher.update(hash(member));
            }
            hasher.finalize().into()
        }
        Value::Array(items) => {
            let mut hasher = Sha256::new_with_prefix(b"[");
            for item in items {
                hasher.update(hash(item));
            }
            hasher.finalize().into()
        }
        scalar => Sha256::digest(scalar.to_string()).into(),
    }
}
