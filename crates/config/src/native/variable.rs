//! A key whose value names the environment variable that holds a secret.

use std::borrow::Cow;

use crate::Secret;
use crate::checker::{Checker, text};
use crate::keys::{Exposure, Read};
use crate::shapes::quote;
use crate::tree::Node;

use super::words::is_variable_name;

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
