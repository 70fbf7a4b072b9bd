//! The types that keys have: flags, numbers, durations, sizes, words, strings, secrets.

use std::borrow::Cow;
use std::fmt::Display;
use std::time::Duration;

use toml_writer::{ToTomlValue as _, TomlStringBuilder};

use crate::checker::{Checker, items, list, quoted, suggest, text};
use crate::keys::{Exposure, Read};
use crate::mask::Dialect;
use crate::secret::Secret;
use crate::tree::{Data, Node};
use crate::units::{
    DURATION_EXAMPLES, SIZE_EXAMPLES, format_duration, format_size, parse_duration, parse_size,
};

/// `true` or `false`.
pub(crate) struct Flag;

impl Read for Flag {
    type Value = bool;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<bool> {
        if let Data::Bool(value) = node.data {
            return Some(value);
        }
        checker.wrong_type(key, node, &self.kind());
        None
    }

    fn kind(&self) -> Cow<'static, str> {
        "`true` or `false`".into()
    }

    fn write(&self, value: &bool) -> Option<String> {
        Some(value.to_string())
    }
}

/// An integer.
pub(crate) struct Count<T> {
    pub(crate) min: T,
    pub(crate) max: T,
}

impl<T: TryFrom<i64> + PartialOrd + Display + Copy + Sync> Read for Count<T> {
    type Value = T;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<T> {
        let Data::Integer(value) = node.data else {
            checker.wrong_type(key, node, &self.kind());
            return None;
        };
        let value = value.and_then(|value| T::try_from(value).ok());
        let value = value.filter(|value| (self.min..=self.max).contains(value));
        if value.is_none() {
            checker.error(node.span, format!("`{key}` must be {}", self.kind())).label("out of range");
        }
        value
    }

    fn kind(&self) -> Cow<'static, str> {
        format!("an integer from {} to {}", self.min, self.max).into()
    }

    fn write(&self, value: &T) -> Option<String> {
        Some(value.to_string())
    }
}

/// A duration; an integer is a number of seconds.
pub(crate) struct Time {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl Read for Time {
    type Value = Duration;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<Duration> {
        let value = match &node.data {
            Data::Integer(seconds) => seconds
                .and_then(|seconds| u64::try_from(seconds).ok())
                .filter(|seconds| *seconds <= self.max.as_secs())
                .map(Duration::from_secs)
                .or(Some(Duration::MAX)),
            Data::Text { text, .. } => parse_duration(text),
            _ => {
                checker.wrong_type(key, node, "a duration");
                return None;
            }
        };
        let problem = match value {
            Some(value) if (self.min..=self.max).contains(&value) => return Some(value),
            Some(_) => {
                checker.error(node.span, format!("`{key}` must be {}", self.kind())).label("out of range")
            }
            None => {
                checker.error(node.span, format!("`{key}` must be a duration")).label("cannot be read as one")
            }
        };
        problem.help(DURATION_EXAMPLES);
        None
    }

    fn kind(&self) -> Cow<'static, str> {
        format!("a duration from {} to {}", format_duration(self.min), format_duration(self.max)).into()
    }

    fn write(&self, value: &Duration) -> Option<String> {
        Some(quote(&format_duration(*value)))
    }
}

/// A number of bytes.
pub(crate) struct Bytes {
    pub(crate) min: u64,
    pub(crate) max: u64,
}

impl Read for Bytes {
    type Value = usize;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<usize> {
        let value = match &node.data {
            Data::Integer(bytes) => bytes.and_then(|bytes| u64::try_from(bytes).ok()).or(Some(u64::MAX)),
            Data::Text { text, .. } => parse_size(text),
            _ => {
                checker.wrong_type(key, node, "a size");
                return None;
            }
        };
        let in_range = value.filter(|value| (self.min..=self.max).contains(value));
        if let Some(value) = in_range.and_then(|value| usize::try_from(value).ok()) {
            return Some(value);
        }
        let problem = match value {
            Some(_) => {
                checker.error(node.span, format!("`{key}` must be {}", self.kind())).label("out of range")
            }
            None => {
                checker.error(node.span, format!("`{key}` must be a size")).label("cannot be read as one")
            }
        };
        problem.help(SIZE_EXAMPLES);
        None
    }

