//! The shapes that names, paths and URLs must have.

use crate::shapes::Text;

/// An endpoint's id.
pub(crate) const URL_ID: Text = Text { kind: "an id that can be part of a URL", check: check_id };

/// An endpoint's path.
pub(crate) const URL_PATH: Text = Text { kind: "the path of a URL", check: check_path };

/// Bytes of the name of a source, a transformer or a sink: it is in every log line and metric of it.
const MAX_NAME: usize = 128;

/// A name of a source, a transformer or a sink.
pub(crate) fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("a name must not be empty")
    } else if name.len() > MAX_NAME {
        Err("a name must be at most 128 bytes")
    } else if name.chars().any(char::is_control) {
        Err("a name must not contain control characters")
    } else {
        Ok(())
    }
}

/// What stands behind `/webhook/` or `/sse/` in a URL.
fn check_id(id: &str) -> Result<(), &'static str> {
    if id.is_empty() { Err("an id must not be empty") } else { id.split('/').try_for_each(check_segment) }
}

/// The path of an endpoint's URL.
pub(crate) fn check_path(path: &str) -> Result<(), &'static str> {
    let Some(rest) = path.strip_prefix('/') else {
        return Err("a path must begin with `/`");
    };
    if rest.is_empty() {
        return Ok(());
    }
    rest.strip_suffix('/').unwrap_or(rest).split('/').try_for_each(check_segment)
}

/// The path of a file that SQLite opens: it takes some names for something else.
pub(crate) fn check_database(path: &str) -> Result<(), &'static str> {
    if path.is_empty() {
        Err("a path must not be empty")
    } else if path.ends_with(['/', '\\']) {
        Err("this is a folder: name a file in it")
    } else if path.starts_with(':') || path.starts_with("file:") {
        Err("this is not the path of a file; `type = \"memory\"` keeps events in memory")
    } else if path.contains(char::is_control) {
        Err("a path must not contain control characters")
    } else {
        Ok(())
    }
}

/// A name that is one segment of a URL.
pub(crate) fn check_url_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("a name must not be empty")
    } else if name.contains('/') {
        Err("a `/` would make two parts of it")
    } else {
        check_segment(name)
    }
}

/// RFC 3986, 3.3, without percent-encoding: two spellings of one URL would be two sinks.
fn check_segment(segment: &str) -> Result<(), &'static str> {
    if segment.is_empty() {
        Err("there must be something between and behind slashes")
    } else if segment == "." || segment == ".." {
        Err("`.` and `..` would be resolved by clients")
    } else if !segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@".contains(&b)) {
        Err("only ASCII letters, digits, `/` and `-._~!$&'()*+,;=:@` may be in it")
    } else {
        Ok(())
    }
}

/// A field name: a token of RFC 9110, 5.6.2.
pub(crate) fn check_header_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("the name of a header must not be empty")
    } else if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)) {
        Err("cannot be in the name of a header (RFC 9110, 5.6.2)")
    } else {
        Ok(())
    }
}

/// A field value (RFC 9110, 5.5), in parts. Characters beyond ASCII are sent as UTF-8.
pub(crate) fn check_field_value(parts: &[&str]) -> Result<(), &'static str> {
    let mut bytes = parts.iter().flat_map(|part| part.bytes());
    let is_blank = |byte: Option<u8>| matches!(byte, Some(b' ' | b'\t'));
    if bytes.clone().any(|byte| byte.is_ascii_control() && byte != b'\t') {
        Err("a header has no line breaks and no other control characters (RFC 9110, 5.5)")
    } else if is_blank(bytes.clone().next()) || is_blank(bytes.next_back()) {
        Err("white space at an end is no part of a header (RFC 9110, 5.5)")
    } else {
        Ok(())
    }
}

/// An IP address or a host name (RFC 1123, 2.1). Names of containers have underscores too, and are resolved.
pub(crate) fn check_host(host: &str) -> Result<(), &'static str> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let looks_numeric = host.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_name = host.len() <= 253 && !looks_numeric && host.split('.').all(is_label);
    let has_port = || host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
    if host.parse::<std::net::IpAddr>().is_ok() || is_name {
        Ok(())
    } else if has_port() {
        Err("is neither: the port stands in `port`")
    } else {
        Err("is neither")
    }
}

