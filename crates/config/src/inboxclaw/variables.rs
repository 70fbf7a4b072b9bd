//! `$NAME` and `${NAME}` in values. What they become is one value whatever is in it: it cannot add keys or lines.

use crate::native::words::is_variable_name;
use crate::yaml::Expand;
use crate::{Env, Span};

/// Expands the variables of one file, and remembers what it met.
pub(super) struct Variables<'e> {
    env: &'e Env,
    /// Names that are not set, and where.
    pub(super) unset: Vec<(String, Span)>,
}

impl<'e> Variables<'e> {
    pub(super) fn new(env: &'e Env) -> Self {
        Self { env, unset: Vec::new() }
    }
}

impl Expand for Variables<'_> {
    fn expand(&mut self, text: &str, exact: Option<Span>, whole: Span) -> Option<String> {
        let (mut out, mut at) = (String::new(), 0);
        let mut is_expanded = false;
        for reference in (References { text, at: 0 }) {
            match self.env.get(reference.name) {
                Some(value) => {
                    out.push_str(text.get(at..reference.start).unwrap_or_default());
                    out.push_str(value);
                    at = reference.end;
                    is_expanded = true;
                }
                // No variable has such a name, so nothing was meant to be expanded.
                None if reference.name.starts_with(|c: char| c.is_ascii_digit()) => {}
                None => {
                    let span = exact.map_or(whole, |exact| exact.part(reference.start, reference.end));
                    self.unset.push((reference.name.to_owned(), span));
                }
            }
        }
        out.push_str(text.get(at..).unwrap_or_default());
        is_expanded.then_some(out)
    }

    fn would_expand(&self, text: &str) -> bool {
        References { text, at: 0 }.any(|reference| self.env.get(reference.name).is_some())
    }
}

/// The warning for a name that is not set, and what to do about it. A name that may be part of a secret is not shown.
pub(super) fn unset_message(name: &str) -> (String, &'static str) {
    let shown = if is_variable_name(name) { format!("`{name}`") } else { "that this names".to_owned() };
    let message = format!("the environment variable {shown} is not set, so this stays as it is written");
    let help = if name.contains(":-") {
        "there is no `${NAME:-default}` here: set the variable where this program is started, or in the file `.env` \
         beside this one"
    } else {
        "set it where this program is started, or in the file `.env` beside this one"
    };
    (message, help)
}

/// A reference to a variable in a text.
struct Reference<'t> {
    name: &'t str,
    start: usize,
    end: usize,
}

/// The references of a text, from its start. `$$` is nothing special: a `$` that no name follows stands for itself.
struct References<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Iterator for References<'t> {
    type Item = Reference<'t>;

    fn next(&mut self) -> Option<Reference<'t>> {
        loop {
            let start = self.at + self.text.get(self.at..)?.find('$')?;
            self.at = start + 1;
            let rest = self.text.get(self.at..)?;
            let braced = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map(|(name, _)| name);
            let plain = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (name, length) = match braced {
                Some(name) => (name, name.len() + 2),
                None => (rest.get(..plain)?, plain),
            };
            if length > 0 {
                self.at += length;
                return Some(Reference { name, start, end: self.at });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expand(text: &str, env: &Env) -> (String, Vec<String>) {
        let mut variables = Variables::new(env);
        let out = variables.expand(text, None, Span::new(0, 0..0)).unwrap_or_else(|| text.to_owned());
        (out, variables.unset.into_iter().map(|(name, _)| name).collect())
    }

    #[test]
    fn what_is_expanded() {
        let env: Env = [("A", "1"), ("B_2", "two"), ("EMPTY", ""), ("NESTED", "$A")].into_iter().collect();
        let check = |text: &str, expected: &str, unset: &[&str]| {
            let (out, names) = expand(text, &env);
            assert_eq!(
                (out.as_str(), names),
                (expected, unset.iter().map(|it| (*it).to_owned()).collect()),
                "{text:?}"
            );
        };
        check("$A", "1", &[]);
        check("${A}", "1", &[]);
        check("x-${A}$B_2.y", "x-1two.y", &[]);
        check("$A$A", "11", &[]);
        check("$EMPTY|${EMPTY}", "|", &[]);
        check("$NESTED", "$A", &[]);
        check("$AB ${C}", "$AB ${C}", &["AB", "C"]);
        check("${A:-9}", "${A:-9}", &["A:-9"]);
        check("$$A", "$1", &[]);
        check("$ 5 $5 $", "$ 5 $5 $", &[]);
        check("${A", "${A", &[]);
        check("${", "${", &[]);
        check("${}", "${}", &[""]);
        check("\u{f6}$A\u{f6}", "\u{f6}1\u{f6}", &[]);
    }

    proptest! {
        #[test]
        fn a_text_without_a_dollar_stays(text in "[^$]*", value: String) {
            let env: Env = [("A", value.as_str())].into_iter().collect();
            prop_assert_eq!(expand(&text, &env), (text.clone(), Vec::new()));
        }

        #[test]
        fn a_value_stands_between_what_was_around_it(before in "[^$]*", after in "[^$]*", value: String) {
            let env: Env = [("A", value.as_str())].into_iter().collect();
            let (out, unset) = expand(&format!("{before}${{A}}{after}"), &env);
            prop_assert_eq!(out, format!("{before}{value}{after}"));
            prop_assert!(unset.is_empty());
        }

        #[test]
        fn nothing_panics(text in "\\PC*|[${}A_\u{f6}]*") {
            expand(&text, &Env::default());
        }
    }
}