    fn kind(&self) -> Cow<'static, str> {
        format!("a size from {} to {}", format_size(self.min), format_size(self.max)).into()
    }

    fn write(&self, value: &usize) -> Option<String> {
        Some(quote(&format_size(*value as u64)))
    }
}

/// A limit, which the word `none` switches off.
pub(crate) struct Limit<R>(pub(crate) R);

/// What there is instead of a limit.
pub(crate) const NO_LIMIT: &str = "none";

impl<R: Read> Read for Limit<R> {
    type Value = Option<R::Value>;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<Option<R::Value>> {
        if node.as_text() == Some(NO_LIMIT) {
            return Some(None);
        }
        if let Data::Bool(_) | Data::List(_) | Data::Table(_) = node.data {
            checker.wrong_type(key, node, &self.kind());
            return None;
        }
        let told = checker.diagnostics.told();
        let limit = self.0.read(key, node, checker);
        if let Some(problem) = checker.diagnostics.last_since(told) {
            problem.help(format!("`\"{NO_LIMIT}\"` switches the limit off"));
        }
        limit.map(Some)
    }

    fn kind(&self) -> Cow<'static, str> {
        format!("{}, or `\"{NO_LIMIT}\"`", self.0.kind()).into()
    }

    fn write(&self, value: &Option<R::Value>) -> Option<String> {
        value.as_ref().map_or_else(|| Some(quote(NO_LIMIT)), |value| self.0.write(value))
    }

    fn words(&self) -> Vec<&'static str> {
        vec![NO_LIMIT]
    }
}

/// One of few words.
pub(crate) struct Choice<T: 'static> {
    pub(crate) served: &'static [(&'static str, T)],
    /// Planned: refused by name.
    pub(crate) later: &'static [&'static str],
    /// Of cdviz-collector, and not planned: refused by name, with what to do about it.
    pub(crate) foreign: &'static [(&'static str, &'static str)],
}

impl<T> Choice<T> {
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.served.iter().map(|(name, _)| *name).collect()
    }
}

impl<T: Copy + PartialEq + Sync> Read for Choice<T> {
    type Value = T;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<T> {
        let word = text(key, node, &self.kind(), checker)?;
        if let Some((_, value)) = self.served.iter().find(|(name, _)| *name == word) {
            return Some(*value);
        }
        let names = self.names();
        let served = format!("served: {}", list(&names));
        if self.later.contains(&word) {
            checker
                .error(node.span, format!("{key} `{word}` is not served yet by this version"))
                .help(served);
        } else if let Some((_, instead)) = self.foreign.iter().find(|(name, _)| *name == word) {
            let problem = checker.error(node.span, format!("{key} `{word}` is not served"));
            if !instead.is_empty() {
                problem.help(*instead);
            }
            problem.help(served);
        } else {
            // What came out of a variable of a dialect is not shown.
            let is_secret = node.raw.is_some() && checker.dialect == Dialect::Mycel;
            let shown = if is_secret { "that this names".to_owned() } else { quoted(word) };
            let help = if is_secret { served } else { suggest(word, &names, "served") };
            checker.error(node.span, format!("unknown {key} {shown}")).help(help);
        }
        None
    }

    fn kind(&self) -> Cow<'static, str> {
        match self.names().as_slice() {
            [only] => format!("`\"{only}\"`").into(),
            names => {
                let names: Vec<_> = names.iter().map(|name| format!("`\"{name}\"`")).collect();
                format!("one of {}", names.join(", ")).into()
            }
        }
    }

    fn write(&self, value: &T) -> Option<String> {
        self.served.iter().find(|(_, served)| served == value).map(|(name, _)| quote(name))
    }

    fn words(&self) -> Vec<&'static str> {
        let foreign = self.foreign.iter().map(|(name, _)| *name);
        self.names().into_iter().chain(self.later.iter().copied()).chain(foreign).collect()
    }
}

/// A string that passes a check.
pub(crate) struct Text {
    pub(crate) kind: &'static str,
    /// What is wrong with it, to stand beside the caret.
    pub(crate) check: fn(&str) -> Result<(), &'static str>,
}

