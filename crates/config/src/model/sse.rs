//! What a source of type `sse` is configured with.

use std::fmt;
use std::time::Duration;

use fanfare_event::{NamePatterns, Object, Profile};

use super::{ClientTls, Encoding, SignatureOn};
use crate::{Secret, Span};

/// A stream of Server-Sent Events that is listened to.
#[derive(Clone, Debug, PartialEq)]
pub struct SseSource {
    /// The stream.
    pub url: SseUrl,
    /// What an event's data is; [`Profile::Message`]: any JSON, or any text.
    pub profile: Profile,
    /// The names of events that are taken; `None`: all but those that the profiles have for themselves.
    pub events: Option<NamePatterns>,
    /// Failures in a row after which the source gives up; `None`: it never does. 0: the first failure ends it.
    pub max_retries: Option<u32>,
    /// Before the first try to connect again, until the server says otherwise.
    pub reconnect_delay: Duration,
    /// Of silence, after which a connection is taken for dead.
    pub read_timeout: Duration,
    /// Bytes of one event's data.
    pub max_event: usize,
    /// The `User-Agent`; a valid field value of ASCII, and never empty.
    pub user_agent: String,
    /// What is sent beside the headers that the client sets itself; no name is there twice, in whatever case.
    pub headers: Vec<OutgoingHeader>,
    /// What each event's metadata starts with.
    pub metadata: Object,
    /// Certificates; only where the URL says TLS.
    pub tls: Option<ClientTls>,
    /// Where the type is written.
    pub type_span: Span,
}

/// The URL of a stream: `http` or `https`, with a host and without a fragment. Its `Display` shows scheme, host, port
/// and path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseUrl {
    /// As written: it may name a user, and have a query.
    pub text: Secret,
    /// The environment variable that it came from, if it came from one.
    pub variable: Option<String>,
    /// Scheme, host, port and path.
    pub shown: String,
}

/// What a log may show.
impl fmt::Display for SseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

/// A header that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingHeader {
    /// The name, as the file spells it; a token of RFC 9110, 5.6.2.
    pub header: String,
    /// Where it is written.
    pub span: Span,
    /// The value.
    pub value: OutgoingValue,
}

/// What a header that is sent says. With its prefix and suffix it is a valid field value (RFC 9110, 5.5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutgoingValue {
    /// What the file says.
    Static {
        /// Between prefix and suffix. Often a token, so it is kept like one.
        value: Secret,
        /// Before the value.
        prefix: String,
        /// After the value.
        suffix: String,
    },
    /// What an environment variable holds.
    Secret {
        /// The environment variable that holds the secret.
        variable: String,
        /// What it holds; never empty.
        value: Secret,
        /// Before the secret.
        prefix: String,
        /// After the secret.
        suffix: String,
    },
    /// An HMAC-SHA256 of the request.
    Signature {
        /// The shared token, as written; never empty, and valid in its encoding.
        token: Secret,
        /// The environment variable that the token came from, if it came from one.
        token_env: Option<String>,
        /// How the token's bytes are written; `None` where its characters are its bytes.
        token_encoding: Option<Encoding>,
        /// What the header has before the signature.
        signature_prefix: Option<String>,
        /// What is signed; headers among it are other ones that are sent, and no signatures.
        signature_on: SignatureOn,
        /// How the signature is written.
        signature_encoding: Encoding,
    },
}
