//! `vrl`: a program in the Vector Remap Language.

use fanfare_event::Draft;

use crate::build::BuildError;
use crate::transform::{Claims, Refusal, Transform};

pub(crate) struct Vrl;

impl Vrl {
    pub(crate) fn new(_program: &str) -> Result<Self, BuildError> {
        Err(BuildError::Program(Vec::new()))
    }
}

impl Transform for Vrl {
    fn apply(&self, draft: Draft, _claims: &mut Claims) -> Result<Vec<Draft>, Refusal> {
        Ok(vec![draft])
    }
}
