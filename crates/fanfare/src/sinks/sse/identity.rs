//! Who a client is, and what of a sink's rooms, users and types it may ask for. Tokens are in `tokens`, the keys that
//! their issuers publish in `published`.

#[cfg(feature = "identity_jwt")]
mod published;
#[cfg(feature = "identity_jwt")]
mod tokens;

use std::collections::{BTreeMap, BTreeSet};

#[cfg(feature = "identity_jwt")]
use fanfare_auth::jwt::Grant;
#[cfg(feature = "identity_jwt")]
use fanfare_event::NamePatterns;
use fanfare_event::{InvalidWord, RoomName, TargetKind, UserId};
use http::{Request, StatusCode, header};
use jiff::Timestamp;

use super::start::query;
use crate::problem::Problem;

#[cfg(feature = "identity_jwt")]
pub(crate) use published::Published;
#[cfg(feature = "identity_jwt")]
pub(crate) use tokens::Tokens;

/// Who says what the clients of a sink may ask for.
#[derive(Debug)]
pub(crate) enum Identity {
    /// Nobody: they may ask for nothing.
    None,
    /// They themselves.
    Query,
    /// Their tokens.
    #[cfg(feature = "identity_jwt")]
    Jwt(Box<Tokens>),
}

/// What a client may ask for.
#[derive(Debug)]
pub(super) enum Permit {
    /// No room, and to be no user.
    Nothing,
    /// Every room and user.
    Anything,
    /// What its token grants.
    #[cfg(feature = "identity_jwt")]
    Granted(Grant),
}

/// Why a client gets no stream.
#[derive(Debug)]
pub(super) enum Denied {
    /// Asking the same again cannot help.
    Refused(Problem),
    /// Asking again later may help; why, for the log.
    #[cfg(feature = "identity_jwt")]
    NotNow(&'static str),
}

/// Which of a sink's targeted events a client gets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Joined {
    pub(super) rooms: BTreeSet<RoomName>,
    pub(super) user: Option<UserId>,
    /// When its stream must end at the latest: when the token that the client showed is not taken any more. `None` where
    /// it showed none.
    pub(super) expires: Option<Timestamp>,
    /// When that token was made, where it says so.
    pub(super) issued: Option<Timestamp>,
}

impl Identity {
    /// Whether tokens say who a sink's clients are. What else says so cannot be revoked.
    pub(crate) const fn has_tokens(&self) -> bool {
        match self {
            Self::None | Self::Query => false,
            #[cfg(feature = "identity_jwt")]
            Self::Jwt(_) => true,
        }
    }

    /// What the sender of a request may ask for.
    #[cfg_attr(
        not(feature = "identity_jwt"),
        expect(clippy::unused_async, unused_variables, reason = "only tokens are looked at and waited for")
    )]
    pub(super) async fn permit<B: Sync>(&self, request: &Request<B>) -> Result<Permit, Denied> {
        match self {
            Self::None => Ok(Permit::Nothing),
            Self::Query => Ok(Permit::Anything),
            #[cfg(feature = "identity_jwt")]
            Self::Jwt(tokens) => tokens.grant(request).await.map(Permit::Granted),
        }
    }
}

impl Permit {
    /// The types of events that it is for, where it says so.
    #[cfg(feature = "identity_jwt")]
    pub(super) fn types(&self) -> Option<&NamePatterns> {
        match self {
            Self::Nothing | Self::Anything => None,
            Self::Granted(grant) => Some(&grant.types),
        }
    }
}

impl From<Problem> for Denied {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem)
    }
}

impl From<fanfare_auth::Refused> for Denied {
    fn from(refused: fanfare_auth::Refused) -> Self {
        Self::Refused(refused.into())
    }
}

/// What a request joins. A refusal is final: asking the same again cannot help.
pub(super) fn joined<B>(permit: &Permit, max_rooms: usize, request: &Request<B>) -> Result<Joined, Problem> {
    let asked = asked(max_rooms, request)?;
    match permit {
        Permit::Anything => {}
        Permit::Nothing if asked.rooms.is_empty() && asked.user.is_none() => {}
        Permit::Nothing => {
            let kind = if asked.rooms.is_empty() { TargetKind::User } else { TargetKind::Room };
            let detail = format!(
                "nobody may ask for a {} of this stream: its sink has the identity `none`. Its operator may set \
                 `identity` to `jwt` or `query`",
                kind.name()
            );
            return Err(Problem::new(StatusCode::FORBIDDEN, detail).with("parameter", asked.parameter()));
        }
        #[cfg(feature = "identity_jwt")]
        Permit::Granted(grant) => return of_token(grant, asked),
    }
    Ok(Joined { rooms: asked.rooms.into_keys().collect(), user: asked.user, expires: None, issued: None })
}

/// What a token lets a client join: the rooms that it asks for, as far as they are granted, and always its own user.
#[cfg(feature = "identity_jwt")]
fn of_token(grant: &Grant, asked: Asked) -> Result<Joined, Problem> {
    if let Some((_, parameter)) = asked.rooms.iter().find(|(room, _)| !grant.rooms.matches(room.as_str())) {
        return Err(not_granted(parameter, "a room"));
    }
    if asked.user.is_some() && asked.user != grant.user {
        return Err(not_granted(USER, "the user"));
    }
    Ok(Joined {
        rooms: asked.rooms.into_keys().collect(),
        user: grant.user.clone(),
        expires: Some(grant.expires),
        issued: grant.issued,
    })
}

