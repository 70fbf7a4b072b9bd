//! The newest frames, and for each distinct subscription which of them it sees.
//!
//! An event costs what its audience costs: it is put into the lists of its targets, and the groups that share those are
//! told. Connections follow the lists of their group. The lists live in `lists`, who sees what in `entry`.

mod lists;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use fanfare_event::{RoomName, Seq};

use crate::frame::Frame;
use crate::slab::Slab;
use crate::{Entry, Subscription};
use lists::{Link, Lists};

/// Type patterns of all different filters together, above which no client brings another by what it asks for. An event
/// for everyone is held against all of them of its sink while no stream can look at the window: about half a millisecond
/// for so many. A filter also takes eight bytes for each event of the window that it lets through to everyone; who asks
/// for the same types shares it.
pub const MAX_PATTERNS: usize = 16_384;

/// Rooms and users of all groups together, above which no client founds another group. It bounds memory: a list of its
/// own takes at most `PLACE_BYTES` for each of them, and its name, which is 200 MiB together where names are short. It
/// serves the 100,000 streams of a full sink where each is a user of its own in four rooms. Connections that joined the
/// same are one group, which takes at most `GROUP_BYTES` more.
pub const MAX_PLACES: usize = 1 << 19;

/// Bytes that a group adds for each room and for its user, at most, beside the name and what is seen: eight bytes for each
/// event of the window that is for the target, once for all groups with the same types.
const PLACE_BYTES: usize = lists::LIST_BYTES + size_of::<RoomName>();

/// Bytes that a group takes beside that, at most.
const GROUP_BYTES: usize = 2 * size_of::<Option<Group>>()
    + size_of::<Subscription>()
    + 2 * (size_of::<(Arc<Subscription>, GroupId)>() + 1)
    + lists::SHARE_BYTES;

const _: () = assert!(MAX_PLACES * (PLACE_BYTES + 16) <= 200 << 20, "what the limit promises of memory");
const _: () = assert!(GROUP_BYTES <= 300, "what is promised of a group");

/// How many of the newest frames are kept ready. The oldest go first; who needs those reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowLimits {
    /// Events.
    pub events: usize,
    /// Bytes of frames.
    pub bytes: usize,
}

/// A group of connections; given back when the last of them leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(u32);

impl GroupId {
    /// A small number, unique among the groups that exist; for tables beside this one.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// The window of newest frames and the groups that follow it.
#[derive(Debug)]
pub struct Fanout {
    limits: WindowLimits,
    /// Ascending by seq. Entry `i` has the ordinal `base + i`.
    entries: VecDeque<Entry>,
    base: u64,
    bytes: usize,
    /// Every event from here on that the tail told is in `entries`.
    floor: Seq,
    /// The newest that the tail told, or where the tail began.
    newest: Option<Seq>,
    /// How often the tail was overtaken. No group counted what it was not told then.
    overtaken: u64,
    groups: Slab<Group>,
    by_subscription: HashMap<Arc<Subscription>, GroupId>,
    /// Of all groups.
    places: usize,
    lists: Lists,
}

/// The connections of one subscription.
#[derive(Debug)]
struct Group {
    subscription: Arc<Subscription>,
    members: usize,
    /// How many events it has seen, counted from some number on.
    end: GroupIndex,
    /// The ordinal of the last, so that an event with several of its targets counts once.
    last: Option<u64>,
    /// Its shares in everyone's list and in those of its targets.
    links: Box<[Link]>,
}

/// A count of the events that a group sees. Only differences mean something.
pub(crate) type GroupIndex = u64;

impl Fanout {
    /// An empty window behind `newest`, which is where the tail begins.
    pub fn new(limits: WindowLimits, newest: Option<Seq>) -> Self {
        Self {
            limits,
            entries: VecDeque::new(),
            base: 0,
            bytes: 0,
            floor: newest.map_or(Seq::FIRST, Seq::next),
            newest,
            overtaken: 0,
            groups: Slab::new(),
            by_subscription: HashMap::new(),
            places: 0,
            lists: Lists::new(),
        }
    }

