//! Sources: from what comes in over a protocol to events that the log can take.
//!
//! One module a source. Each turns a request into a [`Delivery`] or a refusal; answering, routing and appending are
//! the binary's.

mod delivery;
pub mod webhook;

pub use delivery::{Delivery, Intake, IntakeError};
