//! Who may send and who may listen: header rules over a request's head and body, the headers that pass the rules of
//! others, and tokens that say who somebody is.
//!
//! Pure: no I/O, no clock, no environment; the binary reads secrets and hands them in. How a refusal looks over
//! HTTP, and how rules are spelled in a configuration, live elsewhere.

#[cfg(feature = "jwt")]
pub mod jwt;
mod outgoing;
mod request;
mod rule;
mod rules;
mod signature;

pub use outgoing::{Outgoing, OutgoingError, OutgoingHeaders, OutgoingProblem};
pub use request::RequestHeaders;
pub use rule::{Encoding, Problem, Rule, RuleError, SignatureOn};
pub use rules::{HeaderRules, Refused, RefusedKind};
