//! `discard_all`: drops every event.

use fanfare_event::Draft;

use crate::transform::{Claims, Refusal, Transform};

pub(crate) struct DiscardAll;

impl Transform for DiscardAll {
    fn apply(&self, _draft: Draft, _claims: &mut Claims) -> Result<Vec<Draft>, Refusal> {
        Ok(Vec::new())
    }
}
