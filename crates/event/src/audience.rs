//! Who of a sink's clients gets an event.

use std::sync::Arc;

use serde_json::{Number, Value};

use crate::limits::MAX_TARGETS;
use crate::{Event, EventPath, FieldError, InvalidPath, InvalidWord, RoomName, UserId};

/// A part of a sink's clients that an event can be for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// Those who joined a room.
    Room(RoomName),
    /// The connections of one user.
    User(UserId),
}

/// What a target is, before it has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// A room.
    Room,
    /// A user.
    User,
}

/// Who of a sink's clients gets an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Audience {
    /// All of them.
    Everyone,
    /// Those who are one of these. Sorted, each once; nobody, where there is none.
    Only(Arc<[Target]>),
}

/// Whom of a sink's clients a route means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AudienceRule {
    /// All of them.
    Everyone,
    /// Always the same.
    Target(Target),
    /// Those whom the event names at a place in it.
    Path(TargetKind, EventPath),
}

/// Why a text says nothing of an audience.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAudience {
    /// It begins like a path.
    #[error(transparent)]
    Path(#[from] InvalidPath),
    /// It cannot be a name.
    #[error("a name {0}")]
    Name(#[from] InvalidWord),
}

impl AudienceRule {
    /// Reads a text: a path into the event where it begins with a dot, else a name.
    pub fn parse(kind: TargetKind, text: &str) -> Result<Self, InvalidAudience> {
        if text.starts_with('.') {
            return Ok(Self::Path(kind, EventPath::parse(text)?));
        }
        Ok(Self::Target(kind.named(text)?))
    }

    /// Whom it means for an event.
    ///
    /// # Errors
    /// It means whom the event names, and the event names nobody.
    pub fn audience(&self, event: &Event) -> Result<Audience, FieldError> {
        match self {
            Self::Everyone => Ok(Audience::Everyone),
            Self::Target(target) => Ok(Audience::only([target.clone()])),
            Self::Path(kind, path) => {
                // Fields are called as other refusals call them.
                let field = path.to_string().trim_start_matches('.').to_owned();
                let Some(value) = path.find(event) else {
                    let problem = format!("is missing: the event goes to the {} that it names", kind.name());
                    return Err(FieldError::new(field, problem));
                };
                kind.targets(&value, &field).map(Audience::only)
            }
        }
    }
}

impl Target {
    /// What it is.
    pub fn kind(&self) -> TargetKind {
        match self {
            Self::Room(_) => TargetKind::Room,
            Self::User(_) => TargetKind::User,
        }
    }

    /// The room's or the user's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Room(room) => room.as_str(),
            Self::User(user) => user.as_str(),
        }
    }
}

impl TargetKind {
    /// The name, as the configuration and requests spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::User => "user",
        }
    }

    /// The targets that a value names: a string, a number, or an array of them. `field` is where the value is.
    pub fn targets(self, value: &Value, field: &str) -> Result<Vec<Target>, FieldError> {
        match value {
            Value::Array(values) if values.is_empty() => {
                Err(FieldError::new(field, format!("names no {}: the array is empty", self.name())))
            }
            Value::Array(values) if values.len() > MAX_TARGETS => {
                Err(FieldError::new(field, format!("must name at most {MAX_TARGETS} {}s", self.name())))
            }
            Value::Array(values) => (0..)
                .zip(values)
                .map(|(index, value): (usize, _)| self.target(value, &format!("{field}[{index}]")))
                .collect(),
            value => Ok(vec![self.target(value, field)?]),
        }
    }

    fn target(self, value: &Value, field: &str) -> Result<Target, FieldError> {
        let number;
        let name = match value {
            Value::String(text) => text,
            Value::Number(value) => {
                let problem = "is a number that is too large to tell from others: send it as a string";
                number = number_name(value).ok_or_else(|| FieldError::new(field, problem))?;
                &number
            }
            _ => {
                let problem = format!("must name a {}: a string, a number, or an array of them", self.name());
                return Err(FieldError::new(field, problem));
            }
        };
        self.named(name).map_err(|problem| FieldError::new(field, problem.to_string()))
    }

    /// The target of this name.
    pub fn named(self, name: &str) -> Result<Target, InvalidWord> {
        match self {
            Self::Room => RoomName::new(name).map(Target::Room),
            Self::User => UserId::new(name).map(Target::User),
        }
    }
}

/// The name that a number is. `None` where 64 bits do not hold it exactly: several such numbers have one name, and what is
/// for one would go to all of them.
pub fn number_name(number: &Number) -> Option<String> {
    // 2⁵³: below it, a float is one whole number.
    const WHOLE: f64 = 9_007_199_254_740_992.0;
    let is_integer = number.is_i64() || number.is_u64();
    let is_told = is_integer || number.as_f64().is_some_and(|number| number.abs() < WHOLE);
    is_told.then(|| number.to_string())
}

impl Audience {
    /// Those who are one of these.
    pub fn only(targets: impl IntoIterator<Item = Target>) -> Self {
        let mut targets: Vec<_> = targets.into_iter().collect();
        targets.sort();
        targets.dedup();
        Self::Only(targets.into())
    }

