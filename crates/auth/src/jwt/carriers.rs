//! Where a request carries its token (RFC 6750, 2): `Authorization`, a cookie, the query.

use std::borrow::Cow;

use super::TokenFault;
use crate::request::RequestHeaders;

/// The parameter of a query that carries a token (RFC 6750, 2.3).
const PARAMETER: &str = "access_token";

/// Where a token may be, beside `Authorization: Bearer`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carriers {
    /// In a cookie of this name.
    pub cookie: Option<String>,
    /// In the query.
    pub query: bool,
}

impl Carriers {
    /// The token of a request, wherever it is. `query` has the parameters, decoded.
    pub fn find<'r>(
        &self,
        headers: &'r dyn RequestHeaders,
        query: impl Iterator<Item = (Cow<'r, str>, Cow<'r, str>)>,
    ) -> Result<Cow<'r, str>, TokenFault> {
        let of_query: Vec<_> = query
            .filter(|(name, value)| name == PARAMETER && !value.is_empty())
            .map(|(_, value)| value)
            .collect();
        let of_header = headers.values("authorization").filter_map(bearer);
        let of_cookie = headers.values("cookie").filter_map(|value| {
            let name = self.cookie.as_deref()?;
            Some(cookies(value).filter(move |(own, _)| *own == name.as_bytes()).map(|(_, value)| value))
        });
        let mut found: Option<Cow<'r, str>> = None;
        let of_head = of_header.chain(of_cookie.flatten()).filter(|token| !token.is_empty());
        let of_head = of_head.map(|token| str::from_utf8(token).map_err(|_| TokenFault::Malformed));
        let accepted: &[Cow<'r, str>] = if self.query { &of_query } else { &[] };
        for token in of_head.map(|token| token.map(Cow::Borrowed)).chain(accepted.iter().cloned().map(Ok)) {
            let token = token?;
            if found.as_ref().is_some_and(|found| *found != token) {
                return Err(TokenFault::Several);
            }
            found = Some(token);
        }
        let nowhere = if of_query.is_empty() { TokenFault::Missing } else { TokenFault::NotFromQuery };
        found.ok_or(nowhere)
    }
}

/// The token of `Bearer TOKEN`; the scheme is in any case (RFC 9110, 11.1). Other schemes carry no token.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked("bearer".len())?;
    (scheme.eq_ignore_ascii_case(b"bearer") && token.first() == Some(&b' ')).then(|| token.trim_ascii())
}

/// Names and values of a `Cookie` header (RFC 6265, 5.4), without quotes around a value.
fn cookies(value: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    value.split(|byte| *byte == b';').filter_map(|pair| {
        let pair = pair.trim_ascii();
        let at = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (pair.get(..at)?, pair.get(at + 1..)?);
        let unquoted = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\""));
        Some((name, unquoted.unwrap_or(value)))
    })
}

#[cfg(test)]
mod tests;
