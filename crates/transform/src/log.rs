//! `log`: writes each event to the log of the process, and hands it on as it is.

use std::fmt::Write as _;

use fanfare_event::Draft;

use crate::transform::{Claims, Refusal, Transform};

/// Bytes of a body in one log record; the rest is cut off. Enough to see a CDEvent whole, and small enough for any
/// log shipper.
const MAX_BODY: usize = 4096;

/// Bytes of a name, and of the list of keys of metadata or headers, in one log record. As [`MAX_BODY`].
const MAX_PART: usize = 256;

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

/// An event in one line: its names, its body, and of headers and metadata, which may hold secrets, the keys.
fn describe(draft: &Draft) -> String {
    let names = draft.names();
    let mut line = String::from("event");
    let mut part = |label: &str, text: &str, limit: usize| {
        let shown = text.floor_char_boundary(limit);
        let _ = write!(line, " {label}={}", &text[..shown]);
        if shown < text.len() {
            let _ = write!(line, "… ({} bytes)", text.len());
        }
    };
    for (label, name) in
        [("type", names.kind), ("id", names.id), ("source", names.source), ("subject", names.subject)]
    {
        if let Some(name) = name {
            part(label, &format!("{name:?}"), MAX_PART);
        }
    }
    part("metadata", &format!("{:?}", draft.metadata.keys().collect::<Vec<_>>()), MAX_PART);
    part("headers", &format!("{:?}", draft.headers.keys().collect::<Vec<_>>()), MAX_PART);
    part("body", &draft.body.to_string(), MAX_BODY);
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn a_line_has_the_names_the_keys_and_the_body_but_no_value_of_a_header() {
        let check = |body: Value, expected: &str| {
            let draft = Draft {
                metadata: json!({"token": "s3cret"}).as_object().unwrap().clone(),
                headers: [("authorization".to_owned(), "s3cret".to_owned())].into(),
                body,
                ..Draft::default()
            };
            let line = describe(&draft);
            assert!(!line.contains("s3cret"), "{line}");
            assert_eq!(line, expected);
        };
        check(
            json!({"type": "t", "id": "a\nb", "n": 1}),
            r#"event type="t" id="a\nb" metadata=["token"] headers=["authorization"] body={"type":"t","id":"a\nb","n":1}"#,
        );
        check(json!("text\n"), r#"event metadata=["token"] headers=["authorization"] body="text\n""#);
    }

    #[test]
    fn a_line_is_bounded() {
        let name = "ü".repeat(100_000);
        let long = Draft { body: json!({"type": name.clone(), "id": name}), ..Draft::default() };
        let line = describe(&long);
        assert!(line.len() < 6000, "{}", line.len());
        assert!(line.ends_with("… (400019 bytes)"), "{}", &line[line.len() - 40..]);
    }
}
