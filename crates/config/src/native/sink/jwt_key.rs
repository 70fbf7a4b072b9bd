//! `[[sinks.NAME.jwt.keys]]`: a secret for HS256, or a public key for another algorithm.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::jwt::KEYS;
use crate::checker::{Checker, Fields, text};
use crate::file::read_regular;
use crate::keys::{Exposure, Key, Optional, Read, Required, Section};
use crate::native::variable::Variable;
use crate::print::quote_program;
use crate::shapes::{ANY_TEXT, Choice, Hidden, Text};
use crate::tree::{Data, Entry, Node};
use crate::{ConfigFile, Encoding, JwtKey, JwtKeyKind, PublicKeyAlgorithm, Span};

/// Bytes of a secret, at least: as many as the hash has (RFC 7518, 3.2).
const MIN_SECRET: usize = 32;

/// `None` is HS256.
pub(crate) const ALGORITHM: Key<Required<Choice<Option<PublicKeyAlgorithm>>>> = Key {
    name: "algorithm",
    doc: "What the key is for, and the only algorithm that a token signed with it may name.",
    presence: Required(Choice {
        served: &[
            ("HS256", None),
            ("RS256", Some(PublicKeyAlgorithm::Rs256)),
            ("ES256", Some(PublicKeyAlgorithm::Es256)),
            ("EdDSA", Some(PublicKeyAlgorithm::EdDsa)),
        ],
        later: &[],
        foreign: &[
            ("none", "a token that nobody has signed says nothing"),
            ("HS384", ""),
            ("HS512", ""),
            ("RS384", ""),
            ("RS512", ""),
            ("PS256", ""),
            ("PS384", ""),
            ("PS512", ""),
            ("ES384", ""),
            ("ES512", ""),
        ],
    }),
};

pub(crate) const KID: Key<Optional<Text>> = Key {
    name: "kid",
    doc: "What tokens call the key. One without a name is tried for every token whose `kid` names no other.",
    presence: Optional(ANY_TEXT, "it has no name"),
};

pub(crate) const SECRET: Key<Optional<Hidden>> = Key {
    name: "secret",
    doc: "For `HS256`: the secret that both sides know, at least 32 bytes. It is masked wherever it could be seen.",
    presence: Optional(Hidden, "one of `secret` and `secret_env` must be there"),
};

pub(crate) const SECRET_ENV: Key<Optional<Variable>> = Key {
    name: "secret_env",
    doc: "The name of the environment variable that holds the secret. It must be set, and not empty.",
    presence: Optional(Variable, "see `secret`"),
};

pub(crate) const SECRET_ENCODING: Key<Optional<Choice<Encoding>>> = Key {
    name: "secret_encoding",
    doc: "How the bytes of the secret are written.",
    presence: Optional(
        Choice { served: &[("base64", Encoding::Base64)], later: &[], foreign: &[] },
        "its characters are its bytes",
    ),
};

pub(crate) const PUBLIC_KEY: Key<Optional<Pem>> = Key {
    name: "public_key",
    doc: "For the other algorithms: the public key, in PEM.",
    presence: Optional(Pem, "one of `public_key` and `public_key_file` must be there"),
};

pub(crate) const PUBLIC_KEY_FILE: Key<Optional<Text>> = Key {
    name: "public_key_file",
    doc: "A file with the public key, in PEM. A relative path starts from the folder of the configuration file.",
    presence: Optional(Text { kind: "the path of a file", check: |_| Ok(()) }, "see `public_key`"),
};

pub(crate) static SECTION: Section = Section {
    title: "[[sinks.NAME.jwt.keys]]",
    variant: None,
    about: "A key that tokens are signed with.",
    example: "[sinks.events]\ntype = \"sse\"\nid = \"events\"\nidentity = \"jwt\"\n\n[[sinks.events.jwt.keys]]\n\
              algorithm = \"HS256\"\nsecret = \"change-me-to-at-least-32-random-bytes\"\n",
    keys: &[&ALGORITHM, &KID, &SECRET, &SECRET_ENV, &SECRET_ENCODING, &PUBLIC_KEY, &PUBLIC_KEY_FILE],
    foreign: &[],
};

/// The keys that can be used, and whether there are any at all.
pub(super) fn read_all(entry: &Entry, checker: &mut Checker<'_>) -> (Vec<JwtKey>, bool) {
    let Data::List(items) = &entry.node.data else {
        checker.wrong_type(KEYS.name, &entry.node, "an array of tables");
        return (Vec::new(), true);
    };
    let mut keys = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if let Some(table) = checker.table(&format!("{}[{index}]", KEYS.name), item) {
            let mut fields = Fields::new("[[sinks.NAME.jwt.keys]]", item.span, table);
            keys.extend(read(&mut fields, checker));
            fields.finish(&SECTION, checker);
        }
    }
    (keys, !items.is_empty())
}

