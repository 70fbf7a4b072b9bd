//! `regional-aggregation`.

use fanfare_testkit::Server;
use serde_json::Value;

use crate::hop::Hop;
use crate::kit::{Example, LONG, check_refusals, listen, next, next_event, publish, wait_for_listener};

const WEBHOOK: &str = "/webhook/ci";
const ALL: &str = "/sse/all";

struct Regions {
    example: Example,
    us: Server,
    eu: Server,
    hub: Server,
}

fn start() -> Regions {
    let mut example = Example::new("regional-aggregation");
    let (us, eu) = (example.start("us-east-1.toml"), example.start("eu-west-1.toml"));
    let hub = example.start("hub.toml");
    for region in [&us, &eu] {
        wait_for_listener(region, "regional_stream");
    }
    Regions { example, us, eu, hub }
}

fn region(event: &Value) -> &str {
    event["customData"]["region"].as_str().unwrap()
}

#[test]
fn the_hub_shows_both_regions_and_knows_which_is_which() {
    let Regions { example, us, eu, hub } = start();
    for region in [&us, &eu] {
        let source = format!("  source   {}", region.url("/sse/regional"));
        assert!(hub.stdout().contains(&source), "{:?}", hub.stdout());
    }
    let mut all = listen(&hub, ALL, &[]);
    let mut event = example.event("event.json", "of both");
    event["customData"] = serde_json::json!({"kept": 1});
    publish(&us, WEBHOOK, &event);
    let mut of_us = next(&mut all, "of both");
    publish(&eu, WEBHOOK, &event);
    let of_eu = next(&mut all, "of both");
    assert_eq!([region(&of_us), region(&of_eu)], ["us-east-1", "eu-west-1"]);
    assert_eq!(of_us["customData"]["collector_id"], "regional-us-east");
    assert_eq!(of_us["customData"]["kept"], 1);
    // The file has none: the region fills it in.
    assert!(of_us["context"].as_object_mut().unwrap().remove("timestamp").is_some());
    for member in ["context", "subject"] {
        assert_eq!(of_us[member], event[member]);
    }
}

#[test]
fn nothing_is_missed_when_a_region_or_the_hub_dies() {
    let Regions { example, mut us, mut eu, mut hub } = start();
    let event = |id: &str| example.event("event.json", id);
    let hop = Hop { from: &mut us, webhook: WEBHOOK, to: &mut hub, stream: ALL, headers: &[] };
    let [.., last] = hop.check_outages("us", event);

    // A region that is gone does not hold up the other, and nothing of it is lost.
    hub.kill().unwrap();
    publish(&us, WEBHOOK, &event("of us"));
    publish(&eu, WEBHOOK, &event("of eu"));
    us.kill().unwrap();
    hub.restart().unwrap();
    let mut all = listen(&hub, ALL, &[("last-event-id", &last)]);
    next(&mut all, "of eu");
    us.restart().unwrap();
    next(&mut all, "of us");
    eu.restart().unwrap();
    publish(&eu, WEBHOOK, &event("of eu again"));
    assert_eq!(region(&next_event(&mut all).1), "eu-west-1");
}

#[test]
fn only_the_hub_gets_in() {
    let mut example = Example::new("regional-aggregation");
    let us = example.start("us-east-1.toml");
    let _eu = example.start("eu-west-1.toml");
    let bearer = example.bearer("CENTRAL_AGGREGATOR_TOKEN");
    check_refusals(
        &us,
        "/sse/regional",
        &[("Authorization", &bearer, Some("Bearer other")), ("X-Collector-Region", "us-east-1", None)],
    );
    let hub = example.start_with("hub.toml", "CENTRAL_AGGREGATOR_TOKEN", "other");
    us.wait_for_log("stream refused sink=regional_stream", LONG).unwrap();
    hub.wait_for_log("403", LONG).unwrap();
}
