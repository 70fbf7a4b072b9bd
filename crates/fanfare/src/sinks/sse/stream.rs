//! A stream as the body of a response: the portable way. The other one is in `taken`.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use fanfare_stream::frame::Frame;
use fanfare_stream::{CloseReason, Session, Step};
use futures_util::stream;
use http_body_util::StreamBody;
use tokio::sync::watch;

use super::presence::Presence;
use crate::http::Peer;
use crate::http::body::{Body, Ended};

/// A stream while it is open. Dropped by the connection when that ends, whoever ended it.
pub(super) struct Stream {
    presence: Presence,
    peer: Peer,
    session: Session,
    /// Frames that the session has decided on and the connection has not taken yet.
    out: VecDeque<Bytes>,
    woken: watch::Receiver<()>,
    ending: watch::Receiver<Option<CloseReason>>,
    /// Why the server ends it; what is in `out` still goes out.
    closing: Option<CloseReason>,
}

impl Stream {
    pub(super) fn new(presence: Presence, session: Session, peer: Peer) -> Self {
        let hub = presence.hub();
        let (woken, ending) = (hub.window().woken(presence.group()), hub.ending());
        Self { presence, peer, session, out: VecDeque::new(), woken, ending, closing: None }
    }

    pub(super) fn into_body(self) -> Body {
        let frames = stream::unfold(self, |mut stream| async move {
            let frame = stream.next().await;
            Some((frame, stream))
        });
        Body::new(StreamBody::new(frames))
    }

    async fn next(&mut self) -> Result<http_body::Frame<Bytes>, Ended> {
        loop {
            if self.closing.is_none()
                && let Some(reason) = self.presence.shared().ending()
            {
                // What the client has not got yet it gets when it comes back, if it may.
                self.out.clear();
                self.close(reason);
            }
            if let Some(frame) = self.out.pop_front() {
                return Ok(http_body::Frame::data(frame));
            }
            if self.closing.is_some() {
                return Err(flushed().await);
            }
            self.turn().await;
        }
    }

    /// Asks the session what to do, and does it.
    async fn turn(&mut self) {
        // Both are marked as seen before the look, so that what changes behind it wakes the wait.
        self.woken.borrow_and_update();
        let ending = *self.ending.borrow_and_update();
        let (hub, shared) = (Arc::clone(self.presence.hub()), Arc::clone(self.presence.shared()));
        if let Some(reason) = ending.or(shared.ending()) {
            return self.close(reason);
        }
        let now = hub.now();
        let Self { session, out, .. } = self;
        let step = hub.window().look(|fanout| session.poll(now, fanout));
        if let Step::Batch(batch) = &step {
            out.extend(batch.frames().iter().map(Frame::content));
            session.sent(batch, batch.frames().len(), now);
        }
        shared.has_come_to(session.after());
        match step {
            Step::Batch(_) => {}
            Step::Write(frame) => out.push_back(frame.content()),
            Step::Close(reason) => self.close(reason),
            Step::Read { from, in_turn, until } => {
                // On the heap, because most streams are hardly ever behind.
                let page = Box::pin(hub.replay().page(&hub, from, &shared.subscription, in_turn));
                let found = tokio::select! {
                    found = page => found,
                    _ = self.ending.changed() => return,
                    () = shared.ended() => return,
                    () = tokio::time::sleep(until.saturating_sub(now)) => return,
                };
                self.out.extend(self.session.found(hub.now(), found));
            }
            Step::Wait { until } => {
                let patience = until.saturating_sub(now);
                tokio::select! {
                    _ = self.woken.changed() => {}
                    _ = self.ending.changed() => {}
                    () = shared.ended() => {}
                    () = tokio::time::sleep(patience) => {}
                }
            }
        }
    }

    fn close(&mut self, reason: CloseReason) {
        self.closing = Some(reason);
        self.out.extend(self.session.farewell().map(|frame| frame.content()));
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let reason = self.closing.unwrap_or_else(|| match self.presence.untold() {
            CloseReason::ClientGone if self.peer.has_stalled() => CloseReason::Stalled,
            reason => reason,
        });
        drop(self.presence.end(reason, self.session.frames(), self.session.after()));
    }
}

/// A stream of these bytes that the server ends.
pub(super) fn ending(last: Frame) -> Body {
    let frames = stream::unfold(Some(last), |last| async move {
        match last {
            Some(last) => Some((Ok(http_body::Frame::data(last.content())), None)),
            None => Some((Err(flushed().await), None)),
        }
    });
    Body::new(StreamBody::new(frames))
}

/// hyper drops what it has not flushed when a body fails. It flushes when a body is not ready, so the body is not
/// ready once before it fails.
async fn flushed() -> Ended {
    tokio::task::yield_now().await;
    Ended
}
