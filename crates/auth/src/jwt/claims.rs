//! What a token says (RFC 7519, 4.1): for whom it is, for how long, and what it grants.

use fanfare_event::limits::{MAX_ASKED_PATTERN, MAX_ASKED_PATTERNS, MAX_NAME};
use fanfare_event::{NamePattern, NamePatterns, UserId, number_name};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use super::{LEEWAY, MAX_GRANTED_ROOMS, TokenFault};

/// What a token must say, and where it says what it grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checks {
    /// What `iss` must be; `None`: it is not looked at.
    pub issuer: Option<String>,
    /// One of these must be in `aud`. Where there is none here, a token must not have an `aud`.
    pub audience: Vec<String>,
    /// The claim that names the user.
    pub user_claim: String,
    /// The claim that names the rooms.
    pub rooms_claim: String,
    /// The claim that names the types of events.
    pub types_claim: String,
}

/// What a token grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Who its bearer is; `None`: nobody by name.
    pub user: Option<UserId>,
    /// The rooms that may be asked for.
    pub rooms: NamePatterns,
    /// The types of events that may be seen; all of them where the token does not say.
    pub types: NamePatterns,
    /// From when on it does not hold.
    pub expires: Timestamp,
    /// When it was made, where it says so.
    pub issued: Option<Timestamp>,
}

const TIME: &str = "a time in seconds since 1970";
const USER: &str =
    "a string, of at most 256 bytes and without control characters, or a number that 64 bits hold";
const ROOMS: &str = "a pattern of rooms (a name, `prefix.*` or `*`) or an array of at most 1000 of them";
const TYPES: &str = "a pattern of types (a type, `prefix.*` or `*`) or an array of at most 64 of them";

const _: () =
    assert!(MAX_NAME == 256 && MAX_GRANTED_ROOMS == 1000 && MAX_ASKED_PATTERNS == 64, "as the texts say");

impl Checks {
    pub(super) fn grant(&self, claims: &Map<String, Value>, now: Timestamp) -> Result<Grant, TokenFault> {
        let expires = time(claims, "exp")?.ok_or(TokenFault::Endless)?;
        if now >= expires {
            return Err(TokenFault::Expired);
        }
        let leeway = SignedDuration::from_secs(LEEWAY);
        let latest = now.checked_add(leeway).unwrap_or(Timestamp::MAX);
        if time(claims, "nbf")?.is_some_and(|from| from > latest) {
            return Err(TokenFault::NotYetValid);
        }
        let issued = time(claims, "iat")?;
        self.check_issuer(claims)?;
        self.check_audience(claims)?;
        let rooms = patterns(claims, &self.rooms_claim, MAX_GRANTED_ROOMS, MAX_NAME + 2, ROOMS)?;
        let types = patterns(claims, &self.types_claim, MAX_ASKED_PATTERNS, MAX_ASKED_PATTERN, TYPES)?;
        Ok(Grant {
            user: self.user(claims)?,
            rooms: rooms.unwrap_or_else(|| NamePatterns::new([])),
            types: types.unwrap_or_else(NamePatterns::any),
            expires,
            issued,
        })
    }

    fn check_issuer(&self, claims: &Map<String, Value>) -> Result<(), TokenFault> {
        let Some(issuer) = &self.issuer else { return Ok(()) };
        let is_it = claims.get("iss").and_then(Value::as_str) == Some(issuer);
        if is_it { Ok(()) } else { Err(TokenFault::Issuer) }
    }

    fn check_audience(&self, claims: &Map<String, Value>) -> Result<(), TokenFault> {
        let is_meant =
            |value: &Value| value.as_str().is_some_and(|one| self.audience.iter().any(|own| own == one));
        match claims.get("aud") {
            None if self.audience.is_empty() => Ok(()),
            Some(_) if self.audience.is_empty() => Err(TokenFault::AudienceNotConfigured),
            Some(Value::Array(values)) if values.iter().any(is_meant) => Ok(()),
            Some(value) if is_meant(value) => Ok(()),
            _ => Err(TokenFault::Audience),
        }
    }

    fn user(&self, claims: &Map<String, Value>) -> Result<Option<UserId>, TokenFault> {
        let name = match claims.get(&self.user_claim) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(name)) => name.clone(),
            Some(Value::Number(number)) => {
                number_name(number).ok_or_else(|| TokenFault::claim(&self.user_claim, USER))?
            }
            Some(_) => return Err(TokenFault::claim(&self.user_claim, USER)),
        };
        UserId::new(&name).map(Some).map_err(|_| TokenFault::claim(&self.user_claim, USER))
    }
}

/// A `NumericDate` (RFC 7519, 2), which may have a fraction.
fn time(claims: &Map<String, Value>, name: &str) -> Result<Option<Timestamp>, TokenFault> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let whole = value.as_i64().map(SignedDuration::from_secs);
    let since = whole.or_else(|| SignedDuration::try_from_secs_f64(value.as_f64()?).ok());
    let time = since.and_then(|since| Timestamp::from_duration(since).ok());
    time.map(Some).ok_or_else(|| TokenFault::claim(name, TIME))
}

/// One pattern or an array of them; `None` where the claim is not there. A pattern has at most `longest` bytes.
fn patterns(
    claims: &Map<String, Value>,
    name: &str,
    count: usize,
    longest: usize,
    must: &'static str,
) -> Result<Option<NamePatterns>, TokenFault> {
    let values = match claims.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(values)) => values.as_slice(),
        Some(value) => std::slice::from_ref(value),
    };
    let pattern = |value: &Value| {
        let text = value.as_str().filter(|text| text.len() <= longest)?;
        NamePattern::parse(text).ok()
    };
    let patterns: Option<Vec<_>> = values.iter().map(pattern).collect();
    let patterns = patterns.filter(|patterns| patterns.len() <= count);
    patterns.map(|patterns| Some(NamePatterns::new(patterns))).ok_or_else(|| TokenFault::claim(name, must))
}
