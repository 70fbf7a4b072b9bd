//! What checking a table needs: where diagnostics go, the environment, and the keys that have been asked for so far.

use std::path::PathBuf;

use crate::keys::{Fate, Key, Presence, Read, Section};
use crate::mask::{Dialect, has_swallowed};
use crate::tree::{Data, Entry, Node, Table};
use crate::{Diagnostic, Diagnostics, Env, Span};

/// Bytes of a misspelt name for which the nearest known one is looked for; the search takes time in proportion.
const MAX_GUESSED: usize = 64;

/// The state of checking one configuration.
pub(crate) struct Checker<'a> {
    pub(crate) diagnostics: Diagnostics,
    pub(crate) env: &'a Env,
    /// What the file is written in.
    pub(crate) dialect: Dialect,
    /// What came out of variables and may be part of a URL: no message shows it.
    pub(crate) concealed: Vec<String>,
    /// The names of the listeners, once they have been read.
    pub(crate) listeners: Vec<String>,
    /// Where relative paths start.
    pub(crate) folder: PathBuf,
    /// In a block that is switched off, an error is a warning: nothing depends on it.
    pub(crate) switched_off: bool,
    /// After a syntax error something may be missing that the file has; what is absent is then not an error.
    pub(crate) incomplete: bool,
}

impl Checker<'_> {
    /// Adds an error, or a warning in a block that is switched off.
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        if self.switched_off {
            let warning = self.diagnostics.warning(span, message);
            warning.help("this is a warning because `enabled = false` switches the block off")
        } else {
            self.diagnostics.error(span, message)
        }
    }

    pub(crate) fn warning(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.diagnostics.warning(span, message)
    }

    /// Adds an error for something that is not there, unless a syntax error may have swallowed it.
    pub(crate) fn absent(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        if self.incomplete { self.diagnostics.discard(span) } else { self.error(span, message) }
    }

    /// Says that a value is of the wrong type. Nothing, if a syntax error has been reported there.
    pub(crate) fn wrong_type(&mut self, key: &str, node: &Node, kind: &str) {
        if !matches!(node.data, Data::Broken) {
            let label = format!("this is {}", node.kind(self.dialect));
            self.error(node.span, format!("`{key}` must be {kind}")).label(label);
        }
    }

    /// The table that a value is, or `None` after saying that it is none.
    pub(crate) fn table<'t>(&mut self, key: &str, node: &'t Node) -> Option<&'t Table> {
        if let Data::Table(table) = &node.data {
            return Some(table);
        }
        self.wrong_type(key, node, "a table");
        None
    }
}

/// The entries of a table, of which those are marked that have been asked for.
pub(crate) struct Fields<'t> {
    /// What messages call the table: `[http]`.
    title: String,
    span: Span,
    table: &'t Table,
    seen: Vec<bool>,
}

impl<'t> Fields<'t> {
    /// `span` is where a missing key is missed.
    pub(crate) fn new(title: impl Into<String>, span: Span, table: &'t Table) -> Self {
        Self { title: title.into(), span, table, seen: vec![false; table.entries.len()] }
    }

    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    pub(crate) fn span(&self) -> Span {
        self.span
    }

