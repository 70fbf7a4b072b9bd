//! `hierarchical-distribution`.

use fanfare_testkit::Server;
use serde_json::json;

use crate::hop::Hop;
use crate::kit::{Example, check_refusals, listen, next, publish, wait_for_listener};

const WEBHOOK: &str = "/webhook/department";
const COMPANY: &str = "/sse/company";
const TEAM: &str = "/sse/team";

struct Levels {
    example: Example,
    department: Server,
    corporate: Server,
    team: Server,
}

fn start() -> Levels {
    let mut example = Example::new("hierarchical-distribution");
    let department = example.start("department.toml");
    let (corporate, team) = (example.start("corporate.toml"), example.start("backend-team.toml"));
    wait_for_listener(&department, "corporate_stream");
    wait_for_listener(&department, "team_distribution");
    Levels { example, department, corporate, team }
}

#[test]
fn each_level_shows_what_concerns_it() {
    let Levels { example, department, corporate, team } = start();
    let (mut company, mut team) = (listen(&corporate, COMPANY, &[]), listen(&team, TEAM, &[]));
    publish(&department, WEBHOOK, &example.event("routine.json", "routine"));
    publish(&department, WEBHOOK, &example.event("security.json", "security"));
    let contents = [
        ("high", json!({"importance": "high", "team": "qa-team"})),
        ("compliance", json!({"category": "compliance"})),
        ("nobody's", json!({})),
        ("both", json!({"importance": "high", "team": "backend-team"})),
    ];
    for (id, content) in contents {
        let mut event = example.event("routine.json", id);
        event["subject"]["content"] = content;
        publish(&department, WEBHOOK, &event);
    }
    for id in ["security", "high", "compliance", "both"] {
        next(&mut company, id);
    }
    for id in ["routine", "compliance", "nobody's", "both"] {
        next(&mut team, id);
    }
}

#[test]
fn nothing_is_missed_when_a_level_dies_and_nothing_that_was_dropped_comes_back() {
    let Levels { example, mut department, mut corporate, mut team } = start();
    let hop =
        Hop { from: &mut department, webhook: WEBHOOK, to: &mut corporate, stream: COMPANY, headers: &[] };
    hop.check_outages("company", |id| example.event("security.json", id));
    // All of that was another team's.
    let hop = Hop { from: &mut department, webhook: WEBHOOK, to: &mut team, stream: TEAM, headers: &[] };
    hop.check_outages("team", |id| example.event("routine.json", id));
}

#[test]
fn a_level_does_not_get_in_with_the_token_of_another() {
    let mut example = Example::new("hierarchical-distribution");
    let department = example.start("department.toml");
    let (team, corporate) =
        (example.bearer("TEAM_COLLECTOR_TOKEN"), example.bearer("CORPORATE_COLLECTOR_TOKEN"));
    check_refusals(
        &department,
        "/sse/teams",
        &[("Authorization", &team, Some(&corporate)), ("X-Team-Filter", "qa-team", Some("sales-team"))],
    );
    check_refusals(
        &department,
        "/sse/corporate",
        &[
            ("Authorization", &corporate, Some(&team)),
            ("X-Corporate-Access-Level", "manager", Some("intern")),
        ],
    );
}
