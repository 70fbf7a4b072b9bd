//! A stream whose socket the reactor has: what a thread of it is told, and asks. The socket comes from the HTTP library
//! in `http::connection`; how it is written is in `fanfare_reactor`.

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
        self.presence.end(reason, session.frames(), session.after());
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

#[cfg(all(test, target_pointer_width = "64"))]
mod tests {
    use super::*;

    #[test]
    fn an_owner_costs_what_is_said() {
        assert!(size_of::<Owner>() <= 40, "{}", size_of::<Owner>());
    }
}
