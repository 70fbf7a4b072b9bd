//! The URL of an AMQP broker, as RabbitMQ specifies it: `amqp_URI = "amqp://" amqp_authority [ "/" vhost ] [ "?" query ]`.
//! No query is taken: what it would say has keys of its own.

use std::fmt;

use percent_encoding::percent_decode_str;

use super::authority::{Problem, check_characters, host_and_port, problem};
use crate::{AmqpUrl, Secret};

/// Bytes of a virtual host's name, a short string.
const MAX_VHOST: usize = 255;

/// Reads a URL. `variable` is where it came from, if not from the file.
pub(crate) fn parse(url: Secret, variable: Option<String>) -> Result<AmqpUrl, Problem> {
    let text = url.expose();
    let (is_tls, rest) = match (text.strip_prefix("amqp://"), text.strip_prefix("amqps://")) {
        (Some(rest), _) => (false, rest),
        (_, Some(rest)) => (true, rest),
        _ => return Err(problem("has another scheme", "it begins with `amqp://` or, for TLS, `amqps://`")),
    };
    check_characters(rest, ENCODE)?;
    if rest.contains(['?', '#']) {
        return Err(problem(
            "has a query or a fragment",
            "what it would say has keys of its own; in a name or a password `?` is `%3F` and `#` is `%23`",
        ));
    }
    let (authority, vhost) = rest.split_once('/').unwrap_or((rest, ""));
    let vhost = match vhost {
        "" | "/" => "/".to_owned(),
        vhost if vhost.contains(['/', '@', ':']) => {
            return Err(problem(
                "has more behind its host than the name of a virtual host",
                "in that name, and in a password, `/` is `%2F`, `@` is `%40` and `:` is `%3A`",
            ));
        }
        vhost => decode(vhost)?,
    };
    if vhost.len() > MAX_VHOST {
        return Err(problem("has too long a virtual host", "it has at most 255 bytes"));
    }
    let (user, address) = match authority.split_once('@') {
        Some((_, address)) if address.contains('@') => {
            return Err(problem("has more than one `@`", "in a name or a password `@` is `%40`"));
        }
        Some((user, address)) => (Some(user), address),
        None => (None, authority),
    };
    let (username, password) = match user {
        None => ("guest".to_owned(), "guest".to_owned()),
        Some(user) => {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            (decode(name)?, decode(password)?)
        }
    };
    let (host, port) = host_and_port(address)?;
    let port = port.unwrap_or(if is_tls { 5671 } else { 5672 });
    Ok(AmqpUrl {
        has_user: user.is_some(),
        is_tls,
        host: host.to_owned(),
        port,
        vhost,
        username: username.into(),
        password: password.into(),
        variable,
        text: url,
    })
}

const ENCODE: &str =
    "other characters than letters, digits and `-._~` are percent-encoded in names and in the password";

fn decode(text: &str) -> Result<String, Problem> {
    let is_escape = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|byte| byte.is_ascii_hexdigit());
    if !text.split('%').skip(1).all(is_escape) {
        return Err(problem(
            "has a `%` without two digits behind it",
            "in a name or a password `%` is `%25`",
        ));
    }
    let decoded = percent_decode_str(text).decode_utf8().ok().filter(|text| !text.contains('\0'));
    decoded.map(String::from).ok_or(problem("is not percent-encoded UTF-8", ENCODE))
}

/// Host, port and virtual host: what a log may show.
impl fmt::Display for AmqpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, vhost, .. } = self;
        let vhost = vhost.strip_prefix('/').unwrap_or(vhost);
        if host.contains(':') {
            write!(f, "[{host}]:{port}/{vhost}")
        } else {
            write!(f, "{host}:{port}/{vhost}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Result<AmqpUrl, Problem> {
        parse(Secret::from(text.to_owned()), None)
    }

    #[test]
    fn what_a_url_means() {
        let check = |text: &str, shown: &str, user: (&str, &str)| {
            let url = read(text).unwrap();
            assert_eq!(url.to_string(), shown, "{text}");
            assert_eq!((url.username.expose(), url.password.expose()), user, "{text}");
            assert_eq!(url.is_tls, text.starts_with("amqps"));
        };
        check("amqp://localhost", "localhost:5672/", ("guest", "guest"));
        check("amqp://localhost/", "localhost:5672/", ("guest", "guest"));
        check("amqp://localhost//", "localhost:5672/", ("guest", "guest"));
        check("amqp://localhost/%2F", "localhost:5672/", ("guest", "guest"));
        check("amqps://a.example.com/live", "a.example.com:5671/live", ("guest", "guest"));
        check("amqp://u:p@127.0.0.1:5673/%2fx%20y", "127.0.0.1:5673/x y", ("u", "p"));
        check("amqp://u@host", "host:5672/", ("u", ""));
        check("amqp://:@host", "host:5672/", ("", ""));
        check("amqp://a%40b:p%3a%2f%40%25:x@[::1]:5", "[::1]:5/", ("a@b", "p:/@%:x"));
    }

    #[test]
    fn what_is_wrong_is_said_without_quoting_it() {
        let check = |text: &str, what: &str| {
            let problem = read(text).unwrap_err();
            assert!(problem.what.contains(what), "{text}: {}", problem.what);
        };
        check("", "scheme");
        check("http://localhost", "scheme");
        check("AMQP://localhost", "scheme");
        check("amqp://", "no host");
        check("amqp:///vhost", "no host");
        check("amqp://::1", "no host");
        check("amqp://[::1", "no host");
        check("amqp://[host]", "no host");
        check("amqp://host:", "port");
        check("amqp://host:0", "port");
        check("amqp://host:65536", "port");
        check("amqp://user:pa:ss@host:x", "port");
        check("amqp://user:p@ss@host", "more than one `@`");
        check("amqp://user:pa/ss@host", "more behind its host");
        check("amqp://user:12/ss@host", "more behind its host");
        check("amqp://host/a/b", "more behind its host");
        check("amqp://host?heartbeat=1", "query");
        check("amqp://user:p#ss@host", "query");
        check("amqp://user:100%@host", "`%`");
        check("amqp://user:%ff@host", "UTF-8");
        check("amqp://us er@host", "character");
        check("amqp://\u{fc}@host", "character");
        check(&format!("amqp://host/{}", "v".repeat(256)), "too long");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_shown_has_no_password(
            text in "amqps?://(\\PC{0,8}|[a-z@:/%?\\[\\]0-9]{0,24})",
            password in "[A-Za-z0-9]{9,12}",
        ) {
            let _ = read(&text);
            let url = read(&format!("amqp://user:{password}@host/v")).unwrap();
            prop_assert!(!url.to_string().contains(&password));
            let debug = format!("{url:?}");
            prop_assert!(!debug.contains(&password), "{}", debug);
        }
    }
}
