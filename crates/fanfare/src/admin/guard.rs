//! Keeps pages in the operator's own browser out: they reach a loopback address as he does.

use std::net::IpAddr;

use http::uri::Authority;
use http::{HeaderName, Request, StatusCode, header};

use crate::problem::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a request must not have that a page made.
#[derive(Debug)]
pub(super) struct Guard {
    /// Where no header rules protect the listener: its host. A page whose own name has been made to mean this machine (DNS
    /// rebinding) asks for another.
    host: Option<String>,
}

impl Guard {
    /// `host` is the configured one, where there are no header rules.
    pub(super) fn new(host: Option<String>) -> Self {
        Self { host }
    }

    pub(super) fn check<B>(&self, request: &Request<B>) -> Result<(), Problem> {
        let headers = request.headers();
        // Browsers send the second with every request, `none` where a person typed the URL (Fetch Metadata, 2.4).
        let by_page = |header: &HeaderName| {
            let mut values = headers.get_all(header).iter();
            if *header == SEC_FETCH_SITE {
                values.any(|site| site != "none")
            } else {
                values.next().is_some()
            }
        };
        if let Some(header) = [header::ORIGIN, SEC_FETCH_SITE].iter().find(|header| by_page(header)) {
            let detail = "a web page made this request, and no page may";
            return Err(refused(detail, header));
        }
        let Some(configured) = &self.host else { return Ok(()) };
        let in_header =
            headers.get_all(header::HOST).iter().map(|host| Authority::try_from(host.as_bytes()).ok());
        let in_target = request.uri().authority().cloned().map(Some);
        let mut hosts = in_header.chain(in_target).peekable();
        let is_given = hosts.peek().is_some();
        let is_own = |host: Option<Authority>| host.is_some_and(|host| is_own(host.host(), configured));
        if is_given && hosts.all(is_own) {
            return Ok(());
        }
        let detail = format!("the name in `Host` must be an IP address, `localhost` or `{configured}`");
        Err(refused(&detail, &header::HOST))
    }
}

fn is_own(host: &str, configured: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    address.parse::<IpAddr>().is_ok()
        || host.eq_ignore_ascii_case("localhost")
        || host.eq_ignore_ascii_case(configured)
}

fn refused(detail: &str, header: &HeaderName) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, detail).with("header", header.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_kept_out() {
        let check = |host: Option<&str>, target: &str, headers: &[(&str, &str)], header: Option<&str>| {
            let mut request = Request::builder().uri(target);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            let checked = Guard::new(host.map(str::to_owned)).check(&request.body(()).unwrap());
            let refused = checked.map_err(|problem| problem.to_string()).err();
            let expected =
                header.map(|header| if header == "host" { "the name in `Host`" } else { "a web page" });
            assert_eq!(refused.is_some(), expected.is_some(), "{target} {headers:?}");
            assert!(
                refused.is_none_or(|problem| problem.starts_with(expected.unwrap())),
                "{target} {headers:?}"
            );
        };
        let own = Some("admin.internal");
        for host in
            ["127.0.0.1", "127.0.0.1:9090", "[::1]:9090", "localhost:1", "LOCALHOST", "admin.internal:9090"]
        {
            check(own, "/", &[("host", host)], None);
            check(own, &format!("http://{host}/"), &[], None);
        }
        for host in [
            "evil.example",
            "evil.example:9090",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "",
            "a@b",
            "[::1",
            "::1",
            "é",
        ] {
            check(own, "/", &[("host", host)], Some("host"));
            check(None, "/", &[("host", host)], None);
        }
        check(own, "/", &[], Some("host"));
        check(own, "/", &[("host", "localhost"), ("host", "evil.example")], Some("host"));
        check(own, "http://evil.example/", &[("host", "localhost")], Some("host"));
        for site in ["cross-site", "same-site", "same-origin", ""] {
            check(own, "/", &[("host", "localhost"), ("sec-fetch-site", site)], Some("sec-fetch-site"));
            check(None, "/", &[("sec-fetch-site", site)], Some("sec-fetch-site"));
        }
        check(own, "/", &[("host", "localhost"), ("sec-fetch-site", "none")], None);
        for origin in ["http://localhost:9090", "null", ""] {
            check(own, "/", &[("host", "localhost"), ("origin", origin)], Some("origin"));
            check(None, "/", &[("origin", origin)], Some("origin"));
        }
    }
}
