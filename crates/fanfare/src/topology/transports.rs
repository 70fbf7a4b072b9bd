//! What listeners speak below HTTP.

use fanfare_config::{Config, Diagnostics};

use super::ListenerName;
use crate::http::Transport;

/// What each listener speaks that has TLS. Files that cannot be used go to the diagnostics.
pub(super) fn build(config: &Config, diagnostics: &mut Diagnostics) -> Vec<(ListenerName, Transport)> {
    let listeners =
        config.listeners.iter().map(|listener| (Some(listener.name.clone()), listener.tls.as_ref()));
    let all = std::iter::once((None, config.http.tls.as_ref())).chain(listeners);
    all.filter_map(|(name, tls)| {
        let transport = transport(name.as_deref(), tls?, diagnostics)?;
        Some((name, transport))
    })
    .collect()
}

#[cfg(feature = "tls")]
fn transport(
    name: Option<&str>,
    tls: &fanfare_config::Tls,
    diagnostics: &mut Diagnostics,
) -> Option<Transport> {
    use std::sync::Arc;

    use crate::http::{Tls, TlsFiles};

    let files = TlsFiles {
        certificate: tls.certificate.file.path.clone(),
        key: tls.key.file.path.clone(),
        client_ca: tls.client_ca.as_ref().map(|file| file.file.path.clone()),
    };
    match Tls::load(name.unwrap_or("http"), files) {
        Ok(tls_of_listener) => {
            if let Some(ending) = tls_of_listener.ending(jiff::Timestamp::now()) {
                let help = "put a new one in its place: it is read while the server runs";
                diagnostics.warning(tls.certificate.span, ending.to_string()).help(help);
            }
            Some(Transport::Tls(Arc::new(tls_of_listener)))
        }
        Err(error) => {
            diagnostics.error(span(tls, error.file()), error.to_string()).help(error.advice());
            None
        }
    }
}

/// Where a file is named.
#[cfg(feature = "tls")]
fn span(tls: &fanfare_config::Tls, file: crate::http::TlsFile) -> fanfare_config::Span {
    use crate::http::TlsFile;

    match file {
        TlsFile::Certificate => tls.certificate.span,
        TlsFile::Key => tls.key.span,
        TlsFile::ClientCa => tls.client_ca.as_ref().map_or(tls.span, |file| file.span),
    }
}

#[cfg(not(feature = "tls"))]
fn transport(_: Option<&str>, tls: &fanfare_config::Tls, diagnostics: &mut Diagnostics) -> Option<Transport> {
    super::left_out(diagnostics, tls.span, "`tls`", "tls");
    None
}
