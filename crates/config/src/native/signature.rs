//! The `signature` rule: an HMAC-SHA256 of the request.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::variable::{Given, Variable, read_either};
use super::words::check_header_name;
use crate::checker::{Checker, Fields, quoted};
use crate::keys::{Key, Optional, Or, Required, Section};
use crate::shapes::{ANY_TEXT, Choice, Hidden, Items, Nested, Text};
use crate::tree::{Data, Entry};
use crate::{Diagnostic, Encoding, Rule, Secret, SignatureOn, Span};

use super::rule::TYPE;

pub(crate) const TOKEN: Key<Optional<Hidden>> = Key {
    name: "token",
    doc: "The token that both sides know. It is masked wherever it could be seen.",
    presence: Optional(Hidden, "one of `token` and `token_env` must be there"),
};

pub(crate) const TOKEN_ENV: Key<Optional<Variable>> = Key {
    name: "token_env",
    doc: "The name of the environment variable that holds the token. It must be set, and not empty.",
    presence: Optional(Variable, "see `token`"),
};

const ENCODINGS: Choice<Encoding> =
    Choice { served: &[("hex", Encoding::Hex), ("base64", Encoding::Base64)], later: &[], foreign: &[] };

pub(crate) const TOKEN_ENCODING: Key<Optional<Choice<Encoding>>> = Key {
    name: "token_encoding",
    doc: "How the bytes of the token are written.",
    presence: Optional(ENCODINGS, "its characters are its bytes"),
};

pub(crate) const SIGNATURE_PREFIX: Key<Optional<Text>> = Key {
    name: "signature_prefix",
    doc: "What the header has before the signature: `\"sha256=\"`, say.",
    presence: Optional(ANY_TEXT, "nothing"),
};

const SIGNATURE_ON: Key<Optional<Nested>> = Key {
    name: "signature_on",
    doc: "What is signed: the body, or some headers and then the body. The request for a stream has no body, so for \
          a stream only headers make sense.",
    presence: Optional(
        Nested("`\"body\"`, or `{ headers_then_body = { headers = [\"…\"], separator = \"…\" } }`"),
        "`\"body\"`",
    ),
};

pub(crate) const SIGNATURE_ENCODING: Key<Or<Choice<Encoding>>> = Key {
    name: "signature_encoding",
    doc: "How the signature is written in the header.",
    presence: Or(ENCODINGS, || Encoding::Hex),
};

pub(crate) static SECTION: Section = Section {
    title: "Header rules",
    variant: Some("signature"),
    about: "The header is an HMAC-SHA256 of the request, made with a token that both sides know. It is compared in \
            constant time.",
    example: "[sources.github.extractor]\ntype = \"webhook\"\nid = \"github\"\n\n\
              [sources.github.extractor.headers]\n\
              \"X-Hub-Signature-256\" = { type = \"signature\", token = \"change-me\", signature_prefix = \"sha256=\" }\n",
    keys: &[
        &TYPE,
        &TOKEN,
        &TOKEN_ENV,
        &TOKEN_ENCODING,
        &SIGNATURE_PREFIX,
        &SIGNATURE_ON,
        &SIGNATURE_ENCODING,
    ],
    foreign: &[],
};

pub(crate) const HEADERS: Key<Required<Items<Text>>> = Key {
    name: "headers",
    doc: "The names of the headers, in the order in which they are signed. The signature's own cannot be among them.",
    presence: Required(Items {
        kind: "an array of names of headers",
        item: Text { kind: "the name of a header", check: check_header_name },
        if_empty: Some("write `signature_on = \"body\"` for the body alone"),
    }),
};

pub(crate) const SEPARATOR: Key<Required<Text>> = Key {
    name: "separator",
    doc: "What comes after the value of each header.",
    presence: Required(ANY_TEXT),
};

pub(crate) static HEADERS_THEN_BODY_SECTION: Section = Section {
    title: "signature_on.headers_then_body",
    variant: None,
    about: "The value of each header and the separator, then the body.",
    example: "[sources.signed.extractor]\ntype = \"webhook\"\nid = \"signed\"\n\n\
              [sources.signed.extractor.headers.\"X-Signature\"]\n\
              type = \"signature\"\ntoken = \"change-me\"\n\
              signature_on = { headers_then_body = { headers = [\"X-Timestamp\"], separator = \".\" } }\n",
    keys: &[&HEADERS, &SEPARATOR],
    foreign: &[],
};

