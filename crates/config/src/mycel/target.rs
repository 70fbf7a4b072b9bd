//! `target` of a flow: whom an event is for.

use super::connector::Kind;

/// Why a text is no target.
const EXPRESSION: &str =
    "only `input.NAME` is served (`input.NAME.NAME` for what lies deeper), or the name itself";

/// What a message of RabbitMQ has beside its body.
const OF_MESSAGE: [&str; 4] = ["headers", "properties", "routing_key", "exchange"];

/// The native text for it: a path into the event for `input.NAME`, anything else as it is.
pub(super) fn native(target: &str, from: Option<Kind>) -> Result<String, &'static str> {
    let Some(path) = target.strip_prefix("input.") else {
        let is_expression = target.contains(['"', '\'', '(', ')', '[', ']', '{', '}', '+', '?']);
        return match target {
            "" => Err("it is empty"),
            "input" => Err("this is all of the event: `input.NAME` is what it has under a name"),
            _ if is_expression || target.contains("input.") => Err(EXPRESSION),
            _ if target.starts_with('.') => Err("a name must not begin with a dot"),
            _ => Ok(target.to_owned()),
        };
    };
    let is_word = |step: &str| {
        !step.is_empty() && step.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
    };
    if !path.split('.').all(is_word) {
        return Err(EXPRESSION);
    }
    let first = path.split('.').next().unwrap_or_default();
    Ok(match from {
        Some(Kind::RabbitMq) if first == "body" => format!(".{path}"),
        Some(Kind::RabbitMq) if OF_MESSAGE.contains(&first) => format!(".metadata.amqp.{path}"),
        _ => format!(".body.{path}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanfare_event::{AudienceRule, TargetKind};
    use proptest::prelude::*;

    #[test]
    fn targets() {
        let check = |target: &str, rest: &str, rabbit: &str| {
            assert_eq!(native(target, Some(Kind::Rest)).as_deref(), Ok(rest), "{target}");
            assert_eq!(native(target, Some(Kind::RabbitMq)).as_deref(), Ok(rabbit), "{target}");
        };
        check("input.room", ".body.room", ".body.room");
        check("input.user.id", ".body.user.id", ".body.user.id");
        check("input.body.room", ".body.body.room", ".body.room");
        check("input.headers.x-room", ".body.headers.x-room", ".metadata.amqp.headers.x-room");
        check("input.routing_key", ".body.routing_key", ".metadata.amqp.routing_key");
        check("input.exchange", ".body.exchange", ".metadata.amqp.exchange");
        check("input.properties.user_id", ".body.properties.user_id", ".metadata.amqp.properties.user_id");
        check("lobby", "lobby", "lobby");
        check("room one", "room one", "room one");
    }

    #[test]
    fn what_is_no_target() {
        for target in [
            "",
            "input",
            "input.",
            "input..a",
            "input.a b",
            "input.a + \"x\"",
            "input.a[0]",
            "input[\"a\"]",
            "'lobby'",
            "lower(input.a)",
            "has(x)",
            "input.a.size()",
            "\"r-\" + input.a",
            ".body.room",
            "a ? b : c",
            "x-input.a",
        ] {
            assert!(native(target, Some(Kind::Rest)).is_err(), "{target}");
        }
    }

    proptest! {
        #[test]
        fn what_comes_out_is_a_path_or_the_name_itself(target in "\\PC{0,20}|(input\\.)?[a-z.\\[+-]{0,12}") {
            let Ok(text) = native(&target, Some(Kind::RabbitMq)) else { return Ok(()) };
            let is_path = target.starts_with("input.");
            match AudienceRule::parse(TargetKind::Room, &text) {
                Ok(AudienceRule::Path(..)) => prop_assert!(is_path),
                Ok(AudienceRule::Target(..)) => prop_assert!(!is_path && text == target),
                Ok(AudienceRule::Everyone) => prop_assert!(false, "never everyone"),
                Err(_) => prop_assert!(!is_path),
            }
        }
    }
}
