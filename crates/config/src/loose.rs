//! The types of keys in dialects that take some texts for numbers and flags, as what they were made for does.

use std::borrow::Cow;

use crate::checker::{Checker, text};
use crate::keys::Read;
use crate::shapes::{Flag, quote};
use crate::tree::{Data, Node};

/// A whole number, which may be written as a text or with a fraction of nothing.
pub(crate) struct Whole {
    pub(crate) min: i64,
    pub(crate) max: i64,
}

impl Read for Whole {
    type Value = i64;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<i64> {
        let value = match &node.data {
            Data::Integer(value) => Some(value.unwrap_or(i64::MAX)),
            Data::Float(value) => whole(*value),
            Data::Text { text, .. } => text.trim().parse().ok(),
            _ => None,
        };
        let Some(value) = value else {
            checker.wrong_type(key, node, &self.kind());
            return None;
        };
        if (self.min..=self.max).contains(&value) {
            return Some(value);
        }
        checker.error(node.span, format!("`{key}` must be {}", self.kind())).label("out of range");
        None
    }

    fn kind(&self) -> Cow<'static, str> {
        match self.min {
            i64::MIN => format!("a whole number up to {}", self.max).into(),
            min => format!("a whole number from {min} to {}", self.max).into(),
        }
    }

    fn write(&self, value: &i64) -> Option<String> {
        Some(value.to_string())
    }
}

/// The integer that a float is, if it is one.
fn whole(value: f64) -> Option<i64> {
    if value.fract() == 0.0 && value.abs() < 9e15 { format!("{value:.0}").parse().ok() } else { None }
}

/// On or off, in any of the words for it.
pub(crate) struct Switch;

impl Read for Switch {
    type Value = bool;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<bool> {
        let word = match &node.data {
            Data::Bool(value) => return Some(*value),
            Data::Integer(Some(value @ (0 | 1))) => return Some(*value == 1),
            Data::Text { text, .. } => text.trim().to_ascii_lowercase(),
            _ => String::new(),
        };
        match word.as_str() {
            "true" | "yes" | "on" | "y" | "t" | "1" => Some(true),
            "false" | "no" | "off" | "n" | "f" | "0" => Some(false),
            _ => {
                checker.wrong_type(key, node, &self.kind());
                None
            }
        }
    }

    fn kind(&self) -> Cow<'static, str> {
        Flag.kind()
    }

    fn write(&self, value: &bool) -> Option<String> {
        Flag.write(value)
    }
}

/// A word that names a type. The words are those that are known, served or not.
pub(crate) struct Word(pub(crate) &'static [&'static str]);

impl Read for Word {
    type Value = String;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<String> {
        text(key, node, &self.kind(), checker).map(str::to_owned)
    }

    fn kind(&self) -> Cow<'static, str> {
        "a word".into()
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quote(value))
    }

    fn words(&self) -> Vec<&'static str> {
        self.0.to_vec()
    }
}
