//! Keys whose values name the environment variable that holds a secret.

use std::borrow::Cow;

use crate::checker::{Checker, Fields, text};
use crate::keys::{Exposure, Key, Optional, Read};
use crate::shapes::{Hidden, quote};
use crate::tree::Node;
use crate::{Secret, Span};

use super::words::is_variable_name;

/// A secret that the file has, or that a variable holds.
pub(super) struct Given {
    pub(super) secret: Secret,
    /// The variable that it came from, if it came from one.
    pub(super) variable: Option<String>,
    /// Where it is said.
    pub(super) span: Span,
}

/// Reads a secret that must be there under one of two keys: `written` has it, `named` the name of its variable. `what`
/// is what messages call it, with an article.
pub(super) fn read_either(
    fields: &mut Fields<'_>,
    written: &Key<Optional<Hidden>>,
    named: &Key<Optional<Variable>>,
    what: &str,
    checker: &mut Checker<'_>,
) -> Option<Given> {
    match (fields.entry(written.name), fields.entry(named.name)) {
        (Some(first), Some(second)) => {
            checker
                .error(second.span, format!("`{}` and `{}` are both there", written.name, named.name))
                .also(first.span, "the first one")
                .help("keep one of them");
            None
        }
        (Some(entry), None) => {
            Some(Given { secret: fields.get(written, checker)?, variable: None, span: entry.node.span })
        }
        (None, Some(entry)) => {
            let (name, secret) = fields.get(named, checker)?;
            Some(Given { secret, variable: Some(name), span: entry.node.span })
        }
        (None, None) => {
            let message = format!("`{}` is missing in {}", written.name, fields.title());
            checker.absent(fields.span(), message).help(format!(
                "write {what} as `{}`, or name the environment variable that holds it with `{}`",
                written.name, named.name
            ));
            None
        }
    }
}

/// The name of a variable, with what the variable holds.
pub(crate) struct Variable;

impl Read for Variable {
    type Value = (String, Secret);

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<(String, Secret)> {
        let name = text(key, node, &self.kind(), checker)?;
        // What does not look like a variable may be the secret itself, written where its variable should be named.
        let is_shown = is_variable_name(name);
        let shown = if is_shown { format!("`{name}`") } else { "that this names".to_owned() };
        let problem = match checker.env.get(name) {
            None => "is not set",
            Some("") => "is empty",
            Some(value) => {
                if value.trim() != value {
                    let message = format!("the environment variable {shown} has white space at an end");
                    let help =
                        "was it read from a file with a line break at its end? no header's value has one";
                    checker.warning(node.span, message).help(help);
                }
                return Some((name.to_owned(), Secret::from(value.to_owned())));
            }
        };
        checker.error(node.span, format!("the environment variable {shown} {problem}")).help(if is_shown {
            "set it where this program is started; it is read once, at the start"
        } else {
            "write the name of a variable here, such as `SSE_TOKEN`, and not the secret"
        });
        None
    }

    fn kind(&self) -> Cow<'static, str> {
        "the name of an environment variable".into()
    }

    fn write(&self, (name, _): &(String, Secret)) -> Option<String> {
        Some(quote(name))
    }

    fn exposure(&self) -> Exposure {
        Exposure::VariableName
    }
}
