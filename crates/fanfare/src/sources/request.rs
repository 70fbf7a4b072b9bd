//! What sources that take HTTP requests do alike: a thread for what takes its time, and an answer for every refusal.

use fanfare_event::SourceName;
use fanfare_source::IntakeError;
use fanfare_source::request::Refusal;
use fanfare_transform::Refusal as TransformerRefusal;
use http::{StatusCode, header};
use tracing::{debug, info};

use crate::http::Peer;
use crate::http::request_body::too_large;
use crate::problem::Problem;

/// Bytes of a body up to which it is parsed on the spot, which takes a fraction of a millisecond. To hand over a thread
/// costs about as much as parsing a few KiB.
const INLINE_BODY: usize = 32 * 1024;

/// Takes a body of this size. A thread that takes its time here is replaced meanwhile, so that streams do not wait for it.
pub(super) fn take<T>(intake: &fanfare_source::Intake, size: usize, take: impl FnOnce() -> T) -> T {
    if intake.transforms() || size > INLINE_BODY { tokio::task::block_in_place(take) } else { take() }
}

/// Says in the log that a request was refused.
pub(super) fn log_refused(source: &SourceName, peer: &Peer, problem: &Problem) {
    let status = problem.status();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        // The log says once that it takes nothing, for all who are refused.
        debug!(%source, peer = %peer.address, %problem, "refused");
    } else {
        info!(%source, peer = %peer.address, status = status.as_u16(), %problem, "refused");
    }
}

/// What its sender is told.
pub(super) fn refused(refusal: Refusal) -> Problem {
    let detail = refusal.to_string();
    match refusal {
        Refusal::Header(refused) => refused.into(),
        Refusal::ContentType(_) => {
            Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail).with("header", "Content-Type")
        }
        Refusal::ContentEncoding => Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail)
            .with("header", "Content-Encoding")
            .header(header::ACCEPT_ENCODING, "gzip"),
        Refusal::TooLarge { limit } => too_large(limit),
        Refusal::Compression | Refusal::NotJson(_) | Refusal::NotAnObject(_) => {
            Problem::new(StatusCode::BAD_REQUEST, detail)
        }
        Refusal::Url { parameter, .. } => {
            Problem::new(StatusCode::BAD_REQUEST, detail).with("parameter", parameter)
        }
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
