//! Header rules, in both spellings: what a webhook or a stream asks of a request's headers.

use super::words::check_header_name;
use crate::checker::{Checker, Fields, quoted};
use crate::keys::{Foreign, Key, Or, Required, Section};
use crate::shapes::{ANY_TEXT, Choice, Code, Flag, Hidden, Nested, Text};
use crate::tree::{Data, Entry, Node};
use crate::{HeaderRule, Rule, Span};

use super::signature;
use super::variable::Variable;

/// The types, before their keys are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Exists,
    Equals,
    Matches,
    Secret,
    Signature,
}

pub(crate) const TYPE: Key<Required<Choice<Type>>> = Key {
    name: "type",
    doc: "`exists`: the header is there and not empty. `equals`: it is this value. `matches`: it matches a regular \
          expression. `secret`: it is what an environment variable holds. `signature`: it is an HMAC-SHA256.",
    presence: Required(Choice {
        served: &[
            ("exists", Type::Exists),
            ("equals", Type::Equals),
            ("matches", Type::Matches),
            ("secret", Type::Secret),
            ("signature", Type::Signature),
        ],
        later: &[],
        foreign: &[("static", "`static` is for headers that are sent; `equals` checks one that is received")],
    }),
};

pub(crate) const HEADER: Key<Required<Text>> = Key {
    name: "header",
    doc: "The name of the header, in any case. Only in the array spelling; in the map spelling it is the key.",
    presence: Required(Text { kind: "the name of a header", check: check_header_name }),
};

pub(crate) const RULE: Key<Required<Nested>> = Key {
    name: "rule",
    doc: "The table with the `type`. Only in the array spelling.",
    presence: Required(Nested("a table with a `type`")),
};

const MAP_EXAMPLE: &str = "[sinks.admin]
type = \"sse\"
id = \"admin\"

[sinks.admin.headers]
\"Authorization\" = { type = \"equals\", value = \"Bearer change-me\" }
\"X-Admin-Role\" = { type = \"matches\", pattern = \"^(super-admin|admin)$\" }
";

const ARRAY_EXAMPLE: &str = "[sinks.admin]
type = \"sse\"
id = \"admin\"

