//! Headers that are sent, in both spellings of header rules. What is asked of headers that come in is in `rule`.

use super::rule::{HEADER, Name, PREFIX, RULE, SECRET_VALUE, SUFFIX, read_each};
use super::signature;
use super::words::check_field_value;
use crate::checker::{Checker, Fields, quoted};
use crate::keys::{Foreign, Key, Optional, Required, Section};
use crate::shapes::{Choice, Hidden, Nested};
use crate::tree::{Entry, Node};
use crate::{OutgoingHeader, OutgoingValue, Rule, SignatureOn, Span};

pub(crate) const HEADERS: Key<Optional<Nested>> = Key {
    name: "headers",
    doc: "Headers that are sent with each request.",
    presence: Optional(
        Nested("a table or an array, see [Headers that are sent](#headers-that-are-sent)"),
        "no others than those that the client sets itself",
    ),
};

/// The types, before their keys are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Static,
    Secret,
    Signature,
}

pub(crate) const TYPE: Key<Required<Choice<Type>>> = Key {
    name: "type",
    doc: "`static`: a value that stands here. `secret`: what an environment variable holds. `signature`: an HMAC-SHA256.",
    presence: Required(Choice {
        served: &[("static", Type::Static), ("secret", Type::Secret), ("signature", Type::Signature)],
        later: &[],
        foreign: &[
            ("equals", "`equals` is for headers that are received; `static` sends a value"),
            ("exists", "`exists` is for headers that are received; `static` sends a value"),
            ("matches", "`matches` is for headers that are received; `static` sends a value"),
        ],
    }),
};

const EXAMPLE: &str = "[sources.hub.extractor]
type = \"sse\"
url = \"https://region-1.example.com/sse/regional\"

[sources.hub.extractor.headers]
\"X-Collector-Region\" = { type = \"static\", value = \"us-east-1\" }
";

const ARRAY_EXAMPLE: &str = "[sources.hub.extractor]
type = \"sse\"
url = \"https://region-1.example.com/sse/regional\"

