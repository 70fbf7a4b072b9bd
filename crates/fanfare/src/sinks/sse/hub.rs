//! What all streams share: the window, which the log's tail alone feeds, and waking those that see an event.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use fanfare_event::{Event, Profile, Seq, SinkName, Stored};
use fanfare_log::{EventLog, LogError, Tail};
use fanfare_stream::{
    CloseReason, Entry, Fanout, Frames, GroupId, Moment, Subscription, WindowLimits, frame,
};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::registry::Registry;
use super::replay::Replay;
use super::revocations::Revocations;
use crate::ids::fresh_life;

/// Events of the tail that are taken together. In a burst each stream then wakes once for several.
const TAIL_BATCH: usize = 128;

/// The log ended; the process must begin anew.
#[derive(Debug, thiserror::Error)]
#[error("the log began anew while the server was running")]
pub(crate) struct LogEnded;

/// The window and its groups.
pub(crate) struct Hub {
    log: Arc<dyn EventLog>,
    /// How each sink writes.
    profiles: HashMap<SinkName, Profile>,
    shared: Mutex<Shared>,
    /// What those share who have left the window.
    replay: Replay,
    registry: Registry,
    revocations: Revocations,
    /// Set once: all streams end with this.
    ending: watch::Sender<Option<CloseReason>>,
    /// What moments are counted from.
    origin: Instant,
}

struct Shared {
    fanout: Fanout,
    /// By group.
    wakers: Vec<Option<Waker>>,
    /// How many batches of the tail were taken.
    batches: u64,
}

/// Wakes the streams of a group.
struct Waker {
    wake: watch::Sender<()>,
    /// The batch that it was last woken for.
    batch: u64,
}

impl Hub {
    /// A hub behind what the log holds now. Who was revoked matters where there are tokens. Nothing comes into its window
    /// until [`Hub::follow`] runs.
    pub(crate) async fn new(
        log: Arc<dyn EventLog>,
        limits: WindowLimits,
        profiles: HashMap<SinkName, Profile>,
        has_tokens: bool,
    ) -> Result<Self, LogError> {
        let newest = log.bounds().await?.newest;
        let revocations = if has_tokens {
            Revocations::load(&*log, Timestamp::now()).await?
        } else {
            Revocations::default()
        };
        let shared = Shared { fanout: Fanout::new(limits, newest), wakers: Vec::new(), batches: 0 };
        let (ending, _) = watch::channel(None);
        Ok(Self {
            log,
            profiles,
            shared: Mutex::new(shared),
            replay: Replay::new(),
            registry: Registry::new(fresh_life(Timestamp::now())),
            revocations,
            ending,
            origin: Instant::now(),
        })
    }

    /// Feeds the window from the log's tail, for as long as the log lives.
    pub(crate) async fn follow(self: Arc<Self>) -> LogEnded {
        // These end with this.
        let mut beside = JoinSet::new();
        let hub = Arc::clone(&self);
        beside.spawn(async move { hub.replay.give_turns().await });
        let hub = Arc::clone(&self);
        beside.spawn(async move { hub.replay.age().await });
        let hub = Arc::clone(&self);
        beside.spawn(async move { hub.registry.cut(|| hub.now()).await });
        let after = self.lock().fanout.newest();
        let mut tail = self.log.tail(after).ready_chunks(TAIL_BATCH);
        let mut stalled = false;
        while let Some(items) = tail.next().await {
            let mut events = Vec::with_capacity(items.len());
            for item in items {
                match item {
                    Tail::Event(stored) => {
                        if std::mem::take(&mut stalled) {
                            info!("the log is back");
                        }
                        events.push(self.entry(&stored));
                    }
                    Tail::Trimmed { oldest } => {
                        self.push(std::mem::take(&mut events));
                        warn!(%oldest, "retention overtook delivery; streams are told what they miss");
                        self.lock().fanout.skip_to(oldest);
                    }
                    Tail::Stalled(error) => {
                        if !std::mem::replace(&mut stalled, true) {
                            warn!(%error, "the log is out of reach; streams wait");
                        }
                    }
                    Tail::EpochChanged => {
                        self.push(events);
                        self.end(CloseReason::LogReset);
                        return LogEnded;
                    }
                }
            }
            self.push(events);
        }
        self.end(CloseReason::LogReset);
        LogEnded
    }

    /// Ends all streams, and those that open from now on.
    pub(crate) fn end(&self, reason: CloseReason) {
        self.ending.send_if_modified(|ending| ending.replace(reason).is_none());
    }

    pub(crate) fn log(&self) -> &dyn EventLog {
        &*self.log
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    pub(crate) fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    pub(crate) fn now(&self) -> Moment {
        self.origin.elapsed()
    }

    pub(super) fn ending(&self) -> watch::Receiver<Option<CloseReason>> {
        self.ending.subscribe()
    }

    /// Joins the group of a subscription with a stream that begins behind `after`; one that a client has `chosen` only where
    /// there are not too many of them.
    pub(super) fn join(
        &self,
        subscription: Subscription,
        chosen: bool,
        after: Option<Seq>,
    ) -> Option<(GroupId, watch::Receiver<()>)> {
        let mut shared = self.lock();
        let group = if chosen {
            shared.fanout.try_join(subscription, after)?
        } else {
            shared.fanout.join(subscription, after)
        };
        if shared.wakers.len() <= group.index() {
            shared.wakers.resize_with(group.index() + 1, || None);
        }
        let waker = shared.wakers[group.index()]
            .get_or_insert_with(|| Waker { wake: watch::channel(()).0, batch: 0 });
        Some((group, waker.wake.subscribe()))
    }

    pub(super) fn leave(&self, group: GroupId) {
        let mut shared = self.lock();
        if shared.fanout.leave(group)
            && let Some(waker) = shared.wakers.get_mut(group.index())
        {
            *waker = None;
        }
    }

    /// Lets `look` see the window.
    pub(super) fn look<T>(&self, look: impl FnOnce(&Fanout) -> T) -> T {
        look(&self.lock().fanout)
    }

    pub(super) fn replay(&self) -> &Replay {
        &self.replay
    }

    fn push(&self, entries: Vec<Entry>) {
        if entries.is_empty() {
            return;
        }
        let mut shared = self.lock();
        let Shared { fanout, wakers, batches } = &mut *shared;
        *batches += 1;
        let mut woken = Vec::new();
        for entry in entries {
            fanout.push(entry, |group| {
                if let Some(Some(waker)) = wakers.get_mut(group.index())
                    && std::mem::replace(&mut waker.batch, *batches) != *batches
                {
                    woken.push(waker.wake.clone());
                }
            });
        }
        // The streams that wake look at the window, so it is let go first.
        drop(shared);
        for waker in woken {
            waker.send_replace(());
        }
    }

    /// Encodes an event once for each profile that its sinks write.
    pub(super) fn entry(&self, stored: &Stored) -> Entry {
        let event: &Event = &stored.event;
        let mut frames = Frames::default();
        for delivery in event.deliveries.iter() {
            if let Some(profile) = self.profiles.get(&delivery.sink)
                && frames.get(*profile).is_none()
            {
                frames.set(*profile, frame::event(*profile, stored.seq, &event.id, &profile.payload(stored)));
            }
        }
        Entry { seq: stored.seq, kind: event.kind.clone(), deliveries: Arc::clone(&event.deliveries), frames }
    }

    /// No code that holds the lock leaves the window half changed when it panics; it only ever adds and removes whole
    /// entries.
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
