//! Sources as the binary runs them: what they take off the network, and what they answer. What they make of it lives in
//! the source crate.

#[cfg(feature = "source_mock")]
pub(crate) mod mock;
#[cfg(any(feature = "source_webhook", feature = "source_mock"))]
mod publish;
#[cfg(feature = "source_webhook")]
pub(crate) mod webhook;

#[cfg(any(feature = "source_webhook", feature = "source_mock"))]
pub(crate) use publish::Publisher;
