//! A YAML document (1.2, core schema) as a [`Table`] in which every key and value knows its place. What the keys mean
//! is not known here. Scalars are made in `scalar`, and variables in them expanded by the caller's [`Expand`]; syntax
//! errors are put into words in `explain`.

mod explain;
mod scalar;

use std::collections::HashMap;
use std::ops::Range;

use granit_parser::{Event, Options, Parser, ScalarStyle, StrInput, StructureStyle, Tag};

use crate::checker::quoted;
use crate::tree::{Data, Entry, Node, Table};
use crate::{Diagnostics, Span};

/// How deep lists and mappings may lie in each other, those that aliases bring along included. No configuration
/// comes near it, and whoever walks the tree needs stack for each level.
const MAX_DEPTH: usize = 32;

/// Nodes that aliases may bring along, all together: a few lines of aliases of aliases would mean millions.
const MAX_COPIES: usize = 10_000;

/// Replaces variables in scalars.
pub(crate) trait Expand {
    /// What a text becomes, or `None` if there is nothing in it to expand. `exact` is where byte 0 of the text is in
    /// the file, if the file writes it without escapes; else `whole` is where its scalar is.
    fn expand(&mut self, text: &str, exact: Option<Span>, whole: Span) -> Option<String>;

    /// Whether a key has something in it that would be expanded in a value.
    fn would_expand(&self, text: &str) -> bool;
}

/// What was read, as far as it could be.
pub(crate) struct Document {
    pub(crate) table: Table,
    /// Where scalars are, keys included.
    pub(crate) scalars: Vec<Range<usize>>,
    /// Where comments are, from their `#`.
    pub(crate) comments: Vec<Range<usize>>,
    /// Where keys are that are there a second time.
    pub(crate) repeated: Vec<Range<usize>>,
    /// Whether the rest could not be read.
    pub(crate) is_broken: bool,
}

/// Reads a document, and reports what is wrong with it. Messages quote keys, and nothing else of the file.
pub(crate) fn parse(
    text: &str,
    file: u32,
    expand: &mut dyn Expand,
    diagnostics: &mut Diagnostics,
) -> Document {
    let mut options = Options::default();
    options.emit_unresolved_aliases = true;
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    // All of a file may be comments; how large it may be has been looked at.
    options.max_buffered_comment_events = text.len();
    let mut reader = Reader {
        text,
        file,
        parser: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        copies: 0,
        expand,
        diagnostics,
        document: Document {
            table: Table::default(),
            scalars: Vec::new(),
            comments: Vec::new(),
            repeated: Vec::new(),
            is_broken: false,
        },
        error: None,
    };
    reader.stream();
    if let Some(at) = reader.error {
        break_at(&mut reader.document.table, at);
    }
    reader.document
}

/// A value, with what it costs to repeat it.
#[derive(Clone)]
struct Value {
    node: Node,
    nodes: usize,
    depth: usize,
}

struct Reader<'t, 'd> {
    text: &'t str,
    file: u32,
    parser: Parser<'t, StrInput<'t>>,
    anchors: HashMap<usize, Value>,
    copies: usize,
    expand: &'d mut dyn Expand,
    diagnostics: &'d mut Diagnostics,
    document: Document,
    /// Where reading ended, if not at the end.
    error: Option<usize>,
}