[[sinks.admin.headers]]
header = \"X-Client-ID\"
rule = { type = \"exists\" }
";

const ABOUT: &str = "`[sinks.NAME.headers]` and `[sources.NAME.extractor.headers]` say what the headers of a request must \
                     be (those of a source of type `sse` are [sent](#headers-that-are-sent)); all rules must pass. A missing header is answered 401, one that fails its rule 403. Several \
                     values of one header must all pass. Each key is the name of a header, in any case, and its value \
                     a table with the `type` of the rule and the keys of that type. `exists` has none.";

pub(crate) static SECTION: Section = Section {
    title: "Header rules",
    variant: None,
    about: ABOUT,
    example: MAP_EXAMPLE,
    keys: &[&TYPE],
    foreign: &[],
};

pub(crate) static ARRAY_SECTION: Section = Section {
    title: "Header rules as an array",
    variant: None,
    about: "`[[sinks.NAME.headers]]` and `[[sources.NAME.extractor.headers]]` say the same, and allow several rules \
            for one header.",
    example: ARRAY_EXAMPLE,
    keys: &[&HEADER, &RULE],
    foreign: &[],
};

pub(crate) const VALUE: Key<Required<Hidden>> = Key {
    name: "value",
    doc: "What the header must be, between `prefix` and `suffix`. It is masked wherever it could be seen.",
    presence: Required(Hidden),
};

pub(crate) const CASE_SENSITIVE: Key<Or<Flag>> =
    Key { name: "case_sensitive", doc: "Whether `a` and `A` differ.", presence: Or(Flag, || true) };

pub(crate) const PREFIX: Key<Or<Text>> = Key {
    name: "prefix",
    doc: "What comes before the value: `\"Bearer \"`, say.",
    presence: Or(ANY_TEXT, String::new),
};

pub(crate) const SUFFIX: Key<Or<Text>> =
    Key { name: "suffix", doc: "What comes after the value.", presence: Or(ANY_TEXT, String::new) };

pub(crate) static EQUALS_SECTION: Section = Section {
    title: "Header rules",
    variant: Some("equals"),
    about: "The header is `prefix`, `value`, `suffix`.",
    example: "",
    keys: &[&TYPE, &VALUE, &CASE_SENSITIVE, &PREFIX, &SUFFIX],
    foreign: &[],
};

pub(crate) const PATTERN: Key<Required<Code>> = Key {
    name: "pattern",
    doc: "A regular expression in the syntax of [`regex`](https://docs.rs/regex/latest/regex/#syntax). It may match \
          anywhere in the value; `^` and `$` anchor it.",
    presence: Required(Code("a regular expression")),
};

pub(crate) static MATCHES_SECTION: Section = Section {
    title: "Header rules",
    variant: Some("matches"),
    about: "The header matches a regular expression.",
    example: "",
    keys: &[&TYPE, &PATTERN],
    foreign: &[],
};

pub(crate) const SECRET_VALUE: Key<Required<Variable>> = Key {
    name: "value",
    doc: "The name of the environment variable that holds the secret. It must be set, and not empty.",
    presence: Required(Variable),
};

pub(crate) static SECRET_SECTION: Section = Section {
    title: "Header rules",
    variant: Some("secret"),
    about: "The header is `prefix`, the value of an environment variable, `suffix`. It is compared in constant time.",
    example: "",
    keys: &[&TYPE, &SECRET_VALUE, &PREFIX, &SUFFIX],
    foreign: &[Foreign::refused("case_sensitive", "a secret is compared as it is; `equals` can ignore case")],
};

/// Reads either spelling. `on_stream` is whether requests have no body. Rules that cannot be read are left out.
pub(super) fn read_all(
    key: &str,
    node: &Node,
    on_stream: bool,
    checker: &mut Checker<'_>,
) -> Vec<HeaderRule> {
    read_each(key, node, checker, |header, node, checker| {
        let rule = read(header.name, node, on_stream, checker)?;
        Some(HeaderRule { header: header.name.to_owned(), span: header.span, rule })
    })
}

/// The name of a header, and where it is written.
pub(super) struct Name<'n> {
    pub(super) name: &'n str,
    pub(super) span: Span,
}

/// Reads what stands beside the name of each header, in either spelling.
pub(super) fn read_each<T>(
    key: &str,
    node: &Node,
    checker: &mut Checker<'_>,
    mut read: impl FnMut(&Name<'_>, &Node, &mut Checker<'_>) -> Option<T>,
) -> Vec<T> {
    match &node.data {
        Data::Table(table) => {
            let each = table.entries.iter().filter_map(|Entry { name, span, node }| {
                if let Err(problem) = check_header_name(name) {
                    checker
                        .error(*span, format!("{} cannot be the name of a header", quoted(name)))
                        .label(problem);
                }
                read(&Name { name, span: *span }, node, checker)
            });
            each.collect()
        }
        Data::List(items) => {
            let items = (0..).zip(items);
            let each = items.filter_map(|(index, item): (usize, _)| {
                read_item(&format!("{key}[{index}]"), item, checker, &mut read)
            });
            each.collect()
        }
        _ => {
            checker.wrong_type(key, node, "a table, or an array of tables");
            Vec::new()
        }
    }
}