[[sources.hub.extractor.headers]]
header = \"X-Collector-Region\"
rule = { type = \"static\", value = \"us-east-1\" }
";

pub(crate) static SECTION: Section = Section {
    title: "Headers that are sent",
    variant: None,
    about: "`[sources.NAME.extractor.headers]` of a source of type `sse` says what is sent with its requests. Each key is \
            the name of a header, and its value a table with a `type` and the keys of that type. Headers that the client \
            sets itself cannot be among them.",
    example: EXAMPLE,
    keys: &[&TYPE],
    foreign: &[],
};

pub(crate) static ARRAY_SECTION: Section = Section {
    title: "Headers that are sent, as an array",
    variant: None,
    about: "`[[sources.NAME.extractor.headers]]` says the same.",
    example: ARRAY_EXAMPLE,
    keys: &[&HEADER, &RULE],
    foreign: &[],
};

pub(crate) const VALUE: Key<Required<Hidden>> = Key {
    name: "value",
    doc: "What the header says between `prefix` and `suffix`. It is masked wherever it could be seen.",
    presence: Required(Hidden),
};

/// A key of a header rule that somebody may well copy.
const NOT_COMPARED: Foreign =
    Foreign::refused("case_sensitive", "nothing is compared here: the value is sent as it is");

pub(crate) static STATIC_SECTION: Section = Section {
    title: "Headers that are sent",
    variant: Some("static"),
    about: "The header is `prefix`, `value`, `suffix`.",
    example: "",
    keys: &[&TYPE, &VALUE, &PREFIX, &SUFFIX],
    foreign: &[NOT_COMPARED],
};

pub(crate) static SECRET_SECTION: Section = Section {
    title: "Headers that are sent",
    variant: Some("secret"),
    about: "The header is `prefix`, the value of an environment variable, `suffix`: \
            `\"Authorization\" = { type = \"secret\", value = \"HUB_TOKEN\", prefix = \"Bearer \" }`.",
    example: "",
    keys: &[&TYPE, &SECRET_VALUE, &PREFIX, &SUFFIX],
    foreign: &[NOT_COMPARED],
};

pub(crate) static SIGNATURE_SECTION: Section = Section {
    title: "Headers that are sent",
    variant: Some("signature"),
    about: "The header is an HMAC-SHA256 of other headers that are configured here, and of the body, which is empty.",
    example: "",
    keys: signature::SECTION.keys,
    foreign: &[],
};

/// Headers, in lower case, that are not configured, each with the reason.
const TAKEN: [(&str, &str); 17] = [
    ("accept", "the client says what it takes: `text/event-stream`"),
    ("accept-encoding", "the client says what it can decompress"),
    ("cache-control", "the client asks that no cache answers"),
    ("connection", OF_CONNECTION),
    ("content-length", NO_BODY),
    ("content-type", NO_BODY),
    ("expect", NO_BODY),
    ("host", "it is in the URL"),
    ("keep-alive", OF_CONNECTION),
    ("last-event-id", "the source knows how far it has come, and says it"),
    ("prefer", "the client asks for what it needs to come back to its place"),
    ("proxy-connection", OF_CONNECTION),
    ("te", OF_CONNECTION),
    ("trailer", NO_BODY),
    ("transfer-encoding", NO_BODY),
    ("upgrade", OF_CONNECTION),
    ("user-agent", "write it as `user_agent`, beside `url`"),
];

const OF_CONNECTION: &str = "it is for the connection, which is the client's";
const NO_BODY: &str = "the request has no body";

/// Reads `headers`. What cannot be read is left out.
pub(super) fn read_all(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Vec<OutgoingHeader> {
    let Some(entry) = fields.entry(HEADERS.name) else { return Vec::new() };
    let mut names: Vec<(String, Span)> = Vec::new();
    let mut signatures = Vec::new();
    let headers = read_each(HEADERS.name, &entry.node, checker, |header, node, checker| {
        check_name(header, &names, checker);
        names.push((header.name.to_ascii_lowercase(), header.span));
        let value = read(header.name, node, checker)?;
        if let OutgoingValue::Signature {
            signature_on: SignatureOn::HeadersThenBody { headers, .. }, ..
        } = &value
        {
            signatures.push((header.name.to_owned(), header.span, headers.clone()));
        }
        Some(OutgoingHeader { header: header.name.to_owned(), span: header.span, value })
    });
    for (header, span, signed) in signatures {
        check_signed(&header, span, &signed, &names, &headers, checker);
    }
    headers
}

/// Whether a header can be configured, and is not yet.
fn check_name(header: &Name<'_>, names: &[(String, Span)], checker: &mut Checker<'_>) {
    let lower = header.name.to_ascii_lowercase();
    if let Some((_, why)) = TAKEN.iter().find(|(taken, _)| *taken == lower) {
        checker.error(header.span, format!("the header `{lower}` cannot be configured")).help(*why);
    } else if let Some((_, first)) = names.iter().find(|(name, _)| *name == lower) {
        checker
            .error(header.span, format!("the header {} is there twice", quoted(header.name)))
            .also(*first, "the first one")
            .help("the case of letters makes no other header of it");
    }
}

/// Whether all that is signed is sent, and known before the signature is made. `names` has those too that could not be
/// read.
fn check_signed(
    header: &str,
    span: Span,
    signed: &[String],
    names: &[(String, Span)],
    headers: &[OutgoingHeader],
    checker: &mut Checker<'_>,
) {
    for name in signed {
        let is_signature = |other: &&OutgoingHeader| {
            other.header.eq_ignore_ascii_case(name) && matches!(other.value, OutgoingValue::Signature { .. })
        };
        if !names.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            checker
                .error(
                    span,
                    format!(
                        "the signature {} is over {}, which is not configured",
                        quoted(header),
                        quoted(name)
                    ),
                )
                .help("only headers that stand here too can be signed, of type `static` or `secret`");
        } else if let Some(other) = headers.iter().find(is_signature) {
            checker
                .error(
                    span,
                    format!("the signature {} is over {}, which is one itself", quoted(header), quoted(name)),
                )
                .also(other.span, "the other signature")
                .help("only headers of type `static` or `secret` can be signed");
        }
    }
}

fn read(header: &str, node: &Node, checker: &mut Checker<'_>) -> Option<OutgoingValue> {
    let table = checker.table(header, node)?;
    let mut fields = Fields::new(format!("the header {}", quoted(header)), node.span, table);
    let (kind, type_span) = fields.get_with_span(&TYPE, checker);
    let (value, section) = match kind? {
        Type::Static => (read_static(&mut fields, header, checker), &STATIC_SECTION),
        Type::Secret => (read_secret(&mut fields, header, checker), &SECRET_SECTION),
        Type::Signature => (read_signature(&mut fields, header, type_span, checker), &SIGNATURE_SECTION),
    };
    fields.finish(section, checker);
    value
}

fn read_static(fields: &mut Fields<'_>, header: &str, checker: &mut Checker<'_>) -> Option<OutgoingValue> {
    let (value, span) = fields.get_with_span(&VALUE, checker);
    let prefix = fields.get(&PREFIX, checker);
    let suffix = fields.get(&SUFFIX, checker);
    let value = value?;
    let whole = [&prefix, value.expose(), &suffix];
    check_value(&whole, header, span, checker).then_some(OutgoingValue::Static { value, prefix, suffix })
}

fn read_secret(fields: &mut Fields<'_>, header: &str, checker: &mut Checker<'_>) -> Option<OutgoingValue> {
    let (named, span) = fields.get_with_span(&SECRET_VALUE, checker);
    let prefix = fields.get(&PREFIX, checker);
    let suffix = fields.get(&SUFFIX, checker);
    let (variable, value) = named?;
    let whole = [&prefix, value.expose(), &suffix];
    let is_valid = check_value(&whole, header, span, checker);
    is_valid.then_some(OutgoingValue::Secret { variable, value, prefix, suffix })
}

fn read_signature(
    fields: &mut Fields<'_>,
    header: &str,
    type_span: Span,
    checker: &mut Checker<'_>,
) -> Option<OutgoingValue> {
    let Rule::Signature {
        token,
        token_env,
        token_encoding,
        signature_prefix,
        signature_on,
        signature_encoding,
    } = signature::read(fields, header, checker)?
    else {
        return None;
    };
    if signature_on == SignatureOn::Body {
        signature::warn_of_no_body(type_span, checker)
            .help("where the server asks for more, sign headers that are sent: `signature_on = { headers_then_body = { headers = [\"X-Client\"], separator = \".\" } }`");
    }
    if let Some(prefix) = &signature_prefix {
        // The signature itself is behind it.
        let span =
            fields.entry(signature::SIGNATURE_PREFIX.name).map_or(type_span, |Entry { node, .. }| node.span);
        if !check_value(&[prefix, "0"], header, span, checker) {
            return None;
        }
    }
    Some(OutgoingValue::Signature {
        token,
        token_env,
        token_encoding,
        signature_prefix,
        signature_on,
        signature_encoding,
    })
}

/// Whether the parts make a value that can be sent. Nothing of it is shown.
fn check_value(parts: &[&str], header: &str, span: Span, checker: &mut Checker<'_>) -> bool {
    let told = check_field_value(parts);
    if let Err(problem) = told {
        checker.error(span, format!("what {} would say cannot be sent", quoted(header))).label(problem);
    }
    told.is_ok()
}
