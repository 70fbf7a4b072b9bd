//! `public-to-internal`.

use std::fs;
use std::path::Path;

use fanfare_testkit::Server;
use serde_json::json;

use crate::hop::Hop;
use crate::kit::{Example, check_refusals, listen, next, publish, wait_for_listener};

const WEBHOOK: &str = "/webhook/public";
const EVENTS: &str = "/sse/events";
const SECRET: &str = "the-deploy-key";

fn start() -> (Example, Server, Server) {
    let mut example = Example::new("public-to-internal");
    let (dmz, internal) = (example.start("dmz.toml"), example.start("internal.toml"));
    wait_for_listener(&dmz, "internal_bridge");
    (example, dmz, internal)
}

/// Whether any file below this folder has this text.
fn is_in(text: &str, folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).any(|path| {
        if path.is_dir() {
            return is_in(text, &path);
        }
        fs::read(path).unwrap().windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[test]
fn what_is_sensitive_is_neither_shown_nor_stored() {
    let (example, dmz, internal) = start();
    let headers = [
        ("Authorization", &*example.bearer("INTERNAL_BRIDGE_TOKEN")),
        ("X-Internal-Network", "vpn-1"),
        ("X-Client-Certificate-Subject", "CN=internal-collector-2"),
    ];
    let mut bridge = listen(&dmz, "/sse/public", &headers);
    let mut inside = listen(&internal, EVENTS, &[]);
    let mut event = example.event("event.json", "the event");
    event["subject"]["internals"] = SECRET.into();
    event["customData"] = SECRET.into();
    assert!(event["subject"]["content"].to_string().contains(SECRET));
    publish(&dmz, WEBHOOK, &event);
    for client in [&mut bridge, &mut inside] {
        let shown = next(client, "the event");
        let subject = json!({"id": "build-1", "type": "build", "content": {"outcome": "success"}});
        assert_eq!(shown["subject"], subject);
        assert_eq!(shown["context"]["source"], "/public-ci");
        assert_eq!(shown.as_object().unwrap().len(), 2, "{shown}");
    }
    for server in [&dmz, &internal] {
        assert!(is_in("the event", server.dir()), "the log is there");
        assert!(!is_in(SECRET, server.dir()));
        assert!(!server.log().join("\n").contains(SECRET));
    }
}

#[test]
fn nothing_is_missed_when_a_side_dies() {
    let (example, mut dmz, mut internal) = start();
    let hop = Hop { from: &mut dmz, webhook: WEBHOOK, to: &mut internal, stream: EVENTS, headers: &[] };
    hop.check_outages("dmz", |id| example.event("event.json", id));
}

#[test]
fn the_bridge_asks_for_all_three_headers() {
    let mut example = Example::new("public-to-internal");
    let dmz = example.start("dmz.toml");
    let bearer = example.bearer("INTERNAL_BRIDGE_TOKEN");
    check_refusals(
        &dmz,
        "/sse/public",
        &[
            ("Authorization", &bearer, Some("Bearer other")),
            ("X-Internal-Network", "internal-1", Some("public-1")),
            ("X-Client-Certificate-Subject", "CN=internal-collector-1", Some("CN=somebody")),
        ],
    );
}
