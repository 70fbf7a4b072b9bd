//! `[sinks.NAME.jwt]`: which tokens a stream takes. Whether a key is one for its algorithm is said by whoever uses it;
//! how a key is written is in `jwt_key`.

use std::borrow::Cow;
use std::net::IpAddr;

use super::jwt_key;
use crate::checker::{Checker, Fields, text};
use crate::keys::{Exposure, Key, Optional, Or, Read, Section};
use crate::native::words::{check_header_name, check_host};
use crate::shapes::{Flag, Items, NestedSecrets, Text, quote};
use crate::tree::{Data, Entry, Node};
use crate::{Jwt, Span};

pub(crate) const JWT: Key<Optional<NestedSecrets>> = Key {
    name: "jwt",
    doc: "The tokens that `identity = \"jwt\"` takes.",
    presence: Optional(NestedSecrets("a table, see [`[sinks.NAME.jwt]`](#sinksnamejwt)"), "none"),
};

pub(crate) const JWKS_URL: Key<Optional<KeySetUrl>> = Key {
    name: "jwks_url",
    doc: "Where the issuer publishes its keys (RFC 7517). They are fetched at the start, about hourly, and when a token \
          names a key that is not known. While it cannot be reached, the keys that were fetched last hold.",
    presence: Optional(KeySetUrl, "only the keys of the configuration hold"),
};

const NOT_EMPTY: Text = Text {
    kind: "a string that is not empty",
    check: |text| if text.is_empty() { Err("is empty") } else { Ok(()) },
};

pub(crate) const ISSUER: Key<Optional<Text>> = Key {
    name: "issuer",
    doc: "What the claim `iss` must be, exactly.",
    presence: Optional(NOT_EMPTY, "`iss` is not looked at"),
};

pub(crate) const AUDIENCE: Key<Or<OneOrMore>> = Key {
    name: "audience",
    doc: "The claim `aud` must have one of these.",
    presence: Or(OneOrMore, Vec::new),
};

macro_rules! claims {
    ($($constant:ident = $name:literal, $default:literal, $doc:literal;)*) => {
        $(pub(crate) const $constant: Key<Or<Text>> =
            Key { name: $name, doc: $doc, presence: Or(NOT_EMPTY, || $default.to_owned()) };)*
    };
}

claims! {
    USER_CLAIM = "user_claim", "sub", "The claim that says who a client is: a string or a number. Without it a client is \
        nobody by name.";
    ROOMS_CLAIM = "rooms_claim", "rooms", "The claim with the rooms that a client may join: a pattern or an array of them \
        (a name, `prefix.*`, or `*`). Without it a client may join none.";
    TYPES_CLAIM = "types_claim", "event_types", "The claim with the types of events that a client may see of those that the \
        sink shows: a pattern or an array of them. Without it a client may see them all.";
}

pub(crate) const COOKIE: Key<Optional<Text>> = Key {
    name: "cookie",
    doc: "The name of a cookie that may carry the token, beside `Authorization: Bearer`.",
    presence: Optional(
        Text {
            kind: "the name of a cookie",
            check: |name| {
                check_header_name(name).map_err(|_| "cannot be the name of a cookie (RFC 6265, 4.1.1)")
            },
        },
        "none",
    ),
};

pub(crate) const QUERY_TOKEN: Key<Or<Flag>> = Key {
    name: "query_token",
    doc: "Whether the URL may carry the token, as `?access_token=`. URLs end up in the logs of proxies, in histories and \
          in referrers.",
    presence: Or(Flag, || false),
};

pub(crate) const KEYS: Key<Optional<NestedSecrets>> = Key {
    name: "keys",
    doc: "Keys beside those of `jwks_url`.",
    presence: Optional(
        NestedSecrets("an array of tables, see [`[[sinks.NAME.jwt.keys]]`](#sinksnamejwtkeys)"),
        "none; there must be `jwks_url` or a key",
    ),
};

pub(crate) static SECTION: Section = Section {
    title: "[sinks.NAME.jwt]",
    variant: None,
    about: "The tokens (JSON Web Tokens, RFC 7519) that a stream with `identity = \"jwt\"` takes, and where they say what \
            they grant. A token must have `exp`. Where `audience` is not set, one that has `aud` is refused (RFC 7519, \
            4.1.3). [Identity](identity.md) tells how to set it up.",
    example: "[sinks.events]\ntype = \"sse\"\nid = \"events\"\nidentity = \"jwt\"\n\n[sinks.events.jwt]\n\
              jwks_url = \"https://idp.example.com/.well-known/jwks.json\"\nissuer = \"https://idp.example.com\"\n\
              audience = [\"fanfare\"]\ncookie = \"token\"\n",
    keys: &[
        &JWKS_URL,
        &ISSUER,
        &AUDIENCE,
        &USER_CLAIM,
        &ROOMS_CLAIM,
        &TYPES_CLAIM,
        &COOKIE,
        &QUERY_TOKEN,
        &KEYS,
    ],
    foreign: &[],
};

