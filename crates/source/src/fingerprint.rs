//! What tells one message from others where nobody named it.

use sha2::{Digest as _, Sha256};

/// A hash of parts, each with its length, so that what is moved from one to the next makes a difference.
#[derive(Default)]
pub(crate) struct Hasher(Sha256);

impl Hasher {
    pub(crate) fn part(&mut self, bytes: &[u8]) {
        self.0.update((bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    /// The first 16 bytes of a SHA-256.
    pub(crate) fn finish(self) -> [u8; 16] {
        let digest: [u8; 32] = self.0.finalize().into();
        let mut first = [0; 16];
        first.iter_mut().zip(digest).for_each(|(byte, of)| *byte = of);
        first
    }
}
