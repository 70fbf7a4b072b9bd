//! What is wrong with a configuration, and the texts that it is in. How it looks is in `render`.

mod render;

use crate::Span;

/// Diagnostics that are kept; of those beyond, only the number is. A file with more was not meant as a configuration.
const MAX_DIAGNOSTICS: usize = 200;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Nothing starts on it.
    Error,
    /// It runs, but perhaps not as meant.
    Warning,
}

/// One problem. The methods add to what is shown of it.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    severity: Severity,
    message: String,
    span: Span,
    label: Option<String>,
    others: Vec<(Span, String)>,
    help: Vec<String>,
}

impl Diagnostic {
    fn new(severity: Severity, span: Span, message: String) -> Self {
        Self { severity, message, span, label: None, others: Vec::new(), help: Vec::new() }
    }

    /// Says something beside the caret.
    pub fn label(&mut self, text: impl Into<String>) -> &mut Self {
        self.label = Some(text.into());
        self
    }

    /// Points to a second place.
    pub fn also(&mut self, span: Span, text: impl Into<String>) -> &mut Self {
        self.others.push((span, text.into()));
        self
    }

    /// Says below what would be right.
    pub fn help(&mut self, text: impl Into<String>) -> &mut Self {
        self.help.push(text.into());
        self
    }
}

/// All problems of a configuration, and the texts that they are in. Secrets are masked in those.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    files: Vec<File>,
    entries: Vec<Diagnostic>,
    errors: usize,
    warnings: usize,
    /// Takes what is said about diagnostics that are not kept.
    discarded: Option<Diagnostic>,
}

#[derive(Clone, Debug)]
struct File {
    name: String,
    /// Masked, at the same byte offsets as in the original.
    text: String,
}

impl Diagnostics {
    /// Adds an error; what is returned takes more to say about it.
    pub fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.errors += 1;
        self.add(Diagnostic::new(Severity::Error, span, message.into()))
    }

    /// Adds a warning; what is returned takes more to say about it.
    pub fn warning(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.warnings += 1;
        self.add(Diagnostic::new(Severity::Warning, span, message.into()))
    }

    /// Whether the configuration cannot be used.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many there are, those that are not kept included.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        match severity {
            Severity::Error => self.errors,
            Severity::Warning => self.warnings,
        }
    }

    /// All of them as text, in the order of the file, a blank line between two; empty where there are none. `color`
    /// adds ANSI escapes.
    #[must_use]
    pub fn render(&self, color: bool) -> String {
        render::render(self, color)
    }

    /// Takes something that need not be said: looks like [`Diagnostics::error`], and is forgotten.
    pub(crate) fn discard(&mut self, span: Span) -> &mut Diagnostic {
        self.discarded.insert(Diagnostic::new(Severity::Error, span, String::new()))
    }

    /// How many are kept.
    pub(crate) fn told(&self) -> usize {
        self.entries.len()
    }

    /// The last one, if there is one that is not among the first so many.
    pub(crate) fn last_since(&mut self, told: usize) -> Option<&mut Diagnostic> {
        self.entries.get_mut(told..).and_then(<[Diagnostic]>::last_mut)
    }

    /// Names a file, whose text (masked) comes later.
    pub(crate) fn add_file(&mut self, name: String) -> u32 {
        self.files.push(File { name, text: String::new() });
        u32::try_from(self.files.len() - 1).unwrap_or(u32::MAX)
    }

    pub(crate) fn set_text(&mut self, file: u32, masked: String) {
        if let Some(file) = self.files.get_mut(file as usize) {
            file.text = masked;
        }
    }

    fn add(&mut self, entry: Diagnostic) -> &mut Diagnostic {
        if self.entries.len() < MAX_DIAGNOSTICS {
            self.entries.push_mut(entry)
        } else {
            self.discarded.insert(entry)
        }
    }
}
