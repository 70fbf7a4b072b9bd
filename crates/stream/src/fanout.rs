//! The newest frames, and for each distinct subscription which of them it sees.
//!
//! Matching is done here, once per subscription and event; connections only follow their group's list.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use fanfare_event::{
    Delivery, EventType, NamePattern, NamePatterns, Profile, RoomName, Seq, SinkName, UserId,
};

/// Type patterns of all groups together, above which no client founds another by what it asks for. Each event is held
/// against all of them while no stream can look at the window: about half a millisecond for so many. A group also takes
/// eight bytes for each event of the window that it sees, at most; what sees the same and is equal is one group.
pub const MAX_PATTERNS: usize = 16_384;

/// What a client may see and asked for. Connections whose subscriptions are equal are one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subscription {
    /// The sink that it came to.
    pub sink: SinkName,
    /// The types that the sink shows.
    pub types: NamePatterns,
    /// How the sink writes events.
    pub profile: Profile,
    /// The rooms that the client joined, sorted and each once.
    pub rooms: Arc<[RoomName]>,
    /// Who the client is.
    pub user: Option<UserId>,
}

impl Subscription {
    /// The frame of this event, if the subscription sees it.
    pub fn frame<'a>(&self, entry: &'a Entry) -> Option<&'a Bytes> {
        let index = entry.deliveries.binary_search_by(|delivery| delivery.sink.cmp(&self.sink)).ok()?;
        if !entry.deliveries.get(index)?.audience.includes(&self.rooms, self.user.as_ref()) {
            return None;
        }
        if self.types.matches(entry.kind.as_str()) { entry.frames.get(self.profile) } else { None }
    }

    /// What its group adds to [`MAX_PATTERNS`].
    fn patterns(&self) -> usize {
        self.types.iter().count().max(1)
    }

    /// About how many bytes of memory a copy takes.
    pub(crate) fn weight(&self) -> usize {
        let text = |pattern: &NamePattern| match pattern {
            NamePattern::Any => 0,
            NamePattern::Below(text) | NamePattern::Exact(text) => text.len(),
        };
        let patterns = self.types.iter().map(|pattern| size_of::<NamePattern>() + text(pattern));
        let rooms = self.rooms.iter().map(|room| size_of::<RoomName>() + room.as_str().len());
        let user = self.user.as_ref().map_or(0, |user| user.as_str().len());
        size_of::<Self>() + patterns.sum::<usize>() + rooms.sum::<usize>() + user
    }
}

/// An event as connections see it: where it lies, whom it is for, and its bytes.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the log.
    pub seq: Seq,
    /// Its type.
    pub kind: EventType,
    /// Where it goes, sorted by sink.
    pub deliveries: Arc<[Delivery]>,
    /// Its bytes.
    pub frames: Frames,
}

/// The bytes of one event, once for each profile that a sink of it writes.
#[derive(Clone, Debug, Default)]
pub struct Frames([Option<Bytes>; Profile::ALL.len()]);

impl Frames {
    /// Sets the bytes for a profile.
    pub fn set(&mut self, profile: Profile, frame: Bytes) {
        self.0[profile as usize] = Some(frame);
    }

    /// The bytes for a profile.
    pub fn get(&self, profile: Profile) -> Option<&Bytes> {
        self.0[profile as usize].as_ref()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().flatten().map(Bytes::len).sum()
    }

    /// Bytes in the profile that takes the most.
    pub(crate) fn largest(&self) -> usize {
        self.0.iter().flatten().map(Bytes::len).max().unwrap_or(0)
    }
}

/// How many of the newest frames are kept ready. The oldest go first; who needs those reads the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowLimits {
    /// Events.
    pub events: usize,
    /// Bytes of frames.
    pub bytes: usize,
}

/// A group of connections; given back when the last of them leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct GroupId(usize);

