//! What stands behind a key: literals, lists, objects, heredocs, and `env("NAME")`. Nothing else is evaluated.

use std::ops::Range;

use hcl_edit::expr::{Array, Expression, FuncCall, Object, ObjectKey};
use hcl_edit::template::{Element, Template};
use hcl_edit::{Number, Span as _};

use super::{Problem, Words};
use crate::mask::has_swallowed;
use crate::native::source::rest::is_operation;
use crate::native::words::is_variable_name;
use crate::tree::{Data, Entry, Node, Table};
use crate::{Env, Span};

/// The functions that Mycel has, which a message may name.
const FUNCTIONS: [&str; 6] = ["env", "coalesce", "file", "base64decode", "base64encode", "abspath"];

/// The names that Mycel has for something, which a message may name.
const VARIABLES: [&str; 4] = ["constants", "input", "connector", "step"];

/// Evaluates the values of one text, and remembers what it met.
pub(super) struct Evaluator<'t> {
    text: &'t str,
    file: u32,
    env: &'t Env,
    is_shown: fn(&str) -> bool,
    problems: Vec<Problem>,
    words: Words,
}

/// A text that was put together, and whether a variable is part of it.
struct Evaluated {
    text: String,
    has_variable: bool,
}

impl<'t> Evaluator<'t> {
    pub(super) fn new(text: &'t str, file: u32, env: &'t Env, is_shown: fn(&str) -> bool) -> Self {
        Self { text, file, env, is_shown, problems: Vec::new(), words: Words::default() }
    }

    pub(super) fn finish(self) -> (Vec<Problem>, Words) {
        (self.problems, self.words)
    }

    /// The place of a key, a kind of block or the like, which anyone may see.
    pub(super) fn word(&mut self, range: Option<Range<usize>>) -> Span {
        self.words.shown.extend(range.clone());
        self.span(range)
    }

    /// The place of a label.
    pub(super) fn label(&mut self, range: Option<Range<usize>>, text: &str) -> Span {
        self.leaf(range.clone(), is_harmless(text));
        self.span(range)
    }

    pub(super) fn span(&self, range: Option<Range<usize>>) -> Span {
        Span::new(self.file, range.unwrap_or_default())
    }

    /// The value of an attribute.
    pub(super) fn value(&mut self, value: &Expression, key: &str) -> Node {
        let range = value.span();
        let span = self.span(range.clone());
        let is_shown = (self.is_shown)(key);
        let mut raw = None;
        let data = match value {
            Expression::Null(_) => self.scalar(range, true, Data::Null),
            Expression::Bool(value) => self.scalar(range, is_shown, Data::Bool(*value.value())),
            Expression::Number(value) => self.scalar(range, is_shown, number(value.value())),
            Expression::Array(items) => self.list(items, key),
            Expression::Object(object) => self.object(object),
            Expression::Parenthesis(inner) => return Node { span, ..self.value(inner.inner(), key) },
            value => match self.text(value, is_shown) {
                Some(Evaluated { text, has_variable }) => {
                    raw = has_variable.then(|| text.clone());
                    Data::Text { text, exact: None }
                }
                None => Data::Broken,
            },
        };
        Node { span, data, raw }
    }

    fn scalar(&mut self, range: Option<Range<usize>>, is_shown: bool, data: Data) -> Data {
        self.leaf(range, is_shown);
        data
    }

    fn list(&mut self, items: &Array, key: &str) -> Data {
        Data::List(items.iter().map(|item| self.value(item, key)).collect())
    }

    fn object(&mut self, object: &Object) -> Data {
        let mut table = Table::default();
        for (key, value) in object {
            let name = match key {
                ObjectKey::Ident(name) => Some(name.as_str()),
                ObjectKey::Expression(Expression::String(name)) => Some(name.value().as_str()),
                ObjectKey::Expression(_) => None,
            };
            let range = key.span();
            let Some(name) = name else {
                self.leaf(range.clone(), false);
                self.leaf(value.expr().span(), false);
                let message = "the key of an object must be a word, or a text in quotes".to_owned();
                self.problem(range, message, "write the key out");
                continue;
            };
            self.leaf(range.clone(), is_harmless(name));
            let span = self.span(range);
            let node = self.value(value.expr(), name);
            table.entries.push(Entry { name: name.to_owned(), span, node });
        }
        Data::Table(table)
    }

    /// The text that a value is, or `None` after noting what is wrong with it.
    fn text(&mut self, value: &Expression, is_shown: bool) -> Option<Evaluated> {
        let range = value.span();
        match value {
            Expression::String(text) => {
                self.leaf(range, is_shown && is_harmless(text.value()));
                Some(Evaluated { text: text.value().clone(), has_variable: false })
            }
            Expression::StringTemplate(template) => self.template(template, is_shown),
            Expression::HeredocTemplate(heredoc) => {
                let evaluated = self.template(&heredoc.template, false);
                let start = range.map_or(0, |range| range.start);
                let end = heredoc.template.span().map_or(start, |range| range.start);
                // The words that begin and end it.
                self.leaf(Some(start..end), false);
                evaluated
            }
            Expression::Parenthesis(inner) => self.text(inner.inner(), is_shown),
            Expression::FuncCall(call)
                if call.name.namespace.is_empty() && call.name.name.as_str() == "env" =>
            {
                self.variable(call, is_shown)
            }
            value => {
                self.leaf(range.clone(), false);
                self.refuse(value, range);
                None
            }
        }
    }

