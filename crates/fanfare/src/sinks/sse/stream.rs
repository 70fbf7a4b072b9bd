//! One stream: drives its session, and says in the log when it opened and why it ended.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use fanfare_event::UserId;
use fanfare_stream::frame::Frame;
use fanfare_stream::{
    Client, CloseReason, GroupId, Moment, Session, SessionOptions, Start, Step, Subscription,
};
use futures_util::stream;
use http_body_util::{BodyExt as _, StreamBody};
use tokio::sync::watch;
use tracing::info;

use super::Place;
use super::hub::Hub;
use super::open_stream::{OpenStream, Validity};
use super::replay::Found;
use crate::http::body::{Body, Ended};
use crate::http::{Peer, this_task};

/// A stream while it is open. Dropped by the connection when that ends, whoever ended it.
pub(super) struct Stream {
    hub: Arc<Hub>,
    /// The same for others.
    shared: Arc<OpenStream>,
    session: Session,
    /// Frames that the session has decided on and the connection has not taken yet.
    out: VecDeque<Bytes>,
    woken: watch::Receiver<()>,
    ending: watch::Receiver<Option<CloseReason>>,
    /// Why the server ends it; what is in `out` still goes out.
    closing: Option<CloseReason>,
    opened: Moment,
    /// There until the stream ends.
    place: Option<Place>,
}

impl Stream {
    /// Opens it. `None` where its client has `chosen` what it sees, and streams see too many different things already.
    pub(super) fn open(
        hub: &Arc<Hub>,
        (subscription, chosen): (Subscription, bool),
        start: Start,
        (options, client): (Arc<SessionOptions>, Client),
        (peer, validity): (Peer, Validity),
        place: Place,
    ) -> Option<Self> {
        let (group, woken): (GroupId, _) = hub.join(subscription.clone(), chosen, start.after)?;
        let opened = hub.now();
        let end = client.expires.map(|expires| expires.at);
        let shared = hub.registry().open(subscription, peer, validity, end, this_task());
        let session = Session::new(group, start, options, client, opened);
        shared.has_come_to(session.position().after);
        info!(
            sink = %shared.subscription.sink,
            peer = %shared.peer.address,
            position = %session.position(),
            connection = hub.registry().id(&shared),
            user = shared.subscription.user.as_ref().map(debug),
            "stream opened"
        );
        Some(Self {
            shared,
            session,
            out: VecDeque::new(),
            woken,
            ending: hub.ending(),
            closing: None,
            opened,
            place: Some(place),
            hub: Arc::clone(hub),
        })
    }

    pub(super) fn user(&self) -> Option<&UserId> {
        self.shared.subscription.user.as_ref()
    }

    /// Ends it as soon as it is read.
    pub(super) fn end(&self, reason: CloseReason) {
        self.shared.end(reason);
    }

    pub(super) fn into_body(self) -> Body {
        let frames = stream::unfold(self, |mut stream| async move {
            let frame = stream.next().await;
            Some((frame, stream))
        });
        StreamBody::new(frames).boxed_unsync()
    }

    async fn next(&mut self) -> Result<http_body::Frame<Bytes>, Ended> {
        loop {
            if self.closing.is_none()
                && let Some(reason) = self.shared.ending()
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
        if let Some(reason) = ending.or(self.shared.ending()) {
            return self.close(reason);
        }
        let now = self.hub.now();
        let Self { hub, shared, session, out, .. } = self;
        let step = hub.look(|fanout| session.poll(now, fanout));
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
                let page = Box::pin(hub.replay().page(hub, from, &shared.subscription, in_turn));
                let found = tokio::select! {
                    found = page => found,
                    _ = self.ending.changed() => return,
                    () = shared.ended() => return,
                    () = tokio::time::sleep(until.saturating_sub(now)) => return,
                };
                let now = self.hub.now();
                match found {
                    Ok(Found::Page(page)) => self.out.extend(self.session.page(now, &page)),
                    Ok(Found::Trimmed(oldest)) => self.session.trimmed(oldest),
                    Ok(Found::Nothing) => self.session.nothing_new(now),
                    Err(_) => self.session.log_failed(now),
                }
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
        // Given back before the end is told, so that who reads that finds the place free.
        self.hub.leave(self.session.group());
        self.hub.registry().close(&self.shared);
        self.place = None;
        // A client that took nothing any more was not told that the server ends, but that is why it ends.
        let told = self.closing.or(self.shared.ending()).or(*self.ending.borrow());
        let reason = told.unwrap_or_else(|| {
            if self.shared.peer.has_stalled() { CloseReason::Stalled } else { CloseReason::ClientGone }
        });
        let seconds = self.hub.now().saturating_sub(self.opened).as_secs_f64();
        info!(
            sink = %self.shared.subscription.sink,
            peer = %self.shared.peer.address,
            %reason,
            seconds = format_args!("{seconds:.3}"),
            frames = self.session.frames(),
            position = %self.session.position(),
            connection = self.hub.registry().id(&self.shared),
            user = self.shared.subscription.user.as_ref().map(debug),
            "stream ended"
        );
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
    StreamBody::new(frames).boxed_unsync()
}

/// hyper drops what it has not flushed when a body fails. It flushes when a body is not ready, so the body is not
/// ready once before it fails.
async fn flushed() -> Ended {
    tokio::task::yield_now().await;
    Ended
}
