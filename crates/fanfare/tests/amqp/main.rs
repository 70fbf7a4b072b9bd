//! The real binary with a real RabbitMQ, which each test starts for itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod kit;
mod losses;
mod messages;
mod mycel;
mod run;
mod tls;