    /// Whether there is an entry of this name, which is not asked for by this.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.table.get(name).is_some()
    }

    /// The entry of this name, without asking what it is.
    pub(crate) fn entry(&mut self, name: &str) -> Option<&'t Entry> {
        let index = self.table.entries.iter().position(|entry| entry.name == name)?;
        if let Some(seen) = self.seen.get_mut(index) {
            *seen = true;
        }
        self.table.entries.get(index)
    }

    /// The value of a key; its default where it is missing or wrong.
    pub(crate) fn get<P: Presence>(&mut self, key: &Key<P>, checker: &mut Checker<'_>) -> P::Value {
        self.get_with_span(key, checker).0
    }

    /// The value of a key and where it is, which is the table where the key is missing.
    pub(crate) fn get_with_span<P: Presence>(
        &mut self,
        key: &Key<P>,
        checker: &mut Checker<'_>,
    ) -> (P::Value, Span) {
        let Some(entry) = self.entry(key.name) else {
            if key.presence.required() {
                self.missing(key.name, &key.presence.reader().kind(), checker);
            }
            return (key.presence.absent(), self.span);
        };
        let read = key.presence.reader().read(key.name, &entry.node, checker);
        (read.map_or_else(|| key.presence.absent(), |value| key.presence.found(value)), entry.node.span)
    }

    fn missing(&self, name: &str, kind: &str, checker: &mut Checker<'_>) {
        checker
            .absent(self.span, format!("`{name}` is missing in {}", self.title))
            .help(format!("`{name}` must be {kind}"));
    }

    /// Reports the entries that nobody asked for.
    pub(crate) fn finish(self, section: &Section, checker: &mut Checker<'_>) {
        let left = self.table.entries.iter().zip(&self.seen).filter(|(_, seen)| !**seen);
        for (entry, _) in left {
            let (name, span) = (&entry.name, entry.span);
            let Some(foreign) = section.foreign.iter().find(|foreign| foreign.name == *name) else {
                let known: Vec<_> = section.keys.iter().map(|key| key.name()).collect();
                let help = suggest(name, &known, "keys here");
                checker
                    .error(span, format!("unknown key {}", quoted(name)))
                    .label(format!("not a key of {}", self.title))
                    .help(help);
                continue;
            };
            match foreign.fate {
                Fate::Ignored(why) => {
                    checker.warning(span, format!("`{name}` is ignored: {why}"));
                }
                Fate::Refused(instead) => {
                    checker.error(span, format!("`{name}` is not served")).help(instead);
                }
            }
        }
    }
}

/// What would be right instead of a name that is not known: the nearest, else all.
pub(crate) fn suggest(name: &str, known: &[&str], what: &str) -> String {
    if let Some(near) = nearest(name, known.iter().copied()) {
        return format!("did you mean `{near}`?");
    }
    match known {
        [] => format!("there are no {what}"),
        known => format!("{what}: {}", list(known)),
    }
}

/// A name that the file has, for a message.
pub(crate) fn quoted(name: &str) -> String {
    if has_swallowed(name) { "`…`".to_owned() } else { format!("`{name}`") }
}

/// Names in backquotes, with commas.
pub(crate) fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The known name that a third of the letters, or a swap of two, leads to.
pub(crate) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if name.len() > MAX_GUESSED {
        return None;
    }
    let folded = name.to_lowercase().replace('-', "_");
    let distances = known.map(|known| (strsim::damerau_levenshtein(&folded, known), known));
    let (distance, near) = distances.min_by_key(|(distance, _)| *distance)?;
    (distance <= (name.chars().count() / 3).max(1)).then_some(near)
}

/// Reads each item of an array.
pub(crate) fn items<'t>(
    key: &str,
    node: &'t Node,
    kind: &str,
    checker: &mut Checker<'_>,
) -> Option<&'t [Node]> {
    if let Data::List(items) = &node.data {
        return Some(items);
    }
    checker.wrong_type(key, node, kind);
    None
}

/// Reads a string, or what the environment says where a string is asked for.
pub(crate) fn text<'t>(key: &str, node: &'t Node, kind: &str, checker: &mut Checker<'_>) -> Option<&'t str> {
    let text = node.as_text();
    if text.is_none() {
        checker.wrong_type(key, node, kind);
    }
    text
}

impl<P: Presence> Key<P> {
    /// Reads a value outside of a table, as if it stood under this key.
    pub(crate) fn read(&self, node: &Node, checker: &mut Checker<'_>) -> Option<<P::Read as Read>::Value> {
        self.presence.reader().read(self.name, node, checker)
    }
}
