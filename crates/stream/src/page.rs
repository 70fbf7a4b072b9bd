//! Pages: runs of events that are encoded once and sent by everyone who is behind. Where they are kept lives in
//! `cache`.

use std::sync::Arc;

use bytes::Bytes;
use fanfare_event::{Profile, Seq};

use crate::{Entry, Frames, Subscription};

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
    entries: Vec<Entry>,
    /// For each profile, all frames in one piece of memory, of which the entries have their parts.
    joined: Frames,
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
    pub(crate) fn new(from: Seq, next: Seq, mut entries: Vec<Entry>) -> Self {
        let mut joined = Frames::default();
        for profile in Profile::ALL {
            let frames = entries.iter().filter_map(|entry| entry.frames.get(profile));
            let all = join(frames);
            let mut rest = all.clone();
            for entry in &mut entries {
                if let Some(frame) = entry.frames.get(profile) {
                    let part = rest.split_to(frame.len());
                    entry.frames.set(profile, part);
                }
            }
            joined.set(profile, all);
        }
        Self { from, next, entries, joined }
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
        size_of::<Self>() + self.joined.len() + self.entries.len() * size_of::<Entry>()
    }

    /// What a subscription sees of it.
    pub(crate) fn seen(&self, subscription: &Subscription) -> Seen {
        let mut end = 0;
        self.entries
            .iter()
            .filter_map(|entry| Some((entry.seq, subscription.frame(entry)?)))
            .map(|(seq, frame)| {
                end += frame.len();
                (seq, end)
            })
            .collect()
    }

    /// The view of everybody who sees this of it in this profile.
    pub(crate) fn view(&self, profile: Profile, seen: Seen) -> View {
        let frames = || self.entries.iter().filter_map(|entry| Some((entry.seq, entry.frames.get(profile)?)));
        let bytes = match self.joined.get(profile) {
            Some(joined) if seen.len() == frames().count() => joined.clone(),
            _ => {
                let mut wanted = seen.iter().map(|(seq, _)| *seq).peekable();
                join(frames().filter(|(seq, _)| wanted.next_if_eq(seq).is_some()).map(|(_, frame)| frame))
            }
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

fn join<'a>(frames: impl Iterator<Item = &'a Bytes>) -> Bytes {
    frames.map(Bytes::as_ref).collect::<Vec<_>>().concat().into()
}
