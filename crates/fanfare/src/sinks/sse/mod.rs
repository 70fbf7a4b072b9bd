//! `GET /sse/{id}`: who may listen, from where, and the head of the stream. The stream itself lives in `stream`, what
//! all streams share in `hub` and, for those that are behind, in `replay`.

mod hub;
mod identity;
mod narrowing;
mod open_stream;
mod presence;
mod registry;
mod replay;
mod revocations;
mod start;
mod stream;
mod taken;
mod window;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fanfare_auth::HeaderRules;
use fanfare_event::{Position, SinkName, UserId};
use fanfare_stream::{
    Client, CloseReason, Expiry, MAX_PATTERNS, MAX_PLACES, Moment, OnLag, SessionOptions, Subscription,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, header};
use hyper::body::Incoming;
use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use tracing::{debug, info, warn};

use crate::http::body::{Body, empty};
use crate::http::cors::Cors;
use crate::http::{HeaderMapView, Peer, this_task};
use crate::problem::Problem;

pub(crate) use hub::{Hub, StartError};
pub(crate) use identity::Identity;
#[cfg(feature = "identity_jwt")]
pub(crate) use identity::{Published, Tokens};
pub(crate) use open_stream::OpenStream;
pub(crate) use registry::Selection;

use identity::Denied;
use open_stream::{Driver, Validity};
use presence::{Opening, Presence};
use stream::Stream;

/// How long a client that found the server full is told to wait, at least. With the jitter, twice that at most.
const RETRY_WHEN_FULL: Duration = Duration::from_secs(5);

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const X_ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// A stream at its path.
#[derive(Debug)]
pub(crate) struct StreamEndpoint {
    name: SinkName,
    /// What a client sees that asks for nothing.
    subscription: Subscription,
    identity: Identity,
    max_rooms: usize,
    rules: HeaderRules,
    cors: Option<Cors>,
    keep_alive: Duration,
    buffer: u64,
    on_lag: OnLag,
    /// The same for sessions, once there was one.
    options: OnceLock<Arc<SessionOptions>>,
    replay: bool,
    retry: Duration,
    max_connections: usize,
    /// Streams that are open now.
    open: Arc<AtomicUsize>,
}

/// What a request may see, and with what token.
struct Admitted {
    subscription: Subscription,
    expires: Option<Timestamp>,
    issued: Option<Timestamp>,
}

