//! `/admin/connections`: what an operator sees of the streams that are open, and how he ends them. Who may ask is in
//! `guard`, what is asked in `request`; the streams are known to `sinks::sse`.

mod guard;
mod request;

use std::sync::Arc;

use fanfare_auth::HeaderRules;
use fanfare_event::{Position, UserId};
use fanfare_stream::CloseReason;
use http::{Request, Response, StatusCode};
use jiff::Timestamp;
use serde_json::{Value, json};
use tracing::{info, warn};

use crate::http::body::Body;
use crate::http::{HeaderMapView, Peer};
use crate::problem::{self, Problem};
use crate::sinks::sse::{Hub, OpenStream, Selection};

use guard::Guard;
use request::Asked;

/// Streams that one answer lists, the oldest first. One takes about 300 bytes and what its rooms are called, and the
/// answer is made in memory; parameters show others.
const MAX_LISTED: usize = 1000;

const METHODS: &str = "GET, HEAD, DELETE";

/// The endpoint.
#[derive(Debug)]
pub(crate) struct AdminEndpoint {
    guard: Guard,
    rules: HeaderRules,
    /// Whether there is a sink whose clients are who their tokens say. Only those can be revoked.
    has_tokens: bool,
}

impl AdminEndpoint {
    /// The endpoint behind rules that are built.
    pub(crate) fn new(settings: &fanfare_config::Admin, rules: HeaderRules, has_tokens: bool) -> Self {
        let host = settings.headers.is_empty().then(|| settings.host.clone());
        Self { guard: Guard::new(host), rules, has_tokens }
    }

    /// Answers a request, of whose body nothing is wanted.
    pub(crate) async fn handle<B>(
        &self,
        hub: &Arc<Hub>,
        peer: &Peer,
        request: &Request<B>,
    ) -> Response<Body> {
        self.answer(hub, peer, request).await.unwrap_or_else(|problem| {
            let status = problem.status().as_u16();
            info!(peer = %peer.address, method = %request.method(), status, %problem, "admin refused");
            problem.into_response()
        })
    }

    async fn answer<B>(
        &self,
        hub: &Arc<Hub>,
        peer: &Peer,
        request: &Request<B>,
    ) -> Result<Response<Body>, Problem> {
        self.guard.check(request)?;
        self.rules.check(&HeaderMapView(request.headers()), b"")?;
        let asked = request::read(request.method(), request.uri().query())?;
        let (answer, selection, count, done) = match asked {
            Asked::List(selection) => {
                let (listed, total) = hub.registry().find(&selection, MAX_LISTED);
                let listed: Vec<_> = listed.iter().map(|stream| describe(hub, stream)).collect();
                (json!({"connections": listed, "total": total}), selection, total, "connections listed")
            }
            Asked::End(selection) => {
                let closed = hub.registry().end(&selection, CloseReason::Kicked, hub.now());
                (json!({"closed": closed}), selection, closed, "connections ended")
            }
            Asked::Revoke(user) => {
                let closed = self.revoke(hub, user.clone()).await?;
                (json!({"closed": closed}), Selection::of_user(user), closed, "user revoked")
            }
        };
        let Selection { connection, sink, user, room } = &selection;
        info!(
            peer = %peer.address,
            count,
            connection = connection.as_deref().map(debug),
            sink = sink.as_ref().map(debug),
            user = user.as_ref().map(debug),
            room = room.as_ref().map(debug),
            "{done}"
        );
        Ok(problem::json(StatusCode::OK, &answer))
    }

    /// Refuses the tokens that a user has, and then ends his streams.
    async fn revoke(&self, hub: &Arc<Hub>, user: UserId) -> Result<usize, Problem> {
        if !self.has_tokens {
            let detail = "no sink has the identity `jwt`, so there are no tokens to refuse: users are whoever they say \
                          they are. Leave `revoke` out to end their streams";
            return Err(Problem::new(StatusCode::BAD_REQUEST, detail).with("parameter", request::REVOKE));
        }
        let hub = Arc::clone(hub);
        // To its end, also where the operator goes away meanwhile.
        let revoking = tokio::spawn(async move {
            hub.revocations().revoke(hub.log(), &user, Timestamp::now()).await?;
            // Only now: whoever is ended comes back, and must find the door closed.
            Ok::<_, fanfare_log::AppendError>(hub.registry().end(
                &Selection::of_user(user),
                CloseReason::Revoked,
                hub.now(),
            ))
        });
        let problem = match revoking.await {
            Ok(Ok(closed)) => return Ok(closed),
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        warn!(%problem, "a user could not be revoked");
        Err(Problem::unavailable(format!("no stream was ended: {problem}")))
    }
}

/// A stream, as it is listed.
fn describe(hub: &Hub, stream: &OpenStream) -> Value {
    let subscription = &stream.subscription;
    let rooms: Vec<_> = subscription.rooms.iter().map(ToString::to_string).collect();
    let position = Position { epoch: hub.log().epoch().clone(), after: stream.after() };
    json!({
        "connection": hub.registry().id(stream),
        "sink": subscription.sink.to_string(),
        "peer": stream.peer().to_string(),
        "user": subscription.user.as_ref().map(ToString::to_string),
        "rooms": rooms,
        "opened": stream.opened().to_string(),
        "expires": stream.expires().map(|time| time.to_string()),
        "position": position.to_string(),
    })
}
