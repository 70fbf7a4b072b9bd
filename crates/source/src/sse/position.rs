//! How far a source has come in a stream, and what it has missed and told nobody yet. It is stored in one record with the
//! events, so that after any crash it is right.

use std::sync::Arc;

use serde_json::{Value, json};

/// What positions of this version say of themselves.
const VERSION: u64 = 1;

/// Bytes of an id. What is longer cannot be sent back in a header.
const MAX_ID: usize = 4096;

/// How much of what was missed is told each by its own text.
const MAX_MISSED: usize = 16;

/// Characters of such a text, which the server may have written.
const MAX_TEXT: usize = 200;

/// How far a source has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// What the stream resumes behind; `None`: with what comes next.
    pub id: Option<Arc<str>>,
    /// What no event has told yet.
    pub missed: Missed,
}

/// What was missed, in the words of who missed it: bounded, however much it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// Oldest first.
    texts: Vec<String>,
    /// How many came behind those.
    more: u64,
}

/// A position that this version cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the source's position is none of an sse source")]
pub struct InvalidPosition;

impl Position {
    /// As it was stored.
    pub fn restore(stored: &str) -> Result<Self, InvalidPosition> {
        let stored: Value = serde_json::from_str(stored).map_err(|_| InvalidPosition)?;
        if stored.get("v").and_then(Value::as_u64) != Some(VERSION) {
            return Err(InvalidPosition);
        }
        let id = match stored.get("id") {
            None | Some(Value::Null) => None,
            Some(Value::String(id)) if (1..=MAX_ID).contains(&id.len()) => Some(id.as_str().into()),
            Some(_) => return Err(InvalidPosition),
        };
        let mut missed = Missed::default();
        for text in stored.get("missed").and_then(Value::as_array).into_iter().flatten() {
            missed.add(text.as_str().ok_or(InvalidPosition)?);
        }
        missed.more = missed.more.saturating_add(stored.get("more").and_then(Value::as_u64).unwrap_or(0));
        Ok(Self { id, missed })
    }

    /// What is stored.
    pub fn to_text(&self) -> String {
        let Self { id, missed: Missed { texts, more } } = self;
        json!({"v": VERSION, "id": id.as_deref(), "missed": texts, "more": more}).to_string()
    }
}

impl Missed {
    /// Something more was missed.
    pub fn add(&mut self, text: &str) {
        if self.texts.len() < MAX_MISSED {
            self.texts.push(shown(text));
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// Whether nothing was missed.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// What events tell, oldest first.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        let more = (self.more > 0).then(|| format!("and {} more", self.more));
        self.texts.iter().cloned().chain(more)
    }

    /// As events tell it: a list of texts.
    pub(super) fn to_json(&self) -> Value {
        self.texts().map(Value::from).collect()
    }
}

/// Short, and in one line. What is shown already stays as it is.
pub(super) fn shown(text: &str) -> String {
    let mut escaped = text.chars().flat_map(|c| {
        let (control, other) =
            if c.is_control() { (Some(c.escape_default()), None) } else { (None, Some(c)) };
        control.into_iter().flatten().chain(other)
    });
    let mut shown: String = escaped.by_ref().take(MAX_TEXT).collect();
    if escaped.next().is_some() {
        shown.pop();
        shown.push('…');
    }
    shown
}