/// `header = "…"`, `rule = { … }`.
fn read_item<T>(
    key: &str,
    item: &Node,
    checker: &mut Checker<'_>,
    read: &mut impl FnMut(&Name<'_>, &Node, &mut Checker<'_>) -> Option<T>,
) -> Option<T> {
    let table = checker.table(key, item)?;
    let mut fields = Fields::new(format!("`{key}`"), item.span, table);
    let (header, span) = fields.get_with_span(&HEADER, checker);
    fields.get(&RULE, checker);
    let name = Name { name: header.as_deref().unwrap_or(RULE.name), span };
    let value = fields.entry(RULE.name).and_then(|rule| read(&name, &rule.node, checker));
    fields.finish(&ARRAY_SECTION, checker);
    header.and(value)
}

fn read(header: &str, node: &Node, on_stream: bool, checker: &mut Checker<'_>) -> Option<Rule> {
    let table = checker.table(header, node)?;
    let mut fields = Fields::new(format!("the rule for {}", quoted(header)), node.span, table);
    let (kind, type_span) = fields.get_with_span(&TYPE, checker);
    let (rule, section) = match kind? {
        Type::Exists => (Some(Rule::Exists), &SECTION),
        Type::Equals => (read_equals(&mut fields, checker), &EQUALS_SECTION),
        Type::Matches => (read_matches(&mut fields, checker), &MATCHES_SECTION),
        Type::Secret => (read_secret(&mut fields, checker), &SECRET_SECTION),
        Type::Signature => (signature::read(&mut fields, header, checker), &signature::SECTION),
    };
    if on_stream && let Some(Rule::Signature { signature_on: crate::SignatureOn::Body, .. }) = rule {
        signature::warn_of_no_body(type_span, checker)
            .help("sign headers that differ: `signature_on = { headers_then_body = { headers = [\"date\"], separator = \".\" } }`");
    }
    fields.finish(section, checker);
    rule
}

fn read_equals(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Option<Rule> {
    let value = fields.get(&VALUE, checker);
    let case_sensitive = fields.get(&CASE_SENSITIVE, checker);
    let prefix = fields.get(&PREFIX, checker);
    let suffix = fields.get(&SUFFIX, checker);
    Some(Rule::Equals { value: value?, case_sensitive, prefix, suffix })
}

fn read_secret(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Option<Rule> {
    let named = fields.get(&SECRET_VALUE, checker);
    let prefix = fields.get(&PREFIX, checker);
    let suffix = fields.get(&SUFFIX, checker);
    let (variable, value) = named?;
    Some(Rule::Secret { variable, value, prefix, suffix })
}

fn read_matches(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Option<Rule> {
    let (pattern, span) = fields.get_with_span(&PATTERN, checker);
    let exact = match fields.entry(PATTERN.name).map(|entry| &entry.node.data) {
        Some(Data::Text { exact, .. }) => *exact,
        _ => None,
    };
    let pattern = pattern?;
    check_regex(&pattern, exact, span, checker).then_some(Rule::Matches { pattern })
}

/// Whether a regular expression compiles. Its author is shown the place, where the file writes it without escapes.
fn check_regex(pattern: &str, exact: Option<Span>, span: Span, checker: &mut Checker<'_>) -> bool {
    let parse_error = regex_syntax::ast::parse::Parser::new().parse(pattern).err();
    if let Some(error) = parse_error {
        let place = error.span();
        let span = exact.map_or(span, |exact| exact.part(place.start.offset, place.end.offset));
        checker.error(span, "`pattern` is no regular expression").label(error.kind().to_string());
        return false;
    }
    match regex::Regex::new(pattern) {
        Ok(_) => true,
        Err(regex::Error::CompiledTooBig(limit)) => {
            let label = format!("compiled, it takes more than {limit} bytes");
            checker.error(span, "`pattern` is too large a regular expression").label(label);
            false
        }
        Err(error) => {
            // The reason is the last line; the others draw the place, which is shown here already.
            let reason = error.to_string();
            let reason = reason.lines().last().unwrap_or_default();
            let label = reason.strip_prefix("error: ").unwrap_or(reason).to_owned();
            checker.error(span, "`pattern` is no regular expression").label(label);
            false
        }
    }
}
