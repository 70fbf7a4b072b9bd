//! What the parser found wrong, in words that say what to do.

use granit_parser::ErrorKind;

use super::MAX_DEPTH;
use crate::Diagnostic;

/// Says what is wrong, and what to do about what people do wrong most.
pub(super) fn explain(kind: &ErrorKind, problem: &mut Diagnostic) {
    match kind {
        ErrorKind::TabNotAllowed
        | ErrorKind::TabInBlockIndentation
        | ErrorKind::TabInIndentation
        | ErrorKind::TabAtBlockScalarStart
        | ErrorKind::TabInPlainScalar => {
            problem.label("a tab").help("YAML is indented with spaces, and tabs are none");
        }
        ErrorKind::MappingValueNotAllowed | ErrorKind::InvalidColonPlacement => {
            problem.label("no key may end here").help(
                "a text with `: ` in it needs quotes; a key that lies in another needs a line of its own",
            );
        }
        ErrorKind::UnexpectedCharacter { .. } => {
            problem
                .label("no value may begin so")
                .help("a text that begins with such a character needs quotes");
        }
        ErrorKind::RecursionLimitExceeded => {
            problem.label(format!("this lies more than {MAX_DEPTH} levels deep"));
        }
        ErrorKind::ExpectedBlockMappingKey | ErrorKind::InvalidIndentation => {
            problem
                .label("this fits nothing above it")
                .help("keys that belong together have the same number of spaces before them");
        }
        ErrorKind::UnclosedQuotedScalar | ErrorKind::InvalidQuotedScalarIndent => {
            problem
                .label("a text in quotes should have ended before")
                .help("look for a quote that is missing");
        }
        ErrorKind::MissingAnchorOrAliasName => {
            problem
                .label("the name of an alias or an anchor is missing")
                .help("a text that begins with `*` or `&` needs quotes, as in `match: \"*\"`");
        }
        kind => {
            problem.label(kind.to_string());
        }
    }
}
