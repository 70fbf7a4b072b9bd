//! A consumer of an AMQP 0-9-1 broker that never ends: it connects, declares, consumes, and begins anew when the connection
//! is lost.
//!
//! This is the only crate that names `lapin`, and no type of it is in a signature here. What a message means, and when
//! it is settled, is decided elsewhere.

mod backoff;
mod connect;
mod consumer;
mod guard;
mod life;
mod message;
mod runtime;
mod session;
mod settings;
mod value;

pub use consumer::{Consumer, Occasion};
pub use message::{Message, Outcome, Receipt};
pub use session::Error;
pub use settings::{Certificates, Exchange, ExchangeKind, Password, Queue, Settings};
