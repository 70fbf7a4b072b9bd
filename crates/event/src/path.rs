//! Paths into an event: `.body.room`, `.metadata.tenant`.

use std::borrow::Cow;
use std::fmt;

use serde_json::Value;

use crate::Event;

/// A place in an event. Written as in VRL: a dot before each step, and a step that is no plain word (ASCII letters,
/// digits, `_`, `-`) in double quotes, in which `\"` and `\\` mean `"` and `\`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct EventPath {
    root: Root,
    steps: Box<[Box<str>]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Root {
    Body,
    Metadata,
    Headers,
    Id,
    Type,
    Source,
    Subject,
}

/// Why a text is no path into an event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// It must begin with one of these.
    #[error(
        "a path begins with `.body`, `.metadata`, `.headers`, `.id`, `.type`, `.source` or `.subject`, as in `.body.room`"
    )]
    Root,
    /// A step is not written as one.
    #[error(
        "each step of a path is a dot and a word of ASCII letters, digits, `_` and `-`, or anything else in double quotes"
    )]
    Step,
    /// Nothing is below the root.
    #[error("nothing is below `.{0}`, which is a text")]
    Text(&'static str),
}

impl Root {
    const ALL: [Self; 7] =
        [Self::Body, Self::Metadata, Self::Headers, Self::Id, Self::Type, Self::Source, Self::Subject];

    const fn name(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Metadata => "metadata",
            Self::Headers => "headers",
            Self::Id => "id",
            Self::Type => "type",
            Self::Source => "source",
            Self::Subject => "subject",
        }
    }
}

impl EventPath {
    /// Reads a path.
    pub fn parse(text: &str) -> Result<Self, InvalidPath> {
        let mut steps = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            rest = rest.strip_prefix('.').ok_or(InvalidPath::Step)?;
            let (step, behind) = if let Some(quoted) = rest.strip_prefix('"') {
                unquote(quoted).ok_or(InvalidPath::Step)?
            } else {
                let end = rest.find(|c: char| !is_plain(c)).unwrap_or(rest.len());
                if end == 0 {
                    return Err(InvalidPath::Step);
                }
                (rest[..end].to_owned(), &rest[end..])
            };
            steps.push(step.into_boxed_str());
            rest = behind;
        }
        let root = steps.first().and_then(|step| Root::ALL.into_iter().find(|root| root.name() == &**step));
        let root = root.ok_or(InvalidPath::Root)?;
        let steps: Box<[_]> = steps.into_iter().skip(1).collect();
        let is_text = matches!(root, Root::Id | Root::Type | Root::Source | Root::Subject);
        if is_text && !steps.is_empty() {
            return Err(InvalidPath::Text(root.name()));
        }
        Ok(Self { root, steps })
    }

    /// What an event has there, if anything.
    pub fn find<'e>(&self, event: &'e Event) -> Option<Cow<'e, Value>> {
        let text = |text: &str| Some(Cow::Owned(Value::from(text)));
        let found = match self.root {
            Root::Body => step_into(&event.body, &self.steps),
            Root::Metadata => {
                let (first, steps) = self.steps.split_first()?;
                step_into(event.metadata.get(&**first)?, steps)
            }
            Root::Headers => {
                let [name] = &*self.steps else { return None };
                return text(event.headers.get(&name.to_ascii_lowercase())?);
            }
            Root::Id => return text(event.id.as_str()),
            Root::Type => return text(event.kind.as_str()),
            Root::Source => return text(&event.source),
            Root::Subject => return text(event.subject.as_deref()?),
        };
        found.map(Cow::Borrowed)
    }
}

fn step_into<'v>(mut value: &'v Value, steps: &[Box<str>]) -> Option<&'v Value> {
    for step in steps {
        value = match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
            value => value.get(&**step)?,
        };
    }
    Some(value)
}

const fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

/// What stands before the closing quote, and what comes behind it.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut step = String::new();
    let mut chars = text.char_indices();
    loop {
        match chars.next()? {
            (at, '"') => return Some((step, &text[at + 1..])),
            (_, '\\') => match chars.next()?.1 {
                c @ ('"' | '\\') => step.push(c),
                _ => return None,
            },
            (_, c) => step.push(c),
        }
    }
}

impl fmt::Display for EventPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ".{}", self.root.name())?;
        for step in &self.steps {
            if !step.is_empty() && step.chars().all(is_plain) {
                write!(f, ".{step}")?;
            } else {
                write!(f, ".\"{}\"", step.replace('\\', "\\\\").replace('"', "\\\""))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Draft, Finish, SourceName};
    use jiff::Timestamp;
    use proptest::prelude::*;
    use serde_json::json;

    fn event() -> Event {
        let origin = SourceName::new("s");
        let finish = Finish { origin: &origin, root_url: "http://h", now: Timestamp::UNIX_EPOCH };
        let body = json!({"type": "t", "id": "i", "subject": "who", "room": "orders", "a b": {"\"": 1}, "list": [{"n": 7}]});
        let metadata = json!({"tenant": {"id": 5}}).as_object().unwrap().clone();
        let headers = [("x-user".to_owned(), "42".to_owned())].into();
        let draft = Draft { metadata, headers, body, ..Draft::default() };
        finish.finish(draft, || "fresh".to_owned()).unwrap().event
    }

    #[test]
    fn a_path_finds_what_is_there() {
        let event = event();
        let check = |path: &str, expected: Value| {
            let parsed = EventPath::parse(path).unwrap();
            assert_eq!(parsed.find(&event).as_deref(), Some(&expected), "{path}");
            assert_eq!(EventPath::parse(&parsed.to_string()), Ok(parsed));
        };
        check(".body.room", json!("orders"));
        check(".body.\"a b\".\"\\\"\"", json!(1));
        check(".body.list.0.n", json!(7));
        check(".\"body\".room", json!("orders"));
        check(".metadata.tenant.id", json!(5));
        check(".headers.X-User", json!("42"));
        check(".id", json!("i"));
        check(".type", json!("t"));
        check(".source", json!("http://h/?source=s"));
        check(".subject", json!("who"));
        for path in [
            ".body.nothing",
            ".body.room.more",
            ".body.list.1",
            ".body.list.x",
            ".metadata",
            ".headers",
            ".headers.a.b",
        ] {
            assert_eq!(EventPath::parse(path).unwrap().find(&event), None, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        let check =
            |path: &str, expected: InvalidPath| assert_eq!(EventPath::parse(path), Err(expected), "{path}");
        for path in ["", ".time", ".bodies.room"] {
            check(path, InvalidPath::Root);
        }
        for path in [
            "body",
            ".",
            ".body.",
            ".body..a",
            ".body.a b",
            ".body.\"a",
            ".body.\"\\n\"",
            ".body[0]",
            ".größe",
        ] {
            check(path, InvalidPath::Step);
        }
        check(".id.x", InvalidPath::Text("id"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(steps in prop::collection::vec("\\PC{0,8}", 0..4)) {
            let path = EventPath { root: Root::Body, steps: steps.into_iter().map(Into::into).collect() };
            prop_assert_eq!(EventPath::parse(&path.to_string()), Ok(path));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}|[.\"\\\\a-z0-9]{0,20}") {
            if let Ok(path) = EventPath::parse(&text) {
                let _ = path.find(&event());
            }
        }
    }
}