/// A refusal of what a token is not for (RFC 6750, 3.1). It does not name what was asked for: that may be what somebody
/// else should not see in a log.
#[cfg(feature = "identity_jwt")]
pub(super) fn not_granted(parameter: &'static str, what: &str) -> Problem {
    let detail = format!("the token does not grant {what} that the parameter `{parameter}` asks for");
    Problem::new(StatusCode::FORBIDDEN, detail)
        .with("parameter", parameter)
        .header(header::WWW_AUTHENTICATE, "Bearer error=\"insufficient_scope\"")
}

const ROOM: &str = "room";
const ROOMS: &str = "rooms";
const USER: &str = "user_id";

/// What a request asks to join.
#[derive(Debug, Default)]
struct Asked {
    /// Each with the parameter that asks for it.
    rooms: BTreeMap<RoomName, &'static str>,
    user: Option<UserId>,
}

impl Asked {
    /// A parameter that asks for something.
    fn parameter(&self) -> &'static str {
        self.rooms.values().next().copied().unwrap_or(USER)
    }
}

/// A token that is right in itself (RFC 6750, 3.1).
pub(super) fn revoked() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "the tokens that this user had are not taken any more: get a new one",
    )
    .header(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")
}

fn asked<B>(max_rooms: usize, request: &Request<B>) -> Result<Asked, Problem> {
    let mut asked = Asked::default();
    for (name, value) in query(request) {
        let (parameter, rooms) = match &*name {
            ROOM => (ROOM, vec![&*value]),
            ROOMS => (ROOMS, value.split(',').map(str::trim).collect()),
            USER => {
                if !value.is_empty() {
                    let user = UserId::new(&value).map_err(|problem| refused(USER, problem))?;
                    if asked.user.as_ref().is_some_and(|other| *other != user) {
                        return Err(bad(USER, "the parameter `user_id` names two users"));
                    }
                    asked.user = Some(user);
                }
                continue;
            }
            _ => continue,
        };
        for room in rooms.into_iter().filter(|room| !room.is_empty()) {
            let room = RoomName::new(room).map_err(|problem| refused(parameter, problem))?;
            asked.rooms.insert(room, parameter);
            if asked.rooms.len() > max_rooms {
                return Err(bad(parameter, &format!("a client may be in at most {max_rooms} rooms")));
            }
        }
    }
    Ok(asked)
}

fn refused(parameter: &str, problem: InvalidWord) -> Problem {
    bad(parameter, &format!("what the parameter `{parameter}` names {problem}"))
}

fn bad(parameter: &str, detail: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail).with("parameter", parameter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(permit: &Permit, query: &str) -> Result<(Vec<String>, Option<String>), (u16, String)> {
        let request = Request::builder().uri(format!("/events?{query}")).body(()).unwrap();
        joined(permit, 3, &request)
            .map(|joined| {
                let rooms = joined.rooms.iter().map(ToString::to_string).collect();
                (rooms, joined.user.map(|user| user.to_string()))
            })
            .map_err(|problem| (problem.status().as_u16(), problem.to_string()))
    }

    #[test]
    fn a_client_joins_what_its_query_names() {
        let check = |query: &str, rooms: &[&str], user: Option<&str>| {
            let rooms = rooms.iter().map(|room| (*room).to_owned()).collect();
            assert_eq!(ask(&Permit::Anything, query), Ok((rooms, user.map(str::to_owned))), "{query}");
        };
        check("", &[], None);
        check("room=&rooms=&user_id=", &[], None);
        check("room=orders", &["orders"], None);
        check("room=b&room=a&room=b", &["a", "b"], None);
        check("rooms=orders,inventory", &["inventory", "orders"], None);
        check("rooms=a,%20b,,", &["a", "b"], None);
        check("room=a%2Cb", &["a,b"], None);
        check("room=a&rooms=b,c&user_id=42", &["a", "b", "c"], Some("42"));
        check("user_id=42&user_id=42&other=1", &[], Some("42"));
    }

    #[test]
    fn what_cannot_be_joined_is_refused() {
        let check = |permit, query: &str, status: u16, part: &str| {
            let (answered, detail) = ask(permit, query).unwrap_err();
            assert!(answered == status && detail.contains(part), "{query}: {answered} {detail}");
        };
        check(&Permit::Anything, "rooms=a,b,c,d", 400, "at most 3 rooms");
        check(&Permit::Anything, "room=a%0Ab", 400, "`room` names must not contain control");
        check(&Permit::Anything, "user_id=1&user_id=2", 400, "two users");
        check(&Permit::Anything, &format!("user_id={}", "x".repeat(257)), 400, "at most 256 bytes");
        check(&Permit::Nothing, "room=a", 403, "`identity`");
        check(&Permit::Nothing, "user_id=1", 403, "a user of this stream");
        assert_eq!(ask(&Permit::Nothing, "room=&x=y"), Ok((vec![], None)));
    }
}
