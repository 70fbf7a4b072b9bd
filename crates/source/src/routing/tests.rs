use super::*;
use fanfare_event::{Draft, Finish, NamePattern, Target, TargetKind};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value, json};

fn event(origin: &str, body: Value) -> Event {
    let origin = SourceName::new(origin);
    let finish = Finish { origin: &origin, root_url: "", now: Timestamp::UNIX_EPOCH };
    finish.finish(Draft { body, ..Draft::default() }, || "fresh".to_owned()).unwrap().event
}

fn route(from: &str, to: &str, audience: AudienceRule) -> Route {
    Route {
        from: SourceName::new(from),
        operation: None,
        matches: NamePatterns::any(),
        to: SinkName::new(to),
        audience,
    }
}

fn room(text: &str) -> AudienceRule {
    AudienceRule::parse(TargetKind::Room, text).unwrap()
}

fn user(text: &str) -> AudienceRule {
    AudienceRule::parse(TargetKind::User, text).unwrap()
}

/// Where it goes, as text: `sink: everyone` or `sink: room a, user b`.
fn said(deliveries: &[Delivery]) -> Vec<String> {
    let whom = |audience: &Audience| match audience {
        Audience::Everyone => "everyone".to_owned(),
        Audience::Only(targets) => {
            let target = |target: &Target| match target {
                Target::Room(room) => format!("room {room}"),
                Target::User(user) => format!("user {user}"),
            };
            targets.iter().map(target).collect::<Vec<_>>().join(", ")
        }
    };
    deliveries.iter().map(|to| format!("{}: {}", to.sink, whom(&to.audience))).collect()
}

#[test]
fn without_routes_everything_goes_to_everyone() {
    let sinks = ["b", "a"].map(SinkName::new).into();
    let deliveries = Routes::to_everyone(&sinks).deliveries(None, &event("s", json!({"type": "t"}))).unwrap();
    assert_eq!(said(&deliveries), ["a: everyone", "b: everyone"]);
}

#[test]
fn several_routes_to_one_sink_are_one_delivery_to_all_whom_they_mean() {
    let routes = Routes::Of(
        [
            route("s", "b", room(".body.room")),
            route("s", "b", user("42")),
            route("s", "a", room("x")),
            route("s", "a", AudienceRule::Everyone),
            route("other", "c", AudienceRule::Everyone),
        ]
        .into(),
    );
    let check = |body: Value, expected: Result<&[&str], &str>| {
        let deliveries = routes.deliveries(None, &event("s", body)).map(|deliveries| said(&deliveries));
        let expected = expected.map(|said| said.iter().map(|said| (*said).to_owned()).collect());
        assert_eq!(deliveries.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
    };
    check(json!({"type": "t", "room": "r"}), Ok(&["a: everyone", "b: room r, user 42"]));
    check(json!({"type": "t", "room": ["r", 7]}), Ok(&["a: everyone", "b: room 7, room r, user 42"]));
    check(json!({"type": "t"}), Err("body.room: is missing: the event goes to the room that it names"));
    check(
        json!({"type": "t", "room": null}),
        Err("body.room: must name a room: a string, a number, or an array of them"),
    );
    let nowhere = routes.deliveries(None, &event("unrouted", json!({"type": "t"}))).unwrap();
    assert_eq!(said(&nowhere), [""; 0]);
}

#[test]
fn a_route_means_types_and_operations() {
    let by_type = Route {
        matches: NamePatterns::new([NamePattern::parse("order.*").unwrap()]),
        ..route("s", "types", AudienceRule::Everyone)
    };
    let by_operation = Route {
        operation: Some(OperationPattern::topic("room.*")),
        ..route("s", "operations", AudienceRule::Everyone)
    };
    let exact = Route {
        operation: Some(OperationPattern::Exact("POST /a".into())),
        ..route("s", "exact", AudienceRule::Everyone)
    };
    let routes = Routes::Of([by_type, by_operation, exact].into());
    let check = |kind: &str, operation: Option<&str>, expected: &[&str]| {
        let deliveries = routes.deliveries(operation, &event("s", json!({"type": kind}))).unwrap();
        let sinks: Vec<_> = deliveries.iter().map(|to| to.sink.as_str().to_owned()).collect();
        assert_eq!(sinks, expected, "{kind} {operation:?}");
    };
    check("order.created", None, &["types"]);
    check("user.created", None, &[]);
    check("user.created", Some("room.event"), &["operations"]);
    check("order.created", Some("room.event"), &["operations", "types"]);
    check("user.created", Some("POST /a"), &["exact"]);
    check("user.created", Some("POST /b"), &[]);
}

#[test]
fn topics_match_as_a_topic_exchange_does() {
    let check = |pattern: &str, key: &str, expected: bool| {
        let parsed = OperationPattern::topic(pattern);
        assert_eq!(parsed.matches(key), expected, "{pattern} on {key:?}");
        assert_eq!(parsed.to_string(), pattern);
    };
    for key in ["", "a", "a.b", "a..b"] {
        check("#", key, true);
    }
    check("*", "a", true);
    check("*", "", false);
    check("*", "a.b", false);
    check("a.*", "a.b", true);
    check("a.*", "a", false);
    check("a.*", "a.b.c", false);
    check("a.#", "a", true);
    check("a.#", "a.b.c", true);
    check("#.c", "a.b.c", true);
    check("#.c", "c", true);
    check("*.stock.#", "usd.stock.db", true);
    check("*.stock.#", "usd.stock", true);
    check("#.a.#", "b.c", false);
    check("#.a.#.b", "x.a.y.a.b", true);
    check("room.event", "room.event", true);
    check("room.event", "room.events", false);
    check("a*", "ab", false);
}

proptest! {
    /// The way a topic exchange is explained, word by word.
    #[test]
    fn topics_match_as_the_plain_definition_says(pattern in "([ab*#](\\.[ab*#]){0,5})", key in "|([ab](\\.[ab]){0,6})") {
        fn plain(pattern: &[&str], key: &[&str]) -> bool {
            match (pattern.split_first(), key.split_first()) {
                (None, None) => true,
                (Some((&"#", rest)), None) => plain(rest, key),
                (Some((&"#", rest)), Some((_, less))) => plain(rest, key) || plain(pattern, less),
                (None, Some(_)) | (Some(_), None) => false,
                (Some((word, rest)), Some((first, less))) => (*word == "*" || word == first) && plain(rest, less),
            }
        }
        let words: Vec<_> = key.split('.').filter(|word| !word.is_empty()).collect();
        let expected = plain(&pattern.split('.').collect::<Vec<_>>(), &words);
        prop_assert_eq!(OperationPattern::topic(&pattern).matches(&key), expected);
    }
}
