//! Which events of the window are seen by whom: a list of them for everyone, and one for each room and each user, that
//! all share who have it in common.
//!
//! An event is put into as many lists as it has targets, and taken out of them, whatever else there is. Nothing here
//! knows of frames or of connections.

use std::collections::{HashMap, VecDeque};

use fanfare_event::{Audience, NamePatterns, Profile, SinkName, Target};

use crate::slab::Slab;
use crate::{Entry, Subscription};

/// Ordinals that a list has room for, once it had, however few it has.
const KEPT_CAPACITY: usize = 64;

/// Bytes of a target's list and of what refers to it, beside the name and eight bytes for each event, at most: tables
/// grow by doubling, so half of them may be empty. Every group in the list beyond the first takes [`SHARE_BYTES`].
pub(super) const LIST_BYTES: usize = 2 * size_of::<Option<List>>()
    + 2 * (size_of::<(Target, Vec<(u32, u32)>)>() + 1)
    + size_of::<(u32, u32)>()
    + 2 * SHARE_BYTES;

/// Bytes of a group's share in a list.
pub(super) const SHARE_BYTES: usize = size_of::<Link>() + 2 * size_of::<Member>();

/// A group's share in a list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    list: u32,
    /// Where the group stands among those of the list.
    member: u32,
}

/// Lists of what a sink's clients see that want certain types.
#[derive(Debug)]
struct Filter {
    sink: SinkName,
    types: NamePatterns,
    profile: Profile,
    /// Of the events that are for everyone. All groups of the filter have a share in it.
    everyone: u32,
    /// Whether the event of this ordinal is of these types; asked once for each event, whatever its targets.
    matched: Option<(u64, bool)>,
}

/// Ordinals of entries that are for everyone, or for one target.
#[derive(Debug)]
struct List {
    filter: u32,
    target: Option<Target>,
    /// From this ordinal on the list is complete, and it has none before.
    since: u64,
    /// Ascending.
    ordinals: VecDeque<u64>,
    /// How many of them are of events with several targets, which a group may find in another list too.
    shared: usize,
    groups: Vec<Member>,
}

/// A group that has a share in a list.
#[derive(Clone, Copy, Debug)]
struct Member {
    group: u32,
    /// Which of the group's links that is.
    link: u32,
}

/// A group that stands elsewhere in a list than before: its link of this number has changed.
pub(super) struct Moved {
    pub(super) group: u32,
    pub(super) link: u32,
    pub(super) to: Link,
}

#[derive(Debug)]
pub(super) struct Lists {
    all: Slab<List>,
    filters: Slab<Filter>,
    sinks: HashMap<SinkName, OfSink>,
    /// Of all filters.
    patterns: usize,
}

#[derive(Debug, Default)]
struct OfSink {
    filters: HashMap<(NamePatterns, Profile), u32>,
    /// For each filter with which somebody has the target, the filter and the list, sorted.
    targeted: HashMap<Target, Vec<(u32, u32)>>,
}

impl Filter {
    fn sees(&self, entry: &Entry) -> bool {
        entry.frames.get(self.profile).is_some() && self.types.matches(entry.kind.as_str())
    }

    fn sees_at(&mut self, ordinal: u64, entry: &Entry) -> bool {
        match self.matched {
            Some((of, sees)) if of == ordinal => sees,
            _ => {
                let sees = self.sees(entry);
                self.matched = Some((ordinal, sees));
                sees
            }
        }
    }
}

impl List {
    fn drop_oldest(&mut self, ordinal: u64, is_shared: bool) {
        if self.ordinals.front() == Some(&ordinal) {
            self.ordinals.pop_front();
            self.shared -= usize::from(is_shared);
            // What a room took when it was loud is given back when it is not.
            let capacity = self.ordinals.capacity();
            if capacity > KEPT_CAPACITY && self.ordinals.len() < capacity / 4 {
                self.ordinals.shrink_to(capacity / 2);
            }
        }
    }

    /// The ordinals from this one on.
    fn from(&self, ordinal: u64) -> impl ExactSizeIterator<Item = u64> {
        let before = match self.ordinals.back() {
            Some(last) if *last >= ordinal => self.ordinals.partition_point(|seen| *seen < ordinal),
            _ => self.ordinals.len(),
        };
        self.ordinals.range(before..).copied()
    }
}

impl Lists {
    pub(super) fn new() -> Self {
        Self { all: Slab::new(), filters: Slab::new(), sinks: HashMap::new(), patterns: 0 }
    }