    /// Takes the next event of the tail, and calls `saw` once for every group that sees it. `entry.seq` must be greater
    /// than all before; one that is not is a fault of the log and is passed over.
    pub fn push(&mut self, entry: Entry, mut saw: impl FnMut(GroupId)) {
        if Some(entry.seq) <= self.newest {
            return;
        }
        let ordinal = self.next_ordinal();
        let Self { groups, lists, .. } = self;
        lists.push(ordinal, &entry, |id| {
            if let Some(group) = groups.get_mut(id)
                && group.last.replace(ordinal) != Some(ordinal)
            {
                group.end += 1;
                saw(GroupId(id));
            }
        });
        self.newest = Some(entry.seq);
        self.bytes += entry.frames.len();
        self.entries.push_back(entry);
        while self.entries.len() > self.limits.events || self.bytes > self.limits.bytes {
            self.drop_oldest();
        }
    }

    /// The tail was overtaken: what lies before `oldest` and was not pushed never will be.
    pub fn skip_to(&mut self, oldest: Seq) {
        self.overtaken += 1;
        while !self.entries.is_empty() {
            self.drop_oldest();
        }
        self.floor = self.floor.max(oldest);
        self.newest = self.newest.max(oldest.previous());
    }

    /// Joins the group of a subscription that a client has chosen, as [`Fanout::join`] does. `None` where it would be one
    /// more and would go beyond [`MAX_PATTERNS`] or [`MAX_PLACES`].
    pub fn try_join(&mut self, subscription: Subscription, after: Option<Seq>) -> Option<GroupId> {
        let fits = self.by_subscription.contains_key(&subscription)
            || self.places + subscription.places() <= MAX_PLACES
                && self.lists.patterns_with(&subscription) <= MAX_PATTERNS;
        fits.then(|| self.join(subscription, after))
    }

    /// Joins the group of this subscription, or founds it, with a stream that begins behind `after`. Of what the window has
    /// only that is looked at which is not known yet from there on; for a stream that begins now, nothing.
    pub fn join(&mut self, subscription: Subscription, after: Option<Seq>) -> GroupId {
        let id = match self.by_subscription.get(&subscription) {
            Some(id) => *id,
            None => self.found(subscription),
        };
        let from = self.ordinal_behind(after);
        if let Some(group) = self.groups.get_mut(id.0) {
            group.members += 1;
            self.lists.complete(&group.links, &group.subscription, from, (self.base, &self.entries));
        }
        id
    }

    fn found(&mut self, subscription: Subscription) -> GroupId {
        let next = self.next_ordinal();
        let subscription = Arc::new(subscription);
        self.places += subscription.places();
        // More than it can see of the window, so that no index lies before the first.
        let group = Group {
            subscription: Arc::clone(&subscription),
            members: 0,
            end: next,
            last: None,
            links: [].into(),
        };
        let id = self.groups.insert(group);
        if let Some(group) = self.groups.get_mut(id) {
            group.links = self.lists.link(id, &subscription, next);
        }
        self.by_subscription.insert(subscription, GroupId(id));
        GroupId(id)
    }

    /// What a group's connections see.
    pub fn subscription(&self, id: GroupId) -> Option<&Arc<Subscription>> {
        Some(&self.groups.get(id.0)?.subscription)
    }

    /// Leaves a group. Returns whether it was the last to do so, and the group is gone.
    pub fn leave(&mut self, id: GroupId) -> bool {
        let Some(group) = self.groups.get_mut(id.0) else { return false };
        group.members -= 1;
        if group.members > 0 {
            return false;
        }
        let Some(Group { subscription, links, .. }) = self.groups.remove(id.0) else { return false };
        self.by_subscription.remove(&subscription);
        self.places -= subscription.places();
        for link in links.into_iter().rev() {
            if let Some(moved) = self.lists.unlink(link)
                && let Some(group) = self.groups.get_mut(moved.group)
                && let Some(link) = group.links.get_mut(moved.link as usize)
            {
                *link = moved.to;
            }
        }
        true
    }

