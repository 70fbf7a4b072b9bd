//! The project's client of Server-Sent Events against what others hold of such clients, over the service that shows it to
//! the outside: the cases of `launchdarkly/sse-contract-tests`, and those of web-platform-tests' `eventsource/` that are about
//! parsing, requests and reconnecting. Each names its file, and its case there. They are told anew from what they say of the
//! wire; nothing of theirs is copied.
//!
//! What neither has is in the tests of the client.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod browsers;
mod harness;
mod http;
mod linefeeds;
mod parsing;
mod reconnection;
mod service;
