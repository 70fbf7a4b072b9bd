//! The window behind its lock, and who of each group is woken when it sees something: tasks, by a channel, and threads of
//! the reactor, by the groups that have members there. What comes into it is up to `hub`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fanfare_event::Seq;
use fanfare_reactor::Thread;
use fanfare_stream::{Entry, Fanout, GroupId, Moment, Subscription, WindowLimits};
use tokio::sync::watch;

use super::taken::Reactor;

/// What all streams look at.
pub(super) struct Window {
    shared: Mutex<Shared>,
    /// What moments are counted from.
    origin: Instant,
}

struct Shared {
    fanout: Fanout,
    /// By group.
    members: Vec<Members>,
    /// How many batches of the tail were taken.
    batches: u64,
}

/// Who of a group is woken.
#[derive(Debug, Default)]
struct Members {
    /// Its streams that are tasks, if it has had any.
    tasks: Option<watch::Sender<()>>,
    /// Where it has had others.
    threads: Threads,
    /// The batch that it was last woken for.
    batch: u64,
}

/// A few threads of the reactor. Those whose numbers differ by [`u64::BITS`] are one here: to wake one too many costs a
/// look at its inbox.
#[derive(Clone, Copy, Debug, Default)]
struct Threads(u64);

impl Threads {
    fn bit(thread: Thread) -> u64 {
        1 << (thread.index() % u64::BITS as usize)
    }

    fn insert(&mut self, thread: Thread) {
        self.0 |= Self::bit(thread);
    }

    fn contains(self, thread: Thread) -> bool {
        self.0 & Self::bit(thread) != 0
    }
}

/// Who has to be told of a batch.
#[derive(Debug, Default)]
struct Woken {
    tasks: Vec<watch::Sender<()>>,
    groups: Vec<(GroupId, Threads)>,
}

impl Window {
    /// An empty one behind `newest`, which is where the log's tail begins.
    pub(super) fn new(limits: WindowLimits, newest: Option<Seq>) -> Self {
        let shared = Shared { fanout: Fanout::new(limits, newest), members: Vec::new(), batches: 0 };
        Self { shared: Mutex::new(shared), origin: Instant::now() }
    }

    pub(super) fn now(&self) -> Moment {
        self.origin.elapsed()
    }

    /// Joins the group of a subscription with a stream that begins behind `after`; one that a client has `chosen` only where
    /// there are not too many of them.
    pub(super) fn join(
        &self,
        subscription: Subscription,
        chosen: bool,
        after: Option<Seq>,
    ) -> Option<(GroupId, Arc<Subscription>)> {
        let mut shared = self.lock();
        let Shared { fanout, members, .. } = &mut *shared;
        let group =
            if chosen { fanout.try_join(subscription, after)? } else { fanout.join(subscription, after) };
        if members.len() <= group.index() {
            members.resize_with(group.index() + 1, Members::default);
        }
        Some((group, Arc::clone(fanout.subscription(group)?)))
    }

    pub(super) fn leave(&self, group: GroupId) {
        let mut shared = self.lock();
        if shared.fanout.leave(group)
            && let Some(members) = shared.members.get_mut(group.index())
        {
            *members = Members::default();
        }
    }

    /// What tells a task that is a member of the group that it sees something.
    pub(super) fn woken(&self, group: GroupId) -> watch::Receiver<()> {
        let mut shared = self.lock();
        match shared.members.get_mut(group.index()) {
            Some(members) => members.tasks.get_or_insert_with(|| watch::channel(()).0).subscribe(),
            // No member is without a group.
            None => watch::channel(()).1,
        }
    }

    /// A thread of the reactor has members of the group, until the group is gone.
    pub(super) fn has_members(&self, group: GroupId, thread: Thread) {
        if let Some(members) = self.lock().members.get_mut(group.index()) {
            members.threads.insert(thread);
        }
    }

    /// Lets `look` see the window.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Fanout) -> T) -> T {
        look(&self.lock().fanout)
    }

    /// The tail was overtaken: what lies before `oldest` and was not pushed never will be.
    pub(super) fn skip_to(&self, oldest: Seq) {
        self.lock().fanout.skip_to(oldest);
    }

    /// Takes the next events of the tail, and wakes those who see them.
    pub(super) fn push(&self, entries: Vec<Entry>, reactor: Option<&Reactor>) {
        if entries.is_empty() {
            return;
        }
        // The streams that wake look at the window, so it is let go first.
        let woken = self.take(entries);
        for task in woken.tasks {
            task.send_replace(());
        }
        for thread in reactor.iter().flat_map(|reactor| reactor.threads()) {
            let there = woken.groups.iter().filter(|(_, threads)| threads.contains(thread));
            let groups: Vec<_> = there.map(|(group, _)| *group).collect();
            if let Some(reactor) = reactor.filter(|_| !groups.is_empty()) {
                reactor.wake(thread, &groups);
            }
        }
    }

    fn take(&self, entries: Vec<Entry>) -> Woken {
        let mut shared = self.lock();
        let Shared { fanout, members, batches } = &mut *shared;
        *batches += 1;
        let mut woken = Woken::default();
        for entry in entries {
            fanout.push(entry, |group| {
                if let Some(members) = members.get_mut(group.index())
                    && std::mem::replace(&mut members.batch, *batches) != *batches
                {
                    woken.tasks.extend(members.tasks.clone());
                    woken.groups.push((group, members.threads));
                }
            });
        }
        woken
    }

    /// No code that holds the lock leaves the window half changed when it panics; it only ever adds and removes whole
    /// entries.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fanfare_reactor::Window for Window {
    fn look(&self, look: &mut dyn FnMut(&Fanout)) {
        Self::look(self, look);
    }

    fn now(&self) -> Moment {
        Self::now(self)
    }
}
