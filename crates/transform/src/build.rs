//! From a transformer's settings to the transformer.

use std::ops::Range;
use std::sync::Arc;

use crate::deduplicate::Deduplicate;
use crate::discard_all::DiscardAll;
use crate::log::Log;
use crate::passthrough::Passthrough;
use crate::transform::Transform;

/// A transformer's settings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spec<'a> {
    /// A program in the Vector Remap Language.
    Vrl {
        /// The program; an empty one passes events on.
        program: &'a str,
    },
    /// Passes events on.
    Passthrough,
    /// Writes events to the log of the process, and passes them on.
    Log {
        /// The target of the log records.
        target: &'a str,
    },
    /// Drops events.
    DiscardAll,
    /// Drops events whose key was seen before.
    Deduplicate {
        /// How many keys are remembered; the first in is the first out. 0 turns it off.
        capacity: usize,
        /// Where the key is in the body: a JSON pointer (RFC 6901).
        key_path: &'a str,
    },
}

/// Why there is no transformer with these settings. The operator must change them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The program cannot be compiled.
    #[error("the program does not compile: {}", .0.iter().map(|problem| problem.message.as_str()).collect::<Vec<_>>().join("; "))]
    Program(Vec<ProgramProblem>),
    /// This build was made without what the transformer needs.
    #[error("this build was made without the feature `{feature}`")]
    LeftOut {
        /// The feature of the binary that brings it.
        feature: &'static str,
    },
    /// Not a JSON pointer.
    #[error("`key_path` must be a JSON pointer such as /context/id: {problem}")]
    KeyPath {
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// One thing that is wrong with a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramProblem {
    /// Where, in bytes of the program; `None` where it is nowhere in particular.
    pub range: Option<Range<usize>>,
    /// What is wrong, in a line.
    pub message: String,
    /// What else is known, and what would be right. A note may have several lines.
    pub notes: Vec<String>,
}

/// Makes a transformer. Make one for each use in a chain: what `deduplicate` remembers belongs to that use.
pub fn build(spec: Spec<'_>) -> Result<Arc<dyn Transform>, BuildError> {
    Ok(match spec {
        #[cfg(feature = "vrl")]
        Spec::Vrl { program } => Arc::new(crate::vrl::Vrl::new(program)?),
        #[cfg(not(feature = "vrl"))]
        Spec::Vrl { .. } => return Err(BuildError::LeftOut { feature: "transform_vrl" }),
        Spec::Passthrough => Arc::new(Passthrough),
        Spec::Log { target } => Arc::new(Log::new(target)),
        Spec::DiscardAll => Arc::new(DiscardAll),
        Spec::Deduplicate { capacity, key_path } => Arc::new(Deduplicate::new(capacity, key_path)?),
    })
}
