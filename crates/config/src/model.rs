//! The checked configuration: what every dialect becomes. Nothing behind it checks again.

mod amqp;
mod jwt;
mod sse;
mod tls;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use fanfare_event::{AudienceRule, NamePattern, NamePatterns, Object, Profile, SinkName, SourceName};

pub use amqp::{Amqp, AmqpExchange, AmqpQueue, AmqpUrl, ExchangeKind};
pub use jwt::{Jwt, JwtKey, JwtKeyKind, PublicKeyAlgorithm};
pub use sse::{OutgoingHeader, OutgoingValue, SseSource, SseUrl};
pub use tls::{ClientTls, ConfigFile, Tls, TlsFile};

use crate::{Secret, Span};

/// What runs. Disabled sources and sinks are checked (their problems are warnings) and are not in it.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// The listener.
    pub http: Http,
    /// More listeners.
    pub listeners: Vec<Listener>,
    /// The log.
    pub log: Log,
    /// All transformers that sources refer to, and those that are defined and not referred to.
    pub transformers: Vec<Transformer>,
    /// Where events come from, in the order of the file.
    pub sources: Vec<Source>,
    /// Where they go, in the order of the file.
    pub sinks: Vec<Sink>,
    /// Which source feeds which sink; `None`: every source every sink, for everyone.
    pub routes: Option<Vec<Route>>,
    /// Where streams are listed and ended; `None`: nowhere.
    pub admin: Option<Admin>,
}

/// The listener of an operator. Its deadlines and limits are those of [`Http`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admin {
    /// Where it is defined.
    pub span: Span,
    /// An IP address, or a name to look up.
    pub host: String,
    /// 0 for any free port.
    pub port: u16,
    /// All must pass. There are some where others reach the host.
    pub headers: Vec<HeaderRule>,
}

/// Another address to listen on. Its deadlines and limits are those of [`Http`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// Its name, unique among listeners.
    pub name: String,
    /// Where it is defined.
    pub span: Span,
    /// An IP address, or a name to look up.
    pub host: String,
    /// 0 for any free port.
    pub port: u16,
    /// `None`: without TLS.
    pub tls: Option<Tls>,
}

/// That events of a source go to a sink. Both are there and switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where it is written.
    pub span: Span,
    /// The source.
    pub from: SourceName,
    /// What of the source, in its own words; `None`: all.
    pub operation: Option<String>,
    /// Where that is written.
    pub operation_span: Span,
    /// The types of events that it means.
    pub matches: NamePatterns,
    /// The sink.
    pub to: SinkName,
    /// Whom of its clients.
    pub audience: AudienceRule,
}

/// The HTTP listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Http {
    /// An IP address, or a name to look up.
    pub host: String,
    /// 0 for any free port.
    pub port: u16,
    /// How others reach this server, without a slash at the end; see [`Http::root_url`].
    pub root_url: Option<String>,
    /// How long a client may take to send a request's head.
    pub header_timeout: Duration,
    /// How long a client may take to send a request's body.
    pub body_timeout: Duration,
    /// A peer that takes nothing for so long is closed.
    pub send_timeout: Duration,
    /// Bytes of a request's body, after decompression.
    pub max_body: usize,
    /// Who writes streams of plain HTTP/1.1.
    pub delivery: DeliveryPath,
    /// Threads that do where those are the reactor's; `None`: one a processor.
    pub delivery_threads: Option<usize>,
    /// `None`: without TLS.
    pub tls: Option<Tls>,
}

/// Who writes the streams of plain HTTP/1.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeliveryPath {
    /// Threads of their own, where the system has what those need.
    Reactor,
    /// The HTTP library, as it does all others.
    Portable,
}

/// The log of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Where it is kept.
    pub kind: LogKind,
    /// What of it is kept ready in memory.
    pub window: Window,
}

/// Where the log is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogKind {
    /// In memory: the window is all there is.
    Memory,
    /// In a file.
    Sqlite(Sqlite),
}

/// A log in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sqlite {
    /// The file, absolute or relative to the process's folder. Other files beside it begin with its name.
    pub path: PathBuf,
    /// The path as the configuration has it, from its own folder; what is printed.
    pub written: String,
    /// When a publisher is answered.
    pub durability: Durability,
    /// What is kept.
    pub retention: Retention,
}

/// When a publisher is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Once the event is on the disk.
    Full,
    /// Once the operating system has it: a crash of the machine may lose the newest events, one of the process none.
    Relaxed,
}

/// What is kept: what is older, and the oldest of what is more, goes. `None` is without a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Since it was stored.
    pub max_age: Option<Duration>,
    /// How many.
    pub max_events: Option<u64>,
    /// Of the file.
    pub max_bytes: Option<u64>,
}

/// The newest events; whichever limit is met first holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many.
    pub events: usize,
    /// How many bytes.
    pub bytes: usize,
}

/// A way in.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// Its name.
    pub name: SourceName,
    /// Where it is defined.
    pub span: Span,
    /// Indices into [`Config::transformers`], in the order in which they are applied. One transformer may be
    /// meant by several sources.
    pub transformers: Vec<usize>,
    /// How it receives events; `None` where it receives none (which has been warned of).
    pub extractor: Option<Extractor>,
}

