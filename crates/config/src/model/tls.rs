//! Files for TLS, of listeners and of connections to others. What is in them is not looked at here.

use std::path::PathBuf;

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

/// PEM files for a connection to someone else. The certificate and its key are both there, or neither.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTls {
    /// Whom the server's certificate may come from; `None`: the system's authorities.
    pub ca: Option<ConfigFile>,
    /// The certificate that the server is shown.
    pub certificate: Option<ConfigFile>,
    /// Its private key.
    pub key: Option<ConfigFile>,
}

/// A file that the configuration names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFile {
    /// Absolute, or relative to the process's folder.
    pub path: PathBuf,
    /// The path as the configuration has it, from its own folder; what is printed.
    pub written: String,
}
