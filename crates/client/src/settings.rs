//! What a client is told.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// What is asked for, how, and when to come back.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the stream is.
    pub url: Url,
    /// `GET`, unless the server wants another one.
    pub method: String,
    /// The request's body, sent again with each try.
    pub body: Vec<u8>,
    /// Sent beside what the client says by itself (`accept`, `cache-control`, `last-event-id`, `prefer`, `user-agent`). They
    /// go to no other origin.
    pub headers: Vec<Header>,
    /// Who asks.
    pub user_agent: String,
    /// Where to resume; `None`: with what comes next.
    pub last_event_id: Option<Arc<str>>,
    /// Bytes of one event's data. A larger one is left out, and that is told.
    pub max_event: usize,
    /// Before the first try to connect again, until the server says otherwise (`retry:`).
    pub reconnect_delay: Duration,
    /// A connection that says nothing for so long is taken for dead. Comments count as life.
    pub read_timeout: Duration,
    /// Tries behind each other that may fail before it gives up; `None`: any number.
    pub max_retries: Option<u32>,
    /// For `https`; `None`: the system's authorities, and no certificate of its own.
    pub tls: Option<Certificates>,
}

impl Settings {
    /// What a client does where nobody says otherwise.
    #[must_use]
    pub fn new(url: Url) -> Self {
        Self {
            url,
            method: "GET".to_owned(),
            body: Vec::new(),
            headers: Vec::new(),
            user_agent: concat!("fanfare/", env!("CARGO_PKG_VERSION")).to_owned(),
            last_event_id: None,
            max_event: 16 << 20,
            reconnect_delay: Duration::from_secs(1),
            read_timeout: Duration::from_secs(90),
            max_retries: None,
            tls: None,
        }
    }
}

/// A header that is sent. Its `Debug` does not show the value.
#[derive(Clone)]
pub struct Header {
    /// The name.
    pub name: String,
    /// The value, which may be a secret.
    pub value: Vec<u8>,
}

impl fmt::Debug for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Header").field("name", &self.name).finish_non_exhaustive()
    }
}

/// PEM files for TLS, read at every connect.
#[derive(Clone, Debug, Default)]
pub struct Certificates {
    /// The authorities that the server's certificate may come from; `None`: the system's.
    pub ca: Option<PathBuf>,
    /// The certificate that the server is shown, and its private key.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The URL of a stream, `http` or `https`. What it shows of itself has no user, no password and no query.
#[derive(Clone)]
pub struct Url(reqwest::Url);

/// A text is no URL of a stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidUrl(String);

impl Url {
    /// Reads a URL.
    pub fn parse(text: &str) -> Result<Self, InvalidUrl> {
        let url = reqwest::Url::parse(text).map_err(|error| InvalidUrl(error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(InvalidUrl(format!("its scheme is `{}`, not `http` or `https`", url.scheme())));
        }
        Ok(Self(url))
    }

    /// Whether that is on this machine ([`is_local`]).
    pub(crate) fn is_local(&self) -> bool {
        self.0.host_str().is_some_and(is_local)
    }

    pub(crate) fn get(&self) -> &reqwest::Url {
        &self.0
    }
}

/// Whether a URL's host is this machine: `localhost`, or a loopback address. No proxy is asked for it: it would look on its own
/// machine, and be shown the headers.
#[must_use]
pub fn is_local(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.0.origin().ascii_serialization(), self.0.path())
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_has_no_secrets() {
        let url = Url::parse("https://me:pass@example.com:8443/sse/a?token=t#f").unwrap();
        assert_eq!(format!("{url} {url:?}"), "https://example.com:8443/sse/a https://example.com:8443/sse/a");
        assert_eq!(Url::parse("http://[::1]:80/x").unwrap().to_string(), "http://[::1]/x");
        for wrong in ["", "x", "ws://a/b", "http://", "file:///x"] {
            assert!(Url::parse(wrong).is_err(), "{wrong}");
        }
        let header = Header { name: "authorization".to_owned(), value: b"secret".to_vec() };
        assert_eq!(format!("{header:?}"), "Header { name: \"authorization\", .. }");
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (host, expected) in [
            ("localhost", true),
            ("127.1.2.3", true),
            ("[::1]", true),
            ("[::ffff:127.0.0.1]", true),
            ("localhost.example.com", false),
            ("10.0.0.1", false),
            ("[fe80::1]", false),
        ] {
            let url = Url::parse(&format!("https://{host}:8443/")).unwrap();
            assert_eq!((is_local(host), url.is_local()), (expected, expected), "{host}");
        }
    }
}
