//! A document as a tree in which every key and value knows its place. What the keys mean is not known here. TOML is
//! read here, YAML in `yaml`, HCL in `hcl`.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::Span;
use crate::mask::Dialect;

/// Syntax errors beyond so many mean that nothing of the file can be trusted; the rest of it is not read.
const MAX_SYNTAX_ERRORS: usize = 100;

/// A value. No `Debug`: it may be a secret.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) data: Data,
    /// As the environment had it. There a value has no quotes, so `123` may be meant as a string.
    pub(crate) raw: Option<String>,
}

#[derive(Clone)]
pub(crate) enum Data {
    Text {
        text: String,
        /// Where the text is, if the file writes it without escapes.
        exact: Option<Span>,
    },
    /// `None` where it does not fit 64 bits.
    Integer(Option<i64>),
    Float(f64),
    Bool(bool),
    Datetime(String),
    /// Only YAML and HCL have it.
    Null,
    List(Vec<Node>),
    Table(Table),
    /// A syntax error is in it or near it, and has been reported.
    Broken,
}

/// Entries in the order of the file.
#[derive(Clone, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Entry>,
}

#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) span: Span,
    pub(crate) node: Node,
}

/// A syntax error; its message quotes nothing of the file.
pub(crate) struct SyntaxError {
    pub(crate) message: String,
    pub(crate) range: Range<usize>,
}

impl Table {
    pub(crate) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

impl Node {
    /// The text of a string, or of what the environment says where a string is asked for.
    pub(crate) fn as_text(&self) -> Option<&str> {
        match &self.data {
            Data::Text { text, .. } => Some(text),
            _ => self.raw.as_deref(),
        }
    }

    /// What kind of value it is, in the words of its dialect.
    pub(crate) fn kind(&self, dialect: Dialect) -> &'static str {
        match self.data {
            Data::Integer(_) | Data::Float(_) if dialect != Dialect::Native => "a number",
            Data::List(_) if dialect != Dialect::Native => "a list",
            Data::Table(_) if dialect == Dialect::Inboxclaw => "a mapping",
            Data::Table(_) if dialect == Dialect::Mycel => "a block",
            Data::Text { .. } => "a string",
            Data::Integer(_) => "an integer",
            Data::Float(_) => "a float",
            Data::Bool(_) => "a boolean",
            Data::Datetime(_) => "a date or time",
            Data::Null => "nothing",
            Data::List(_) => "an array",
            Data::Table(_) => "a table",
            Data::Broken => "broken",
        }
    }
}

/// Reads a document. Values with a syntax error in them come out as [`Data::Broken`]; what comes behind an error
/// may be missing. One mistake makes the reader stumble several times, so of the errors in one value or on one
/// line the first is given.
pub(crate) fn parse_document(text: &str, file: u32) -> (Table, Vec<SyntaxError>) {
    let (document, errors) = DeTable::parse_recoverable(text);
    let hopeless = errors.len() > MAX_SYNTAX_ERRORS;
    let mut errors: Vec<_> =
        errors.iter().take(MAX_SYNTAX_ERRORS).map(|error| syntax_error(error, text)).collect();
    errors.sort_by_key(|error| error.range.start);
    let mut source = Source { text, file, offset: 0, errors: &errors, broken: Vec::new() };
    let table = if hopeless { Table::default() } else { source.table(document.get_ref()) };
    let broken = source.broken;
    let mut told_until = None;
    let mut headers = RepeatedHeaders::default();
    errors.retain(|error| {
        if headers.explain(error, text) {
            return false;
        }
        let told = told_until.is_some_and(|end| error.range.start <= end);
        let value_end = broken.iter().filter(|value| touch(value, &error.range)).map(|value| value.end).max();
        let line_end = text.get(error.range.start..).and_then(|rest| rest.find('\n'));
        let line_end = line_end.map_or(text.len(), |length| error.range.start + length);
        told_until = told_until.max(value_end).max(Some(line_end));
        !told
    });
    (table, errors)
}

