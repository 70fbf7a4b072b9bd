//! `?room=`, `?rooms=` and `?user_id=`: what a client asks to join, and whether it may.

use std::collections::BTreeSet;

use fanfare_config::Identity;
use fanfare_event::{InvalidWord, RoomName, TargetKind, UserId};
use http::{Request, StatusCode, header};
use jiff::Timestamp;

use super::start::query;
use crate::problem::Problem;

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

/// What a request joins. A refusal is final: asking the same again cannot help.
pub(super) fn joined<B>(
    identity: Identity,
    max_rooms: usize,
    request: &Request<B>,
) -> Result<Joined, Problem> {
    let asked = asked(max_rooms, request)?;
    match identity {
        Identity::Query => Ok(asked),
        Identity::None if asked.rooms.is_empty() && asked.user.is_none() => Ok(asked),
        Identity::None => {
            let kind = if asked.rooms.is_empty() { TargetKind::User } else { TargetKind::Room };
            let detail = format!(
                "nobody may ask for a {} of this stream: its sink has the identity `none`. Its operator may set \
                 `identity` to `jwt` or `query`",
                kind.name()
            );
            Err(Problem::new(StatusCode::FORBIDDEN, detail).with("parameter", parameter(kind)))
        }
    }
}

/// Whether it is tokens that say who a sink's clients are. What else says so cannot be revoked.
pub(crate) const fn has_tokens(identity: Identity) -> bool {
    match identity {
        Identity::None | Identity::Query => false,
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

/// What a request asks to join.
fn asked<B>(max_rooms: usize, request: &Request<B>) -> Result<Joined, Problem> {
    let mut asked = Joined::default();
    for (name, value) in query(request) {
        let rooms = match &*name {
            "room" => vec![&*value],
            "rooms" => value.split(',').map(str::trim).collect(),
            "user_id" => {
                if !value.is_empty() {
                    let user = UserId::new(&value).map_err(|problem| refused("user_id", problem))?;
                    if asked.user.as_ref().is_some_and(|other| *other != user) {
                        return Err(bad("user_id", "the parameter `user_id` names two users"));
                    }
                    asked.user = Some(user);
                }
                continue;
            }
            _ => continue,
        };
        for room in rooms.into_iter().filter(|room| !room.is_empty()) {
            asked.rooms.insert(RoomName::new(room).map_err(|problem| refused(&name, problem))?);
            if asked.rooms.len() > max_rooms {
                return Err(bad(&name, &format!("a client may be in at most {max_rooms} rooms")));
            }
        }
    }
    Ok(asked)
}

const fn parameter(kind: TargetKind) -> &'static str {
    match kind {
        TargetKind::Room => "room",
        TargetKind::User => "user_id",
    }
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

    fn ask(identity: Identity, query: &str) -> Result<(Vec<String>, Option<String>), (u16, String)> {
        let request = Request::builder().uri(format!("/events?{query}")).body(()).unwrap();
        joined(identity, 3, &request)
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
            assert_eq!(ask(Identity::Query, query), Ok((rooms, user.map(str::to_owned))), "{query}");
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
        let check = |identity, query: &str, status: u16, part: &str| {
            let (answered, detail) = ask(identity, query).unwrap_err();
            assert!(answered == status && detail.contains(part), "{query}: {answered} {detail}");
        };
        check(Identity::Query, "rooms=a,b,c,d", 400, "at most 3 rooms");
        check(Identity::Query, "room=a%0Ab", 400, "`room` names must not contain control");
        check(Identity::Query, "user_id=1&user_id=2", 400, "two users");
        check(Identity::Query, &format!("user_id={}", "x".repeat(257)), 400, "at most 256 bytes");
        check(Identity::None, "room=a", 403, "`identity`");
        check(Identity::None, "user_id=1", 403, "a user of this stream");
        assert_eq!(ask(Identity::None, "room=&x=y"), Ok((vec![], None)));
    }
}
