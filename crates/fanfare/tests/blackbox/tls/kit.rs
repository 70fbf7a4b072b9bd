//! What the modules share: servers with certificates, and clients that believe them.

use std::fs;
use std::net::SocketAddr;

use fanfare_testkit::Server;
use fanfare_testkit::http::{Connection, Response};
use fanfare_testkit::sse::Client;
use fanfare_testkit::tls::{Authority, Certified, TlsClient};

use crate::kit::{LONG, STREAM, fanfare};

/// What is published over HTTP goes to a stream at a listener with TLS.
pub(super) const SECURE: &str = r#"
[sources.ci.extractor]
type = "webhook"
id = "ci"

[listeners.secure]
host = "127.0.0.1"
port = 0
tls = { certificate = "server.pem", key = "server.key" }

[sinks.events]
type = "sse"
id = "events"
listener = "secure"
"#;

/// A server, and the authority that its certificate is from.
pub(super) struct Secure {
    pub(super) server: Server,
    pub(super) authority: Authority,
}

impl Secure {
    /// Starts one; further keys of its sink behind those of [`SECURE`].
    pub(super) fn start(keys: &str) -> Self {
        Self::with(&format!("{SECURE}{keys}"), &[])
    }

    /// With a configuration of its own. `server.pem`, `server.key` and `ca.pem`, the authority's, lie beside it.
    pub(super) fn with(config: &str, env: &[(&str, &str)]) -> Self {
        let authority = Authority::new("authority").unwrap();
        let Certified { certificate, key } = authority.server("server").unwrap();
        let server = fanfare().config(config).file("server.pem", certificate).file("server.key", key);
        let server = server.file("ca.pem", authority.pem()).env("RUST_LOG", "fanfare=debug");
        let server = env.iter().fold(server, |server, (name, value)| server.env(name, value));
        Self { server: server.start().unwrap(), authority }
    }

    pub(super) fn addr(&self) -> SocketAddr {
        self.server.listener("secure").unwrap()
    }

    /// A client that believes the server's authority, and may have a certificate.
    pub(super) fn client(&self, own: Option<&Certified>) -> TlsClient {
        TlsClient::new(&self.authority.pem(), own, &["http/1.1"]).unwrap()
    }

    pub(super) fn connect(&self) -> Connection {
        Connection::open_tls(self.addr(), &self.client(None)).unwrap()
    }

    /// Opens the stream.
    pub(super) fn subscribe(&self, headers: &[(&str, &str)]) -> Client {
        Client::open_on(self.connect(), STREAM, headers).unwrap()
    }

    /// Puts other files in the place of the server's certificate and key.
    pub(super) fn replace(&self, certified: &Certified) {
        fs::write(self.server.dir().join("server.pem"), &certified.certificate).unwrap();
        fs::write(self.server.dir().join("server.key"), &certified.key).unwrap();
    }
}

/// The whole answer to a request on a connection.
pub(super) fn get(connection: Connection, path: &str, headers: &[(&str, &str)]) -> Response {
    connection.exchange("GET", path, headers, b"", LONG).unwrap().0
}