/// An absolute `http` or `https` URL that a path can be added to.
pub(crate) fn check_root_url(url: &str) -> Result<(), &'static str> {
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else {
        return Err("must begin with `http://` or `https://`");
    };
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.is_empty() {
        Err("has no host")
    } else if authority.contains('@') {
        Err("must not name a user: it is sent with every event")
    } else if rest.contains(['?', '#']) {
        Err("must have no query and no fragment")
    } else if !rest.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b)) {
        Err("has a character that no URL has")
    } else {
        Ok(())
    }
}

/// A serialized origin (HTML, 7.1.1), or `*`.
pub(crate) fn check_origin(origin: &str) -> Result<(), &'static str> {
    if origin == "*" {
        return Ok(());
    }
    let Some((scheme, authority)) = origin.split_once("://") else {
        return Err("an origin is a scheme, `://`, and a host");
    };
    let scheme_fits = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    if authority.ends_with('/') {
        Err("an origin has no slash at its end")
    } else if authority.contains(['/', '?', '#', '@']) {
        Err("an origin has no path, no query and no user")
    } else if !scheme_fits || authority.is_empty() || !authority.bytes().all(|b| b.is_ascii_graphic()) {
        Err("an origin is a scheme, `://`, and a host")
    } else if origin.bytes().any(|b| b.is_ascii_uppercase()) {
        Err("browsers send origins in lower case")
    } else if authority.contains('*') {
        Err("`*` stands alone")
    } else {
        Ok(())
    }
}

/// A JSON pointer (RFC 6901).
pub(crate) fn check_pointer(pointer: &str) -> Result<(), &'static str> {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err("a JSON pointer begins with `/`");
    }
    let escapes_fit = pointer.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if escapes_fit { Ok(()) } else { Err("`~` is written `~0` in a JSON pointer, and `/` in a name `~1`") }
}

/// The name of an environment variable that is surely not a secret itself.
pub(crate) fn is_variable_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes() {
        fn check(shape: fn(&str) -> Result<(), &'static str>, good: &[&str], bad: &[&str]) {
            for text in good {
                assert_eq!(shape(text), Ok(()), "{text:?}");
            }
            for text in bad {
                assert!(shape(text).is_err(), "{text:?}");
            }
        }
        check(check_name, &["a", "my source", "größe"], &["", "a\nb", &"x".repeat(129)]);
        check(
            check_id,
            &["ci", "000", "team/ci", "a.b~c"],
            &["", "/ci", "a//b", "a b", "..", "ü", "a%20b", "{id}"],
        );
        check(
            check_path,
            &["/", "/a/b", "/a/", "/webhook/a"],
            &["", "a", "//", "/a//", "/a//b", "/a/../b", "/a?b"],
        );
        check(
            check_database,
            &["events.db", "./data/events.db", "/var/lib/fanfare/events.db", "a:b"],
            &["", "data/", ":memory:", "file:events.db", "a\0b"],
        );
        check(check_header_name, &["X-API-Key", "ce-id"], &["", "X API", "a:b", "ü"]);
        check(
            check_host,
            &["0.0.0.0", "::1", "localhost", "a-b.example.com", "rabbit_mq"],
            &["", "1.2.3", "256.1.1.1", "[::1]", "-a", "a..b", "localhost:80"],
        );
        check(
            check_root_url,
            &["http://a", "https://a.example.com:8443/base/"],
            &["a", "ftp://a", "http://", "http://u:p@a", "http://a?b", "http://a#b", "http://a b"],
        );
        check(
            check_origin,
            &["*", "https://app.example.com", "http://localhost:3000", "capacitor://localhost"],
            &["", "app.example.com", "https://a/", "https://a/b", "https://A", "https://*.a", "null", "://a"],
        );
        check(check_pointer, &["", "/context/id", "/a~1b/~0"], &["context", "/a~b", "/~"]);
    }

    #[test]
    fn field_values() {
        let check =
            |parts: &[&str], expected| assert_eq!(check_field_value(parts).is_ok(), expected, "{parts:?}");
        check(&["Bearer ", "t", ""], true);
        check(&["a\tb \u{f6}", "", ""], true);
        check(&["", "", ""], true);
        check(&["Bearer ", "", ""], false);
        check(&["", " a", ""], false);
        check(&["", "a\n", "b"], false);
        check(&["", "a\0", "b"], false);
        check(&["\u{7f}"], false);
    }

    #[test]
    fn variable_names() {
        for (name, expected) in
            [("SSE_TOKEN", true), ("_X1", true), ("", false), ("1X", false), ("s3cr3t", false)]
        {
            assert_eq!(is_variable_name(name), expected, "{name:?}");
        }
    }
}
