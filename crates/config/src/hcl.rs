//! HCL (the native syntax, specification of HCL 2) as blocks of attributes in which every key and value knows its place.
//! What the keys mean is not known here. What stands behind a key is evaluated in `evaluate`; where a text stops being
//! HCL is found in `balance`, and put into words in `explain`.

mod balance;
mod evaluate;
mod explain;

use std::ops::Range;

use hcl_edit::Span as _;
use hcl_edit::structure;

use crate::tree::{Data, Entry, Node, Table};
use crate::{Diagnostics, Env, Span};

use evaluate::Evaluator;

/// What was read: nothing, where the text is no HCL.
pub(crate) struct Document {
    pub(crate) body: Body,
    /// What cannot be evaluated. Whether that is an error depends on whether anything asks for the value.
    pub(crate) problems: Vec<Problem>,
    pub(crate) words: Words,
    /// Whether there was a syntax error, which has been reported.
    pub(crate) is_broken: bool,
}

/// What stands in braces, or in a file.
#[derive(Default)]
pub(crate) struct Body {
    pub(crate) attributes: Table,
    pub(crate) blocks: Vec<Block>,
}

/// `KIND "LABEL" { … }`.
pub(crate) struct Block {
    pub(crate) kind: String,
    /// Where its kind is.
    pub(crate) kind_span: Span,
    pub(crate) labels: Vec<Label>,
    /// All of it, to its closing brace.
    pub(crate) span: Span,
    pub(crate) body: Body,
}

pub(crate) struct Label {
    pub(crate) text: String,
    pub(crate) span: Span,
}

/// A value that this dialect does not evaluate, or a variable that is not set. The value is [`Data::Broken`].
pub(crate) struct Problem {
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// Where a text has words, for masking it.
#[derive(Default)]
pub(crate) struct Words {
    /// Keys, kinds of blocks, labels, functions, names of variables, and values that anyone may see.
    pub(crate) shown: Vec<Range<usize>>,
    /// Other values.
    pub(crate) hidden: Vec<Range<usize>>,
}

/// Reads a text, and reports where it is no HCL. `is_shown` says of a key whether anyone may see its value.
pub(crate) fn parse(
    text: &str,
    file: u32,
    env: &Env,
    is_shown: fn(&str) -> bool,
    diagnostics: &mut Diagnostics,
) -> Document {
    let mut document =
        Document { body: Body::default(), problems: Vec::new(), words: Words::default(), is_broken: false };
    match hcl_edit::parser::parse_body(text) {
        Ok(body) => {
            if let Some(unended) = balance::check(text).filter(|found| found.is_text) {
                explain::report_unbalanced(&unended, file, diagnostics);
                document.is_broken = true;
                return document;
            }
            let mut reader = Reader { evaluator: Evaluator::new(text, file, env, is_shown) };
            document.body = reader.body(&body);
            (document.problems, document.words) = reader.evaluator.finish();
        }
        Err(error) => {
            explain::report(text, file, &error, diagnostics);
            document.is_broken = true;
        }
    }
    document
}

struct Reader<'t> {
    evaluator: Evaluator<'t>,
}

impl Reader<'_> {
    /// As deep as the parser lets blocks lie, which is 64 levels.
    fn body(&mut self, body: &structure::Body) -> Body {
        let mut out = Body::default();
        for structure in body {
            match structure {
                structure::Structure::Attribute(attribute) => {
                    let name = attribute.key.as_str();
                    let span = self.evaluator.word(attribute.key.span());
                    let node = self.evaluator.value(&attribute.value, name);
                    // `null` is how a key is left out.
                    if !matches!(node.data, Data::Null) {
                        out.attributes.entries.push(Entry { name: name.to_owned(), span, node });
                    }
                }
                structure::Structure::Block(block) => out.blocks.push(self.block(block)),
            }
        }
        out
    }

    fn block(&mut self, block: &structure::Block) -> Block {
        let kind_span = self.evaluator.word(block.ident.span());
        let labels = block.labels.iter().map(|label| {
            let span = self.evaluator.label(label.span(), label.as_str());
            Label { text: label.as_str().to_owned(), span }
        });
        Block {
            kind: block.ident.as_str().to_owned(),
            kind_span,
            labels: labels.collect(),
            span: self.evaluator.span(block.span()),
            body: self.body(&block.body),
        }
    }
}

impl Block {
    /// Its kind and its labels, as messages point to it.
    pub(crate) fn header(&self) -> Span {
        let start = self.kind_span.range().start;
        let end = self.labels.last().map_or(self.kind_span, |label| label.span).range().end;
        Span::new(self.kind_span.file(), start..end)
    }
}

impl Body {
    /// Attributes and blocks as one table, in which a block is under its kind. What is there twice is reported, and the
    /// first taken.
    pub(crate) fn into_table(self, diagnostics: &mut Diagnostics) -> Table {
        let mut table = self.attributes;
        for block in self.blocks {
            if let Some(before) = table.get(&block.kind) {
                diagnostics
                    .error(block.kind_span, format!("`{}` is there twice", block.kind))
                    .also(before.span, "it is here already");
                continue;
            }
            let data = Data::Table(block.body.into_table(diagnostics));
            let node = Node { span: block.span, data, raw: None };
            table.entries.push(Entry { name: block.kind, span: block.kind_span, node });
        }
        table
    }
}

#[cfg(test)]
mod tests;
