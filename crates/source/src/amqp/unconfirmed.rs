//! Messages without ids that are stored, and whose acknowledgements the broker may not have taken: what it delivers again of
//! them must not be stored twice.

use std::collections::VecDeque;
use std::fmt::{self, Write as _};

use super::Message;
use crate::fingerprint::Hasher;

/// What stands at the beginning of a position.
const VERSION: &str = "1";

/// What tells a message from others: the first 16 bytes of a SHA-256.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 16]);

/// A position that this version cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source's position is none of an amqp source")]
pub struct InvalidPosition;

/// Stored messages whose acknowledgements may be lost, oldest first; a multiset. It is kept as the source's position, in
/// one record with the events, so that it is right after any crash of this process.
///
/// Only what was stored before the connection that delivers can be delivered again on it, and before anything that is
/// new, because a broker puts back what was not acknowledged where it was. So the older part is forgotten as soon
/// as something new comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unconfirmed {
    /// Of earlier connections.
    before: VecDeque<Fingerprint>,
    /// Of this connection.
    since: VecDeque<Fingerprint>,
    /// How many there can be: a broker waits for no more acknowledgements than `prefetch`.
    capacity: usize,
}

impl Unconfirmed {
    /// Nothing yet. `prefetch` bounds how many are remembered.
    #[must_use]
    pub fn new(prefetch: u16) -> Self {
        Self { before: VecDeque::new(), since: VecDeque::new(), capacity: usize::from(prefetch) }
    }

    /// As a position says.
    pub fn restore(position: &str, prefetch: u16) -> Result<Self, InvalidPosition> {
        let mut restored = Self::new(prefetch);
        let mut words = position.split(' ');
        if words.next() != Some(VERSION) {
            return Err(InvalidPosition);
        }
        for word in words {
            let mut bytes = [0; 16];
            hex::decode_to_slice(word, &mut bytes).map_err(|_| InvalidPosition)?;
            restored.since.push_back(Fingerprint(bytes));
        }
        restored.forget();
        Ok(restored)
    }

    /// A connection came about: what has been stored until now may be delivered again.
    pub fn reconnected(&mut self) {
        self.before.append(&mut self.since);
    }

    /// A message came that was never delivered before: of earlier connections nothing more will come.
    pub fn is_behind(&mut self) {
        self.before.clear();
    }

    /// Whether a redelivered message has been stored. It is to be acknowledged again, and each is recognized once.
    pub fn recognize(&mut self, message: Fingerprint) -> bool {
        let found = self.before.iter().position(|known| *known == message);
        let known = found.and_then(|index| self.before.remove(index));
        // Its second acknowledgement may be lost as well.
        self.since.extend(known);
        known.is_some()
    }

    /// The position to store together with these messages.
    pub fn position_with(&self, new: &[Fingerprint]) -> String {
        let mut position = VERSION.to_owned();
        let all: Vec<_> = self.before.iter().chain(&self.since).chain(new).collect();
        for fingerprint in all.get(all.len().saturating_sub(self.capacity)..).unwrap_or_default() {
            // Writing to a string cannot fail.
            let _ = write!(position, " {fingerprint:?}");
        }
        position
    }

    /// They are stored.
    pub fn stored(&mut self, new: impl IntoIterator<Item = Fingerprint>) {
        self.since.extend(new);
        self.forget();
    }

    /// The broker has taken every acknowledgement that was sent.
    pub fn confirmed(&mut self) {
        self.since.clear();
    }

    /// Whether acknowledgements were sent that the broker may not have taken.
    pub fn is_waiting(&self) -> bool {
        !self.since.is_empty()
    }

    fn forget(&mut self) {
        while self.before.len() + self.since.len() > self.capacity {
            if self.before.pop_front().is_none() {
                self.since.pop_front();
            }
        }
    }
}

impl Fingerprint {
    /// The body, where it was published, and what was said of it. `x-delivery-count` is the broker's own and grows.
    pub(super) fn of(message: &Message) -> Self {
        let mut hash = Hasher::default();
        hash.part(&message.body);
        hash.part(message.routing_key.as_bytes());
        hash.part(message.exchange.as_bytes());
        for object in [&message.headers, &message.properties] {
            let mut members: Vec<_> = object.iter().filter(|(name, _)| *name != "x-delivery-count").collect();
            members.sort_unstable_by_key(|(name, _)| *name);
            hash.part(&(members.len() as u64).to_be_bytes());
            for (name, value) in members {
                hash.part(name.as_bytes());
                hash.part(value.to_string().as_bytes());
            }
        }
        Self(hash.finish())
    }
}

/// In hexadecimal, as positions have it.
impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}
