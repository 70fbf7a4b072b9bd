//! Pages: runs of events that are encoded once and sent by everyone who is behind. Where they are kept lives in
//! `cache`.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_event::{Delivery, EventType, Profile, Seq};

use crate::{Entry, Subscription};

/// Events of a page, at most: what a log is asked for at a time, and what one turn of a stream that is behind sends.
pub const PAGE_EVENTS: usize = 128;

/// Bytes of frames of a page, in the profile that takes the most. About what the socket of a client that keeps up takes
/// at once, so that a turn is over when it is over. An event of more has a page of its own.
pub const PAGE_BYTES: usize = 64 * 1024;

/// Every event of a part of the log: of `from..next` nothing is missing.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) from: Seq,
    pub(crate) next: Seq,
    parts: Vec<Part>,
    /// For each profile, the content of all frames in one piece of memory.
    joined: [Bytes; PROFILES],
}

const PROFILES: usize = Profile::ALL.len();

/// An event of a page.
#[derive(Clone, Debug)]
struct Part {
    seq: Seq,
    kind: EventType,
    deliveries: Arc<[Delivery]>,
    /// For each profile, how many bytes its frame has there, if it has one.
    lengths: [Option<usize>; PROFILES],
}

/// The events of a page that are seen, ascending, and where the bytes of each end among those of all of them.
pub(crate) type Seen = Arc<[(Seq, usize)]>;

/// What a subscription sees of a page, in one piece of memory.
#[derive(Clone, Debug)]
pub struct View {
    from: Seq,
    next: Seq,
    bytes: Bytes,
    ends: Seen,
}

impl Page {
    /// `entries` are all there is in `from..next`, ascending.
    pub(crate) fn new(from: Seq, next: Seq, entries: Vec<Entry>) -> Self {
        let joined = Profile::ALL.map(|profile| {
            let frames = entries.iter().filter_map(|entry| entry.frames.get(profile));
            frames.map(|frame| &**frame).collect::<Vec<_>>().concat().into()
        });
        let part = |Entry { seq, kind, deliveries, frames }| Part {
            seq,
            kind,
            deliveries,
            lengths: Profile::ALL.map(|profile| frames.get(profile).map(|frame| frame.len())),
        };
        Self { from, next, parts: entries.into_iter().map(part).collect(), joined }
    }

    /// Pages of what lies in `from..next`, none of them larger than a page may be.
    pub(crate) fn split(from: Seq, next: Seq, entries: Vec<Entry>) -> Vec<Self> {
        let (mut pages, mut page, mut start, mut bytes) = (Vec::new(), Vec::new(), from, 0);
        for entry in entries {
            let more = entry.frames.largest();
            if !page.is_empty() && (page.len() == PAGE_EVENTS || bytes + more > PAGE_BYTES) {
                pages.push(Self::new(start, entry.seq, std::mem::take(&mut page)));
                (start, bytes) = (entry.seq, 0);
            }
            bytes += more;
            page.push(entry);
        }
        pages.push(Self::new(start, next, page));
        pages
    }

    /// About how many bytes of memory it takes.
    pub(crate) fn weight(&self) -> usize {
        let joined: usize = self.joined.iter().map(Bytes::len).sum();
        size_of::<Self>() + joined + self.parts.len() * size_of::<Part>()
    }

    /// What a subscription sees of it.
    pub(crate) fn seen(&self, subscription: &Subscription) -> Seen {
        let mut end = 0;
        self.parts
            .iter()
            .filter(|part| subscription.sees(&part.kind, &part.deliveries))
            .filter_map(|part| Some((part.seq, part.lengths[subscription.profile as usize]?)))
            .map(|(seq, length)| {
                end += length;
                (seq, end)
            })
            .collect()
    }

    /// The view of everybody who sees this of it in this profile.
    pub(crate) fn view(&self, profile: Profile, seen: Seen) -> View {
        let joined = &self.joined[profile as usize];
        let lengths =
            || self.parts.iter().filter_map(|part| Some((part.seq, part.lengths[profile as usize]?)));
        let bytes = if seen.len() == lengths().count() {
            joined.clone()
        } else {
            let (mut wanted, mut start) = (seen.iter().map(|(seq, _)| *seq).peekable(), 0);
            let mut bytes = Vec::with_capacity(seen.last().map_or(0, |(_, end)| *end));
            for (seq, length) in lengths() {
                if wanted.next_if_eq(&seq).is_some() {
                    bytes.extend_from_slice(joined.get(start..start + length).unwrap_or_default());
                }
                start += length;
            }
            bytes.into()
        };
        View { from: self.from, next: self.next, bytes, ends: seen }
    }
}

impl View {
    /// Where the part of the log that it shows begins.
    pub fn from(&self) -> Seq {
        self.from
    }

    /// Where what it shows ends: everything before this is in it, was hidden from the subscription, or never was.
    pub fn next(&self) -> Seq {
        self.next
    }

    /// What lies behind `after`: how many events, and their bytes.
    pub(crate) fn behind(&self, after: Option<Seq>) -> (u64, Bytes) {
        let before = self.ends.partition_point(|(seq, _)| Some(*seq) <= after);
        let start = before.checked_sub(1).and_then(|last| self.ends.get(last)).map_or(0, |(_, end)| *end);
        ((self.ends.len() - before) as u64, self.bytes.slice(start..))
    }

    /// About how many bytes of memory it takes beside its page, at most.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>() + self.bytes.len() + self.ends.len() * size_of::<(Seq, usize)>()
    }
}
