//! `log`: writes each event to the log of the process, and hands it on as it is.

use std::fmt::Write as _;

use fanfare_event::Draft;

use crate::transform::{Claims, Refusal, Transform};

/// Bytes of a body in one log record; the rest is cut off. Enough to see a CDEvent whole, and small enough for any
/// log shipper.
const MAX_BODY: usize = 4096;

pub(crate) struct Log {
    target: String,
}

impl Log {
    pub(crate) fn new(target: &str) -> Self {
        Self { target: target.to_owned() }
    }
}

impl Transform for Log {
    fn apply(&self, draft: Draft, _claims: &mut Claims) -> Result<Vec<Draft>, Refusal> {
        log::info!(target: &self.target, "{}", describe(&draft));
        Ok(vec![draft])
    }
}

/// An event in one line: its names, its body up to [`MAX_BODY`], and of headers and metadata, which may hold
/// secrets, the keys.
fn describe(draft: &Draft) -> String {
    let names = draft.names();
    let mut line = String::from("event");
    for (label, name) in
        [("type", names.kind), ("id", names.id), ("source", names.source), ("subject", names.subject)]
    {
        if let Some(name) = name {
            let _ = write!(line, " {label}={name:?}");
        }
    }
    let metadata: Vec<_> = draft.metadata.keys().collect();
    let headers: Vec<_> = draft.headers.keys().collect();
    let body = draft.body.to_string();
    let shown = body.floor_char_boundary(MAX_BODY);
    let _ = write!(line, " metadata={metadata:?} headers={headers:?} body={}", &body[..shown]);
    if shown < body.len() {
        let _ = write!(line, "… ({} bytes)", body.len());
    }
    line
}