    fn template(&mut self, template: &Template, is_shown: bool) -> Option<Evaluated> {
        let mut out = Some(Evaluated { text: String::new(), has_variable: false });
        for element in template {
            let part = match element {
                Element::Literal(text) => {
                    let is_shown = is_shown && is_harmless(text);
                    self.leaf(text.span(), is_shown);
                    Some(Evaluated { text: text.to_string(), has_variable: false })
                }
                Element::Interpolation(interpolation) => self.interpolated(&interpolation.expr, is_shown),
                Element::Directive(_) => {
                    self.leaf(element.span(), false);
                    let message = "`%{ … }` in a text is not served".to_owned();
                    self.problem(
                        element.span(),
                        message,
                        "only `${env(\"NAME\")}` is; `%%{` stands for `%{`",
                    );
                    None
                }
            };
            out = out.zip(part).map(|(mut out, part)| {
                out.text.push_str(&part.text);
                out.has_variable |= part.has_variable;
                out
            });
        }
        out
    }

    fn interpolated(&mut self, value: &Expression, is_shown: bool) -> Option<Evaluated> {
        let plain = match value {
            Expression::Bool(value) => value.value().to_string(),
            Expression::Number(value) => value.value().to_string(),
            value => return self.text(value, is_shown),
        };
        self.leaf(value.span(), is_shown);
        Some(Evaluated { text: plain, has_variable: false })
    }

    /// `env("NAME")` and `env("NAME", "default")`. As in Mycel, the default stands in for an empty variable too.
    fn variable(&mut self, call: &FuncCall, is_shown: bool) -> Option<Evaluated> {
        self.words.shown.extend(call.name.name.span());
        let mut arguments = call.args.iter();
        let (name, default, more) = (arguments.next(), arguments.next(), arguments.next());
        let Some((Expression::String(name), None)) = name.zip(Some(more)) else {
            for argument in &call.args {
                self.leaf(argument.span(), false);
            }
            let message = "`env` takes the name of a variable in quotes, and a default or nothing".to_owned();
            self.problem(call.span(), message, "as in `env(\"PORT\")` or `env(\"PORT\", \"3002\")`");
            return None;
        };
        let is_name = is_variable_name(name.value());
        self.leaf(name.span(), is_name);
        // The default is looked at, and its problems told, whether it is needed or not.
        let default = default.map(|default| self.text(default, is_shown));
        let set = self.env.get(name.value());
        if let Some(value) = set.filter(|value| !value.is_empty() || default.is_none()) {
            return Some(Evaluated { text: value.to_owned(), has_variable: true });
        }
        if let Some(default) = default {
            return default;
        }
        let shown = if is_name { format!("`{}`", name.value()) } else { "that this names".to_owned() };
        let message = format!("the environment variable {shown} is not set");
        let help = "set it where this program is started, or in the file `.env` beside the configuration; \
                    `env(\"NAME\", \"…\")` has a default";
        self.problem(call.span(), message, help);
        None
    }

    /// Says why something is not evaluated.
    fn refuse(&mut self, value: &Expression, range: Option<Range<usize>>) {
        let (message, help) = match value {
            Expression::FuncCall(call) => {
                let name = call.name.name.as_str();
                let name = if FUNCTIONS.contains(&name) {
                    format!("the function `{name}`")
                } else {
                    "this function".to_owned()
                };
                (
                    format!("{name} is not served"),
                    "only `env` is: `env(\"NAME\")`, `env(\"NAME\", \"default\")`",
                )
            }
            Expression::Variable(name) => named(name.as_str()),
            Expression::Traversal(traversal) => match &traversal.expr {
                Expression::Variable(name) => named(name.as_str()),
                _ => named(""),
            },
            Expression::Conditional(_) => {
                ("a condition (`… ? … : …`) is not served".to_owned(), "write the value out")
            }
            Expression::ForExpr(_) => ("a `for` is not served".to_owned(), "write the values out"),
            _ => ("arithmetic and comparisons are not served".to_owned(), "write the value out"),
        };
        self.problem(range, message, help);
    }

    fn problem(&mut self, range: Option<Range<usize>>, message: String, help: &str) {
        let span = self.span(range);
        self.problems.push(Problem { span, message, help: help.to_owned() });
    }

    fn leaf(&mut self, range: Option<Range<usize>>, is_shown: bool) {
        let Some(range) = range.filter(|range| self.text.get(range.clone()).is_some()) else { return };
        if is_shown { self.words.shown.push(range) } else { self.words.hidden.push(range) }
    }
}

/// Why a word without quotes is no value.
fn named(name: &str) -> (String, &'static str) {
    match name {
        "constants" => ("`constants` are not served".to_owned(), "write the value out"),
        "connector" => {
            ("a reference is no value here".to_owned(), "name the connector in quotes: `connector = \"api\"`")
        }
        name if VARIABLES.contains(&name) => {
            (format!("`{name}` is no value here"), "put it into quotes, as in `target = \"input.room\"`")
        }
        _ => ("this word is no value".to_owned(), "put texts into quotes"),
    }
}

fn number(number: &Number) -> Data {
    match (number.as_i64(), number.as_f64()) {
        (Some(value), _) => Data::Integer(Some(value)),
        (None, Some(value)) if value.fract() != 0.0 => Data::Float(value),
        _ => Data::Integer(None),
    }
}

/// Whether a text under a key whose values anyone may see looks like what such a value is.
fn is_harmless(text: &str) -> bool {
    is_operation(text) || (!has_swallowed(text) && !text.contains(['@', '#', '\n', '\r']))
}
