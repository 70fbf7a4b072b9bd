//! What happens to an event between its source and the log: transformers, each a function from one draft to any
//! number of drafts, and the chain that runs them in order.
//!
//! One file per transformer. VRL lives here and nowhere else, behind the feature `vrl`. Pure: no I/O, no clock, no
//! environment, but for what a VRL program asks for (`now()`, say). How transformers are spelled in a configuration
//! lives elsewhere.

mod build;
mod chain;
mod deduplicate;
mod discard_all;
mod log;
mod passthrough;
mod transform;
#[cfg(feature = "vrl")]
mod vrl;

pub use build::{BuildError, ProgramProblem, Spec, build};
pub use chain::{Chain, ChainError, Run};
pub use transform::{Claim, Claims, Refusal, Transform};
