//! The real binary from outside: what DESIGN.md and its documents say, over real sockets, byte by byte. One module a
//! subject; what they share is in `kit`. Real clients (browsers, curl, other languages) are in `interop/`.

#![cfg(all(feature = "sink_sse", feature = "source_webhook"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod admin;
#[cfg(feature = "identity_jwt")]
mod authorization;
mod cli;
mod cors;
mod envelope;
mod envelope_stream;
mod http2;
mod kit;
mod lag;
mod limits;
mod log_file;
#[cfg(feature = "source_rest")]
mod mycel;
mod narrowing;
#[cfg(feature = "sink_http_pull")]
mod pull;
mod replay;
#[cfg(feature = "source_rest")]
mod rest;
mod resume;
mod rooms;
mod rules;
#[cfg(feature = "transform_vrl")]
mod seeds;
mod shutdown;
#[cfg(feature = "source_sse")]
mod sse_source;
mod takeover;
#[cfg(feature = "terminal")]
mod terminal;
#[cfg(feature = "tls")]
mod tls;
mod webhook;
mod wire;
