//! A source that listens to the stream of another server: of this one, or one whose every byte the test says.

mod connection;
mod hops;
mod kit;
mod request;
mod stream;
#[cfg(feature = "tls")]
mod tls;