/// Reads the table. `None` where there is nothing to check a token with; that has been said.
pub(super) fn read(entry: &Entry, checker: &mut Checker<'_>) -> Option<Jwt> {
    let table = checker.table(JWT.name, &entry.node)?;
    let mut fields = Fields::new("`jwt`", entry.span, table);
    let (jwks_url, has_url) = (fields.get(&JWKS_URL, checker), fields.has(JWKS_URL.name));
    let keys = fields.entry(KEYS.name);
    let (keys, has_keys) = keys.map_or((Vec::new(), false), |entry| jwt_key::read_all(entry, checker));
    if !has_url && !has_keys {
        checker
            .absent(entry.span, "there is no key to check tokens with")
            .help("set `jwks_url` to where the issuer publishes its keys, or write a key as `[[sinks.NAME.jwt.keys]]`");
    }
    let jwt = Jwt {
        jwks_url: jwks_url.map(Into::into),
        issuer: fields.get(&ISSUER, checker),
        audience: fields.get(&AUDIENCE, checker),
        user_claim: fields.get(&USER_CLAIM, checker),
        rooms_claim: fields.get(&ROOMS_CLAIM, checker),
        types_claim: fields.get(&TYPES_CLAIM, checker),
        cookie: fields.get(&COOKIE, checker),
        query_token: fields.get(&QUERY_TOKEN, checker),
        keys,
        span: entry.span,
    };
    fields.finish(&SECTION, checker);
    Some(jwt)
}

/// Says that `identity` asks for a table that is not there, or the other way round.
pub(super) fn report_unpaired(identity: Span, table: Option<Span>, checker: &mut Checker<'_>) {
    match table {
        None => {
            checker
                .absent(identity, "`identity` is `\"jwt\"`, and there is no table `jwt`")
                .help("`[sinks.NAME.jwt]` says with which keys tokens are checked: `jwks_url`, or `keys`");
        }
        Some(table) => {
            checker
                .warning(table, "`jwt` has no effect: `identity` is not `\"jwt\"`")
                .help("set `identity = \"jwt\"`, or leave `jwt` out");
        }
    }
}

/// A URL that keys can be fetched from without anybody on the way changing them. It is masked, because who writes a user
/// into it writes a password.
pub(crate) struct KeySetUrl;

impl Read for KeySetUrl {
    type Value = String;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<String> {
        let url = text(key, node, &self.kind(), checker)?;
        match check_url(url) {
            Ok(()) => Some(url.to_owned()),
            Err(problem) => {
                checker.error(node.span, format!("`{key}` must be {}", self.kind())).label(problem);
                None
            }
        }
    }

    fn kind(&self) -> Cow<'static, str> {
        "a URL with `https://`".into()
    }

    fn write(&self, url: &String) -> Option<String> {
        Some(quote(url))
    }

    fn exposure(&self) -> Exposure {
        Exposure::Masked
    }
}

fn check_url(url: &str) -> Result<(), &'static str> {
    let (is_plain, rest) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Err("must begin with `https://`"),
    };
    if !rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(&byte)) {
        return Err("has a character that cannot be in it");
    }
    // Also behind a slash: that may be one in a password.
    if rest.contains('@') {
        return Err("must not name a user; elsewhere `@` is written as `%40`");
    }
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or("has a bracket that does not end")?,
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let has_port = port.strip_prefix(':').is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    if check_host(host).is_err() || !(port.is_empty() || port.starts_with(':')) || !has_port {
        return Err("has no host, or no port behind its colon");
    }
    let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if is_plain && !is_local {
        return Err(
            "`http://` is for addresses of this machine: who can change keys on the way can be anyone",
        );
    }
    Ok(())
}

/// A string, or an array of strings; none may be empty.
pub(crate) struct OneOrMore;

impl OneOrMore {
    const ITEMS: Items<Text> = Items {
        kind: "a string or an array of strings",
        item: NOT_EMPTY,
        if_empty: Some("leave it out to take tokens that are for no audience"),
    };
}

impl Read for OneOrMore {
    type Value = Vec<String>;

    fn read(&self, key: &str, node: &Node, checker: &mut Checker<'_>) -> Option<Vec<String>> {
        if let Data::Text { .. } = node.data {
            return NOT_EMPTY.read(key, node, checker).map(|one| vec![one]);
        }
        Self::ITEMS.read(key, node, checker)
    }

    fn kind(&self) -> Cow<'static, str> {
        Self::ITEMS.kind.into()
    }

    fn write(&self, values: &Vec<String>) -> Option<String> {
        if values.is_empty() { None } else { Self::ITEMS.write(values) }
    }
}

#[cfg(test)]
mod tests {
    use super::check_url;

    #[test]
    fn keys_come_over_https_or_from_this_machine() {
        for url in [
            "https://idp.example.com/.well-known/jwks.json",
            "https://idp.example.com:8443/keys?tenant=a",
            "https://[2001:db8::1]/keys",
            "http://localhost:8080/keys",
            "http://127.0.0.1/keys",
            "http://[::1]:9/keys",
        ] {
            assert_eq!(check_url(url), Ok(()), "{url}");
        }
        for url in [
            "",
            "idp.example.com/keys",
            "ftp://idp.example.com/keys",
            "https://",
            "https:///keys",
            "https://u:p@idp.example.com/keys",
            "https://u:1/p@idp.example.com/keys",
            "https://idp.example.com/keys#one",
            "https://idp.example.com/a key",
            "https://idp.example.com:/keys",
            "https://idp.example.com:0/keys",
            "https://idp.example.com:http/keys",
            "https://[::1/keys",
            "https://[::1]9/keys",
            "http://idp.example.com/keys",
            "http://localhost.example.com/keys",
            "http://127.0.0.1.example.com/keys",
            "http://0.0.0.0/keys",
        ] {
            assert!(check_url(url).is_err(), "{url}");
        }
    }
}
