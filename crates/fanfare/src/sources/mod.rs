//! Sources as the binary runs them: what they take off the network, and what they answer. What they make of it lives in
//! the source crate.

#[cfg(feature = "source_amqp")]
pub(crate) mod amqp;
#[cfg(feature = "source_mock")]
pub(crate) mod mock;
#[cfg(any(feature = "source_amqp", feature = "source_sse"))]
mod patience;
mod publish;
#[cfg(any(feature = "source_amqp", feature = "source_sse"))]
mod refusals;
#[cfg(any(feature = "source_rest", feature = "source_webhook"))]
mod request;
#[cfg(feature = "source_rest")]
pub(crate) mod rest;
#[cfg(feature = "source_sse")]
pub(crate) mod sse;
#[cfg(feature = "source_webhook")]
pub(crate) mod webhook;

pub(crate) use publish::{PublishError, Published, Publisher};

use fanfare_log::AppendError;
use http::StatusCode;

use crate::problem::Problem;

/// A source that nobody calls: it fetches or makes its events itself.
#[derive(Debug)]
pub(crate) enum Runner {
    #[cfg(feature = "source_amqp")]
    Amqp(Box<amqp::AmqpSource>),
    #[cfg(feature = "source_mock")]
    Mock(mock::MockSource),
    #[cfg(feature = "source_sse")]
    Sse(Box<sse::SseSource>),
}

impl Runner {
    /// Runs until it is dropped, or has nothing to do any more.
    pub(crate) async fn run(self, publisher: &Publisher) {
        match self {
            #[cfg(feature = "source_amqp")]
            Self::Amqp(amqp) => amqp.run(publisher).await,
            #[cfg(feature = "source_mock")]
            Self::Mock(mock) => mock.run(publisher).await,
            #[cfg(feature = "source_sse")]
            Self::Sse(sse) => sse.run(publisher).await,
        }
    }
}

/// What a publisher over HTTP is told.
pub(crate) fn unpublished(error: &PublishError) -> Problem {
    let detail = error.to_string();
    match error {
        PublishError::Route(error) => {
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with("field", error.field.as_str())
        }
        PublishError::Log(AppendError::Rejected(_)) => Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail),
        PublishError::Log(AppendError::Unavailable(_) | AppendError::Unknown(_)) => {
            Problem::unavailable(detail)
        }
    }
}