impl GroupId {
    /// A small number, unique among the groups that exist; for tables beside this one.
    pub fn index(self) -> usize {
        self.0
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
    groups: Vec<Option<Group>>,
    vacant: Vec<usize>,
    by_subscription: HashMap<Arc<Subscription>, GroupId>,
    /// Of all groups.
    patterns: usize,
}

/// The connections of one subscription: which events they see, counted.
#[derive(Debug)]
struct Group {
    subscription: Arc<Subscription>,
    members: usize,
    /// Ordinals of the entries that the group sees, ascending. The first has the index `first`.
    seen: VecDeque<u64>,
    first: u64,
}

/// A place in a group's list: the index of the next event to send.
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
            groups: Vec::new(),
            vacant: Vec::new(),
            by_subscription: HashMap::new(),
            patterns: 0,
        }
    }

    /// Takes the next event of the tail, and calls `saw` for every group that sees it. `entry.seq` must be greater
    /// than all before; one that is not is a fault of the log and is passed over.
    pub fn push(&mut self, entry: Entry, mut saw: impl FnMut(GroupId)) {
        if Some(entry.seq) <= self.newest {
            return;
        }
        let ordinal = self.base + self.entries.len() as u64;
        for (index, group) in self.groups.iter_mut().enumerate() {
            if let Some(group) = group
                && group.subscription.frame(&entry).is_some()
            {
                group.seen.push_back(ordinal);
                saw(GroupId(index));
            }
        }
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

    /// Joins the group of a subscription that a client has chosen. `None` where it would be one more and
    /// [`MAX_PATTERNS`] are there.
    pub fn try_join(&mut self, subscription: Subscription) -> Option<GroupId> {
        let is_there = self.by_subscription.contains_key(&subscription);
        let fits = is_there || self.patterns + subscription.patterns() <= MAX_PATTERNS;
        fits.then(|| self.join(subscription))
    }

    /// Joins the group of this subscription, or founds it.
    pub fn join(&mut self, subscription: Subscription) -> GroupId {
        if let Some(id) = self.by_subscription.get(&subscription) {
            if let Some(group) = &mut self.groups[id.0] {
                group.members += 1;
            }
            return *id;
        }
        let seen = (self.base..)
            .zip(&self.entries)
            .filter(|(_, entry)| subscription.frame(entry).is_some())
            .map(|(ordinal, _)| ordinal)
            .collect();
        self.patterns += subscription.patterns();
        let subscription = Arc::new(subscription);
        let group = Group { subscription: Arc::clone(&subscription), members: 1, seen, first: 0 };
        let id = if let Some(index) = self.vacant.pop() {
            self.groups[index] = Some(group);
            GroupId(index)
        } else {
            self.groups.push(Some(group));
            GroupId(self.groups.len() - 1)
        };
        self.by_subscription.insert(subscription, id);
        id
    }

    /// Leaves a group. Returns whether it was the last to do so, and the group is gone.
    pub fn leave(&mut self, id: GroupId) -> bool {
        let Some(slot) = self.groups.get_mut(id.0) else { return false };
        let Some(group) = slot else { return false };
        group.members -= 1;
        if group.members > 0 {
            return false;
        }
        self.by_subscription.remove(&group.subscription);
        self.patterns -= group.subscription.patterns();
        *slot = None;
        self.vacant.push(id.0);
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

    /// The index of the first event behind `after` that the group sees. Meant for an `after` that is covered.
    pub(crate) fn index_behind(&self, id: GroupId, after: Option<Seq>) -> GroupIndex {
        let Some(group) = self.group(id) else { return 0 };
        let before =
            group.seen.partition_point(|ordinal| self.entry(*ordinal).is_none_or(|e| Some(e.seq) <= after));
        group.first + before as u64
    }

    /// One behind the index of the newest event that the group sees.
    pub(crate) fn end(&self, id: GroupId) -> GroupIndex {
        self.group(id).map_or(0, |group| group.first + group.seen.len() as u64)
    }

    /// The event at an index, and its frame; `None` if it has left the window or is not there yet.
    pub(crate) fn frame_at(&self, id: GroupId, index: GroupIndex) -> Option<(Seq, &Bytes)> {
        let group = self.group(id)?;
        let offset = usize::try_from(index.checked_sub(group.first)?).ok()?;
        let entry = self.entry(*group.seen.get(offset)?)?;
        Some((entry.seq, group.subscription.frame(entry)?))
    }

    fn group(&self, id: GroupId) -> Option<&Group> {
        self.groups.get(id.0)?.as_ref()
    }

    fn entry(&self, ordinal: u64) -> Option<&Entry> {
        self.entries.get(usize::try_from(ordinal.checked_sub(self.base)?).ok()?)
    }

    fn drop_oldest(&mut self) {
        let Some(entry) = self.entries.pop_front() else { return };
        self.bytes -= entry.frames.len();
        self.floor = entry.seq.next();
        for group in self.groups.iter_mut().flatten() {
            if group.seen.front() == Some(&self.base) {
                group.seen.pop_front();
                group.first += 1;
            }
        }
        self.base += 1;
    }
}

#[cfg(test)]
pub(crate) mod tests;