    /// The newest event that the tail told, or where it began.
    pub fn newest(&self) -> Option<Seq> {
        self.newest
    }

    /// At most `max` events from `from` on, and where the next lie, if the window has all that there are from there.
    pub fn read(&self, from: Seq, max: usize) -> Option<(Vec<Entry>, Seq)> {
        if from < self.floor || Some(from) > self.newest {
            return None;
        }
        let start = self.entries.partition_point(|entry| entry.seq < from);
        let entries: Vec<_> = self.entries.range(start..).take(max).cloned().collect();
        let all = start + entries.len() == self.entries.len();
        let next = match entries.last() {
            Some(last) if !all => last.seq.next(),
            _ => self.newest?.next(),
        };
        Some((entries, next))
    }

    /// How often the tail was overtaken. A difference in a group's counts from before and after means nothing.
    pub(crate) fn overtaken(&self) -> u64 {
        self.overtaken
    }

    /// Whether every event behind `after` that there is now is in the window.
    pub(crate) fn covers(&self, after: Option<Seq>) -> bool {
        after.map_or(Seq::FIRST, Seq::next) >= self.floor
    }

    /// One behind the index of the newest event that the group sees.
    pub(crate) fn end(&self, id: GroupId) -> GroupIndex {
        self.groups.get(id.0).map_or(0, |group| group.end)
    }

    /// The index of the first event behind `after` that the group sees. Meant for an `after` that is covered, and not
    /// before the place where a stream joined.
    pub(crate) fn index_behind(&self, id: GroupId, after: Option<Seq>) -> GroupIndex {
        let Some(group) = self.groups.get(id.0) else { return 0 };
        group.end.saturating_sub(self.lists.count(&group.links, self.ordinal_behind(after)))
    }

    /// The events behind `after` that the group sees, ascending, and their frames. Meant for an `after` as above.
    pub(crate) fn behind(&self, id: GroupId, after: Option<Seq>) -> impl Iterator<Item = (Seq, &Frame)> {
        let group = self.groups.get(id.0);
        let mut from = self.ordinal_behind(after);
        std::iter::from_fn(move || {
            let group = group?;
            let ordinal = self.lists.next(&group.links, from)?;
            from = ordinal + 1;
            let entry = self.entry(ordinal)?;
            Some((entry.seq, entry.frames.get(group.subscription.profile)?))
        })
    }

    /// The event with an index, if it is in the window.
    pub(crate) fn event_at(&self, id: GroupId, index: GroupIndex) -> Option<Seq> {
        let group = self.groups.get(id.0)?;
        let wanted = group.end.checked_sub(index).filter(|count| *count > 0)?;
        // The last ordinal from which on the group sees as many.
        let (mut low, mut high) = (self.base, self.next_ordinal());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.lists.count(&group.links, middle) >= wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Some(self.entry(low.checked_sub(1)?)?.seq)
    }

    fn next_ordinal(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    /// The ordinal of the first event behind `after`, or of the window's first.
    fn ordinal_behind(&self, after: Option<Seq>) -> u64 {
        if after >= self.newest {
            return self.next_ordinal();
        }
        self.base + self.entries.partition_point(|entry| Some(entry.seq) <= after) as u64
    }

    fn entry(&self, ordinal: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(ordinal.checked_sub(self.base)?).ok()?)
    }

    fn drop_oldest(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.bytes -= entry.frames.len();
        self.floor = entry.seq.next();
        self.lists.drop_oldest(self.base, &entry);
        self.base += 1;
    }
}

#[cfg(test)]
pub(crate) mod properties;
#[cfg(test)]
pub(crate) mod tests;
