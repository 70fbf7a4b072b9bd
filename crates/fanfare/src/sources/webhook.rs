//! `POST /webhook/{id}` as an endpoint: the body within its limits, and an answer for everything that can become of
//! it.

use fanfare_auth::HeaderRules;
use fanfare_event::SourceName;
use fanfare_log::Appended;
use fanfare_source::Intake;
use fanfare_source::request::Accepted;
use fanfare_source::webhook::Webhook;
use fanfare_transform::Chain;
use http::{Method, Request, Response, StatusCode, request};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde_json::json;
use tracing::debug;

use super::request::{log_refused, refused, take};
use super::{Published, Publisher, unpublished};
use crate::http::body::Body;
use crate::http::request_body::{self, BodyLimits};
use crate::http::{HeaderMapView, Peer};
use crate::ids::fresh_event_id;
use crate::problem::{self, Problem};

/// A webhook at its path.
#[derive(Debug)]
pub(crate) struct WebhookEndpoint {
    webhook: Webhook,
    limits: BodyLimits,
}

impl WebhookEndpoint {
    /// The endpoint of a webhook source whose transformers and rules are built.
    pub(crate) fn new(
        source: &SourceName,
        settings: &fanfare_config::Webhook,
        http: &fanfare_config::Http,
        root_url: &str,
        chain: Chain,
        rules: HeaderRules,
    ) -> Self {
        let intake = Intake::new(source.clone(), root_url, settings.metadata.clone(), chain);
        let kept = settings.headers_to_keep.clone();
        let webhook = Webhook::new(intake, settings.profile, rules, kept, http.max_body);
        Self { webhook, limits: BodyLimits::new(http) }
    }

    pub(crate) async fn handle(
        &self,
        publisher: &Publisher,
        peer: &Peer,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let source = self.webhook.intake().name();
        match self.publish(publisher, request).await {
            Ok(events) => {
                debug!(%source, peer = %peer.address, events = events.len(), "taken");
                answer(&events, publisher).await
            }
            Err(problem) => {
                log_refused(source, peer, &problem);
                problem.into_response()
            }
        }
    }

    async fn publish(
        &self,
        publisher: &Publisher,
        request: Request<Incoming>,
    ) -> Result<Vec<Published>, Problem> {
        let (head, body) = request.into_parts();
        if let Err(problem) = self.check_head(&head) {
            request_body::discard(body);
            return Err(problem);
        }
        let body = self.limits.read(body).await?;
        let headers = HeaderMapView(&head.headers);
        let accepted = take(self.webhook.intake(), body.len(), || {
            self.webhook.accept(&headers, &body, Timestamp::now(), fresh_event_id)
        });
        let Accepted { delivery, key } = accepted.map_err(refused)?;
        publisher.publish(delivery, key.as_deref()).await.map_err(|error| unpublished(&error))
    }

    fn check_head(&self, head: &request::Parts) -> Result<(), Problem> {
        if head.method != Method::POST {
            return Err(Problem::method_not_allowed("POST"));
        }
        self.webhook.check_head(&HeaderMapView(&head.headers)).map_err(refused)
    }
}

/// 201 where something was stored, 200 where nothing had to be. An event that was there before is called as it was stored
/// then: what nobody named has another id each time that it comes.
async fn answer(outcomes: &[Published], publisher: &Publisher) -> Response<Body> {
    let mut events = Vec::with_capacity(outcomes.len());
    for Published { id, appended } in outcomes {
        let seq = appended.seq();
        let (id, duplicate) = match appended {
            Appended::New(_) => (Some(id.clone()), false),
            Appended::Duplicate(_) => (publisher.id_at(seq).await, true),
        };
        events.push(json!({"id": id, "seq": seq.get(), "duplicate": duplicate}));
    }
    let stored = outcomes.iter().any(|outcome| matches!(outcome.appended, Appended::New(_)));
    let status = if stored { StatusCode::CREATED } else { StatusCode::OK };
    problem::json(status, &json!({"duplicate": !stored && !outcomes.is_empty(), "events": events}))
}