/// Reads what the type alone leaves open. `header` is what carries the signature.
pub(super) fn read(fields: &mut Fields<'_>, header: &str, checker: &mut Checker<'_>) -> Option<Rule> {
    let token_encoding = fields.get(&TOKEN_ENCODING, checker);
    let token = read_token(fields, token_encoding, checker);
    let signature_prefix = fields.get(&SIGNATURE_PREFIX, checker);
    let signature_on = match fields.entry(SIGNATURE_ON.name) {
        Some(entry) => read_signature_on(entry, header, checker),
        None => Some(SignatureOn::Body),
    };
    let signature_encoding = fields.get(&SIGNATURE_ENCODING, checker);
    let (token, token_env) = token?;
    Some(Rule::Signature {
        token,
        token_env,
        token_encoding,
        signature_prefix,
        signature_on: signature_on?,
        signature_encoding,
    })
}

/// Says that a signature over nothing but a body protects no request that has none.
pub(super) fn warn_of_no_body<'c>(type_span: Span, checker: &'c mut Checker<'_>) -> &'c mut Diagnostic {
    checker
        .warning(type_span, "a signature over the body alone protects no stream")
        .label("the body of a stream's request is empty, so its signature is always the same")
}

/// The token, and the variable that it came from.
fn read_token(
    fields: &mut Fields<'_>,
    encoding: Option<Encoding>,
    checker: &mut Checker<'_>,
) -> Option<(Secret, Option<String>)> {
    let Given { secret, variable, span } = read_either(fields, &TOKEN, &TOKEN_ENV, "the token", checker)?;
    check_token(&secret, encoding, span, checker).then_some((secret, variable))
}

fn check_token(token: &Secret, encoding: Option<Encoding>, span: Span, checker: &mut Checker<'_>) -> bool {
    let problem = match encoding {
        _ if token.expose().is_empty() => "is empty: everyone could sign with it",
        Some(Encoding::Hex) if hex::decode(token.expose()).is_err() => {
            "is not what `token_encoding` says: hex"
        }
        Some(Encoding::Base64) if BASE64_STANDARD.decode(token.expose()).is_err() => {
            "is not what `token_encoding` says: base64, with padding"
        }
        _ => return true,
    };
    checker.error(span, format!("the token {problem}"));
    false
}

fn read_signature_on(entry: &Entry, header: &str, checker: &mut Checker<'_>) -> Option<SignatureOn> {
    const KIND: &str = "`\"body\"`, or a table `headers_then_body`";
    let table = match &entry.node.data {
        Data::Text { text, .. } if text == "body" => return Some(SignatureOn::Body),
        Data::Text { .. } => {
            checker.error(entry.node.span, format!("`{}` must be {KIND}", SIGNATURE_ON.name));
            return None;
        }
        Data::Table(table) => table,
        _ => {
            checker.wrong_type(SIGNATURE_ON.name, &entry.node, KIND);
            return None;
        }
    };
    let mut outer = Fields::new("`signature_on`", entry.node.span, table);
    let Some(inner) = outer.entry("headers_then_body") else {
        checker.absent(entry.node.span, format!("`{}` must be {KIND}", SIGNATURE_ON.name));
        return None;
    };
    outer.finish(&ON_SECTION, checker);
    let table = checker.table("headers_then_body", &inner.node)?;
    let mut fields = Fields::new("`headers_then_body`", inner.node.span, table);
    let (headers, span) = fields.get_with_span(&HEADERS, checker);
    let separator = fields.get(&SEPARATOR, checker);
    fields.finish(&HEADERS_THEN_BODY_SECTION, checker);
    let (headers, separator) = (headers?, separator?);
    if headers.iter().any(|name| name.eq_ignore_ascii_case(header)) {
        checker
            .error(span, "a signature cannot be made over its own header")
            .label(format!("{} is here", quoted(header)));
        return None;
    }
    Some(SignatureOn::HeadersThenBody { headers, separator })
}

const HEADERS_THEN_BODY: Key<Required<Nested>> = Key {
    name: "headers_then_body",
    doc: "Some headers, then the body.",
    presence: Required(Nested("a table")),
};

static ON_SECTION: Section = Section {
    title: "signature_on",
    variant: None,
    about: "",
    example: "",
    keys: &[&HEADERS_THEN_BODY],
    foreign: &[],
};
