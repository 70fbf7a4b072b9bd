//! The files of a listener that speaks TLS. What is in them is not looked at here.

use super::ConfigFile;
use crate::Span;

/// What a listener needs for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The server's certificate, and behind it those between it and its authority.
    pub certificate: TlsFile,
    /// Its private key.
    pub key: TlsFile,
    /// The authorities of clients' certificates; `None`: clients are not asked for one.
    pub client_ca: Option<TlsFile>,
    /// Where it is defined.
    pub span: Span,
}

/// A PEM file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFile {
    /// Which.
    pub file: ConfigFile,
    /// Where it is named.
    pub span: Span,
}
