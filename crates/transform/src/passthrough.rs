//! `passthrough`: hands events on as they are.

use fanfare_event::Draft;

use crate::transform::{Claims, Refusal, Transform};

pub(crate) struct Passthrough;

impl Transform for Passthrough {
    fn apply(&self, draft: Draft, _claims: &mut Claims) -> Result<Vec<Draft>, Refusal> {
        Ok(vec![draft])
    }
}
