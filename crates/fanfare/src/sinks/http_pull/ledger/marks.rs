//! Places that are marked, as a bit each.

use std::collections::BTreeMap;

use fanfare_event::Seq;
use fanfare_log::RecordChange;

use super::record;

/// Places in one page. A page is one record of 128 bytes: small enough to be written anew for each confirmation, and a
/// batch of events that lie side by side touches few of them.
pub(super) const PAGE: u64 = 1024;

const WORD: u64 = u64::BITS as u64;

/// A page's bits.
pub(super) type Bits = [u64; (PAGE / WORD) as usize];

/// Marked places, by page.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pages: BTreeMap<u64, Bits>,
}

impl Marks {
    pub(super) fn contains(&self, seq: Seq) -> bool {
        let (word, bit) = place(seq);
        self.pages.get(&page_of(seq)).is_some_and(|bits| bits[word] & bit != 0)
    }

    pub(super) fn insert(&mut self, seq: Seq) {
        mark(self.pages.entry(page_of(seq)).or_default(), seq);
    }

    pub(super) fn insert_page(&mut self, page: u64, bits: Bits) {
        self.pages.insert(page, bits);
    }

    /// Forgets pages that lie before this as a whole.
    pub(super) fn remove_before(&mut self, floor: Seq) {
        self.pages = self.pages.split_off(&page_of(floor));
    }

    /// What is written down when these places are marked and what lies before the floor is forgotten.
    pub(super) fn records(&self, added: &[Seq], floor: Seq) -> Vec<RecordChange> {
        let kept = page_of(floor);
        let mut changed = BTreeMap::<u64, Bits>::new();
        for seq in added.iter().filter(|seq| page_of(**seq) >= kept) {
            let page = page_of(*seq);
            let bits =
                changed.entry(page).or_insert_with(|| self.pages.get(&page).copied().unwrap_or_default());
            mark(bits, *seq);
        }
        let gone = self.pages.range(..kept).map(|(page, _)| record::no_marks(*page));
        gone.chain(changed.iter().map(|(page, bits)| record::marks(*page, bits))).collect()
    }
}

fn page_of(seq: Seq) -> u64 {
    seq.get() / PAGE
}

/// The word within its page, and the bit in that.
fn place(seq: Seq) -> (usize, u64) {
    let within = seq.get() % PAGE;
    (usize::try_from(within / WORD).unwrap_or_default(), 1 << (within % WORD))
}

fn mark(bits: &mut Bits, seq: Seq) {
    let (word, bit) = place(seq);
    bits[word] |= bit;
}