    /// Those who are in one of the two, or in both.
    #[must_use]
    pub fn union(self, other: Self) -> Self {
        match (self, other) {
            (Self::Only(a), Self::Only(b)) => Self::only(a.iter().chain(&*b).cloned()),
            _ => Self::Everyone,
        }
    }

    /// The targets; none for everyone.
    pub fn targets(&self) -> &[Target] {
        match self {
            Self::Everyone => &[],
            Self::Only(targets) => targets,
        }
    }

    /// Whether a client who joined these rooms (sorted) as this user gets it.
    pub fn includes(&self, rooms: &[RoomName], user: Option<&UserId>) -> bool {
        match self {
            Self::Everyone => true,
            Self::Only(targets) => targets.iter().any(|target| match target {
                Target::Room(room) => rooms.binary_search(room).is_ok(),
                Target::User(id) => user == Some(id),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::MAX_NAME;
    use serde_json::json;

    fn room(name: &str) -> Target {
        Target::Room(RoomName::new(name).unwrap())
    }

    fn user(name: &str) -> Target {
        Target::User(UserId::new(name).unwrap())
    }

    #[test]
    fn a_value_names_targets_or_is_refused() {
        let check = |value: Value, expected: Result<&[&str], &str>| {
            let targets = TargetKind::Room.targets(&value, "body.room").map_err(|error| error.to_string());
            let expected = expected
                .map(|names| names.iter().map(|name| room(name)).collect::<Vec<_>>())
                .map_err(str::to_owned);
            assert_eq!(targets, expected, "{value}");
        };
        check(json!("orders"), Ok(&["orders"]));
        check(json!(42), Ok(&["42"]));
        check(json!(-1.5), Ok(&["-1.5"]));
        check(json!(u64::MAX), Ok(&["18446744073709551615"]));
        check(json!(i64::MIN), Ok(&["-9223372036854775808"]));
        check(json!(["a", 7]), Ok(&["a", "7"]));
        check(json!([]), Err("body.room: names no room: the array is empty"));
        let inexact = "is a number that is too large to tell from others: send it as a string";
        for number in ["18446744073709551616", "-9223372036854775809", "9007199254740993.0", "1e300"] {
            let value = serde_json::from_str(number).unwrap();
            check(value, Err(&format!("body.room: {inexact}")));
        }
        let wanted = "must name a room: a string, a number, or an array of them";
        check(json!(null), Err(&format!("body.room: {wanted}")));
        check(json!(true), Err(&format!("body.room: {wanted}")));
        check(json!({"a": 1}), Err(&format!("body.room: {wanted}")));
        check(json!(["a", ["b"]]), Err(&format!("body.room[1]: {wanted}")));
        check(json!(["a", ""]), Err("body.room[1]: must not be empty"));
        check(json!("a\nb"), Err("body.room: must not contain control characters"));
        check(json!("x".repeat(MAX_NAME + 1)), Err("body.room: must be at most 256 bytes"));
        check(json!(vec!["a"; MAX_TARGETS + 1]), Err("body.room: must name at most 100 rooms"));
    }

    #[test]
    fn a_text_that_begins_with_a_dot_is_a_path() {
        let parse = |text| AudienceRule::parse(TargetKind::Room, text);
        assert!(matches!(parse(".body.room"), Ok(AudienceRule::Path(TargetKind::Room, _))));
        assert_eq!(parse("body.room"), Ok(AudienceRule::Target(room("body.room"))));
        assert_eq!(parse(".time"), Err(InvalidAudience::Path(InvalidPath::Root)));
        assert_eq!(parse(""), Err(InvalidAudience::Name(InvalidWord::Empty)));
        assert_eq!(AudienceRule::parse(TargetKind::User, "42"), Ok(AudienceRule::Target(user("42"))));
    }

    #[test]
    fn a_union_has_everybody_of_both() {
        let only = |targets: &[Target]| Audience::only(targets.iter().cloned());
        let (a, b, u) = (room("a"), room("b"), user("a"));
        assert_eq!(
            only(&[b.clone(), a.clone()]).union(only(&[a.clone(), u.clone()])),
            only(&[a, b, u.clone()])
        );
        assert_eq!(only(&[u]).union(Audience::Everyone), Audience::Everyone);
        assert_eq!(Audience::Everyone.union(only(&[])), Audience::Everyone);
    }

    #[test]
    fn a_room_and_a_user_of_one_name_are_two() {
        let rooms = [RoomName::new("a").unwrap(), RoomName::new("c").unwrap()];
        let me = UserId::new("b").unwrap();
        let check = |audience: Audience, expected: bool| {
            assert_eq!(audience.includes(&rooms, Some(&me)), expected, "{audience:?}");
        };
        check(Audience::Everyone, true);
        check(Audience::only([]), false);
        check(Audience::only([room("b")]), false);
        check(Audience::only([user("a")]), false);
        check(Audience::only([room("b"), room("c")]), true);
        check(Audience::only([room("b"), user("b")]), true);
        assert!(!Audience::only([user("a")]).includes(&rooms, None));
    }
}
