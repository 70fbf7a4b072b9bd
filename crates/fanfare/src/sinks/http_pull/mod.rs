//! `http_pull`: clients fetch batches of events and confirm them. Here are the two endpoints; what is given out is decided
//! in `ledger`, and kept with the log by `sink`.

mod ledger;
mod parameters;
mod sink;

use std::sync::Arc;

use fanfare_auth::HeaderRules;
use fanfare_event::SinkName;
use fanfare_log::EventLog;
use http::{Method, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde_json::json;
use tracing::{debug, info};

use crate::http::body::{Body, empty, full};
use crate::http::cors::Cors;
use crate::http::{HeaderMapView, Peer};
use crate::problem::{self, Problem};

use ledger::Offer;
use parameters::Extract;
pub(crate) use sink::BatchIds;
use sink::{Extracted, PullSink, Unavailable};

/// A sink's endpoint.
#[derive(Debug)]
pub(crate) struct PullEndpoint {
    sink: Arc<PullSink>,
    action: Action,
    rules: Arc<HeaderRules>,
    cors: Option<Cors>,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    Extract,
    Confirm,
}

impl Action {
    const fn methods(self) -> &'static str {
        match self {
            Self::Extract => "GET, HEAD",
            Self::Confirm => "POST",
        }
    }

    const fn allow(self, has_cors: bool) -> &'static str {
        match (self, has_cors) {
            (_, false) => self.methods(),
            (Self::Extract, true) => "GET, HEAD, OPTIONS",
            (Self::Confirm, true) => "POST, OPTIONS",
        }
    }

    fn allows(self, method: &Method) -> bool {
        match self {
            Self::Extract => matches!(*method, Method::GET | Method::HEAD),
            Self::Confirm => *method == Method::POST,
        }
    }
}

/// A sink's two endpoints: to extract, and to confirm.
pub(crate) fn endpoints(
    name: &SinkName,
    settings: &fanfare_config::HttpPullSink,
    ids: &Arc<BatchIds>,
    rules: HeaderRules,
) -> [PullEndpoint; 2] {
    let offer = Offer { sink: name.clone(), matches: settings.matches.clone(), ttl: settings.ttl.clone() };
    let sink = Arc::new(PullSink::new(offer, Arc::clone(ids)));
    let rules = Arc::new(rules);
    [Action::Extract, Action::Confirm].map(|action| {
        let cors = settings
            .cors
            .as_ref()
            .map(|cors| Cors::new(&cors.allowed_origins, rules.header_names()).methods(action.methods()));
        PullEndpoint { sink: Arc::clone(&sink), action, rules: Arc::clone(&rules), cors }
    })
}

impl PullEndpoint {
    pub(crate) fn cors(&self) -> Option<&Cors> {
        self.cors.as_ref()
    }

    pub(crate) async fn handle(
        &self,
        log: &Arc<dyn EventLog>,
        peer: &Peer,
        request: &Request<Incoming>,
    ) -> Response<Body> {
        if let Some(cors) = self.cors.as_ref().filter(|_| Cors::is_preflight(request)) {
            return cors.preflight(request);
        }
        let mut response = self.answer(log, request).await.unwrap_or_else(|problem| {
            let sink = self.sink.name();
            let status = problem.status();
            if status == StatusCode::SERVICE_UNAVAILABLE {
                // The log says once that it is unavailable, for all who ask.
                debug!(%sink, peer = %peer.address, %problem, "refused");
            } else {
                info!(%sink, peer = %peer.address, status = status.as_u16(), %problem, "refused");
            }
            problem.into_response()
        });
        if let Some(cors) = &self.cors {
            cors.apply(request.headers().get(header::ORIGIN), response.headers_mut());
        }
        response
    }

    async fn answer(
        &self,
        log: &Arc<dyn EventLog>,
        request: &Request<Incoming>,
    ) -> Result<Response<Body>, Problem> {
        if !self.action.allows(request.method()) {
            return Err(Problem::method_not_allowed(self.action.allow(self.cors.is_some())));
        }
        self.rules.check(&HeaderMapView(request.headers()), b"")?;
        let query = request.uri().query();
        let (sink, log) = (Arc::clone(&self.sink), Arc::clone(log));
        match self.action {
            Action::Extract => {
                let Extract { types, max } = Extract::read(query)?;
                if request.method() == Method::HEAD {
                    // It must not open a batch that nobody sees.
                    return Ok(json_response(empty()));
                }
                let turn = sink.turn().await;
                let extract = async move { sink.extract(turn, &*log, &types, max, Timestamp::now()).await };
                let extracted = to_its_end(extract).await?;
                debug!(sink = %self.sink.name(), batch = extracted.id, events = extracted.events.len(), "extracted");
                Ok(json_response(full(write(&extracted))))
            }
            Action::Confirm => {
                let unknown = || {
                    let detail = "this sink has no such batch, or has forgotten it; events that are not confirmed \
                                  come again with the next batch";
                    Problem::new(StatusCode::NOT_FOUND, detail).with("parameter", "batch_id")
                };
                let id = parameters::batch_id(query)?.ok_or_else(unknown)?;
                let turn = sink.turn().await;
                let confirm = async move { sink.confirm(turn, &*log, id, Timestamp::now()).await };
                let count = to_its_end(confirm).await?.ok_or_else(unknown)?;
                debug!(sink = %self.sink.name(), batch = id, events = count, "confirmed");
                Ok(problem::json(StatusCode::OK, &json!({"status": "success", "marked_count": count})))
            }
        }
    }
}

/// Does this to its end also where the client goes away meanwhile, so that what the log has and what is remembered here
/// stay one.
async fn to_its_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Unavailable>> + Send + 'static,
) -> Result<T, Problem> {
    let detail = match tokio::spawn(work).await {
        Ok(Ok(done)) => return Ok(done),
        Ok(Err(unavailable)) => unavailable.to_string(),
        Err(error) => error.to_string(),
    };
    Err(Problem::unavailable(detail))
}

/// The answer in the order of Inboxclaw's document.
fn write(extracted: &Extracted) -> Vec<u8> {
    let size = extracted.events.iter().map(|event| event.len() + 1).sum::<usize>() + 96;
    let mut json = Vec::with_capacity(size);
    json.extend_from_slice(b"{\"batch_id\":");
    json.extend_from_slice(extracted.id.map_or_else(|| "null".to_owned(), |id| id.to_string()).as_bytes());
    json.extend_from_slice(b",\"events\":[");
    for (index, event) in extracted.events.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        json.extend_from_slice(event);
    }
    json.extend_from_slice(format!("],\"remaining_events\":{}}}\n", extracted.remaining).as_bytes());
    json
}

fn json_response(body: Body) -> Response<Body> {
    problem::json_of(StatusCode::OK, body)
}
