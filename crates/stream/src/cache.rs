//! The pages that were read lately. Who reads the log, and when, is decided above.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fanfare_event::{Profile, Seq};

use crate::page::{Page, Seen, View};
use crate::{Entry, Subscription};

/// Pages of the log, encoded once, for all that replay. They never overlap, so that clients that began at different
/// places soon share. What was not used for longest goes first.
///
/// Events do not change, so a page is right for as long as it is here, also where retention has meanwhile taken its
/// events from the log: whoever asks in time still gets them. That there is a gap is only ever said by a log that was
/// asked, never by a page.
#[derive(Debug)]
pub struct PageCache {
    /// Bytes.
    limit: usize,
    /// Of pages.
    bytes: usize,
    /// Of views.
    view_bytes: usize,
    pages: BTreeMap<Seq, Cached>,
    /// When each page was used last, and where it begins.
    uses: BTreeMap<u64, Seq>,
    now: u64,
    /// What was used before this was not used since the last call of [`PageCache::age`].
    aged: u64,
}

#[derive(Debug)]
struct Cached {
    page: Page,
    /// Of the page.
    weight: usize,
    views: Views,
    used: u64,
}

/// What is seen of a page.
#[derive(Debug, Default)]
struct Views {
    /// By who sees it, so that matching is done once for each distinct subscription.
    by_subscription: HashMap<Subscription, View>,
    /// By what is seen, so that its bytes are there once: of many users each sees the same of most pages.
    by_events: HashMap<(Profile, Seen), View>,
    weight: usize,
}

/// Of the limit, the share that views may take. Clients choose what they see, so that views never drive out pages: a
/// view costs matching to make again, and a page costs reading the log.
const VIEW_SHARE: usize = 4;

impl PageCache {
    /// A cache of at most about so many bytes. The page that was used last is kept whatever its size, but not what
    /// subscriptions see of it.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            bytes: 0,
            view_bytes: 0,
            pages: BTreeMap::new(),
            uses: BTreeMap::new(),
            now: 0,
            aged: 0,
        }
    }

    /// What a subscription sees of the page that `from` lies in.
    pub fn find(&mut self, from: Seq, subscription: &Subscription) -> Option<View> {
        let (start, cached) = self.pages.range_mut(..=from).next_back()?;
        if cached.page.next <= from {
            return None;
        }
        self.now += 1;
        self.uses.remove(&cached.used);
        self.uses.insert(self.now, *start);
        cached.used = self.now;
        if let Some(view) = cached.views.by_subscription.get(subscription) {
            return Some(view.clone());
        }
        let before = cached.views.weight;
        let view = cached.views.add(&cached.page, subscription);
        self.view_bytes += cached.views.weight - before;
        self.evict();
        Some(view)
    }

    /// Where the next page behind `from` begins. What is read for a place that is not here should end there.
    pub fn next_page(&self, from: Seq) -> Option<Seq> {
        self.pages.range(from.next()..).next().map(|(start, _)| *start)
    }

    /// Takes what was read: `entries` are all there is in `from..next`, ascending. What is here already stays.
    pub fn insert(&mut self, from: Seq, next: Seq, mut entries: Vec<Entry>) {
        let known = self.pages.range(..=from).next_back().map_or(from, |(_, cached)| cached.page.next);
        let from = from.max(known);
        let next = self.pages.range(from..).next().map_or(next, |(start, _)| next.min(*start));
        if from >= next {
            return;
        }
        entries.retain(|entry| (from..next).contains(&entry.seq));
        for page in Page::split(from, next, entries) {
            self.now += 1;
            let (start, weight, used) = (page.from, page.weight(), self.now);
            self.bytes += weight;
            self.uses.insert(used, start);
            self.pages.insert(start, Cached { page, weight, views: Views::default(), used });
        }
        self.evict();
    }

    /// Drops what was not used since the last call. Called now and then, so that a replay's memory is given back when
    /// it is over.
    pub fn age(&mut self) {
        while let Some((used, _)) = self.uses.first_key_value()
            && *used <= self.aged
        {
            self.drop_oldest();
        }
        self.aged = self.now;
    }

    fn evict(&mut self) {
        let views = self.limit / VIEW_SHARE;
        while self.bytes > self.limit - views && self.pages.len() > 1 {
            self.drop_oldest();
        }
        if self.view_bytes <= views {
            return;
        }
        // More at once than is needed, so that this is seldom.
        for start in self.uses.values() {
            if let Some(cached) = self.pages.get_mut(start) {
                self.view_bytes -= std::mem::take(&mut cached.views).weight;
            }
            if self.view_bytes <= views / 2 {
                return;
            }
        }
    }

    fn drop_oldest(&mut self) {
        let Some((_, start)) = self.uses.pop_first() else { return };
        if let Some(cached) = self.pages.remove(&start) {
            self.bytes -= cached.weight;
            self.view_bytes -= cached.views.weight;
        }
    }
}

impl Views {
    fn add(&mut self, page: &Page, subscription: &Subscription) -> View {
        let key = (subscription.profile, page.seen(subscription));
        let view = if let Some(view) = self.by_events.get(&key) {
            view.clone()
        } else {
            let view = page.view(key.0, Arc::clone(&key.1));
            self.weight += view.weight() + size_of::<(Profile, Seen)>();
            self.by_events.insert(key, view.clone());
            view
        };
        self.weight += subscription.weight() + size_of::<View>();
        self.by_subscription.insert(subscription.clone(), view.clone());
        view
    }
}

#[cfg(test)]
mod tests;
