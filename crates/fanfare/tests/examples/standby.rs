//! `multi-cloud`.

use fanfare_testkit::Server;
use fanfare_testkit::http;

use crate::hop::Hop;
use crate::kit::{Example, LONG, check_refusals, listen, next, publish, wait_for_listener};

const WEBHOOK: &str = "/webhook/ci";
const PRIMARY: &str = "/sse/primary";
const AUDIT: &str = "/sse/audit";

struct Clouds {
    example: Example,
    primary: Server,
    standby: Server,
    compliance: Server,
}

fn start() -> Clouds {
    let mut example = Example::new("multi-cloud");
    let primary = example.start("primary.toml");
    let (standby, compliance) = (example.start("standby.toml"), example.start("compliance.toml"));
    wait_for_listener(&primary, "disaster_recovery");
    wait_for_listener(&primary, "compliance_stream");
    Clouds { example, primary, standby, compliance }
}

#[test]
fn a_client_goes_on_at_the_standby_with_the_id_that_it_has_and_comes_back() {
    let Clouds { example, mut primary, standby, .. } = start();
    let event = |id: &str| example.event("first.json", id);
    let bearer = example.bearer("PRIMARY_CLOUD_TOKEN");
    let client = [("Authorization", &*bearer), ("X-Cloud-Provider", "aws")];
    let behind = |id| [client[0], client[1], ("last-event-id", id)];

    let mut arrived = listen(&standby, PRIMARY, &client);
    let mut at_primary = listen(&primary, PRIMARY, &client);
    for id in ["1", "2", "3"] {
        publish(&primary, WEBHOOK, &event(id));
        next(&mut arrived, id);
    }
    next(&mut at_primary, "1");
    primary.kill().unwrap();
    let mut at_standby = listen(&standby, PRIMARY, &behind("1"));
    next(&mut at_standby, "2");
    next(&mut at_standby, "3");
    // What it saw there and the standby never got.
    let mut ahead = listen(&standby, PRIMARY, &behind("4"));
    let gap = ahead.next_event(LONG).unwrap();
    assert!(gap.kind == "gap" && gap.data.starts_with("unknown:"), "{gap:?}");

    primary.restart().unwrap();
    // A publisher that does not know whether it was heard sends again.
    let again = http::post(primary.addr(), WEBHOOK, &[], event("3").to_string()).unwrap();
    assert_eq!(again.status(), 200, "{}", again.text());
    publish(&primary, WEBHOOK, &event("5"));
    next(&mut at_standby, "5");
    next(&mut ahead, "5");
    next(&mut listen(&primary, PRIMARY, &behind("3")), "5");
}

#[test]
fn nothing_is_missed_when_a_cloud_dies() {
    let Clouds { example, mut primary, mut standby, mut compliance } = start();
    let bearer = example.bearer("PRIMARY_CLOUD_TOKEN");
    let client = [("Authorization", &*bearer), ("X-Cloud-Provider", "aws")];
    let mut audit = listen(&compliance, AUDIT, &[]);
    let hop =
        Hop { from: &mut primary, webhook: WEBHOOK, to: &mut standby, stream: PRIMARY, headers: &client };
    let event = |id: &str| example.event("first.json", id);
    for id in hop.check_outages("standby", event) {
        next(&mut audit, &id);
    }
    let hop = Hop { from: &mut primary, webhook: WEBHOOK, to: &mut compliance, stream: AUDIT, headers: &[] };
    hop.check_outages("compliance", event);
}

#[test]
fn each_stream_of_the_primary_is_for_one_of_them() {
    let Clouds { example, primary, standby, .. } = start();
    let [client, standby_token, audit] =
        ["PRIMARY_CLOUD_TOKEN", "DR_CLOUD_TOKEN", "COMPLIANCE_AUDIT_TOKEN"].map(|name| example.bearer(name));
    for server in [&primary, &standby] {
        check_refusals(
            server,
            PRIMARY,
            &[("Authorization", &client, Some(&standby_token)), ("X-Cloud-Provider", "aws", Some("azure"))],
        );
    }
    check_refusals(
        &primary,
        "/sse/dr",
        &[("Authorization", &standby_token, Some(&client)), ("X-Cloud-Provider", "azure", Some("aws"))],
    );
    check_refusals(
        &primary,
        "/sse/compliance",
        &[("Authorization", &audit, Some(&client)), ("X-Audit-Purpose", "gdpr", Some("curiosity"))],
    );
}
