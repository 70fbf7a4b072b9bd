//! Sinks as endpoints.

#[cfg(feature = "sink_http_pull")]
pub(crate) mod http_pull;
#[cfg(feature = "sink_sse")]
pub(crate) mod sse;
