//! Sources: from what comes in over a protocol to events that the log can take.
//!
//! One module a source. Each turns what comes in into a [`Delivery`] or a refusal, and [`Routes`] say where its events go;
//! answering and appending are the binary's.

pub mod amqp;
mod delivery;
mod fingerprint;
mod mock;
pub mod request;
pub mod rest;
mod routing;
pub mod sse;
pub mod webhook;

pub use delivery::{Delivery, Intake, IntakeError};
pub use mock::Mock;
pub use routing::{OperationPattern, Route, Routes, Word};
