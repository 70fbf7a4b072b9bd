//! What tests share: [`http`], a blocking client that shows the bytes; [`sse`], a parser and a client that follow
//! the WHATWG standard; [`upstream`], a server whose every byte a test says; [`rabbitmq`], a broker of the test's own;
//! `tls`, certificates of the test's own; [`fault_proxy`], a network that fails where the test wants it to; and [`Server`],
//! the real binary on a free port.
//!
//! Nothing here knows the project's other crates, so that a test's view of the wire is never the server's own.
//! Every wait has a bound and fails with [`std::io::ErrorKind::TimedOut`]; nothing sleeps.

mod deadline;
pub mod fault_proxy;
pub mod http;
mod lines;
pub mod rabbitmq;
mod server;
pub mod sse;
mod strace;
#[cfg(feature = "tls")]
pub mod tls;
pub mod upstream;

pub use server::{Builder, Server};
pub use strace::need_strace;