/// How a source receives events.
#[derive(Clone, Debug, PartialEq)]
pub enum Extractor {
    /// `POST` requests.
    Webhook(Webhook),
    /// Requests of an API of its own.
    Rest(Rest),
    /// Events that it makes itself.
    Mock(Mock),
    /// A queue of an AMQP broker.
    Amqp(Box<Amqp>),
    /// A stream of Server-Sent Events.
    Sse(Box<SseSource>),
}

/// A source that makes an event with a random number again and again, to try things out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mock {
    /// Between two events; the first comes at once.
    pub interval: Duration,
}

/// A source's HTTP endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// As configured; the path may stand in for it.
    pub id: Option<String>,
    /// The URL's path, `/webhook/{id}` where the file names none; unique among all endpoints.
    pub path: String,
    /// The name of the listener that it is reached at; `None`: the default one.
    pub listener: Option<String>,
    /// What a body is. [`Profile::Cdevent`]: a CDEvent, a CloudEvent, or any JSON with a type. [`Profile::Envelope`]:
    /// an object with `event_id`, `event_type`, `entity_id`, `occurred_at` and `data`, or an array of them.
    pub profile: Profile,
    /// All must pass.
    pub headers: Vec<HeaderRule>,
    /// Names, in lower case, of the request headers that travel with the event.
    pub headers_to_keep: Vec<String>,
    /// What each event's metadata starts with.
    pub metadata: Object,
    /// Where the type is written.
    pub type_span: Span,
}

/// A source's API: methods and paths that take events.
#[derive(Clone, Debug, PartialEq)]
pub struct Rest {
    /// What is served, at least one; no two mean the same requests.
    pub operations: Vec<Operation>,
    /// The name of the listener that it is reached at; `None`: the default one.
    pub listener: Option<String>,
    /// All must pass.
    pub headers: Vec<HeaderRule>,
    /// Names, in lower case, of the request headers that travel with the event.
    pub headers_to_keep: Vec<String>,
    /// What each event's metadata starts with.
    pub metadata: Object,
    /// Which pages of other origins may call it.
    pub cors: Option<Cors>,
    /// Where the type is written.
    pub type_span: Span,
}

/// A method and a path with parameters. It is written `METHOD /path/:parameter`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// In upper case.
    pub method: String,
    /// Segments that begin with `:` are parameters; no two have one name.
    pub path: String,
}

impl Operation {
    /// The names of the parameters, in the order of the path.
    pub fn parameters(&self) -> impl Iterator<Item = &str> {
        self.path.split('/').filter_map(|segment| segment.strip_prefix(':'))
    }

    /// The path without the names of its parameters and without a final slash: two paths of one shape mean the same
    /// URLs.
    #[must_use]
    pub fn shape(&self) -> String {
        let path = self.path.strip_suffix('/').unwrap_or(&self.path);
        let segments = path.split('/').map(|segment| if segment.starts_with(':') { ":" } else { segment });
        segments.collect::<Vec<_>>().join("/")
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// A step between a source and the log.
#[derive(Clone, Debug, PartialEq)]
pub struct Transformer {
    /// Its name, unique among transformers.
    pub name: String,
    /// Where it is defined.
    pub span: Span,
    /// Where the type is written.
    pub type_span: Span,
    /// What it does.
    pub kind: TransformerKind,
}

/// What a transformer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransformerKind {
    /// Runs a VRL program.
    Vrl {
        /// The program.
        program: Program,
    },
    /// Nothing.
    Passthrough,
    /// Logs the event.
    Log {
        /// The target of the log line.
        target: String,
    },
    /// Drops the event.
    DiscardAll,
    /// Drops the event if its key was seen lately.
    Deduplicate {
        /// How many keys are remembered; 0 switches it off.
        capacity: usize,
        /// A JSON pointer (RFC 6901) into the body.
        key_path: String,
    },
}

/// A program's text. Two programs are equal if their texts are.
#[derive(Clone, Debug)]
pub struct Program {
    /// The text.
    pub text: String,
    /// Where it is written.
    pub span: Span,
    /// Whether byte n of the text is byte n of the span, so that `span.part(start, end)` points into it. It is not
    /// so where the file writes the text with escapes.
    pub exact: bool,
}

impl PartialEq for Program {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Program {}

/// A way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    /// Its name.
    pub name: SinkName,
    /// Where it is defined.
    pub span: Span,
    /// What it is.
    pub kind: SinkKind,
}

/// What a sink is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SinkKind {
    /// Server-Sent Events.
    Sse(SseSink),
    /// Batches that clients fetch and confirm.
    HttpPull(HttpPullSink),
}

