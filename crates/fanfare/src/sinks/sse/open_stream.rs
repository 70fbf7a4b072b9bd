//! A stream that is open, as everyone but its client sees it: who it is, how far it has come, and how to end it.
//! What finds it is in `registry`.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::atomic::{AtomicU64, Ordering, fence};
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use fanfare_event::Seq;
use fanfare_reactor::ConnectionId;
use fanfare_stream::{CloseReason, Moment, Subscription};
use futures_util::future::AbortHandle;
use futures_util::task::AtomicWaker;
use jiff::Timestamp;

use super::taken::Reactor;

/// What a stream shares with those who look at it or end it. There is one for each client, so it is small.
#[derive(Debug)]
pub(crate) struct OpenStream {
    /// Unique in this process, ascending.
    pub(super) number: u64,
    /// What all of its group see.
    pub(crate) subscription: Arc<Subscription>,
    peer: Address,
    /// Milliseconds since 1970.
    opened: i64,
    /// The same as a moment, in milliseconds.
    opened_at: u64,
    /// When its token does. Few have one.
    expires: Option<Box<Timestamp>>,
    /// The seq that it has come to; 0 before the first.
    after: AtomicU64,
    /// Set once: it ends with this.
    ending: OnceLock<CloseReason>,
    driver: Driver,
}

/// From when to when a stream may be open.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validity {
    pub(crate) opened: Timestamp,
    /// The same moment.
    pub(crate) at: Moment,
    /// When its token ends.
    pub(crate) expires: Option<Timestamp>,
}

/// Who writes a stream, and so ends it.
#[derive(Debug)]
pub(super) enum Driver {
    /// The task that answers its request.
    Task(Box<Task>),
    /// A thread of the reactor, which knows it by this id; 0 before it does.
    Reactor(AtomicU64),
}

/// A task that answers a request.
#[derive(Debug)]
pub(super) struct Task {
    /// Wakes the stream, if its client takes what it says.
    waker: AtomicWaker,
    /// Ends it otherwise.
    handle: Option<AbortHandle>,
}

/// An address that takes room for IPv6 only where it is one.
#[derive(Debug)]
enum Address {
    V4(SocketAddrV4),
    V6(Box<SocketAddrV6>),
}

impl Driver {
    pub(super) fn task(handle: Option<AbortHandle>) -> Self {
        Self::Task(Box::new(Task { waker: AtomicWaker::new(), handle }))
    }

    pub(super) fn reactor() -> Self {
        Self::Reactor(AtomicU64::new(0))
    }
}

impl OpenStream {
    pub(super) fn new(
        number: u64,
        subscription: Arc<Subscription>,
        peer: SocketAddr,
        validity: Validity,
        driver: Driver,
    ) -> Self {
        Self {
            number,
            subscription,
            peer: match peer {
                SocketAddr::V4(peer) => Address::V4(peer),
                SocketAddr::V6(peer) => Address::V6(Box::new(peer)),
            },
            opened: validity.opened.as_millisecond(),
            opened_at: u64::try_from(validity.at.as_millis()).unwrap_or(u64::MAX),
            expires: validity.expires.map(Box::new),
            after: AtomicU64::new(0),
            ending: OnceLock::new(),
            driver,
        }
    }

    /// Who takes it.
    pub(crate) fn peer(&self) -> SocketAddr {
        match &self.peer {
            Address::V4(peer) => (*peer).into(),
            Address::V6(peer) => (**peer).into(),
        }
    }

    /// When it was opened, to the millisecond.
    pub(crate) fn opened(&self) -> Timestamp {
        // It was one.
        Timestamp::from_millisecond(self.opened).unwrap_or_default()
    }

    /// The same moment.
    pub(super) fn opened_at(&self) -> Moment {
        Moment::from_millis(self.opened_at)
    }

    /// When its token ends.
    pub(crate) fn expires(&self) -> Option<Timestamp> {
        self.expires.as_deref().copied()
    }

