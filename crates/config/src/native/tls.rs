//! `[http.tls]` and `[listeners.NAME.tls]`: the files of a listener that speaks TLS. They are read by whoever listens,
//! again and again while the server runs, so what is in them is checked there.

use std::borrow::Cow;

use crate::checker::{Checker, Fields};
use crate::keys::{Exposure, Key, Optional, Read, Required, Section};
use crate::shapes::{Nested, Text};
use crate::tree::Node;
use crate::{ConfigFile, Span, Tls, TlsFile};

pub(crate) const HTTP_TLS: Key<Optional<Nested>> = Key {
    name: "tls",
    doc: "The files with which `https` is served here, over HTTP/2 and HTTP/1.1, instead of `http`.",
    presence: Optional(Nested("a table, see [`[http.tls]`](#httptls)"), "none: `http`"),
};

pub(crate) const LISTENER_TLS: Key<Optional<Nested>> = Key {
    name: "tls",
    doc: "The same as in `[http]`; each listener has its own.",
    presence: Optional(Nested("a table, see [`[http.tls]`](#httptls)"), "none: `http`"),
};

/// The path of a private key. It is masked in source lines, because some write the key itself there; and what others call
/// `key` elsewhere, where there is no such key, may be a secret too.
pub(crate) struct MaskedPath;

impl Read for MaskedPath {
    type Value = String;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<String> {
        PEM_FILE.read(key, node, checker)
    }

    fn kind(&self) -> Cow<'static, str> {
        PEM_FILE.kind()
    }

    fn write(&self, path: &String) -> Option<String> {
        PEM_FILE.write(path)
    }

    fn exposure(&self) -> Exposure {
        Exposure::Masked
    }
}

const PEM_FILE: Text = Text { kind: "the path of a file", check: check_path };

pub(crate) const CERTIFICATE: Key<Required<Text>> = Key {
    name: "certificate",
    doc: "A PEM file: the certificate of this server, and behind it those between it and its authority.",
    presence: Required(PEM_FILE),
};

pub(crate) const KEY: Key<Required<MaskedPath>> = Key {
    name: "key",
    doc: "A PEM file with the private key of that certificate: PKCS#8, PKCS#1 or SEC1, not encrypted.",
    presence: Required(MaskedPath),
};

pub(crate) const CLIENT_CA: Key<Optional<Text>> = Key {
    name: "client_ca",
    doc: "A PEM file with the authorities that certificates of clients may come from. With it clients are asked for one, and \
          one of another authority ends the connection. Whether a request needs one is for header rules to say: what a \
          client showed is in `X-Client-Certificate` and `X-Client-Certificate-Subject`, and what it sends under these \
          names itself is dropped.",
    presence: Optional(PEM_FILE, "none: clients are not asked"),
};

pub(crate) static SECTION: Section = Section {
    title: "[http.tls]",
    variant: None,
    about: "`https` instead of `http`; also as `[listeners.NAME.tls]`. Relative paths start from the folder of this file. The \
            files are looked at once a second and read anew when they have changed. See [TLS](tls.md).",
    example: "[http]\nport = 8443\n\n[http.tls]\ncertificate = \"/etc/fanfare/tls.crt\"\nkey = \"/etc/fanfare/tls.key\"\n\
              client_ca = \"/etc/fanfare/clients.pem\"\n",
    keys: &[&CERTIFICATE, &KEY, &CLIENT_CA],
    foreign: &[],
};

/// The files of a listener, if its table names any.
pub(super) fn read(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Option<Tls> {
    let entry = fields.entry(HTTP_TLS.name)?;
    let table = checker.table(HTTP_TLS.name, &entry.node)?;
    let span = entry.span;
    let title = format!("{}.{}]", fields.title().trim_end_matches(']'), HTTP_TLS.name);
    let mut tls = Fields::new(title, span, table);
    let certificate = tls.get_with_span(&CERTIFICATE, checker);
    let key = tls.get_with_span(&KEY, checker);
    let client_ca = tls.get_with_span(&CLIENT_CA, checker);
    tls.finish(&SECTION, checker);
    Some(Tls {
        certificate: file(certificate, checker)?,
        key: file(key, checker)?,
        client_ca: file(client_ca, checker),
        span,
    })
}

fn check_path(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        Err("a path must not be empty")
    } else if path.contains("-----BEGIN") {
        Err("this is what is in the file: write it into one, and name that")
    } else {
        Ok(())
    }
}

fn file((written, span): (Option<String>, Span), checker: &Checker<'_>) -> Option<TlsFile> {
    let written = written?;
    Some(TlsFile { file: ConfigFile { path: checker.folder.join(&written), written }, span })
}