fn read(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Option<JwtKey> {
    let span = fields.span();
    let algorithm = fields.get(&ALGORITHM, checker);
    let name = fields.get(&KID, checker);
    let encoding = fields.get(&SECRET_ENCODING, checker);
    let secret = one_of(fields, [SECRET.name, SECRET_ENV.name], checker);
    let public = one_of(fields, [PUBLIC_KEY.name, PUBLIC_KEY_FILE.name], checker);
    // Which of them there may be is not known without an algorithm.
    let kind = match algorithm? {
        None => {
            refuse(public, "a secret: whoever has the public key could sign with it", checker);
            read_secret(fields, secret, encoding, checker)?
        }
        Some(algorithm) => {
            refuse(secret, "a public key, `public_key` or `public_key_file`", checker);
            let (pem, file) = read_public(fields, public, checker)?;
            JwtKeyKind::Public { algorithm, pem, file }
        }
    };
    Some(JwtKey { kid: name, kind, span })
}

/// Which of two keys is there; both are an error.
fn one_of<'t>(
    fields: &mut Fields<'t>,
    [first, second]: [&'static str; 2],
    checker: &mut Checker<'_>,
) -> Option<&'t Entry> {
    match (fields.entry(first), fields.entry(second)) {
        (Some(before), Some(entry)) => {
            checker
                .error(entry.span, format!("`{first}` and `{second}` are both there"))
                .also(before.span, "the first")
                .help("keep one of them");
            Some(before)
        }
        (one, other) => one.or(other),
    }
}

/// Says that a key of the other kind has no place here.
fn refuse(entry: Option<&Entry>, needs: &str, checker: &mut Checker<'_>) {
    if let Some(entry) = entry {
        checker
            .error(entry.span, format!("`{}` is not for this algorithm", entry.name))
            .help(format!("this algorithm has {needs}"));
    }
}

fn read_secret(
    fields: &mut Fields<'_>,
    entry: Option<&Entry>,
    encoding: Option<Encoding>,
    checker: &mut Checker<'_>,
) -> Option<JwtKeyKind> {
    let Some(entry) = entry else {
        checker
            .absent(fields.span(), format!("`{}` is missing in {}", SECRET.name, fields.title()))
            .help("name the environment variable that holds it with `secret_env`, or write it as `secret`");
        return None;
    };
    let (variable, secret) = if entry.name == SECRET.name {
        (None, fields.get(&SECRET, checker)?)
    } else {
        let (name, secret) = fields.get(&SECRET_ENV, checker)?;
        (Some(name), secret)
    };
    let length = match encoding {
        None => Some(secret.expose().len()),
        Some(Encoding::Hex) => hex::decode(secret.expose()).ok().map(|bytes| bytes.len()),
        Some(Encoding::Base64) => BASE64_STANDARD.decode(secret.expose()).ok().map(|bytes| bytes.len()),
    };
    let span = entry.node.span;
    match length {
        None => {
            checker.error(span, "the secret is not what `secret_encoding` says: base64, with padding");
            None
        }
        Some(length) if length < MIN_SECRET => {
            checker
                .error(span, format!("the secret of HS256 has at least {MIN_SECRET} bytes (RFC 7518, 3.2)"))
                .label(format!("this has {length}"))
                .help("`openssl rand -base64 32` makes one, with `secret_encoding = \"base64\"`");
            None
        }
        Some(_) => Some(JwtKeyKind::Secret { secret, variable, encoding }),
    }
}

fn read_public(
    fields: &mut Fields<'_>,
    entry: Option<&Entry>,
    checker: &mut Checker<'_>,
) -> Option<(String, Option<ConfigFile>)> {
    let Some(entry) = entry else {
        checker
            .absent(fields.span(), format!("`{}` is missing in {}", PUBLIC_KEY.name, fields.title()))
            .help("name the PEM file with `public_key_file`, or write its text as `public_key`");
        return None;
    };
    if entry.name == PUBLIC_KEY.name {
        return fields.get(&PUBLIC_KEY, checker).map(|pem| (pem, None));
    }
    let written = fields.get(&PUBLIC_KEY_FILE, checker)?;
    let (path, span) = (checker.folder.join(&written), entry.node.span);
    match read_regular(&path) {
        Ok(pem) => check_pem(&pem, span, checker).then_some((pem, Some(ConfigFile { path, written }))),
        Err(problem) => {
            checker
                .error(span, format!("cannot read the public key: {problem}"))
                .help("a relative path starts from the folder of the configuration file");
            None
        }
    }
}

/// A public key's text. It is masked, because who takes the wrong file writes a private one.
pub(crate) struct Pem;

impl Read for Pem {
    type Value = String;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<String> {
        let pem = text(key, node, &self.kind(), checker)?;
        check_pem(pem, node.span, checker).then(|| pem.to_owned())
    }

    fn kind(&self) -> Cow<'static, str> {
        "a public key in PEM".into()
    }

    fn write(&self, pem: &String) -> Option<String> {
        Some(quote_program(pem))
    }

    fn exposure(&self) -> Exposure {
        Exposure::Masked
    }
}

/// Whether a text looks like a public key (RFC 7468, 13; PKCS #1); it is never quoted.
fn check_pem(pem: &str, span: Span, checker: &mut Checker<'_>) -> bool {
    const COMMAND: &str =
        "`openssl pkey -in private.pem -pubout -out public.pem` makes the public key of a private one";
    let labels = ["-----BEGIN PUBLIC KEY-----", "-----BEGIN RSA PUBLIC KEY-----"];
    let text = pem.trim();
    if text.contains("PRIVATE KEY") {
        checker.error(span, "this is a private key, and tokens are checked with a public one").help(COMMAND);
    } else if text.contains("-----BEGIN CERTIFICATE-----") {
        checker
            .error(span, "this is a certificate, and not a public key")
            .help("`openssl x509 -in certificate.pem -pubkey -noout` gives its public key");
    } else if !labels.iter().any(|label| text.starts_with(label)) || text.matches("-----BEGIN").count() != 1 {
        checker
            .error(span, "this is no public key in PEM")
            .help("it is one block that begins with `-----BEGIN PUBLIC KEY-----`")
            .help(COMMAND);
    } else {
        return true;
    }
    false
}