    /// How far it has come.
    pub(crate) fn after(&self) -> Option<Seq> {
        Seq::new(self.after.load(Ordering::Relaxed))
    }

    pub(super) fn has_come_to(&self, after: Option<Seq>) {
        self.after.store(after.map_or(0, Seq::get), Ordering::Relaxed);
    }

    /// Lets the stream end. The first reason holds.
    pub(super) fn end(&self, reason: CloseReason, reactor: Option<&Reactor>) {
        let _ = self.ending.set(reason);
        match &self.driver {
            Driver::Task(task) => task.waker.wake(),
            Driver::Reactor(id) => {
                // See `placed`.
                fence(Ordering::SeqCst);
                if let (Some(id), Some(reactor)) = (known(id), reactor) {
                    reactor.look(id);
                }
            }
        }
    }

    /// Why it has to end, if it has to.
    pub(super) fn ending(&self) -> Option<CloseReason> {
        self.ending.get().copied()
    }

    /// Waits until it has to end. Only the stream itself waits.
    pub(super) async fn ended(&self) {
        std::future::poll_fn(|context| {
            // Registered before the look, so that what changes behind it wakes the wait.
            if let Driver::Task(task) = &self.driver {
                task.waker.register(context.waker());
            }
            if self.ending().is_some() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// A thread of the reactor has it from now on. Who ends it either finds this id, or has said so before the thread looks at
    /// [`OpenStream::ending`] behind this.
    pub(super) fn placed(&self, place: ConnectionId) {
        if let Driver::Reactor(id) = &self.driver {
            id.store(place.get(), Ordering::Relaxed);
            fence(Ordering::SeqCst);
        }
    }

    /// Drops it, whatever it waits for. One that the reactor does not have yet waits for its turn on a connection that is
    /// still busy with another answer; nothing is written to it, and it ends when its turn comes or the connection ends.
    pub(super) fn cut(&self, reactor: Option<&Reactor>) {
        match &self.driver {
            Driver::Task(task) => {
                if let Some(task) = &task.handle {
                    task.abort();
                }
            }
            Driver::Reactor(id) => {
                if let (Some(id), Some(reactor)) = (known(id), reactor) {
                    reactor.cut(id);
                }
            }
        }
    }
}

fn known(id: &AtomicU64) -> Option<ConnectionId> {
    ConnectionId::new(id.load(Ordering::Relaxed))
}

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;
    use fanfare_event::{NamePatterns, Profile, SinkName};

    #[test]
    fn who_takes_it_and_since_when_is_kept() {
        for address in ["127.0.0.1:80", "[2001:db8::1]:443", "[::ffff:10.0.0.1]:1"] {
            let address: SocketAddr = address.parse().unwrap();
            let opened = "2026-11-21T15:00:00.123Z".parse().unwrap();
            let validity = Validity { opened, at: Moment::from_millis(4567), expires: Some(opened) };
            let subscription = Subscription {
                sink: SinkName::new("s"),
                types: NamePatterns::any(),
                profile: Profile::Message,
                rooms: [].into(),
                user: None,
            };
            let stream = OpenStream::new(1, subscription.into(), address, validity, Driver::reactor());
            assert_eq!(stream.peer(), address);
            assert_eq!((stream.opened(), stream.opened_at()), (opened, validity.at));
            assert_eq!(stream.expires(), Some(opened));
            stream.end(CloseReason::Kicked, None);
            stream.end(CloseReason::Revoked, None);
            assert_eq!(stream.ending(), Some(CloseReason::Kicked), "the first reason holds");
        }
    }

    /// Two counters of the `Arc` around it make it 104 bytes, which is just what malloc has in a piece of 112.
    #[test]
    fn a_stream_costs_what_is_said() {
        assert!(size_of::<OpenStream>() <= 88, "{}", size_of::<OpenStream>());
    }
}
