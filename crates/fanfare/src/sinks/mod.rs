//! Sinks as endpoints.

#[cfg(feature = "sink_sse")]
pub(crate) mod sse;
