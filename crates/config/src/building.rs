//! Native documents under construction.

use std::time::Duration;

use crate::Span;
use crate::tree::{Data, Entry, Node, Table};
use crate::units::format_duration;

/// A table that is made key by key.
pub(crate) struct Block {
    /// Where it is, for keys that the file does not have.
    span: Span,
    table: Table,
}

impl Block {
    pub(crate) fn new(span: Span) -> Self {
        Self { span, table: Table::default() }
    }

    pub(crate) fn text(&mut self, name: &str, text: impl Into<String>, span: Span) {
        self.set(name, Data::Text { text: text.into(), exact: None }, span);
    }

    pub(crate) fn duration(&mut self, name: &str, duration: Duration, span: Span) {
        self.text(name, format_duration(duration), span);
    }

    pub(crate) fn integer(&mut self, name: &str, value: i64, span: Span) {
        self.set(name, Data::Integer(Some(value)), span);
    }

    pub(crate) fn flag(&mut self, name: &str, value: bool, span: Span) {
        self.set(name, Data::Bool(value), span);
    }

    /// A text, or, where it could not be read and that has been reported, a value that nothing is said about.
    pub(crate) fn text_or_broken(&mut self, name: &str, text: Option<String>, span: Span) {
        match text {
            Some(text) => self.text(name, text, span),
            None => self.set(name, Data::Broken, span),
        }
    }

    /// A key and a value that mean the same in both dialects.
    pub(crate) fn entry(&mut self, entry: Entry) {
        self.table.entries.push(entry);
    }

    /// A value that means the same in both dialects.
    pub(crate) fn node(&mut self, name: &str, node: Node) {
        let span = node.span;
        self.table.entries.push(Entry { name: name.to_owned(), span, node });
    }

    pub(crate) fn table(&mut self, name: &str, entries: Vec<Entry>) {
        self.set(name, Data::Table(Table { entries }), self.span);
    }

    pub(crate) fn block(&mut self, name: &str, block: Block) {
        let span = block.span;
        self.set(name, Data::Table(block.table), span);
    }

    pub(crate) fn list(&mut self, name: &str, texts: &[&str], span: Span) {
        let text = |text: &&str| Data::Text { text: (*text).to_owned(), exact: None };
        let items = texts.iter().map(|it| Node { span, data: text(it), raw: None });
        self.set(name, Data::List(items.collect()), span);
    }

    pub(crate) fn into_table(self) -> Table {
        self.table
    }

    /// The block as an item of a list.
    pub(crate) fn into_node(self) -> Node {
        Node { span: self.span, data: Data::Table(self.table), raw: None }
    }

    /// The block under its name.
    pub(crate) fn into_entry(self, name: &str) -> Entry {
        let Self { span, table } = self;
        Entry { name: name.to_owned(), span, node: Node { span, data: Data::Table(table), raw: None } }
    }

    fn set(&mut self, name: &str, data: Data, span: Span) {
        self.table.entries.push(Entry { name: name.to_owned(), span, node: Node { span, data, raw: None } });
    }
}
