//! HTTP as far as it is the same for all endpoints: listening, connections, bodies, CORS. What is served at a path
//! lives in `topology`, and what it does in `sources`, `sinks` and `viewer`.

pub(crate) mod body;
mod connection;
pub(crate) mod cors;
mod headers;
mod http2;
mod listener;
mod redirect;
#[cfg(any(feature = "source_rest", feature = "source_webhook"))]
pub(crate) mod request_body;
mod socket;
mod system;
mod takeover;
#[cfg(feature = "tls")]
mod tls;

#[cfg(feature = "sink_sse")]
pub(crate) use connection::this_task;
pub(crate) use connection::{Deadlines, Peer, serve};
pub(crate) use headers::HeaderMapView;
pub(crate) use listener::{Listener, SocketOptions, Transport};
pub(crate) use redirect::redirect;
pub(crate) use system::{raise_descriptor_limit, report_backlog};
#[cfg(feature = "tls")]
pub(crate) use tls::{Tls, TlsFile, TlsFiles};
