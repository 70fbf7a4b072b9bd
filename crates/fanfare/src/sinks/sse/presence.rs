//! A stream's places: in its group, in the registry, in its sink's count. They are taken when it opens and given back
//! when it ends, and the log says both. The same for both ways of writing it.

use std::net::SocketAddr;
use std::sync::Arc;

use fanfare_event::{Position, Seq, UserId};
use fanfare_stream::{Client, CloseReason, GroupId, Session, SessionOptions, Start, Subscription};
use tracing::info;

use super::Place;
use super::hub::{Hub, Over};
use super::open_stream::{Driver, OpenStream, Validity};

/// What a stream is opened with.
pub(super) struct Opening {
    pub(super) subscription: Subscription,
    /// By its client, and not by the configuration.
    pub(super) chosen: bool,
    pub(super) start: Start,
    pub(super) options: Arc<SessionOptions>,
    pub(super) client: Client,
    pub(super) peer: SocketAddr,
    pub(super) validity: Validity,
}

/// An open stream's places, given back when this is dropped.
pub(super) struct Presence {
    hub: Arc<Hub>,
    /// The same for others.
    shared: Arc<OpenStream>,
    /// There until the stream ends.
    place: Option<Place>,
    group: GroupId,
}

impl Presence {
    /// Opens a stream. `None` where its client has chosen what it sees, and streams see too many different things already.
    pub(super) fn open(
        hub: &Arc<Hub>,
        Opening { subscription, chosen, start, options, client, peer, validity }: Opening,
        driver: Driver,
        place: Place,
    ) -> Option<(Self, Session)> {
        let (group, subscription) = hub.window().join(subscription, chosen, start.after)?;
        let end = client.expires.map(|expires| expires.at);
        let shared = hub.registry().open(subscription, peer, validity, end, driver);
        hub.stream_begins();
        let session = Session::new(group, start, options, client, validity.at);
        shared.has_come_to(session.after());
        info!(
            sink = %shared.subscription.sink,
            peer = %shared.peer(),
            position = %session.position(),
            connection = hub.registry().id(&shared),
            user = shared.subscription.user.as_ref().map(debug),
            "stream opened"
        );
        Some((Self { hub: Arc::clone(hub), shared, place: Some(place), group }, session))
    }

    pub(super) fn hub(&self) -> &Arc<Hub> {
        &self.hub
    }

    pub(super) fn shared(&self) -> &Arc<OpenStream> {
        &self.shared
    }

    pub(super) fn group(&self) -> GroupId {
        self.group
    }

    pub(super) fn user(&self) -> Option<&UserId> {
        self.shared.subscription.user.as_ref()
    }

    /// The stream has ended with this reason behind so many frames. Nothing comes of it where it had already.
    pub(super) fn end(&mut self, reason: CloseReason, frames: u64, after: Option<Seq>) -> Option<Over> {
        // Given back before the end is told, so that who reads that finds the place free.
        self.place.as_ref()?;
        self.hub.window().leave(self.group);
        self.hub.registry().close(&self.shared);
        self.place = None;
        let seconds = self.hub.now().saturating_sub(self.shared.opened_at()).as_secs_f64();
        info!(
            sink = %self.shared.subscription.sink,
            peer = %self.shared.peer(),
            %reason,
            seconds = format_args!("{seconds:.3}"),
            frames,
            position = %Position { epoch: self.hub.log().epoch().clone(), after },
            connection = self.hub.registry().id(&self.shared),
            user = self.shared.subscription.user.as_ref().map(debug),
            "stream ended"
        );
        Some(self.hub.over())
    }

    /// Why it ends where nobody says so.
    pub(super) fn untold(&self) -> CloseReason {
        self.shared.ending().or(self.hub.is_ending()).unwrap_or(CloseReason::ClientGone)
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // Only one that was given up before it was begun has not been ended.
        drop(self.end(self.untold(), 0, self.shared.after()));
    }
}
