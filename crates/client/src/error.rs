//! Why there is no stream, by who must act.

use std::error::Error as _;
use std::io;
use std::time::Duration;

/// Why there is no stream just now. No text of it shows a URL's query, or a header's value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// What it was told cannot be used: certificates, a header. Whoever runs the client must act.
    #[error("{0}")]
    Settings(String),
    /// The server could not be reached: the name, the network, TLS.
    #[error("the server could not be reached: {0}")]
    Unreachable(String),
    /// A redirect was not followed.
    #[error("a redirect was not followed: {0}")]
    Redirect(String),
    /// The server answered something else than a stream.
    #[error("the server answered {status}{}", .detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default())]
    Refused {
        /// The status.
        status: u16,
        /// What the server said to it (RFC 9457, `detail`), without control characters.
        detail: Option<String>,
        /// What the server asked to wait (`Retry-After`).
        retry_after: Option<Duration>,
    },
    /// The answer is no stream.
    #[error("the answer is no stream: its content type is {0}, not text/event-stream")]
    ContentType(String),
    /// The answer is compressed, which nobody asked for.
    #[error("the answer is compressed ({0}), which was not asked for")]
    Encoded(String),
    /// Nothing came for too long.
    #[error("nothing came for {} s", .0.as_secs_f32())]
    Silent(Duration),
    /// The connection was lost in the middle.
    #[error("the connection was lost: {0}")]
    Broken(String),
    /// The server ended the stream.
    #[error("the server ended the stream")]
    Ended,
}

impl Error {
    /// Whether the same request can hardly have another answer later: somebody has to change something first.
    #[must_use]
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Settings(_) | Self::Redirect(_) | Self::ContentType(_) | Self::Encoded(_) => true,
            Self::Refused { status, .. } => (400..500).contains(status) && !matches!(status, 408 | 425 | 429),
            Self::Unreachable(_) | Self::Silent(_) | Self::Broken(_) | Self::Ended => false,
        }
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// Of a request that has no answer.
    pub(crate) fn unanswered(error: &reqwest::Error) -> Self {
        let cause = cause(error);
        if error.is_redirect() {
            Self::Redirect(cause)
        } else if error.is_builder() {
            Self::Settings(cause)
        } else {
            Self::Unreachable(cause)
        }
    }

    /// Of an answer whose body has ended too early. Servers that are asked to stop do that too, because some clients take
    /// a stream that ends as HTTP means it for final; so it is said in words.
    pub(crate) fn broken(error: &reqwest::Error) -> Self {
        let is_closed = sources(error)
            .filter_map(|error| error.downcast_ref::<io::Error>())
            .any(|error| error.kind() == io::ErrorKind::UnexpectedEof);
        Self::Broken(if is_closed { "the server closed it".to_owned() } else { cause(error) })
    }
}

fn sources(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |error| (**error).source())
}

/// What caused an error in the end: what is around it only says in which part of the library that was, and in its own text
/// is the URL.
fn cause(error: &reqwest::Error) -> String {
    sources(error).last().map_or_else(|| "for no reason that is known".to_owned(), ToString::to_string)
}
