//! `[sources.NAME.extractor.tls]`: certificates for a connection to someone else. What a listener needs is in `tls`.

use crate::checker::{Checker, Fields};
use crate::file::read_regular;
use crate::keys::{Key, Optional, Section};
use crate::shapes::{Nested, Text};
use crate::tree::Entry;
use crate::{ClientTls, ConfigFile, Span};

pub(crate) const TLS: Key<Optional<Nested>> = Key {
    name: "tls",
    doc: "Certificates, where the URL says TLS.",
    presence: Optional(
        Nested("a table, see [`[sources.NAME.extractor.tls]`](#sourcesnameextractortls)"),
        "the system's certificate authorities, and no certificate of its own",
    ),
};

const PEM_FILE: Text = Text {
    kind: "the path of a file",
    check: |path| if path.is_empty() { Err("a path must not be empty") } else { Ok(()) },
};

pub(crate) const CA_FILE: Key<Optional<Text>> = Key {
    name: "ca_file",
    doc: "A PEM file with the certificate authorities that the server's certificate may come from.",
    presence: Optional(PEM_FILE, "those of the system"),
};

pub(crate) const CERTIFICATE_FILE: Key<Optional<Text>> = Key {
    name: "certificate_file",
    doc: "A PEM file with the certificate that the server is shown, and those between it and its authority.",
    presence: Optional(PEM_FILE, "none"),
};

pub(crate) const KEY_FILE: Key<Optional<Text>> = Key {
    name: "key_file",
    doc: "A PEM file with the private key of that certificate.",
    presence: Optional(PEM_FILE, "required with `certificate_file`"),
};

pub(crate) static SECTION: Section = Section {
    title: "[sources.NAME.extractor.tls]",
    variant: None,
    about: "Certificates of a source of type `amqp` or `sse`, where its URL begins with `amqps://` or `https://`. The \
            files are read anew at every connect.",
    example: "",
    keys: &[&CA_FILE, &CERTIFICATE_FILE, &KEY_FILE],
    foreign: &[],
};

/// Reads `tls`, with its place.
pub(super) fn read(fields: &mut Fields<'_>, checker: &mut Checker<'_>) -> Option<(Option<ClientTls>, Span)> {
    fields.entry(TLS.name).map(|entry| (read_files(entry, checker), entry.span))
}

fn read_files(entry: &Entry, checker: &mut Checker<'_>) -> Option<ClientTls> {
    let table = checker.table(TLS.name, &entry.node)?;
    let mut fields = Fields::new("`tls`", entry.span, table);
    let both = [CERTIFICATE_FILE.name, KEY_FILE.name];
    if let [true, false] | [false, true] = both.map(|name| fields.has(name)) {
        checker
            .absent(entry.span, "`certificate_file` and `key_file` go together")
            .help("name the certificate and its private key, or neither");
    }
    let tls = ClientTls {
        ca: read_file(&mut fields, &CA_FILE, checker),
        certificate: read_file(&mut fields, &CERTIFICATE_FILE, checker),
        key: read_file(&mut fields, &KEY_FILE, checker),
    };
    fields.finish(&SECTION, checker);
    Some(tls)
}

/// A file that can be read now, so that a wrong path is not told in the log alone.
fn read_file(
    fields: &mut Fields<'_>,
    key: &Key<Optional<Text>>,
    checker: &mut Checker<'_>,
) -> Option<ConfigFile> {
    let (written, span) = fields.get_with_span(key, checker);
    let written = written?;
    let path = checker.folder.join(&written);
    if let Err(error) = read_regular(&path) {
        checker.error(span, format!("the file of `{}` cannot be used: {error}", key.name));
    }
    Some(ConfigFile { path, written })
}
