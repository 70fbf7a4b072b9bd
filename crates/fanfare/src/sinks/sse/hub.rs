//! What all streams share: the window, which the log's tail alone feeds, the reactor, and what finds and ends streams.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fanfare_event::{Event, Profile, SinkName, Stored};
use fanfare_log::{EventLog, LogError, Tail};
use fanfare_reactor::{ConnectionId, Options};
use fanfare_stream::{CloseReason, Entry, Fanout, Found, Frames, Moment, WindowLimits, frame};
use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};
use tracing::{info, warn};

use super::registry::Registry;
use super::replay::Replay;
use super::revocations::Revocations;
use super::taken::Reactor;
use super::window::Window;
use crate::ids::fresh_life;

/// Events of the tail that are taken together. In a burst each stream then wakes once for several.
const TAIL_BATCH: usize = 128;

/// Why delivery ended; the process must begin anew.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub(crate) enum DeliveryEnded {
    /// What streams know of the log means nothing any more.
    #[error("the log began anew while the server was running")]
    LogReset,
    /// A fault of this program.
    #[error("a thread that writes streams ended")]
    Reactor,
}

/// Why there is no hub.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the threads that write streams cannot be started: {0}")]
    Reactor(#[from] std::io::Error),
}

/// What all streams share.
pub(crate) struct Hub {
    log: Arc<dyn EventLog>,
    /// How each sink writes.
    profiles: HashMap<SinkName, Profile>,
    window: Arc<Window>,
    /// What those share who have left the window.
    replay: Replay,
    registry: Registry,
    revocations: Revocations,
    /// Set once: all streams end with this.
    ending: watch::Sender<Option<CloseReason>>,
    /// Has the streams of plain HTTP/1.1, where it is to.
    reactor: Option<Reactor>,
    /// One of its threads has ended.
    reactor_failed: Arc<Notify>,
    /// What the threads of the reactor do not do themselves runs here.
    runtime: Handle,
    open: Arc<Open>,
}

/// How many streams are open.
#[derive(Debug, Default)]
struct Open {
    /// With those whose end is not told yet.
    streams: AtomicUsize,
    /// None is.
    over: Notify,
}

/// Everything about a stream is over, and that is told when this is dropped. Who waits for it may close the log next, so
/// nothing of the stream may have that any more.
#[must_use = "the end is told when this is dropped"]
pub(super) struct Over(Arc<Open>);

impl Drop for Over {
    fn drop(&mut self) {
        if self.0.streams.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.over.notify_waiters();
        }
    }
}

impl Hub {
    /// A hub behind what the log holds now. Who was revoked matters where there are tokens. The reactor is for those streams
    /// that it can have; without one, all are bodies of responses. Nothing comes into the window until [`Hub::follow`] runs.
    pub(crate) async fn new(
        log: Arc<dyn EventLog>,
        limits: WindowLimits,
        profiles: HashMap<SinkName, Profile>,
        has_tokens: bool,
        reactor: Option<Options>,
    ) -> Result<Self, StartError> {
        let newest = log.bounds().await?.newest;
        let revocations = if has_tokens {
            Revocations::load(&*log, Timestamp::now()).await?
        } else {
            Revocations::default()
        };
        let window = Arc::new(Window::new(limits, newest));
        let reactor_failed = Arc::new(Notify::new());
        let start = |options| {
            let (seen, failed): (Arc<dyn fanfare_reactor::Window>, _) =
                (window.clone(), reactor_failed.clone());
            Reactor::start(options, &seen, move || failed.notify_one())
        };
        let reactor = reactor.map(start).transpose()?;
        let (ending, _) = watch::channel(None);
        Ok(Self {
            log,
            profiles,
            window,
            replay: Replay::new(),
            registry: Registry::new(fresh_life(Timestamp::now()), reactor.clone()),
            revocations,
            ending,
            reactor,
            reactor_failed,
            runtime: Handle::current(),
            open: Arc::default(),
        })
    }