impl<'t> Reader<'t, '_> {
    /// The next event that is no comment; `None` at the end, and behind an error.
    fn next(&mut self) -> Option<(Event<'t>, Range<usize>)> {
        while !self.document.is_broken {
            let (event, span) = match self.parser.next()? {
                Ok(event) => event,
                Err(error) => {
                    let at = error.marker().byte_offset().unwrap_or_default();
                    let problem = self.diagnostics.error(self.span(at..at), "this is not YAML");
                    explain::explain(error.kind(), problem);
                    self.document.is_broken = true;
                    self.error = Some(at);
                    return None;
                }
            };
            let range = span.byte_range().unwrap_or_default();
            match event {
                Event::Comment(..) => self.document.comments.push(range),
                event => return Some((event, range)),
            }
        }
        None
    }

    fn stream(&mut self) {
        let mut documents = 0;
        while let Some((event, range)) = self.next() {
            match event {
                Event::DocumentStart(..) if documents > 0 => {
                    self.diagnostics.error(self.span(range), "a second document begins here").help(
                        "one file is one configuration: remove what follows, or put it into another file",
                    );
                    self.document.is_broken = true;
                }
                Event::DocumentStart(..) => documents += 1,
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
                event => {
                    let root = self.value(event, range, 0);
                    match root.node.data {
                        Data::Table(table) => self.document.table = table,
                        Data::Null | Data::Broken => {}
                        _ => {
                            self.diagnostics
                                .error(root.node.span, "a configuration is a mapping of keys to values")
                                .help("`sink:` begins the part that says what is streamed");
                            self.document.is_broken = true;
                        }
                    }
                }
            }
        }
    }

    fn value(&mut self, event: Event<'t>, range: Range<usize>, depth: usize) -> Value {
        let span = self.span(range.clone());
        if depth > MAX_DEPTH {
            self.too_deep(span);
        }
        if self.document.is_broken {
            return leaf(span, Data::Broken);
        }
        let (anchor, value) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.document.scalars.push(range);
                (anchor, self.scalar(&text, style, tag.as_deref(), span))
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.check_tag(tag.as_deref(), "seq", span);
                (anchor, self.list(span, depth))
            }
            Event::MappingStart(style, anchor, tag) => {
                self.check_tag(tag.as_deref(), "map", span);
                (anchor, self.mapping(style, span, depth))
            }
            Event::Alias(anchor) => (0, self.alias(anchor, span, depth)),
            Event::UnresolvedAlias(_) => {
                self.diagnostics
                    .error(span, "this alias names no anchor before it")
                    .help("a text that begins with `*` needs quotes, as in `match: \"*\"`");
                (0, leaf(span, Data::Broken))
            }
            _ => (0, leaf(span, Data::Broken)),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, value.clone());
        }
        value
    }

    fn list(&mut self, span: Span, depth: usize) -> Value {
        let (mut items, mut size) = (Vec::new(), Size::default());
        while let Some((event, range)) = self.next() {
            if let Event::SequenceEnd = event {
                break;
            }
            items.push(size.add(self.value(event, range, depth + 1)));
        }
        size.into_value(span, Data::List(items))
    }

    fn mapping(&mut self, style: StructureStyle, span: Span, depth: usize) -> Value {
        let (mut table, mut size) = (Table::default(), Size::default());
        while let Some((event, range)) = self.next() {
            if let Event::MappingEnd = event {
                break;
            }
            let key = self.key(event, range, depth);
            let Some((event, range)) = self.next() else { break };
            let node = size.add(self.value(event, range, depth + 1));
            let Some((name, span)) = key else { continue };
            // In braces YAML takes `{a b: c, d}` for keys without a value; what is a key and what a value of what was
            // meant, nobody knows.
            if matches!(style, StructureStyle::Flow) && !self.is_followed_by_colon(span) {
                self.diagnostics
                    .error(span, "a key without a value")
                    .label("`:` and a value are missing here");
            } else if let Some(before) = table.get(&name) {
                self.diagnostics
                    .error(span, format!("{} is there twice", quoted(&name)))
                    .also(before.span, "it is here already");
                self.document.repeated.push(span.range());
            } else {
                table.entries.push(Entry { name, span, node });
            }
        }
        size.into_value(span, Data::Table(table))
    }

    fn key(&mut self, event: Event<'t>, range: Range<usize>, depth: usize) -> Option<(String, Span)> {
        let span = self.span(range.clone());
        let Event::Scalar(name, style, ..) = event else {
            self.diagnostics.error(span, "a key must be a word");
            self.value(event, range, depth + 1);
            return None;
        };
        self.document.scalars.push(range);
        let is_plain = matches!(style, ScalarStyle::Plain);
        if is_plain && name == "<<" {
            self.diagnostics.error(span, "a merge key (`<<`) is not served").help(
                "it is no part of YAML 1.2, and hides what holds where; repeat the keys, or name a whole value \
                 with an alias",
            );
            return None;
        }
        if is_plain && matches!(scalar::resolve(&name), Data::Null) {
            self.diagnostics.error(span, "a key is missing here");
            return None;
        }
        if self.expand.would_expand(&name) {
            self.diagnostics.error(span, "variables are expanded in values only").help("write the key out");
            return None;
        }
        Some((name.into_owned(), span))
    }

    fn is_followed_by_colon(&self, key: Span) -> bool {
        self.text.get(key.range().end..).is_some_and(|rest| rest.trim_start().starts_with(':'))
    }

    fn alias(&mut self, anchor: usize, span: Span, depth: usize) -> Value {
        let Some(value) = self.anchors.get(&anchor) else {
            self.diagnostics.error(span, "this alias is within what it names");
            return leaf(span, Data::Broken);
        };
        self.copies += value.nodes;
        if depth + value.depth > MAX_DEPTH {
            self.too_deep(span);
        } else if self.copies > MAX_COPIES {
            self.diagnostics
                .error(span, format!("the aliases of this file mean more than {MAX_COPIES} values"));
            self.document.is_broken = true;
        } else {
            let mut value = value.clone();
            value.node.span = span;
            return value;
        }
        leaf(span, Data::Broken)
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Value {
        let exact = self.exact(text, span);
        let expanded = self.expand.expand(text, exact, span);
        let text = expanded.as_deref().unwrap_or(text);
        let plain = scalar::resolve(text);
        let as_text = || Data::Text { text: text.to_owned(), exact: exact.filter(|_| expanded.is_none()) };
        let data = match tag {
            None if matches!(style, ScalarStyle::Plain) => match plain {
                Data::Text { .. } => as_text(),
                plain => plain,
            },
            None => as_text(),
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix() == "str" => as_text(),
            Some(tag) if tag.is_yaml_core_schema() && scalar::tag(&plain) == tag.suffix() => plain,
            Some(_) => {
                self.diagnostics.error(span, "this value is not what its tag says").help(
                    "tags (`!…`) are not needed: a number is a number, and what is in quotes is a string",
                );
                Data::Broken
            }
        };
        Value { node: Node { span, data, raw: expanded }, nodes: 1, depth: 0 }
    }

    fn check_tag(&mut self, tag: Option<&Tag>, expected: &str, span: Span) {
        if tag.is_some_and(|tag| !(tag.is_yaml_core_schema() && tag.suffix() == expected)) {
            self.diagnostics.error(span, "tags (`!…`) are not served");
        }
    }

    fn too_deep(&mut self, span: Span) {
        self.diagnostics.error(span, format!("this lies more than {MAX_DEPTH} levels deep"));
        self.document.is_broken = true;
    }

    /// Where a scalar's content is, if it is written without escapes and on one line.
    fn exact(&self, text: &str, span: Span) -> Option<Span> {
        let written = self.text.get(span.range())?;
        let quotes = usize::from(written.starts_with(['"', '\'']));
        let end = quotes + text.len();
        (written.get(quotes..end) == Some(text)).then(|| span.part(quotes, end))
    }

    fn span(&self, range: Range<usize>) -> Span {
        Span::new(self.file, range)
    }
}

fn leaf(span: Span, data: Data) -> Value {
    Value { node: Node { span, data, raw: None }, nodes: 1, depth: 0 }
}

/// What a list or a mapping costs to repeat.
#[derive(Default)]
struct Size {
    nodes: usize,
    depth: usize,
}

impl Size {
    fn add(&mut self, value: Value) -> Node {
        self.nodes += value.nodes;
        self.depth = self.depth.max(value.depth + 1);
        value.node
    }

    fn into_value(self, span: Span, data: Data) -> Value {
        Value { node: Node { span, data, raw: None }, nodes: self.nodes + 1, depth: self.depth }
    }
}

/// Takes out the value that an error is in or just behind: it may have swallowed what should follow it.
fn break_at(table: &mut Table, at: usize) {
    for entry in &mut table.entries {
        break_node(&mut entry.node, at);
    }
}

fn break_node(node: &mut Node, at: usize) {
    let range = node.span.range();
    match &mut node.data {
        Data::Table(table) => break_at(table, at),
        Data::List(items) => items.iter_mut().for_each(|item| break_node(item, at)),
        data if !range.is_empty() && range.start <= at && at <= range.end => *data = Data::Broken,
        _ => {}
    }
}
