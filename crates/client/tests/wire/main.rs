//! The client over sockets, against a server whose every byte the test says. What others hold of such clients is in the tests
//! of the test kit; here is what they do not ask: every place where a stream can be cut, who is asked again when, where headers
//! go, what a dropped future leaves behind, TLS.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod answers;
mod cancel;
mod cuts;
mod kit;
mod redirects;
mod silence;
mod tls;