/// A connection's share of what its sink allows, given back when it ends.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(open: &Arc<AtomicUsize>, max: usize) -> Option<Self> {
        // Taken first and given back, so that two at once cannot both get the last place.
        let place = Self(Arc::clone(open));
        (open.fetch_add(1, Ordering::Relaxed) < max).then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl StreamEndpoint {
    /// The endpoint of a sink whose rules and identity are built.
    pub(crate) fn new(
        name: &SinkName,
        settings: &fanfare_config::SseSink,
        rules: HeaderRules,
        identity: Identity,
    ) -> Self {
        let cors = settings.cors.as_ref().map(|cors| Cors::new(&cors.allowed_origins, rules.header_names()));
        Self {
            name: name.clone(),
            subscription: Subscription {
                sink: name.clone(),
                types: settings.matches.clone(),
                profile: settings.profile,
                rooms: [].into(),
                user: None,
            },
            identity,
            max_rooms: settings.max_rooms,
            rules,
            cors,
            keep_alive: settings.keep_alive,
            buffer: settings.buffer as u64,
            on_lag: match settings.on_lag {
                fanfare_config::OnLag::CatchUp => OnLag::CatchUp,
                fanfare_config::OnLag::Notice => OnLag::Notice,
                fanfare_config::OnLag::Disconnect => OnLag::Disconnect,
            },
            options: OnceLock::new(),
            replay: settings.replay,
            retry: settings.retry,
            max_connections: settings.max_connections,
            open: Arc::default(),
        }
    }

    fn options(&self, hub: &Hub) -> Arc<SessionOptions> {
        let options = || SessionOptions {
            epoch: hub.log().epoch().clone(),
            profile: self.subscription.profile,
            keep_alive: self.keep_alive,
            buffer: self.buffer,
            on_lag: self.on_lag,
        };
        Arc::clone(self.options.get_or_init(|| options().into()))
    }

    pub(crate) fn cors(&self) -> Option<&Cors> {
        self.cors.as_ref()
    }

    pub(crate) async fn handle(
        &self,
        hub: &Arc<Hub>,
        peer: &Peer,
        request: &Request<Incoming>,
    ) -> Response<Body> {
        if let Some(cors) = self.cors.as_ref().filter(|_| Cors::is_preflight(request)) {
            let response = cors.preflight(request);
            if !response.status().is_success() {
                info!(sink = %self.name, peer = %peer.address, status = response.status().as_u16(), problem = "origin", "stream refused");
            }
            return response;
        }
        let mut response = match self.check(hub, request).await {
            Ok(admitted) => self.open(hub, peer, request, admitted).await,
            #[cfg(feature = "identity_jwt")]
            Err(Denied::NotNow(reason)) => {
                warn!(sink = %self.name, peer = %peer.address, reason, "stream put off");
                put_off(request)
            }
            Err(Denied::Refused(problem)) => {
                info!(sink = %self.name, peer = %peer.address, status = problem.status().as_u16(), %problem, "stream refused");
                problem.into_response()
            }
        };
        if let Some(cors) = &self.cors {
            cors.apply(request.headers().get(header::ORIGIN), response.headers_mut());
        }
        response
    }

    async fn check(&self, hub: &Hub, request: &Request<Incoming>) -> Result<Admitted, Denied> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let allow = if self.cors.is_some() { "GET, HEAD, OPTIONS" } else { "GET, HEAD" };
            return Err(Problem::method_not_allowed(allow).into());
        }
        self.rules.check(&HeaderMapView(request.headers()), b"")?;
        let permit = self.identity.permit(request).await?;
        let types = narrowing::narrowed(&self.subscription.types, &permit, request)?;
        let joined = identity::joined(&permit, self.max_rooms, request)?;
        if self.is_revoked(hub, joined.user.as_ref(), joined.issued) {
            return Err(identity::revoked().into());
        }
        let subscription = Subscription {
            types,
            rooms: joined.rooms.into_iter().collect(),
            user: joined.user,
            ..self.subscription.clone()
        };
        Ok(Admitted { subscription, expires: joined.expires, issued: joined.issued })
    }

    /// Whether the token of this user, made then, is not taken any more.
    fn is_revoked(&self, hub: &Hub, user: Option<&UserId>, issued: Option<Timestamp>) -> bool {
        self.identity.has_tokens() && user.is_some_and(|user| hub.revocations().refuse(user, issued))
    }

    async fn open(
        &self,
        hub: &Arc<Hub>,
        peer: &Peer,
        request: &Request<Incoming>,
        Admitted { subscription, expires, issued }: Admitted,
    ) -> Response<Body> {
        let seen = self.replay.then(|| start::last_event_id(request, subscription.profile)).flatten();
        let start = match start::resolve(hub.log(), seen.as_ref()).await {
            Ok(start) => start,
            // A browser takes an error status for final; an empty stream it comes back from.
            Err(error) => {
                warn!(sink = %self.name, peer = %peer.address, %error, "stream put off");
                return put_off(request);
            }
        };
        let head = stream_head(&Position { epoch: hub.log().epoch().clone(), after: start.after });
        if request.method() == Method::HEAD {
            return with_head(empty(), head);
        }
        let Some(place) = Place::take(&self.open, self.max_connections) else {
            warn!(sink = %self.name, peer = %peer.address, max_connections = self.max_connections, "stream put off: the sink is full");
            return put_off(request);
        };
        let chosen = subscription != self.subscription;
        let validity = Validity { opened: Timestamp::now(), at: hub.now(), expires };
        let client = Client {
            retry: reconnects_by_itself(request).then(|| jittered(self.retry)),
            expires: expires.map(|time| expiry(time, validity.opened, validity.at)),
        };
        debug!(sink = %self.name, peer = %peer.address, ?seen, ?start, "stream starts");
        let options = self.options(hub);
        let opening = Opening { subscription, chosen, start, options, client, peer: peer.address, validity };
        let reactor = hub.reactor().filter(|_| peer.may_be_taken_over(request));
        let driver = if reactor.is_some() { Driver::reactor() } else { Driver::task(this_task()) };
        let Some((presence, session)) = Presence::open(hub, opening, driver, place) else {
            warn!(
                sink = %self.name,
                peer = %peer.address,
                max_patterns = MAX_PATTERNS,
                max_places = MAX_PLACES,
                "stream put off: streams ask for too many different types, rooms or users"
            );
            return put_off(request);
        };
        // Whoever is revoked from now on finds the stream in the registry; who was since the first look, here.
        if self.is_revoked(hub, presence.user(), issued) {
            presence.shared().end(CloseReason::Revoked, reactor);
        }
        let body = match reactor {
            Some(reactor) => taken::body(presence, session, reactor.clone()),
            None => Stream::new(presence, session, peer.clone()).into_body(),
        };
        with_head(body, head)
    }
}

/// When a stream that opens `now` ends with a token that expires at `time`. It is the monotonic clock that says so from
/// then on: a wall clock that is set meanwhile neither ends the stream nor keeps it.
fn expiry(time: Timestamp, opened: Timestamp, now: Moment) -> Expiry {
    let left = time.duration_since(opened).max(SignedDuration::ZERO);
    Expiry { at: now + left.unsigned_abs(), time }
}

/// Whether the client is a browser's `EventSource` (or asks to be treated as one, by a preference of RFC 7240 or in the
/// URL): it keeps its position by the ids that it sees.
fn reconnects_by_itself(request: &Request<Incoming>) -> bool {
    let prefers = |value: &HeaderValue| {
        value.to_str().is_ok_and(|value| value.split(',').any(|one| one.trim().eq_ignore_ascii_case("prime")))
    };
    request.headers().contains_key("sec-fetch-mode")
        || request.headers().get_all("prefer").iter().any(prefers)
        || start::query(request).any(|(name, value)| name == "prime" && value == "1")
}

fn stream_head(position: &Position) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // `no-transform` keeps compressing proxies from buffering; the last is nginx's own.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    headers.insert(X_ACCEL_BUFFERING, HeaderValue::from_static("no"));
    if let Ok(position) = HeaderValue::from_str(&position.to_string()) {
        headers.insert(LAST_EVENT_ID, position);
    }
    headers
}

fn with_head(body: Body, headers: HeaderMap) -> Response<Body> {
    let mut response = Response::new(body);
    *response.headers_mut() = headers;
    response
}

/// A stream that ends at once and asks to come back later.
fn put_off(request: &Request<Incoming>) -> Response<Body> {
    let body = if request.method() == Method::HEAD {
        empty()
    } else {
        stream::ending(fanfare_stream::frame::retry(jittered(RETRY_WHEN_FULL)))
    };
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-transform"));
    response
}

/// Between once and twice as long, so that clients that were cut off together do not come back together.
fn jittered(delay: Duration) -> Duration {
    delay.mul_f64(rand::rng().random_range(1.0..2.0))
}