/// Any string.
pub(crate) const ANY_TEXT: Text = Text { kind: "a string", check: |_| Ok(()) };

impl Read for Text {
    type Value = String;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<String> {
        let text = text(key, node, self.kind, checker)?;
        match (self.check)(text) {
            Ok(()) => Some(text.to_owned()),
            Err(problem) => {
                checker.error(node.span, format!("`{key}` must be {}", self.kind)).label(problem);
                None
            }
        }
    }

    fn kind(&self) -> Cow<'static, str> {
        self.kind.into()
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quote(value))
    }
}

/// A program or a pattern, whose kind this says.
pub(crate) struct Code(pub(crate) &'static str);

impl Read for Code {
    type Value = String;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<String> {
        text(key, node, self.0, checker).map(str::to_owned)
    }

    fn kind(&self) -> Cow<'static, str> {
        self.0.into()
    }

    fn write(&self, value: &String) -> Option<String> {
        Some(quote(value))
    }

    fn exposure(&self) -> Exposure {
        Exposure::Code
    }
}

/// An array whose items are read alike; what cannot be read is left out.
pub(crate) struct Items<R> {
    pub(crate) kind: &'static str,
    pub(crate) item: R,
    /// Where an empty array is an error, what to do about it.
    pub(crate) if_empty: Option<&'static str>,
}

impl<R: Read> Read for Items<R> {
    type Value = Vec<R::Value>;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<Vec<R::Value>> {
        let items = items(key, node, self.kind, checker)?;
        if let ([], Some(instead)) = (items, self.if_empty) {
            checker.error(node.span, format!("`{key}` must not be empty")).help(instead);
            return None;
        }
        let items = (0..).zip(items);
        let read = |(index, item): (usize, &Node)| self.item.read(&format!("{key}[{index}]"), item, checker);
        Some(items.filter_map(read).collect())
    }

    fn kind(&self) -> Cow<'static, str> {
        self.kind.into()
    }

    fn write(&self, values: &Vec<R::Value>) -> Option<String> {
        let items: Option<Vec<_>> = values.iter().map(|value| self.item.write(value)).collect();
        Some(format!("[{}]", items?.join(", ")))
    }
}

/// A string that nobody may see.
pub(crate) struct Hidden;

impl Read for Hidden {
    type Value = Secret;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<Secret> {
        text(key, node, &self.kind(), checker).map(|text| Secret::from(text.to_owned()))
    }

    fn kind(&self) -> Cow<'static, str> {
        "a string".into()
    }

    /// Only the printer knows whether secrets are shown.
    fn write(&self, _: &Secret) -> Option<String> {
        None
    }

    fn exposure(&self) -> Exposure {
        Exposure::Masked
    }
}

/// A value that code beside its section reads: a table, or one of several types.
pub(crate) struct Nested(pub(crate) &'static str);

impl Read for Nested {
    type Value = ();

    fn read(&self, _: &str, _: &Node, _: &mut Checker<'_>) -> Option<()> {
        Some(())
    }

    fn kind(&self) -> Cow<'static, str> {
        self.0.into()
    }

    fn write(&self, (): &()) -> Option<String> {
        None
    }
}

/// A value as [`Nested`], in whose tables secrets are: who writes a text instead writes one of them.
pub(crate) struct NestedSecrets(pub(crate) &'static str);

impl Read for NestedSecrets {
    type Value = ();

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<()> {
        Nested(self.0).read(key, node, checker)
    }

    fn kind(&self) -> Cow<'static, str> {
        Nested(self.0).kind()
    }

    fn write(&self, value: &()) -> Option<String> {
        Nested(self.0).write(value)
    }

    fn exposure(&self) -> Exposure {
        Exposure::Masked
    }
}

/// A string in TOML, on one line.
pub(crate) fn quote(text: &str) -> String {
    let builder = TomlStringBuilder::new(text);
    let string =
        builder.as_basic_pretty().or_else(|| builder.as_literal()).unwrap_or_else(|| builder.as_basic());
    string.to_toml_value()
}
