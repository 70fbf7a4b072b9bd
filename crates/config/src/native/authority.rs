//! What the URLs of others have in common: a host, and perhaps a port (RFC 3986, 3.2). Nothing of a URL is quoted: it may
//! hold a password.

use super::words::check_host;

/// What is wrong with a URL.
#[derive(Debug)]
pub(crate) struct Problem {
    /// The rest of a sentence that begins with the URL.
    pub(crate) what: &'static str,
    pub(crate) advice: &'static str,
}

pub(super) const fn problem(what: &'static str, advice: &'static str) -> Problem {
    Problem { what, advice }
}

/// Whether all of it may be in a URL (RFC 3986, 2).
pub(super) fn check_characters(rest: &str, advice: &'static str) -> Result<(), Problem> {
    if rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&byte)) {
        Ok(())
    } else {
        Err(problem("has a character that no URL has", advice))
    }
}

/// An IP address without brackets, or a name to look up; and a port, which is never 0.
pub(super) fn host_and_port(address: &str) -> Result<(&str, Option<u16>), Problem> {
    let (host, port) = split_port(address)?;
    if check_host(host).is_err() {
        return Err(problem("has no host", "it is a name or an IP address; IPv6 addresses are in brackets"));
    }
    let Some(port) = port else { return Ok((host, None)) };
    let port = port.parse().ok().filter(|port| *port != 0);
    port.map(|port| (host, Some(port))).ok_or(problem(
        "has a port that is none",
        "a port is a number from 1 to 65535; in a password `:` is `%3A`",
    ))
}

fn split_port(address: &str) -> Result<(&str, Option<&str>), Problem> {
    if let Some(rest) = address.strip_prefix('[') {
        let bracket = problem("has no host", "an IPv6 address stands in brackets, and a port behind them");
        let Some((host, rest)) = rest.split_once(']') else { return Err(bracket) };
        return match (host.contains(':'), rest.is_empty(), rest.strip_prefix(':')) {
            (true, true, _) => Ok((host, None)),
            (true, _, Some(port)) => Ok((host, Some(port))),
            _ => Err(bracket),
        };
    }
    Ok(match address.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (address, None),
    })
}