/// Batches of events that clients fetch, and confirm once they are done with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpPullSink {
    /// As configured; the paths may stand in for it.
    pub id: Option<String>,
    /// The URL's path for `GET`, `/pull/{id}/extract` where the file names none; unique among all endpoints.
    pub extract_path: String,
    /// The URL's path for `POST`, `/pull/{id}/mark-processed` where the file names none; unique among all endpoints.
    pub mark_processed_path: String,
    /// The name of the listener that it is reached at; `None`: the default one.
    pub listener: Option<String>,
    /// The types of events that it gives out.
    pub matches: NamePatterns,
    /// After how long an event is not given out any more; `None`: never.
    pub ttl: Option<Ttl>,
    /// All must pass.
    pub headers: Vec<HeaderRule>,
    /// Which pages of other origins may use it.
    pub cors: Option<Cors>,
    /// Where the type is written.
    pub type_span: Span,
}

/// For how long events are given out after the log took them. The exact type holds, else the longest prefix, else
/// `*`, else the default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ttl {
    /// For types that no pattern means.
    pub default: Duration,
    /// By type.
    pub by_type: Vec<(NamePattern, Duration)>,
}

/// A stream of Server-Sent Events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SseSink {
    /// As configured; the path may stand in for it.
    pub id: Option<String>,
    /// The URL's path, `/sse/{id}` where the file names none; unique among sinks.
    pub path: String,
    /// The name of the listener that it is reached at; `None`: the default one.
    pub listener: Option<String>,
    /// The types of events that it shows.
    pub matches: NamePatterns,
    /// How it writes an event.
    pub profile: Profile,
    /// Of silence on a connection, before something is sent to keep it open.
    pub keep_alive: Duration,
    /// Events of its own that a client may fall behind before `on_lag`.
    pub buffer: usize,
    /// What happens to a client that falls further behind.
    pub on_lag: OnLag,
    /// Whether `Last-Event-ID` is honoured.
    pub replay: bool,
    /// How long clients are told to wait before they reconnect; jittered per connection.
    pub retry: Duration,
    /// At once.
    pub max_connections: usize,
    /// Who may join rooms, and as which user.
    pub identity: Identity,
    /// Rooms that one client may be in.
    pub max_rooms: usize,
    /// All must pass.
    pub headers: Vec<HeaderRule>,
    /// Which pages of other origins may read it.
    pub cors: Option<Cors>,
    /// Where the type is written.
    pub type_span: Span,
}

/// Who may join the rooms of a sink, and who its clients are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Nobody, and nobody is anyone.
    None,
    /// Everyone whatever they say.
    Query,
    /// What a client's token says; without one nobody may listen at all.
    Jwt(Box<Jwt>),
}

/// What happens to a client that falls too far behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnLag {
    /// What it missed is read from the log.
    CatchUp,
    /// It is told how many events it missed, and goes on with newer ones.
    Notice,
    /// It is closed.
    Disconnect,
}

/// Cross-origin requests (Fetch standard).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Serialized origins (`https://app.example.com`), or `*`.
    pub allowed_origins: Vec<String>,
}

/// What one header of a request must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderRule {
    /// The name, as the file spells it; a token of RFC 9110, 5.6.2.
    pub header: String,
    /// Where it is written.
    pub span: Span,
    /// The rule.
    pub rule: Rule,
}

/// When a header passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It is there and not empty.
    Exists,
    /// It is prefix, value, suffix.
    Equals {
        /// Between prefix and suffix. Often a token, so it is kept like one.
        value: Secret,
        /// Whether `a` and `A` differ.
        case_sensitive: bool,
        /// Before the value.
        prefix: String,
        /// After the value.
        suffix: String,
    },
    /// It has a match of a regular expression, which has been compiled once to check it.
    Matches {
        /// In the syntax of the `regex` crate.
        pattern: String,
    },
    /// It is prefix, secret, suffix.
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
    /// It is an HMAC-SHA256 of the request.
    Signature {
        /// The shared token, as written; never empty, and valid in its encoding.
        token: Secret,
        /// The environment variable that the token came from, if it came from one.
        token_env: Option<String>,
        /// How the token's bytes are written; `None` where its characters are its bytes.
        token_encoding: Option<Encoding>,
        /// What the header has before the signature.
        signature_prefix: Option<String>,
        /// What is signed.
        signature_on: SignatureOn,
        /// How the signature is written.
        signature_encoding: Encoding,
    },
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Base 16.
    Hex,
    /// RFC 4648, 4, with padding.
    Base64,
}

/// What a signature is made over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignatureOn {
    /// The body.
    Body,
    /// Each of these headers and the separator, then the body.
    HeadersThenBody {
        /// Their names, in the order in which they are signed; never the signature's own header.
        headers: Vec<String>,
        /// What comes after each value.
        separator: String,
    },
}

impl Http {
    /// How others reach this server: as configured, else `http://{host}:{port}`, or `https`, with the port that was
    /// bound and with `localhost` for an address that means "all". No slash at the end.
    #[must_use]
    pub fn root_url(&self, bound_port: u16) -> String {
        if let Some(root_url) = &self.root_url {
            return root_url.clone();
        }
        let host = match self.host.parse::<std::net::IpAddr>() {
            Ok(address) if address.is_unspecified() => "localhost".to_owned(),
            Ok(std::net::IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.host.clone(),
        };
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{host}:{bound_port}")
    }
}
