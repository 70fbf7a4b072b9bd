//! The operations of a `rest` source at one path, as an endpoint: which of them a method means, the body within its limits,
//! and an answer for everything that can become of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use fanfare_auth::HeaderRules;
use fanfare_event::SourceName;
use fanfare_log::Appended;
use fanfare_source::Intake;
use fanfare_source::request::Accepted;
use fanfare_source::rest::{Call, Operation, Rest};
use fanfare_transform::Chain;
use http::{Method, Request, Response, StatusCode, header, request};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde_json::json;
use tracing::debug;

use super::request::{log_refused, refused, take};
use super::{Published, Publisher, unpublished};
use crate::http::body::Body;
use crate::http::cors::Cors;
use crate::http::request_body::{self, BodyLimits};
use crate::http::{HeaderMapView, Peer};
use crate::ids::fresh_event_id;
use crate::problem::{self, Problem};

/// Headers that a page may send beside those that rules name.
const HEADERS: [&str; 2] = ["content-type", "idempotency-key"];

/// What is served at one path.
#[derive(Debug)]
pub(crate) struct OperationsEndpoint {
    rest: Arc<Rest>,
    limits: BodyLimits,
    operations: Vec<(Method, Operation)>,
    /// The methods, with commas.
    allow: String,
    cors: Option<Cors>,
}

impl OperationsEndpoint {
    /// The endpoints of a source whose transformers and rules are built, each with the pattern of its path.
    pub(crate) fn all(
        source: &SourceName,
        settings: &fanfare_config::Rest,
        http: &fanfare_config::Http,
        root_url: &str,
        chain: Chain,
        rules: HeaderRules,
    ) -> BTreeMap<String, Self> {
        let mut at: BTreeMap<String, Vec<(Method, Operation)>> = BTreeMap::new();
        for operation in &settings.operations {
            // The configuration has checked it.
            let Ok(method) = Method::from_bytes(operation.method.as_bytes()) else { continue };
            let name = operation.to_string().into();
            let parameters = operation.parameters().map(Into::into).collect();
            at.entry(pattern(&operation.path)).or_default().push((method, Operation { name, parameters }));
        }
        let sent: Vec<_> = rules.header_names().into_iter().chain(HEADERS).map(str::to_owned).collect();
        let intake = Intake::new(source.clone(), root_url, settings.metadata.clone(), chain);
        let rest = Rest::new(intake, rules, settings.headers_to_keep.clone(), http.max_body);
        let rest = Arc::new(rest);
        let endpoint = |operations: Vec<(Method, Operation)>| {
            let methods: Vec<_> = operations.iter().map(|(method, _)| method.as_str()).collect();
            let methods = methods.join(", ");
            let cors = settings.cors.as_ref().map(|cors| {
                Cors::new(&cors.allowed_origins, sent.iter().map(String::as_str)).methods(&methods)
            });
            let allow = if cors.is_some() { format!("{methods}, OPTIONS") } else { methods };
            Self { rest: Arc::clone(&rest), limits: BodyLimits::new(http), operations, allow, cors }
        };
        at.into_iter().map(|(pattern, operations)| (pattern, endpoint(operations))).collect()
    }

    /// Which pages of other origins may use it.
    pub(crate) fn cors(&self) -> Option<&Cors> {
        self.cors.as_ref()
    }

    /// `path` is what the path has for its parameters.
    pub(crate) async fn handle(
        &self,
        publisher: &Publisher,
        peer: &Peer,
        path: &[String],
        request: Request<Incoming>,
    ) -> Response<Body> {
        if let Some(cors) = self.cors.as_ref().filter(|_| Cors::is_preflight(&request)) {
            return cors.preflight(&request);
        }
        let origin = request.headers().get(header::ORIGIN).cloned();
        let source = self.rest.intake().name();
        let mut response = match self.publish(publisher, path, request).await {
            Ok(answer) => {
                debug!(%source, peer = %peer.address, events = answer.affected, "taken");
                problem::json(StatusCode::OK, &json!({"affected": answer.affected, "id": answer.id}))
            }
            Err(problem) => {
                log_refused(source, peer, &problem);
                problem.into_response()
            }
        };
        if let Some(cors) = &self.cors {
            cors.apply(origin.as_ref(), response.headers_mut());
        }
        response
    }

    async fn publish(
        &self,
        publisher: &Publisher,
        path: &[String],
        request: Request<Incoming>,
    ) -> Result<Answer, Problem> {
        let (head, body) = request.into_parts();
        let operation = match self.check_head(&head) {
            Ok(operation) => operation,
            Err(problem) => {
                request_body::discard(body);
                return Err(problem);
            }
        };
        let body = self.limits.read(body).await?;
        let call = Call { operation, path, query: head.uri.query() };
        let headers = HeaderMapView(&head.headers);
        let accepted = take(self.rest.intake(), body.len(), || {
            self.rest.accept(call, &headers, &body, Timestamp::now(), fresh_event_id)
        });
        let Accepted { delivery, key } = accepted.map_err(refused)?;
        let events = publisher.publish(delivery, key.as_deref()).await;
        let events = events.map_err(|error| unpublished(&error))?;
        Ok(Answer::to(&events, publisher).await)
    }

    fn check_head(&self, head: &request::Parts) -> Result<&Operation, Problem> {
        let operation = self.operations.iter().find(|(method, _)| *method == head.method);
        let (_, operation) = operation.ok_or_else(|| Problem::method_not_allowed(&self.allow))?;
        self.rest.check_head(&HeaderMapView(&head.headers)).map_err(refused)?;
        Ok(operation)
    }
}

/// A path as a pattern of `matchit`. Parameters have the same names everywhere, so that paths of one shape are one.
fn pattern(path: &str) -> String {
    let mut count = 0;
    let segments = path.split('/').map(|segment| {
        if segment.starts_with(':') {
            count += 1;
            format!("{{{count}}}")
        } else {
            segment.to_owned()
        }
    });
    segments.collect::<Vec<_>>().join("/")
}

/// What became of a request.
struct Answer {
    /// How many events were stored.
    affected: usize,
    /// The first one's id, or where all were there before, that of the first as it was stored then.
    id: Option<String>,
}

impl Answer {
    async fn to(events: &[Published], publisher: &Publisher) -> Self {
        let stored = || events.iter().filter(|event| matches!(event.appended, Appended::New(_)));
        let id = match (stored().next(), events.first()) {
            (Some(first), _) => Some(first.id.clone()),
            (None, Some(first)) => publisher.id_at(first.appended.seq()).await,
            (None, None) => None,
        };
        Self { affected: stored().count(), id }
    }
}