    /// The patterns of all filters, if there were one for this subscription.
    pub(super) fn patterns_with(&self, subscription: &Subscription) -> usize {
        let key = (subscription.types.clone(), subscription.profile);
        let is_there = self.sinks.get(&subscription.sink).is_some_and(|sink| sink.filters.contains_key(&key));
        self.patterns + if is_there { 0 } else { patterns(&subscription.types) }
    }

    /// Puts an entry into the lists of those who see it, and calls `saw` for each group that has a share in one; more than
    /// once for a group that has several of the event's targets.
    pub(super) fn push(&mut self, ordinal: u64, entry: &Entry, mut saw: impl FnMut(u32)) {
        let Self { all: lists, filters, sinks, .. } = self;
        let mut put = |list: u32, is_shared: bool| {
            let Some(list) = lists.get_mut(list) else { return };
            list.ordinals.push_back(ordinal);
            list.shared += usize::from(is_shared);
            for member in &list.groups {
                saw(member.group);
            }
        };
        for delivery in entry.deliveries.iter() {
            let Some(sink) = sinks.get(&delivery.sink) else { continue };
            match &delivery.audience {
                Audience::Everyone => {
                    for filter in sink.filters.values() {
                        if let Some(filter) = filters.get(*filter)
                            && filter.sees(entry)
                        {
                            put(filter.everyone, false);
                        }
                    }
                }
                Audience::Only(targets) => {
                    for (filter, list) in
                        targets.iter().filter_map(|target| sink.targeted.get(target)).flatten()
                    {
                        if filters.get_mut(*filter).is_some_and(|filter| filter.sees_at(ordinal, entry)) {
                            put(*list, targets.len() > 1);
                        }
                    }
                }
            }
        }
    }

    /// Takes the window's oldest entry out of the lists that have it.
    pub(super) fn drop_oldest(&mut self, ordinal: u64, entry: &Entry) {
        let Self { all: lists, filters, sinks, .. } = self;
        let mut take = |list: u32, is_shared: bool| {
            if let Some(list) = lists.get_mut(list) {
                list.drop_oldest(ordinal, is_shared);
            }
        };
        for delivery in entry.deliveries.iter() {
            let Some(sink) = sinks.get(&delivery.sink) else { continue };
            match &delivery.audience {
                Audience::Everyone => {
                    sink.filters
                        .values()
                        .filter_map(|filter| filters.get(*filter))
                        .for_each(|filter| take(filter.everyone, false));
                }
                Audience::Only(targets) => {
                    for (_, list) in targets.iter().filter_map(|target| sink.targeted.get(target)).flatten() {
                        take(*list, targets.len() > 1);
                    }
                }
            }
        }
    }

    /// Gives a new group its lists: everyone's, and one for each of its targets in their order. A list that was not there
    /// is complete from the ordinal `end` on.
    pub(super) fn link(&mut self, group: u32, subscription: &Subscription, end: u64) -> Box<[Link]> {
        let Self { all: lists, filters, sinks, patterns: all_patterns } = self;
        let sink = sinks.entry(subscription.sink.clone()).or_default();
        let new = |filter, target| List {
            filter,
            target,
            since: end,
            ordinals: VecDeque::new(),
            shared: 0,
            groups: Vec::new(),
        };
        let filter =
            *sink.filters.entry((subscription.types.clone(), subscription.profile)).or_insert_with(|| {
                *all_patterns += patterns(&subscription.types);
                let filter = filters.insert(Filter {
                    sink: subscription.sink.clone(),
                    types: subscription.types.clone(),
                    profile: subscription.profile,
                    everyone: 0,
                    matched: None,
                });
                if let Some(made) = filters.get_mut(filter) {
                    made.everyone = lists.insert(new(filter, None));
                }
                filter
            });
        let everyone = filters.get(filter).map_or(0, |filter| filter.everyone);
        let mut linked = vec![everyone];
        for target in subscription.targets() {
            let of_target = sink.targeted.entry(target.clone()).or_insert_with(|| Vec::with_capacity(1));
            let list = match of_target.binary_search_by_key(&filter, |(filter, _)| *filter) {
                Ok(at) => of_target[at].1,
                Err(at) => {
                    let list = lists.insert(new(filter, Some(target)));
                    of_target.insert(at, (filter, list));
                    list
                }
            };
            linked.push(list);
        }
        let link = |(link, list): (u32, u32)| {
            let mut member = 0;
            if let Some(list) = lists.get_mut(list) {
                member = u32::try_from(list.groups.len()).unwrap_or(u32::MAX);
                list.groups.push(Member { group, link });
            }
            Link { list, member }
        };
        (0..).zip(linked).map(link).collect()
    }

