//! `environment-mirroring`.

use fanfare_testkit::Server;

use crate::hop::Hop;
use crate::kit::{Example, check_refusals, listen, next, publish, wait_for_listener};

const WEBHOOK: &str = "/webhook/ci";
const EVENTS: &str = "/sse/events";
const PREVIEW: &str = "/sse/preview";
const DEVELOPER: [(&str, &str); 1] = [("X-Dev-Token", "me")];

struct Environments {
    example: Example,
    production: Server,
    staging: Server,
    development: Server,
}

fn start() -> Environments {
    let mut example = Example::new("environment-mirroring");
    let production = example.start("production.toml");
    let (staging, development) = (example.start("staging.toml"), example.start("development.toml"));
    wait_for_listener(&production, "staging_mirror");
    wait_for_listener(&production, "development_feed");
    Environments { example, production, staging, development }
}

#[test]
fn staging_has_everything_and_development_no_names() {
    let Environments { example, production, staging, development } = start();
    let (mut mirror, mut preview) =
        (listen(&staging, EVENTS, &[]), listen(&development, PREVIEW, &DEVELOPER));
    let mut event = example.event("event.json", "the event");
    event["context"]["timestamp"] = "2024-05-01T12:00:00Z".into();
    publish(&production, WEBHOOK, &event);
    assert_eq!(next(&mut mirror, "the event"), event);

    let shown = next(&mut preview, "the event");
    for (pointer, value) in [
        ("/context/source", "anonymized-/deploy".into()),
        ("/subject/id", "dev-shop".into()),
        ("/subject/content/user_id", "anonymous".into()),
        ("/subject/content/sensitive_field", serde_json::Value::Null),
    ] {
        *event.pointer_mut(pointer).unwrap() = value;
    }
    assert_eq!(shown, event);
}

#[test]
fn nothing_is_missed_when_an_environment_dies() {
    let Environments { example, mut production, mut staging, mut development } = start();
    let event = |id: &str| example.event("event.json", id);
    let mut preview = listen(&development, PREVIEW, &DEVELOPER);
    let hop = Hop { from: &mut production, webhook: WEBHOOK, to: &mut staging, stream: EVENTS, headers: &[] };
    for id in hop.check_outages("staging", event) {
        next(&mut preview, &id);
    }
    let hop = Hop {
        from: &mut production,
        webhook: WEBHOOK,
        to: &mut development,
        stream: PREVIEW,
        headers: &DEVELOPER,
    };
    hop.check_outages("development", event);
}

#[test]
fn each_stream_is_for_its_environment() {
    let Environments { example, production, development, .. } = start();
    let (staging, feed) = (example.bearer("STAGING_MIRROR_TOKEN"), example.bearer("DEVELOPMENT_FEED_TOKEN"));
    check_refusals(
        &production,
        "/sse/mirror",
        &[("Authorization", &staging, Some(&feed)), ("X-Environment-Target", "staging", Some("Staging"))],
    );
    check_refusals(&production, "/sse/development-feed", &[("Authorization", &feed, Some(&staging))]);
    check_refusals(&development, PREVIEW, &[("X-Dev-Token", "anybody", None)]);
}
