//! `POST /webhook/{id}` as an endpoint: the body within its limits, and an answer for everything that can become of
//! it.

use std::time::Duration;

use fanfare_auth::HeaderRules;
use fanfare_event::SourceName;
use fanfare_log::Appended;
use fanfare_source::webhook::{Accepted, Refusal, Webhook};
use fanfare_source::{Intake, IntakeError};
use fanfare_transform::{Chain, Refusal as TransformerRefusal};
use http::{Method, Request, Response, StatusCode, header, request};
use hyper::body::Incoming;
use jiff::Timestamp;
use serde_json::json;
use tracing::{debug, info};

use super::{Published, Publisher, unpublished};
use crate::http::body::{self, Body, ReadError};
use crate::http::{HeaderMapView, Peer};
use crate::ids::fresh_event_id;
use crate::problem::{self, Problem};

/// Bytes of a body up to which it is parsed on the spot, which takes a fraction of a millisecond. To hand over a thread
/// costs about as much as parsing a few KiB.
const INLINE_BODY: usize = 32 * 1024;

/// A webhook at its path.
#[derive(Debug)]
pub(crate) struct WebhookEndpoint {
    webhook: Webhook,
    max_body: usize,
    body_timeout: Duration,
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
        Self { webhook, max_body: http.max_body, body_timeout: http.body_timeout }
    }

    pub(crate) async fn handle(
        &self,
        publisher: &Publisher,
        peer: &Peer,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let source = self.webhook.intake().name().clone();
        match self.publish(publisher, request).await {
            Ok(events) => {
                debug!(%source, peer = %peer.address, events = events.len(), "taken");
                answer(&events)
            }
            Err(problem) => {
                let status = problem.status();
                if status == StatusCode::SERVICE_UNAVAILABLE {
                    // The log says once that it takes nothing, for all who are refused.
                    debug!(%source, peer = %peer.address, %problem, "refused");
                } else {
                    info!(%source, peer = %peer.address, status = status.as_u16(), %problem, "refused");
                }
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
            body::discard(body);
            return Err(problem);
        }
        let body =
            body::read(body, self.max_body, self.body_timeout).await.map_err(|error| self.unread(error))?;
        let Accepted { delivery, key } = self.accept(&head, &body).map_err(refused)?;
        publisher.publish(delivery, key.as_deref()).await.map_err(|error| unpublished(&error))
    }

    /// A thread that takes its time here is replaced meanwhile, so that streams do not wait for it.
    fn accept(&self, head: &request::Parts, body: &[u8]) -> Result<Accepted, Refusal> {
        let accept =
            || self.webhook.accept(&HeaderMapView(&head.headers), body, Timestamp::now(), fresh_event_id);
        if self.webhook.intake().transforms() || body.len() > INLINE_BODY {
            tokio::task::block_in_place(accept)
        } else {
            accept()
        }
    }

    fn check_head(&self, head: &request::Parts) -> Result<(), Problem> {
        if head.method != Method::POST {
            return Err(Problem::method_not_allowed("POST"));
        }
        self.webhook.check_head(&HeaderMapView(&head.headers)).map_err(refused)
    }

    fn unread(&self, error: ReadError) -> Problem {
        match error {
            ReadError::TooLarge => too_large(self.max_body).closing(),
            ReadError::TooSlow => {
                let seconds = self.body_timeout.as_secs_f32();
                Problem::new(StatusCode::REQUEST_TIMEOUT, format!("the body was not here after {seconds} s"))
                    .closing()
            }
            ReadError::Gone => {
                Problem::new(StatusCode::BAD_REQUEST, "the body ended before it was complete").closing()
            }
        }
    }
}

/// 201 where something was stored, 200 where nothing had to be.
fn answer(published: &[Published]) -> Response<Body> {
    let events: Vec<_> = published
        .iter()
        .map(|Published { id, appended }| {
            let duplicate = matches!(appended, Appended::Duplicate(_));
            json!({"id": id, "seq": appended.seq().get(), "duplicate": duplicate})
        })
        .collect();
    let stored = published.iter().any(|published| matches!(published.appended, Appended::New(_)));
    let status = if stored { StatusCode::CREATED } else { StatusCode::OK };
    problem::json(status, &json!({"duplicate": !stored && !published.is_empty(), "events": events}))
}

fn refused(refusal: Refusal) -> Problem {
    let detail = refusal.to_string();
    match refusal {
        Refusal::Header(refused) => refused.into(),
        Refusal::ContentType => {
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).with("header", "Content-Type")
        }
        Refusal::ContentEncoding => Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
            .with("header", "Content-Encoding")
            .header(header::ACCEPT_ENCODING, "gzip"),
        Refusal::TooLarge { limit } => too_large(limit),
        Refusal::Compression | Refusal::NotJson(_) => Problem::new(StatusCode::BAD_REQUEST, detail),
        Refusal::IdempotencyKey(_) => {
            Problem::new(StatusCode::BAD_REQUEST, detail).with("header", "Idempotency-Key")
        }
        Refusal::Event(IntakeError::Field(error)) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with("field", error.field)
        }
        Refusal::Event(IntakeError::Transformer(error)) if error.refusal == TransformerRefusal::InFlight => {
            Problem::unavailable(detail)
        }
        Refusal::Event(IntakeError::Transformer(error)) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with("transformer", error.transformer)
        }
    }
}

fn too_large(limit: usize) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {limit} bytes"))
}