    /// Takes a group's share in a list back, and says which other group stands in its place now. A list in which nobody
    /// has a share is gone. A group gives back everyone's list last: its filter goes with that.
    pub(super) fn unlink(&mut self, link: Link) -> Option<Moved> {
        let list = self.all.get_mut(link.list)?;
        let place = link.member as usize;
        if place < list.groups.len() {
            list.groups.swap_remove(place);
        }
        if !list.groups.is_empty() {
            let Member { group, link: number } = *list.groups.get(place)?;
            return Some(Moved { group, link: number, to: link });
        }
        let List { filter: of, target, .. } = self.all.remove(link.list)?;
        let filter = self.filters.get(of)?;
        let sink = self.sinks.get_mut(&filter.sink)?;
        if let Some(target) = target {
            let of_target = sink.targeted.get_mut(&target)?;
            of_target.retain(|(filter, _)| *filter != of);
            if of_target.is_empty() {
                sink.targeted.remove(&target);
            }
        } else {
            let Filter { sink: name, types, profile, .. } = self.filters.remove(of)?;
            self.patterns -= patterns(&types);
            sink.filters.remove(&(types, profile));
            if sink.filters.is_empty() {
                self.sinks.remove(&name);
            }
        }
        None
    }

    /// Makes a group's lists complete from the ordinal `to` on, where they are not. `entries` are those from the ordinal
    /// `base` on. Looks at no entry that all of the lists were complete for.
    pub(super) fn complete(
        &mut self,
        links: &[Link],
        subscription: &Subscription,
        to: u64,
        (base, entries): (u64, &VecDeque<Entry>),
    ) {
        let since = |link: &Link| self.all.get(link.list).map_or(0, |list| list.since);
        let from = links.iter().map(since).max().unwrap_or(0);
        for ordinal in (to..from).rev() {
            let index = usize::try_from(ordinal.saturating_sub(base)).unwrap_or(usize::MAX);
            let Some(entry) = entries.get(index) else { continue };
            let Some(audience) = entry.audience(&subscription.sink) else { continue };
            let mut sees = None;
            let mut put = |link: Option<&Link>, is_shared: bool| {
                if let Some(list) = link.and_then(|link| self.all.get_mut(link.list))
                    && ordinal < list.since
                    && *sees.get_or_insert_with(|| subscription.frame(entry).is_some())
                {
                    list.ordinals.push_front(ordinal);
                    list.shared += usize::from(is_shared);
                }
            };
            match audience {
                Audience::Everyone => put(links.first(), false),
                Audience::Only(targets) => {
                    for target in targets.iter() {
                        let place = match target {
                            Target::Room(room) => subscription.rooms.binary_search(room).ok(),
                            Target::User(user) => {
                                (subscription.user.as_ref() == Some(user)).then_some(subscription.rooms.len())
                            }
                        };
                        put(place.and_then(|place| links.get(place + 1)), targets.len() > 1);
                    }
                }
            }
        }
        for link in links {
            if let Some(list) = self.all.get_mut(link.list) {
                list.since = list.since.min(to);
            }
        }
    }

    /// The first ordinal, from this one on, of what a group sees.
    pub(super) fn next(&self, links: &[Link], from: u64) -> Option<u64> {
        self.of(links).filter_map(|list| list.from(from).next()).min()
    }

    /// How many entries from this ordinal on a group sees.
    pub(super) fn count(&self, links: &[Link], from: u64) -> u64 {
        let mut count = 0;
        let mut shared = Vec::new();
        for list in self.of(links) {
            let seen = list.from(from);
            if list.shared == 0 {
                count += seen.len();
            } else {
                shared.extend(seen);
            }
        }
        shared.sort_unstable();
        shared.dedup();
        (count + shared.len()) as u64
    }

    fn of(&self, links: &[Link]) -> impl Iterator<Item = &List> {
        links.iter().filter_map(|link| self.all.get(link.list))
    }
}

/// What a filter adds to [`crate::MAX_PATTERNS`].
fn patterns(types: &NamePatterns) -> usize {
    types.iter().count().max(1)
}

#[cfg(test)]
impl Lists {
    /// How many lists and filters there are, and what is kept of them elsewhere.
    pub(super) fn sizes(&self) -> [usize; 5] {
        let targeted = self.sinks.values().flat_map(|sink| sink.targeted.values()).map(Vec::len);
        let filters = self.sinks.values().map(|sink| sink.filters.len());
        [self.all.len(), self.filters.len(), targeted.sum(), filters.sum(), self.patterns]
    }
    /// How many events the list with the most has, or how many of several targets it takes for such.
    pub(super) fn longest(&self) -> usize {
        self.all.iter().map(|list| list.ordinals.len().max(list.shared)).max().unwrap_or(0)
    }
}
