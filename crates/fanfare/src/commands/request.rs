//! What the requests of `send` and `tail` have in common on the command line: headers, a token, certificates. No message
//! here shows a header's value or a URL's user, password or query.

use std::path::PathBuf;

use clap::Args;
use fanfare_config::Secret;
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderName, HeaderValue};
use reqwest::Url;

/// What belongs to the connection; a value of somebody else's would break it.
const CONNECTION_OWN: [HeaderName; 3] = [CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING];

#[derive(Args, Debug)]
pub(crate) struct RequestArguments {
    /// A header of the requests, 'Name: value'. Can be given several times.
    #[arg(short = 'H', long = "header", value_name = "HEADER")]
    headers: Vec<Secret>,
    /// A token, sent as `Authorization: Bearer TOKEN` unless there is a header `Authorization`. Others on this machine can
    /// see what is on a command line; the variable they cannot.
    #[arg(long, value_name = "TOKEN", env = "FANFARE_TOKEN", hide_env_values = true)]
    token: Option<Secret>,
    /// Believe these certificate authorities (PEM) instead of the system's.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Show the server this certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The certificate's private key (PEM).
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
}

/// What is wrong with an argument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidArgument {
    #[error("the URL cannot be used: {0}")]
    Url(String),
    #[error("header {0} is not written as 'Name: value'")]
    HeaderForm(usize),
    #[error("header {0} has a name or a value that no header can have")]
    HeaderText(usize),
    #[error("`{0}` is set by this command")]
    HeaderTaken(HeaderName),
    #[error("the token has characters that no header can have")]
    Token,
    #[error("`--ca`, `--cert` and `--key` are for https")]
    Tls,
}

impl RequestArguments {
    /// The headers, in their order, the token's behind them. `own` are those that the command sets itself.
    pub(crate) fn headers(
        &self,
        own: &[HeaderName],
    ) -> Result<Vec<(HeaderName, HeaderValue)>, InvalidArgument> {
        let mut headers = Vec::new();
        for (number, header) in (1..).zip(&self.headers) {
            let (name, value) = header.expose().split_once(':').ok_or(InvalidArgument::HeaderForm(number))?;
            let name = HeaderName::from_bytes(name.trim().as_bytes());
            let (Ok(name), Ok(value)) = (name, header_value(value.trim())) else {
                return Err(InvalidArgument::HeaderText(number));
            };
            if CONNECTION_OWN.contains(&name) || own.contains(&name) {
                return Err(InvalidArgument::HeaderTaken(name));
            }
            headers.push((name, value));
        }
        let token = self.token.as_ref().map(Secret::expose).filter(|token| !token.is_empty());
        if let Some(token) = token.filter(|_| headers.iter().all(|(name, _)| *name != AUTHORIZATION)) {
            let value = header_value(&format!("Bearer {token}")).map_err(|()| InvalidArgument::Token)?;
            headers.push((AUTHORIZATION, value));
        }
        Ok(headers)
    }

    /// The certificate and its key.
    pub(crate) fn identity(&self) -> Option<(PathBuf, PathBuf)> {
        self.cert.clone().zip(self.key.clone())
    }

    /// Certificates that nobody would look at must not look as if they were.
    pub(crate) fn check_tls(&self, is_https: bool) -> Result<(), InvalidArgument> {
        let is_there = self.ca.is_some() || self.cert.is_some();
        if is_there && !is_https { Err(InvalidArgument::Tls) } else { Ok(()) }
    }
}

fn header_value(text: &str) -> Result<HeaderValue, ()> {
    let mut value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| ())?;
    value.set_sensitive(true);
    Ok(value)
}

/// Reads a URL of HTTP.
pub(crate) fn url(text: &Secret) -> Result<Url, InvalidArgument> {
    let url = Url::parse(text.expose()).map_err(|error| InvalidArgument::Url(error.to_string()))?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(InvalidArgument::Url("it begins with neither http:// nor https://".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(headers: &[&str], token: Option<&str>) -> RequestArguments {
        RequestArguments {
            headers: headers.iter().map(|header| Secret::from((*header).to_owned())).collect(),
            token: token.map(|token| Secret::from(token.to_owned())),
            ca: None,
            cert: None,
            key: None,
        }
    }

    #[test]
    fn headers_are_split_at_the_first_colon_and_the_token_stands_back() {
        let check = |headers: &[&str], token: Option<&str>, expected: &[(&str, &str)]| {
            let headers = arguments(headers, token).headers(&[]).unwrap();
            let seen: Vec<_> =
                headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
            let expected: Vec<_> = expected.iter().map(|(name, value)| (*name, value.as_bytes())).collect();
            assert_eq!(seen, expected);
            assert!(headers.iter().all(|(_, value)| value.is_sensitive()));
        };
        check(&["X-A: b:c", "x-a:"], None, &[("x-a", "b:c"), ("x-a", "")]);
        check(&[], Some("t"), &[("authorization", "Bearer t")]);
        check(&[], Some(""), &[]);
        check(&["authorization: Basic x"], Some("t"), &[("authorization", "Basic x")]);
        check(&["X-Name: Größe"], None, &[("x-name", "Größe")]);
    }

    #[test]
    fn what_cannot_be_sent_is_refused_without_showing_it() {
        let check = |header: &str, expected: InvalidArgument| {
            let error = arguments(&["x: y", header], None).headers(&[http::header::COOKIE]).unwrap_err();
            assert_eq!(error, expected);
            assert!(!error.to_string().contains("secret"), "{error}");
        };
        check("secret", InvalidArgument::HeaderForm(2));
        check("the secret: x", InvalidArgument::HeaderText(2));
        check(": secret", InvalidArgument::HeaderText(2));
        check("x: secret\r\ny: z", InvalidArgument::HeaderText(2));
        check("Content-Length: 3", InvalidArgument::HeaderTaken(CONTENT_LENGTH));
        check("cookie: secret", InvalidArgument::HeaderTaken(http::header::COOKIE));
        assert_eq!(arguments(&[], Some("a\nb")).headers(&[]), Err(InvalidArgument::Token));
    }

    #[test]
    fn a_url_that_cannot_be_used_is_not_shown() {
        let read = |text: &str| url(&Secret::from(text.to_owned()));
        assert!(read("https://me:pass@example.com:8443/hook/a?token=t#f").is_ok());
        for wrong in ["", "example.com/x", "ftp://secret@a/b", "http://"] {
            assert!(!read(wrong).unwrap_err().to_string().contains("secret"), "{wrong}");
        }
    }
}
