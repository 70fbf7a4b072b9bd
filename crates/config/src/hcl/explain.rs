//! Why a text is no HCL. The parser stops at the first place that it cannot go on from, and knows little of what was
//! meant; what people mistake most is recognized from the text there.

use hcl_edit::parser::Error;

use super::balance::{self, Unbalanced};
use crate::{Diagnostics, Span};

/// Reports a syntax error. Nothing of the text is quoted.
pub(super) fn report(text: &str, file: u32, error: &Error, diagnostics: &mut Diagnostics) {
    let at = floor(text, error.location().offset());
    let message = error.message();
    if message.contains("nesting depth") || message.contains("binary operation") {
        diagnostics.error(Span::new(file, at..at), "this is nested too deeply").help(message);
        return;
    }
    if let Some(unbalanced) = balance::check(text) {
        report_unbalanced(&unbalanced, file, diagnostics);
        return;
    }
    let (label, help) = mistake(text, at, message);
    let problem = diagnostics.error(Span::new(file, at..at), "this is not HCL");
    problem.label(label);
    if let Some(help) = help {
        problem.help(help);
    }
}

pub(super) fn report_unbalanced(unbalanced: &Unbalanced, file: u32, diagnostics: &mut Diagnostics) {
    let Unbalanced { at, length, label, help, .. } = unbalanced;
    diagnostics.error(Span::new(file, *at..at + length), "this is not HCL").label(*label).help(*help);
}

/// What is wrong in words, and what to do about it.
fn mistake<'m>(text: &str, at: usize, message: &'m str) -> (&'m str, Option<&'static str>) {
    let (before, rest) = text.split_at(at);
    let line = before.rsplit('\n').next().unwrap_or_default();
    let before = line.trim_end();
    let first = rest.trim_start_matches([' ', '\t']).chars().next();
    match first {
        Some('\'') => return ("HCL has no such quotes", Some("texts stand in double quotes: `\"…\"`")),
        Some(':') if !before.is_empty() => {
            return ("a `:` has no meaning here", Some("a key and its value have a `=` between them"));
        }
        Some(',') => return ("no comma stands between attributes", Some("each stands on a line of its own")),
        Some(';') => {
            return ("no semicolon stands between attributes", Some("each stands on a line of its own"));
        }
        Some('{') if before.is_empty() => {
            return (
                "a block has a kind in front of its `{`",
                Some("as in `connector \"NAME\" {`; JSON is not read"),
            );
        }
        Some('{') if before.contains('{') && !before.contains('=') => {
            let help = "begin a new line behind each `{`, and put each `}` on a line of its own";
            return ("a block on one line has no block in it", Some(help));
        }
        _ => {}
    }
    if message.contains("found redefined") {
        return ("this key is there already", Some("remove one of the two"));
    }
    if message.starts_with("invalid expression") {
        let is_missing = matches!(first, None | Some('\n' | '\r' | '}' | ')' | ']'));
        return (if is_missing { "a value is missing here" } else { "no value begins like this" }, None);
    }
    if !before.ends_with('}') && before.contains('{') && before.contains('=') {
        let help = "put each attribute on a line of its own, and the `}` too";
        return ("a block on one line has one attribute at most", Some(help));
    }
    if before.ends_with(['"', '}', ']']) {
        return ("the line should end here", Some("each attribute and each block ends with its line"));
    }
    (message, None)
}

/// The last place up to this one at which a character begins.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default()
}
