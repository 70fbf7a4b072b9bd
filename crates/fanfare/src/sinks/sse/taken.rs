//! A stream whose socket the reactor has: what a thread of it is told, and asks. The socket comes from the HTTP library
//! in `http::takeover`; how it is written is in `fanfare_reactor`.

use std::net::TcpStream;
use std::sync::Arc;

use bytes::Bytes;
use fanfare_reactor::{ConnectionId, NewConnection};
use fanfare_stream::{CloseReason, Seq, Session};
use tokio::task::AbortHandle;

use super::presence::Presence;
use crate::http::body::Body;

/// Writes streams of plain HTTP/1.1.
pub(super) type Reactor = fanfare_reactor::Reactor<Owner>;

/// What stands behind a connection of the reactor.
pub(super) struct Owner {
    presence: Presence,
    /// Gets the page that the stream waits for.
    reading: Option<AbortHandle>,
}

/// A response that leaves its connection to the reactor.
pub(super) fn body(presence: Presence, session: Session, reactor: Reactor) -> Body {
    Body::takes_over(move |stream: TcpStream, head: Bytes| {
        let seat = reactor.choose();
        // Before the thread looks at the window, so that no event comes between.
        presence.hub().window().has_members(presence.group(), seat.thread());
        let owner = Owner { presence, reading: None };
        reactor.add(seat, NewConnection { stream, head, session, owner });
    })
}

impl fanfare_reactor::Owner for Owner {
    fn placed(&mut self, id: ConnectionId) {
        self.presence.shared().placed(id);
    }

    fn ending(&self) -> Option<CloseReason> {
        self.presence.shared().ending()
    }

    fn has_come_to(&self, after: Option<Seq>) {
        self.presence.shared().has_come_to(after);
    }

    fn read(&mut self, id: ConnectionId, from: Seq, in_turn: bool) {
        let hub = Arc::clone(self.presence.hub());
        let subscription = Arc::clone(&self.presence.shared().subscription);
        self.reading = Some(self.presence.hub().spawn(async move {
            let found = hub.replay().page(&hub, from, &subscription, in_turn).await;
            hub.answer(id, found);
        }));
    }

    fn ended(mut self, reason: CloseReason, session: &Session) {
        let over = self.presence.end(reason, session.frames(), session.after());
        // It has a share of the log, and nobody waits for this thread: told first, the process might end before the log does.
        drop(self);
        drop(over);
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // So that no turn is given to who is gone.
        if let Some(reading) = &self.reading {
            reading.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::pin::pin;
    use std::sync::Weak;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Context, Wake, Waker};
    use std::time::Duration;

    use fanfare_event::{Epoch, NamePatterns, Profile, SinkName};
    use fanfare_log::{MemoryLog, Retention};
    use fanfare_reactor::Owner as _;
    use fanfare_stream::{Client, Moment, OnLag, SessionOptions, Start, Subscription, WindowLimits};
    use jiff::Timestamp;

    use super::super::Place;
    use super::super::hub::Hub;
    use super::super::open_stream::{Driver, Validity};
    use super::super::presence::Opening;

    #[cfg(target_pointer_width = "64")]
    #[test]
    fn an_owner_costs_what_is_said() {
        assert!(size_of::<Owner>() <= 40, "{}", size_of::<Owner>());
    }

    async fn hub() -> Arc<Hub> {
        let retention = Retention { events: 1, bytes: 1 };
        let log = Arc::new(MemoryLog::new(Epoch::from_number(1), Seq::FIRST, retention, &[]));
        let limits = WindowLimits { events: 1, bytes: 1 };
        Arc::new(Hub::new(log, limits, HashMap::new(), false, None).await.unwrap())
    }

    /// A stream that begins.
    fn open(hub: &Arc<Hub>) -> (Owner, Session) {
        let options = SessionOptions {
            epoch: hub.log().epoch().clone(),
            profile: Profile::Cdevent,
            keep_alive: Duration::from_secs(30),
            buffer: 1,
            on_lag: OnLag::CatchUp,
        };
        let subscription = Subscription {
            sink: SinkName::new("events"),
            types: NamePatterns::any(),
            profile: Profile::Cdevent,
            rooms: [].into(),
            user: None,
        };
        let opening = Opening {
            subscription,
            chosen: false,
            start: Start { after: None, gap: None },
            options: Arc::new(options),
            client: Client::default(),
            peer: ([127, 0, 0, 1], 1).into(),
            validity: Validity { opened: Timestamp::UNIX_EPOCH, at: Moment::ZERO, expires: None },
        };
        let place = Place::take(&Arc::default(), 1).unwrap();
        let (presence, session) = Presence::open(hub, opening, Driver::reactor(), place).unwrap();
        (Owner { presence, reading: None }, session)
    }

    /// How many had the hub when this was last woken.
    struct Holders(Weak<Hub>, AtomicUsize);

    impl Wake for Holders {
        fn wake(self: Arc<Self>) {
            self.1.store(self.0.strong_count(), Ordering::Relaxed);
        }
    }

    /// Who waits for the end of all streams closes the log next.
    #[tokio::test]
    async fn a_stream_lets_the_log_go_before_its_end_is_told() {
        let hub = hub().await;
        let (owner, session) = open(&hub);
        let holders = Arc::new(Holders(Arc::downgrade(&hub), AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&holders));
        let mut context = Context::from_waker(&waker);
        let mut over = pin!(hub.all_over());
        assert!(over.as_mut().poll(&mut context).is_pending());
        owner.ended(CloseReason::ClientGone, &session);
        assert_eq!(holders.1.load(Ordering::Relaxed), 1, "nobody but this test");
        assert!(over.poll(&mut context).is_ready());
    }
}
