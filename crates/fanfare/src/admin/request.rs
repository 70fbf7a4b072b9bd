//! What an operator asks for: which streams, and what is to become of them. Nothing is guessed: a parameter that is
//! not known here is refused, because without it a request may mean everyone.

use std::borrow::Cow;

use fanfare_event::{InvalidWord, RoomName, SinkName, UserId};
use http::{Method, StatusCode};

use super::METHODS;
use crate::problem::Problem;
use crate::sinks::sse::Selection;

/// The parameter that refuses tokens too.
pub(super) const REVOKE: &str = "revoke";

/// What a request asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// To see these.
    List(Selection),
    /// To end these: at least one thing is given.
    End(Selection),
    /// To end those of a user, and to refuse his tokens.
    Revoke(UserId),
}

/// Reads a request. A refusal is final: asking the same again cannot help.
pub(super) fn read(method: &Method, query: Option<&str>) -> Result<Asked, Problem> {
    let is_delete = match *method {
        Method::DELETE => true,
        Method::GET | Method::HEAD => false,
        _ => return Err(Problem::method_not_allowed(METHODS)),
    };
    let mut selection = Selection::default();
    let mut revoke = None;
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        let was_given = match &*name {
            "connection" => {
                let is_id = |id: &Cow<'_, str>| !id.is_empty() && !id.contains(char::is_control);
                let id = Some(value).filter(is_id).ok_or_else(|| bad("connection", "names no connection"))?;
                selection.connection.replace(id.into_owned()).is_some()
            }
            "sink" if value.is_empty() => return Err(bad("sink", "must not be empty")),
            "sink" => selection.sink.replace(SinkName::new(&value)).is_some(),
            "user" => selection.user.replace(UserId::new(&value).map_err(word("user"))?).is_some(),
            "room" => selection.room.replace(RoomName::new(&value).map_err(word("room"))?).is_some(),
            REVOKE if is_delete => {
                let read = value.parse().map_err(|_| bad(REVOKE, "must be `true` or `false`"))?;
                revoke.replace(read).is_some()
            }
            _ => return Err(unknown(&name, is_delete)),
        };
        if was_given {
            return Err(bad(&name, "is there twice"));
        }
    }
    let is_empty = selection == Selection::default();
    match (is_delete, revoke, selection) {
        (false, _, selection) => Ok(Asked::List(selection)),
        (true, Some(true), Selection { user: Some(user), connection: None, sink: None, room: None }) => {
            Ok(Asked::Revoke(user))
        }
        (true, Some(true), _) => {
            let detail =
                "`revoke=true` refuses all tokens that a user has, so it goes with `user` and nothing else";
            Err(Problem::new(StatusCode::BAD_REQUEST, detail).with("parameter", REVOKE))
        }
        (true, _, _) if is_empty => {
            let detail = "say whose streams end: `?user=`, `?room=`, `?connection=` or `?sink=`; where several are given, \
                          all must hold";
            Err(Problem::new(StatusCode::BAD_REQUEST, detail))
        }
        (true, _, selection) => Ok(Asked::End(selection)),
    }
}

fn unknown(name: &str, is_delete: bool) -> Problem {
    let revoke = if is_delete { ", `revoke`" } else { "" };
    let detail = format!(
        "there is a parameter that is not known here; those that are: `connection`, `user`, `room`, `sink`{revoke}"
    );
    Problem::new(StatusCode::BAD_REQUEST, detail).with("parameter", name)
}

fn word(parameter: &'static str) -> impl Fn(InvalidWord) -> Problem {
    move |problem| bad(parameter, &problem.to_string())
}

fn bad(parameter: &str, problem: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("the parameter `{parameter}` {problem}"))
        .with("parameter", parameter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn selection(change: impl FnOnce(&mut Selection)) -> Selection {
        let mut selection = Selection::default();
        change(&mut selection);
        selection
    }

    #[test]
    fn a_request_says_which_streams_it_means() {
        let check = |method: Method, query: &str, expected: Asked| {
            assert_eq!(read(&method, Some(query)).unwrap(), expected, "{method} {query}");
        };
        let all = selection(|all| {
            all.connection = Some("1a-2".to_owned());
            all.sink = Some(SinkName::new("s"));
            all.user = UserId::new("ä b").ok();
            all.room = RoomName::new("r").ok();
        });
        let query = "connection=1a-2&sink=s&user=%C3%A4+b&room=r";
        check(Method::GET, "", Asked::List(Selection::default()));
        check(Method::HEAD, query, Asked::List(all.clone()));
        check(Method::DELETE, query, Asked::End(all.clone()));
        check(Method::DELETE, &format!("{query}&revoke=false"), Asked::End(all));
        check(Method::DELETE, "revoke=true&user=42", Asked::Revoke(UserId::new("42").unwrap()));
    }

    #[test]
    fn what_may_be_a_mistake_is_refused() {
        let check = |method: Method, query: &str, status: u16, part: &str| {
            let problem = read(&method, Some(query)).unwrap_err();
            assert_eq!(problem.status().as_u16(), status, "{method} {query}");
            assert!(problem.to_string().contains(part), "{method} {query}: {problem}");
        };
        check(Method::POST, "user=1", 405, "GET, HEAD, DELETE");
        for nothing in ["", "&", "revoke=false"] {
            check(Method::DELETE, nothing, 400, "say whose streams end");
        }
        for unknown in ["usr=42", "user_id=42", "room=a&rooms=b", "=", "User=1"] {
            check(
                Method::DELETE,
                unknown,
                400,
                "not known here; those that are: `connection`, `user`, `room`, `sink`, `revoke`",
            );
            check(Method::GET, unknown, 400, "not known here");
        }
        check(Method::GET, "revoke=true&user=1", 400, "not known here");
        for empty in ["user=", "room=", "sink=", "connection=", "user=%0A", "room=%20a", "connection=a%00"] {
            check(Method::DELETE, empty, 400, "the parameter `");
        }
        check(Method::DELETE, "user=1&user=1", 400, "`user` is there twice");
        check(Method::DELETE, "revoke=1&user=1", 400, "`true` or `false`");
        for revoked in
            ["revoke=true", "revoke=true&room=a", "revoke=true&user=1&room=a", "revoke=true&user=1&sink=s"]
        {
            check(Method::DELETE, revoked, 400, "goes with `user` and nothing else");
        }
    }

    proptest! {
        /// No query panics, and none that ends streams means all of them.
        #[test]
        fn no_query_ends_everyone(query in "\\PC{0,40}|(user|room|sink|connection|revoke|true|=|&|%|[0-9a-f]){0,12}") {
            if let Ok(Asked::End(selection)) = read(&Method::DELETE, Some(&query)) {
                prop_assert_ne!(selection, Selection::default());
            }
        }
    }
}
