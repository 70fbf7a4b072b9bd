//! `tls`: whom to believe that it is the broker, and how to show the broker who this is.

use crate::building::Block;
use crate::checker::Fields;
use crate::keys::{Foreign, Key, Optional, Or, Section};
use crate::loose::Switch;
use crate::mycel::Conversion;
use crate::native::client_tls;
use crate::shapes::{ANY_TEXT, Nested, Text};

pub(super) const TLS: Key<Optional<Nested>> = Key {
    name: "tls",
    doc: "That the connection is encrypted, and whom to believe.",
    presence: Optional(
        Nested("a block, see [`tls`](#tls)"),
        "none; with `amqps://` what the machine believes",
    ),
};

const ENABLED: Key<Or<Switch>> =
    Key { name: "enabled", doc: "`false` switches it off.", presence: Or(Switch, || true) };

macro_rules! files {
    ($($constant:ident = $name:literal, $doc:literal, $default:literal;)*) => {
        $(const $constant: Key<Optional<Text>> =
            Key { name: $name, doc: $doc, presence: Optional(ANY_TEXT, $default) };)*
    };
}

files! {
    CA_CERT = "ca_cert", "A file with the certificates of those who may vouch for the broker (PEM).", "the machine's";
    CERT = "cert", "A file with a certificate of this client (PEM).", "none";
    KEY = "key", "The file with its private key (PEM).", "none";
    CA_FILE = "ca_file", "Another name of `ca_cert`.", "`ca_cert`";
    CERT_FILE = "cert_file", "Another name of `cert`.", "`cert`";
    KEY_FILE = "key_file", "Another name of `key`.", "`key`";
    CLIENT_CERT = "client_cert", "Another name of `cert`.", "`cert`";
    CLIENT_KEY = "client_key", "Another name of `key`.", "`key`";
}

const INSECURE: Key<Or<Switch>> =
    Key { name: "insecure_skip_verify", doc: "Refused where it is `true`.", presence: Or(Switch, || false) };

const SKIP_VERIFY: Key<Or<Switch>> = Key {
    name: "skip_verify",
    doc: "Another name of `insecure_skip_verify`.",
    presence: Or(Switch, || false),
};

pub(in crate::mycel) static SECTION: Section = Section {
    title: "`tls`",
    variant: None,
    about: "TLS to the broker. Relative paths start from the folder of the configuration.",
    example: "",
    keys: &[
        &ENABLED,
        &CA_CERT,
        &CERT,
        &KEY,
        &CA_FILE,
        &CERT_FILE,
        &KEY_FILE,
        &CLIENT_CERT,
        &CLIENT_KEY,
        &INSECURE,
        &SKIP_VERIFY,
    ],
    foreign: &[Foreign::refused(
        "server_name",
        "the broker's certificate must be for its `host`: connect to it by the name in its certificate",
    )],
};

/// The native keys, each with its names here.
const FILES: [(&str, &[&Key<Optional<Text>>]); 3] = [
    (client_tls::CA_FILE.name, &[&CA_CERT, &CA_FILE]),
    (client_tls::CERTIFICATE_FILE.name, &[&CERT, &CERT_FILE, &CLIENT_CERT]),
    (client_tls::KEY_FILE.name, &[&KEY, &KEY_FILE, &CLIENT_KEY]),
];

/// Whether the connection is to be encrypted.
pub(super) fn convert(fields: &mut Fields<'_>, out: &mut Block, conversion: &mut Conversion<'_, '_>) -> bool {
    let Some(entry) = fields.entry(TLS.name) else { return false };
    let Some(table) = conversion.table(TLS.name, &entry.node) else { return false };
    let mut tls = Fields::new("`tls`", entry.span, table);
    let is_enabled = tls.get(&ENABLED, conversion.checker);
    let mut block = Block::new(entry.span);
    for (native, keys) in FILES {
        let mut before = None;
        for key in keys {
            let Some(entry) = tls.entry(key.name) else { continue };
            let (file, span) = tls.get_with_span(key, conversion.checker);
            if let Some((name, place)) = before {
                conversion
                    .checker
                    .error(entry.span, format!("`{}` and `{name}` are the same key", key.name))
                    .also(place, "it is here already")
                    .help("remove one of the two");
            } else if let Some(file) = file.filter(|file| !file.is_empty()) {
                block.text(native, file, span);
            }
            before.get_or_insert((key.name, entry.span));
        }
    }
    for key in [&INSECURE, &SKIP_VERIFY] {
        let (is_insecure, span) = tls.get_with_span(key, conversion.checker);
        if is_insecure && is_enabled {
            conversion
                .checker
                .error(span, format!("`{}` is not served", key.name))
                .label("anyone in between could read the password")
                .help("`ca_cert` names a file with the certificate that vouches for the broker's");
        }
    }
    conversion.finish(tls, table, &SECTION);
    if is_enabled {
        out.block(client_tls::TLS.name, block);
    }
    is_enabled
}
