//! Posts to the harness.

use std::io;
use std::net::ToSocketAddrs as _;

use fanfare_testkit::http;
use serde_json::Value;

/// Where the harness listens for what a stream tells: `http://host:port/path`.
#[derive(Clone, Debug)]
pub(crate) struct CallbackUrl {
    authority: String,
    path: String,
}

impl CallbackUrl {
    /// Reads one. The error says what was wrong.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let rest = url.strip_prefix("http://").ok_or("`callbackUrl` does not begin with http://")?;
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let port = authority.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        port.ok_or("`callbackUrl` names no port")?;
        Ok(Self { authority: authority.to_owned(), path: path.trim_end_matches('/').to_owned() })
    }

    /// Posts the message of this number.
    pub(crate) fn post(&self, number: u64, message: &Value) -> io::Result<()> {
        let path = format!("{}/{number}", self.path);
        let headers = [("content-type", "application/json"), ("connection", "close")];
        let body = message.to_string();
        let mut last = io::Error::other("the name has no address");
        // A name with addresses of both families, of which the harness may have but one.
        for addr in self.authority.to_socket_addrs()? {
            match http::post(addr, &path, &headers, &body) {
                Ok(_) => return Ok(()),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}