/// Reads a value on its own, `None` if it is none. `offset` is where it starts in the text of its file.
pub(crate) fn parse_value(value: &str, file: u32, offset: usize) -> Option<Node> {
    let parsed = DeValue::parse(value).ok()?;
    Some(Source { text: value, file, offset, errors: &[], broken: Vec::new() }.node(&parsed))
}

/// The keys of a table whose header is there twice are there twice too, which need not be said.
#[derive(Default)]
struct RepeatedHeaders {
    last: Option<usize>,
}

impl RepeatedHeaders {
    /// Whether an error follows from a repeated header before it.
    fn explain(&mut self, error: &SyntaxError, text: &str) -> bool {
        let start = error.range.start;
        let line = text.get(..start).map_or(0, |before| before.rfind('\n').map_or(0, |newline| newline + 1));
        let is_header = text.get(line..).is_some_and(|line| line.trim_start().starts_with('['));
        if error.message != "duplicate key" {
            return false;
        }
        if is_header {
            self.last = Some(start);
            return false;
        }
        let between = self.last.and_then(|last| text.get(last..start));
        between.is_some_and(|between| !between.lines().skip(1).any(|line| line.trim_start().starts_with('[')))
    }
}

fn syntax_error(error: &Error, text: &str) -> SyntaxError {
    let range = error.span().unwrap_or(0..0);
    let start = range.start.min(text.len());
    SyntaxError { message: error.message().to_owned(), range: start..range.end.clamp(start, text.len()) }
}

/// Whether two ranges overlap or meet: a reader often stumbles just behind what is wrong.
fn touch(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start <= b.end && b.start <= a.end
}

struct Source<'t> {
    text: &'t str,
    file: u32,
    offset: usize,
    errors: &'t [SyntaxError],
    broken: Vec<Range<usize>>,
}

impl Source<'_> {
    fn table(&mut self, table: &DeTable<'_>) -> Table {
        let entries = table.iter().map(|(key, value)| Entry {
            name: key.get_ref().to_string(),
            span: self.span(key.span()),
            node: self.node(value),
        });
        Table { entries: entries.collect() }
    }

    fn node(&mut self, value: &Spanned<DeValue<'_>>) -> Node {
        let range = value.span();
        let written = self.text.get(range.clone()).unwrap_or_default();
        let data = match value.get_ref() {
            // A table with a header of its own is as sound as its entries; its range is the header's.
            DeValue::Table(table) if !written.starts_with('{') => Data::Table(self.table(table)),
            _ if self.is_broken(&range) => Data::Broken,
            DeValue::Table(table) => Data::Table(self.table(table)),
            DeValue::String(text) => {
                Data::Text { exact: self.exact(written, text, range.start), text: text.to_string() }
            }
            DeValue::Integer(integer) => {
                Data::Integer(i64::from_str_radix(integer.as_str(), integer.radix()).ok())
            }
            DeValue::Float(float) => Data::Float(float.as_str().parse().unwrap_or(f64::NAN)),
            DeValue::Boolean(value) => Data::Bool(*value),
            DeValue::Datetime(datetime) => Data::Datetime(datetime.to_string()),
            DeValue::Array(array) => Data::List(array.iter().map(|item| self.node(item)).collect()),
        };
        Node { span: self.span(range), data, raw: None }
    }

    fn is_broken(&mut self, range: &Range<usize>) -> bool {
        let broken = self.errors.iter().any(|error| touch(&error.range, range));
        if broken {
            self.broken.push(range.clone());
        }
        broken
    }

    /// Where a string's content is in the file: behind its quotes, and behind the line break that may follow them.
    fn exact(&self, written: &str, text: &str, start: usize) -> Option<Span> {
        let quotes = ["\"\"\"", "'''", "\"", "'"].into_iter().find(|quotes| written.starts_with(quotes))?;
        let content = written.strip_prefix(quotes)?.strip_suffix(quotes)?;
        let content = if quotes.len() == 3 {
            content.strip_prefix("\r\n").or_else(|| content.strip_prefix('\n')).unwrap_or(content)
        } else {
            content
        };
        let skipped = written.len() - quotes.len() - content.len();
        (content == text).then(|| self.span(start + skipped..start + skipped + content.len()))
    }

    fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.file, self.offset + range.start..self.offset + range.end)
    }
}
