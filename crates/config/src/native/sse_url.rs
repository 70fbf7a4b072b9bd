//! The URL of a stream that is listened to.

use super::authority::{Problem, check_characters, host_and_port, problem};
use crate::{Secret, SseUrl};

/// Bytes of a URL: what every server takes at least (RFC 9110, 4.1).
const MAX_URL: usize = 8000;

const ENCODE: &str =
    "other characters than letters, digits and `-._~` are percent-encoded, beside those that divide it";

/// What of a URL matters for what else is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parts {
    /// Whether it is `https`.
    pub(super) is_tls: bool,
    /// Whether it names a user, which is sent as `Authorization`.
    pub(super) has_user: bool,
    /// Whether it has that user's password.
    pub(super) has_password: bool,
}

/// Reads a URL. `variable` is where it came from, if not from the file.
pub(super) fn parse(url: Secret, variable: Option<String>) -> Result<(SseUrl, Parts), Problem> {
    let text = url.expose();
    let (scheme, rest) = split_scheme(text)?;
    if text.len() > MAX_URL {
        return Err(problem("is too long", "servers need not take more than 8000 bytes (RFC 9110, 4.1)"));
    }
    check_characters(rest, ENCODE)?;
    if rest.contains('#') {
        return Err(problem("has a fragment", "it would not be sent; in a password or a query `#` is `%23`"));
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at(end);
    // A password with a slash would else be shown as a path.
    if rest.matches('@').count() > 1 || target.contains('@') {
        return Err(problem(
            "has an `@` that does not end the name of a user",
            "in a name, a password, a path or a query `@` is `%40`, and `/` in a name or a password `%2F`",
        ));
    }
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, address)) => (Some(user), address),
        None => (None, authority),
    };
    let (host, _) = host_and_port(address)?;
    check_last_label(host)?;
    let path = target.split('?').next().unwrap_or_default();
    let path = if path.is_empty() { "/" } else { path };
    let shown = format!("{scheme}{address}{path}");
    let has_password = user.is_some_and(|user| user.split_once(':').is_some_and(|(_, it)| !it.is_empty()));
    let parts = Parts { is_tls: scheme.starts_with("https"), has_user: user.is_some(), has_password };
    Ok((SseUrl { text: url, variable, shown }, parts))
}

/// The scheme with its slashes, and what comes behind it.
fn split_scheme(text: &str) -> Result<(&'static str, &str), Problem> {
    for scheme in ["http://", "https://"] {
        if let Some(rest) = text.strip_prefix(scheme) {
            return Ok((scheme, rest));
        }
    }
    Err(if text.starts_with("ws://") || text.starts_with("wss://") {
        problem(
            "is one of a WebSocket",
            "a stream of Server-Sent Events has a URL with `https://` or `http://`",
        )
    } else if text.contains("://") {
        problem("has another scheme", "it begins with `https://` or `http://`, in lower case")
    } else {
        problem("has no scheme", "it begins with `https://` or `http://`")
    })
}

/// A name whose last part is a number is taken for an IPv4 address (URL standard, 3.5), which this is not then.
fn check_last_label(host: &str) -> Result<(), Problem> {
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_number = last.bytes().all(|byte| byte.is_ascii_digit())
        || last.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x"));
    if is_number && host.parse::<std::net::IpAddr>().is_err() {
        return Err(problem(
            "has no host",
            "a name does not end with a number; an IPv4 address has four of them",
        ));
    }
    Ok(())
}

impl SseUrl {
    /// The URL without what may be a secret, but so that one sees where that was.
    pub(crate) fn masked(&self) -> String {
        let text = self.text.expose();
        let user = if text.contains('@') { "://***@" } else { "://" };
        let query = if text.contains('?') { "?***" } else { "" };
        format!("{}{query}", self.shown.replacen("://", user, 1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<(SseUrl, Parts), Problem> {
        parse(Secret::from(text.to_owned()), None)
    }

    #[test]
    fn what_is_shown_has_no_user_and_no_query() {
        let check = |text: &str, shown: &str, masked: &str, [is_tls, has_user, has_password]: [bool; 3]| {
            let (url, parts) = read(text).unwrap();
            assert_eq!((url.to_string().as_str(), url.masked().as_str()), (shown, masked), "{text}");
            assert_eq!(parts, Parts { is_tls, has_user, has_password }, "{text}");
        };
        let plain = "http://localhost:8080/sse/001";
        check(plain, plain, plain, [false; 3]);
        check("https://a", "https://a/", "https://a/", [true, false, false]);
        check("https://a?b=c/d", "https://a/", "https://a/?***", [true, false, false]);
        check("https://u@a/b", "https://a/b", "https://***@a/b", [true, true, false]);
        check("https://u:@a/b", "https://a/b", "https://***@a/b", [true, true, false]);
        let shown = "http://[::1]:5/b%40";
        check("http://u:p:q@[::1]:5/b%40?c", shown, "http://***@[::1]:5/b%40?***", [false, true, true]);
        check("http://127.0.0.1/", "http://127.0.0.1/", "http://127.0.0.1/", [false; 3]);
        check("http://0x1.example.com/", "http://0x1.example.com/", "http://0x1.example.com/", [false; 3]);
    }

    #[test]
    fn what_is_wrong_is_said_without_quoting_it() {
        let check = |text: &str, what: &str| {
            let problem = read(text).unwrap_err();
            assert!(problem.what.contains(what), "{text}: {}", problem.what);
        };
        check("", "no scheme");
        check("hub.example.com/sse/events", "no scheme");
        check("localhost:8080/sse/events", "no scheme");
        check("wss://hub.example.com", "WebSocket");
        check("ftp://hub.example.com", "another scheme");
        check("HTTPS://hub.example.com", "another scheme");
        check("https://", "no host");
        check("https:///sse", "no host");
        check("https://u:p@/sse", "no host");
        check("https://::1", "no host");
        check("https://[::1", "no host");
        check("https://a.1", "no host");
        check("https://a.0x", "no host");
        check("https://1.2.3", "no host");
        check("https://a:", "port");
        check("https://a:0/", "port");
        check("https://a:65536/", "port");
        check("https://u:pass", "port");
        check("https://u:pa/ss@host", "`@`");
        check("https://u:pa?ss@host", "`@`");
        check("https://u:p@ss@host", "`@`");
        check("https://u:p#ss@host", "fragment");
        check("https://a/b#", "fragment");
        check("https://a/b c", "character");
        check("https://\u{fc}/", "character");
        check(&format!("https://a/{}", "b".repeat(MAX_URL)), "too long");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_shown_has_no_password(
            text in "https?://(\\PC{0,8}|[a-z@:/%?#\\[\\]0-9.]{0,24})",
            password in "[A-Za-z0-9]{9,12}",
        ) {
            let _ = read(&text).map(|(url, _)| url.masked());
            let (url, _) = read(&format!("https://user:{password}@host/v?token={password}")).unwrap();
            let shown = format!("{url} {url:?} {}", url.masked());
            prop_assert!(!shown.contains(&password), "{}", shown);
        }
    }
}
