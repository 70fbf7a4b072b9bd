//! How a key of a configuration is declared: name, type, default, bounds and documentation in one place. What the
//! keys are is beside the code that reads them, in `native`; their reference page is made in `reference`.

use std::borrow::Cow;

use crate::checker::Checker;
use crate::tree::Node;

/// A key of a table.
pub(crate) struct Key<P> {
    pub(crate) name: &'static str,
    /// Markdown, one paragraph.
    pub(crate) doc: &'static str,
    pub(crate) presence: P,
}

/// How a value is read, and written back.
pub(crate) trait Read: Sync {
    type Value;

    /// The value, or `None` after saying what is wrong with it. `key` is what messages call it.
    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<Self::Value>;

    /// What it must be, to stand behind "must be".
    fn kind(&self) -> Cow<'static, str>;

    /// The value as TOML; `None` for a table, which is written under its own header.
    fn write(&self, value: &Self::Value) -> Option<String>;

    /// Who may see a value in a source line that is shown.
    fn exposure(&self) -> Exposure {
        Exposure::Shown
    }

    /// The words that a value may be, if it is one of few.
    fn words(&self) -> Vec<&'static str> {
        Vec::new()
    }
}

/// Who may see a value in a source line that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exposure {
    /// Everyone, if it is a word or a name and not more.
    Shown,
    /// Everyone, whatever is in it.
    Code,
    /// Nobody.
    Masked,
    /// Everyone, if it looks like the name of an environment variable: else it may be what the variable should hold.
    VariableName,
}

/// What holds where a key is missing.
pub(crate) trait Presence: Sync {
    type Value;
    type Read: Read;

    fn reader(&self) -> &Self::Read;
    fn found(&self, value: <Self::Read as Read>::Value) -> Self::Value;
    fn absent(&self) -> Self::Value;

    /// Whether a missing key is an error.
    fn required(&self) -> bool {
        false
    }

    /// The default, in Markdown.
    fn default(&self) -> Cow<'static, str>;

    fn write(&self, value: &Self::Value) -> Option<String>;
}

/// The default stands in.
pub(crate) struct Or<R: Read>(pub(crate) R, pub(crate) fn() -> R::Value);

/// It must be there; what is missing is `None` after an error.
pub(crate) struct Required<R>(pub(crate) R);

/// It may be missing; the text says what that means.
pub(crate) struct Optional<R>(pub(crate) R, pub(crate) &'static str);

impl<R: Read> Presence for Or<R> {
    type Value = R::Value;
    type Read = R;

    fn reader(&self) -> &R {
        &self.0
    }

    fn found(&self, value: R::Value) -> R::Value {
        value
    }

    fn absent(&self) -> R::Value {
        (self.1)()
    }

    fn default(&self) -> Cow<'static, str> {
        self.0.write(&(self.1)()).map_or("".into(), |toml| format!("`{toml}`").into())
    }

    fn write(&self, value: &R::Value) -> Option<String> {
        self.0.write(value)
    }
}

impl<R: Read> Presence for Required<R> {
    type Value = Option<R::Value>;
    type Read = R;

    fn reader(&self) -> &R {
        &self.0
    }

    fn found(&self, value: R::Value) -> Option<R::Value> {
        Some(value)
    }

    fn absent(&self) -> Option<R::Value> {
        None
    }

    fn required(&self) -> bool {
        true
    }

    fn default(&self) -> Cow<'static, str> {
        "required".into()
    }

    fn write(&self, value: &Option<R::Value>) -> Option<String> {
        value.as_ref().and_then(|value| self.0.write(value))
    }
}

impl<R: Read> Presence for Optional<R> {
    type Value = Option<R::Value>;
    type Read = R;

    fn reader(&self) -> &R {
        &self.0
    }

    fn found(&self, value: R::Value) -> Option<R::Value> {
        Some(value)
    }

    fn absent(&self) -> Option<R::Value> {
        None
    }

    fn default(&self) -> Cow<'static, str> {
        self.1.into()
    }

    fn write(&self, value: &Option<R::Value>) -> Option<String> {
        value.as_ref().and_then(|value| self.0.write(value))
    }
}

/// A key whatever its type, for documentation, suggestions and masking.
pub(crate) trait Describe: Sync {
    fn name(&self) -> &'static str;
    fn doc(&self) -> &'static str;
    fn kind(&self) -> Cow<'static, str>;
    fn default(&self) -> Cow<'static, str>;
    fn exposure(&self) -> Exposure;
    fn words(&self) -> Vec<&'static str>;
}

impl<P: Presence> Describe for Key<P> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn kind(&self) -> Cow<'static, str> {
        self.presence.reader().kind()
    }

    fn default(&self) -> Cow<'static, str> {
        self.presence.default()
    }

    fn exposure(&self) -> Exposure {
        self.presence.reader().exposure()
    }

    fn words(&self) -> Vec<&'static str> {
        self.presence.reader().words()
    }
}

/// A table, and all that may be in it.
pub(crate) struct Section {
    /// The heading, as it stands in a file: `[http]`.
    pub(crate) title: &'static str,
    /// The type that a table must be of to have these keys, where there are several.
    pub(crate) variant: Option<&'static str>,
    /// Markdown.
    pub(crate) about: &'static str,
    /// A whole configuration that loads; empty where another section's shows this one too.
    pub(crate) example: &'static str,
    pub(crate) keys: &'static [&'static dyn Describe],
    /// Names that are no keys here, and that someone may well write.
    pub(crate) foreign: &'static [Foreign],
}

/// A key of cdviz-collector, or of a later version.
#[derive(Clone, Copy)]
pub(crate) struct Foreign {
    pub(crate) name: &'static str,
    pub(crate) fate: Fate,
}

/// What happens to it.
#[derive(Clone, Copy)]
pub(crate) enum Fate {
    /// Ignored with a warning; the text says why that is safe.
    Ignored(&'static str),
    /// Refused; the text says what to write instead.
    Refused(&'static str),
}

impl Foreign {
    pub(crate) const fn ignored(name: &'static str, why: &'static str) -> Self {
        Self { name, fate: Fate::Ignored(why) }
    }

    pub(crate) const fn refused(name: &'static str, instead: &'static str) -> Self {
        Self { name, fate: Fate::Refused(instead) }
    }
}
