//! HTTP as far as it is the same for all endpoints: listening, connections, bodies, CORS. What is served at a path
//! lives in `topology`, and what it does in `sources`, `sinks` and `viewer`.

pub(crate) mod body;
mod connection;
#[cfg(feature = "sink_sse")]
pub(crate) mod cors;
#[cfg(any(feature = "sink_sse", feature = "source_webhook"))]
mod headers;
mod listener;
mod socket;

pub(crate) use connection::{Deadlines, Peer, serve};
#[cfg(any(feature = "sink_sse", feature = "source_webhook"))]
pub(crate) use headers::HeaderMapView;
pub(crate) use listener::{Listener, raise_descriptor_limit};
