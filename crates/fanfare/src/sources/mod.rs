//! Sources as endpoints: what they take off the network, and what they answer. What they make of it lives in the
//! source crate.

#[cfg(feature = "source_webhook")]
mod publish;
#[cfg(feature = "source_webhook")]
pub(crate) mod webhook;

#[cfg(feature = "source_webhook")]
pub(crate) use publish::Publisher;