    /// Feeds the window from the log's tail, for as long as the log and the reactor live.
    pub(crate) async fn follow(self: Arc<Self>) -> DeliveryEnded {
        // These end with this.
        let mut beside = JoinSet::new();
        let hub = Arc::clone(&self);
        beside.spawn(async move { hub.replay.give_turns().await });
        let hub = Arc::clone(&self);
        beside.spawn(async move { hub.replay.age().await });
        let hub = Arc::clone(&self);
        beside.spawn(async move { hub.registry.cut(|| hub.now()).await });
        tokio::select! {
            () = self.follow_log() => {
                self.end(CloseReason::LogReset);
                DeliveryEnded::LogReset
            }
            () = self.reactor_failed.notified() => DeliveryEnded::Reactor,
        }
    }

    async fn follow_log(&self) {
        let after = self.window.look(Fanout::newest);
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
                        self.window.skip_to(oldest);
                    }
                    Tail::Stalled(error) => {
                        if !std::mem::replace(&mut stalled, true) {
                            warn!(%error, "the log is out of reach; streams wait");
                        }
                    }
                    Tail::EpochChanged => {
                        self.push(events);
                        return;
                    }
                }
            }
            self.push(events);
        }
    }

    /// Ends all streams, and those that open from now on.
    pub(crate) fn end(&self, reason: CloseReason) {
        let is_first = self.ending.send_if_modified(|ending| {
            let is_first = ending.is_none();
            *ending = ending.or(Some(reason));
            is_first
        });
        if let Some(reactor) = self.reactor.as_ref().filter(|_| is_first) {
            reactor.end_all(reason);
        }
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
        self.window.now()
    }

    /// Why all streams end, where they do.
    pub(super) fn is_ending(&self) -> Option<CloseReason> {
        *self.ending.borrow()
    }

    /// What writes streams of plain HTTP/1.1.
    pub(super) fn reactor(&self) -> Option<&Reactor> {
        self.reactor.as_ref()
    }

    pub(super) fn ending(&self) -> watch::Receiver<Option<CloseReason>> {
        self.ending.subscribe()
    }

    /// All streams look at this.
    pub(super) fn window(&self) -> &Window {
        &self.window
    }

    pub(super) fn replay(&self) -> &Replay {
        &self.replay
    }

    /// Runs something beside the threads of the reactor, which must not wait.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        self.runtime.spawn(task).abort_handle()
    }

    /// Hands a page to a connection of the reactor that waits for it.
    pub(super) fn answer(&self, id: ConnectionId, found: Found) {
        if let Some(reactor) = &self.reactor {
            reactor.answer(id, found);
        }
    }

    pub(super) fn stream_begins(&self) {
        self.open.streams.fetch_add(1, Ordering::Relaxed);
    }

    /// One of those that began is over, once this is dropped.
    pub(super) fn over(&self) -> Over {
        Over(Arc::clone(&self.open))
    }

    /// Waits until no stream is open. New ones put that off.
    pub(crate) async fn all_over(&self) {
        loop {
            // Asked for before the look, so that what changes behind it ends the wait.
            let over = self.open.over.notified();
            if self.streams() == 0 {
                return;
            }
            over.await;
        }
    }

    /// How many streams are open.
    pub(crate) fn streams(&self) -> usize {
        self.open.streams.load(Ordering::Acquire)
    }

    fn push(&self, entries: Vec<Entry>) {
        self.window.push(entries, self.reactor.as_ref());
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
}

#[cfg(test)]
mod tests {
    use fanfare_event::{Epoch, Seq};
    use fanfare_log::{MemoryLog, Retention};

    use super::*;

    #[tokio::test]
    async fn delivery_ends_with_a_thread_of_the_reactor() {
        let retention = Retention { events: 1, bytes: 1 };
        let log = Arc::new(MemoryLog::new(Epoch::from_number(1), Seq::FIRST, retention, &[]));
        let limits = WindowLimits { events: 1, bytes: 1 };
        let hub = Arc::new(Hub::new(log, limits, HashMap::new(), false, None).await.unwrap());
        let following = tokio::spawn(Arc::clone(&hub).follow());
        hub.reactor_failed.notify_one();
        assert!(matches!(following.await, Ok(DeliveryEnded::Reactor)));
    }
}
