//! The TOML blocks of cdviz-collector's documents, served as they are written: their variables set, and a webhook given
//! to the source that each has, or to a new one.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use fanfare_testkit::Server;
use fanfare_testkit::http;
use fanfare_testkit::sse::Client;
use serde_json::{Value, json};

use crate::kit::{LONG, STREAM, WEBHOOK, cdevent, cdevent_of, fanfare, file, problem, run};

/// What a block asks of who listens.
struct Block {
    /// The file's name, without the number of the document where several have the block.
    name: &'static str,
    env: &'static [(&'static str, &'static str)],
    /// The source that the block has, or a name for one.
    source: &'static str,
    sinks: &'static [Sink],
}

struct Sink {
    path: &'static str,
    headers: &'static [Header],
}

/// A header that is asked for: its name, a value that passes, and one that does not, where there is one.
type Header = (&'static str, &'static str, Option<&'static str>);

const fn open(path: &'static str) -> Sink {
    Sink { path, headers: &[] }
}

const fn plain(name: &'static str, sinks: &'static [Sink]) -> Block {
    Block { name, env: &[], source: "ci", sinks }
}

/// HMAC-SHA256 with `webhook-secret` of an empty body.
const SIGNATURE: &str = "sha256=1001c524b535a8aef76c14f33c851aa4a586e98253232319990ba8e2be464ba9";

const BLOCKS: &[Block] = &[
    plain("000-01-events-stream", &[open("/sse/events")]),
    Block {
        name: "000-02-events-stream",
        env: &[("SSE_API_KEY_ENV_VAR", "key-1")],
        source: "ci",
        sinks: &[Sink {
            path: "/sse/events",
            headers: &[
                ("Authorization", "Bearer your-token", Some("Basic x")),
                ("X-API-Key", "key-1", Some("SSE_API_KEY_ENV_VAR")),
            ],
        }],
    },
    plain(
        "000-03-public-stream",
        &[
            open("/sse/public"),
            Sink {
                path: "/sse/admin",
                headers: &[("Authorization", "Bearer admin-secret", Some("Bearer Admin-Secret"))],
            },
        ],
    ),
    plain("01-my-sse-endpoint", &[open("/sse/events")]),
    plain(
        "02-secure-events",
        &[Sink { path: "/sse/secure", headers: &[("Authorization", "anything", None)] }],
    ),
    plain(
        "03-api-events",
        &[Sink {
            path: "/sse/api",
            headers: &[("Authorization", "Bearer secret-token-123", Some("Bearer secret-token-124"))],
        }],
    ),
    plain(
        "04-validated-events",
        &[Sink {
            path: "/sse/validated",
            headers: &[
                ("X-API-Key", "0123456789abcdefABCDEF0123456789", Some("0123456789abcdefABCDEF012345678-")),
                ("Authorization", "Bearer a-b_c", Some("Bearer a b")),
            ],
        }],
    ),
    plain(
        "05-webhook-events",
        &[Sink { path: "/sse/webhooks", headers: &[("X-Hub-Signature-256", SIGNATURE, Some("sha256=00"))] }],
    ),
    plain(
        "06-enterprise-events",
        &[Sink {
            path: "/sse/enterprise",
            headers: &[
                ("X-API-Key", "k", None),
                ("X-Client-ID", "client-7", Some("client-x")),
                ("User-Agent", "MyApp/1.0", Some("curl/8")),
            ],
        }],
    ),
    plain(
        "07-dashboard",
        &[Sink {
            path: "/sse/dashboard",
            headers: &[("Authorization", "Bearer dashboard-secret-123", Some("Bearer other"))],
        }],
    ),
    plain(
        "08-monitoring",
        &[Sink {
            path: "/sse/monitoring",
            headers: &[("X-Service-Token", "monitoring-service-token", Some("MONITORING-service-token"))],
        }],
    ),
    plain("09-dev-stream", &[open("/sse/dev")]),
    plain(
        "10-public-events",
        &[
            Sink { path: "/sse/public", headers: &[("X-Client-Type", "web", None)] },
            Sink {
                path: "/sse/admin",
                headers: &[
                    ("Authorization", "Bearer admin-secret-key", Some("Bearer admin-secret-keys")),
                    ("X-Admin-Role", "super-admin", Some("administrator")),
                ],
            },
        ],
    ),
    Block {
        name: "11-regional-stream",
        env: &[("CENTRAL_AGGREGATOR_TOKEN", "central")],
        source: "filtered_for_aggregation",
        sinks: &[Sink {
            path: "/sse/regional",
            headers: &[
                ("Authorization", "central", Some("Bearer central")),
                ("X-Collector-Region", "us", None),
            ],
        }],
    },
    BRIDGE,
    Block {
        name: "13-team-distribution",
        env: &[("TEAM_COLLECTOR_TOKEN", "team"), ("CORPORATE_COLLECTOR_TOKEN", "corporate")],
        source: "corporate_filtered",
        sinks: &[
            Sink {
                path: "/sse/teams",
                headers: &[
                    ("Authorization", "team", Some("corporate")),
                    ("X-Team-Filter", "qa-team", Some("sales-team")),
                ],
            },
            Sink {
                path: "/sse/corporate",
                headers: &[
                    ("Authorization", "corporate", Some("team")),
                    ("X-Corporate-Access-Level", "director", Some("intern")),
                ],
            },
        ],
    },
    Block {
        name: "14-staging-mirror",
        env: &[("STAGING_MIRROR_TOKEN", "staging-token")],
        source: "dev_safe_events",
        sinks: &[
            Sink {
                path: "/sse/mirror",
                headers: &[
                    ("Authorization", "staging-token", Some("x")),
                    ("X-Environment-Target", "staging", Some("production")),
                ],
            },
            Sink { path: "/sse/preview", headers: &[("X-Dev-Token", "any", None)] },
        ],
    },
    Block {
        name: "15-primary-cloud",
        env: &[
            ("PRIMARY_CLOUD_TOKEN", "primary"),
            ("DR_CLOUD_TOKEN", "dr"),
            ("COMPLIANCE_AUDIT_TOKEN", "compliance"),
        ],
        source: "ci",
        sinks: &[
            Sink {
                path: "/sse/primary",
                headers: &[
                    ("Authorization", "primary", Some("dr")),
                    ("X-Cloud-Provider", "aws", Some("azure")),
                ],
            },
            Sink {
                path: "/sse/dr",
                headers: &[
                    ("Authorization", "dr", Some("primary")),
                    ("X-Cloud-Provider", "azure", Some("aws")),
                ],
            },
            Sink {
                path: "/sse/compliance",
                headers: &[
                    ("Authorization", "compliance", Some("primary")),
                    ("X-Audit-Purpose", "gdpr", Some("curiosity")),
                ],
            },
        ],
    },
    plain(
        "16-secure-stream",
        &[Sink {
            path: "/sse/secure",
            headers: &[
                (
                    "Authorization",
                    "Bearer 0123456789012345678901234567890123456789",
                    Some("Bearer 0123456789"),
                ),
                ("X-Client-Certificate", "any", None),
                ("User-Agent", "MySecureClient/2", Some("NotMySecureClient/2")),
            ],
        }],
    ),
    Block { name: "18-build-dashboard", env: &[], source: "filtered_builds", sinks: &[open("/sse/builds")] },
    plain(
        "19-dev-events",
        &[
            open("/sse/dev"),
            Sink { path: "/sse/production", headers: &[("Authorization", "any", None)] },
            Sink {
                path: "/sse/admin",
                headers: &[("X-Admin-Token", "admin-01234567890123456789", Some("admin-0123456789"))],
            },
        ],
    ),
];

/// The one whose program would publish what it means to hide: refused as it is written.
const BRIDGE: Block = Block {
    name: "12-internal-bridge",
    env: &[("INTERNAL_BRIDGE_TOKEN", "bridge")],
    source: "public_sanitized",
    sinks: &[Sink {
        path: "/sse/public",
        headers: &[
            ("Authorization", "bridge", Some("x")),
            ("X-Internal-Network", "vpn-1", Some("public-1")),
            ("X-Client-Certificate-Subject", "CN=internal-collector-7", Some("CN=other")),
        ],
    }],
};

/// What is published, and what of it the streams show.
fn events(block: &str) -> Vec<(Value, Option<Value>)> {
    let unchanged = |event: Value| (event.clone(), Some(event));
    let with_content = |id: &str, content: Value| {
        let mut event = cdevent(id);
        event["subject"]["content"] = content;
        event
    };
    match block {
        "13-team-distribution" => vec![
            (with_content("low", json!({"importance": "low", "category": "other"})), None),
            (with_content("silent", json!({})), None),
            unchanged(with_content("high", json!({"importance": "high"}))),
            unchanged(with_content("security", json!({"category": "security"}))),
            unchanged(with_content("compliance", json!({"category": "compliance", "importance": "low"}))),
        ],
        "14-staging-mirror" => {
            let event = with_content("e", json!({"user_id": "alice", "sensitive_field": "x", "kept": 1}));
            let mut shown =
                with_content("e", json!({"user_id": "anonymous", "sensitive_field": null, "kept": 1}));
            shown["context"]["source"] = "anonymized-github.com/myorg/myrepo".into();
            shown["subject"]["id"] = "dev-build-456".into();
            vec![(event, Some(shown))]
        }
        "12-internal-bridge" => {
            let event = with_content("e", json!({"sensitive_data": "hidden", "kept": 1}));
            vec![(event, Some(with_content("e", json!({"kept": 1}))))]
        }
        "18-build-dashboard" => vec![
            (cdevent_of("dev.cdevents.testsuiterun.started.0.1.0", "test"), None),
            unchanged(cdevent_of("dev.cdevents.build.finished.0.1.0", "build")),
        ],
        _ => vec![unchanged(cdevent("e"))],
    }
}

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../config/tests/seeds"))
}

/// The files, each with the block that it holds.
fn files() -> Vec<(String, &'static Block)> {
    let mut files: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    files.sort();
    let block = |path: PathBuf| {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let name = stem.strip_prefix("001-").or_else(|| stem.strip_prefix("003-")).unwrap_or(stem);
        let block = BLOCKS.iter().find(|block| block.name == name);
        (fs::read_to_string(&path).unwrap(), block.unwrap_or_else(|| panic!("{stem}: say what it asks for")))
    };
    files.into_iter().map(block).collect()
}

fn serve(toml: &str, block: &Block) -> Server {
    let key = |key: &str| format!("FANFARE__SOURCES__{}__EXTRACTOR__{key}", block.source.to_uppercase());
    let server = fanfare().config(toml).env(key("TYPE"), "webhook").env(key("ID"), "ci");
    block.env.iter().fold(server, |server, (name, value)| server.env(name, value)).start().unwrap()
}

fn check(toml: &str, block: &Block) {
    let server = serve(toml, block);
    let mut clients: Vec<_> = block.sinks.iter().map(|sink| check_sink(&server, sink)).collect();
    for (event, shown) in events(block.name) {
        let answer = http::post(server.addr(), WEBHOOK, &[], event.to_string()).unwrap();
        let status = if shown.is_some() { 201 } else { 200 };
        assert_eq!(answer.status(), status, "{}: {}", block.name, answer.text());
        let Some(shown) = shown else { continue };
        for client in &mut clients {
            let event = client.next_event(LONG).unwrap();
            assert_eq!(event.id.as_deref(), shown["context"]["id"].as_str(), "{}", block.name);
            assert_eq!(serde_json::from_str::<Value>(&event.data).unwrap(), shown, "{}", block.name);
        }
    }
}

/// Refuses who lacks a header or has a wrong one; gives the stream of who has all.
fn check_sink(server: &Server, sink: &Sink) -> Client {
    let refused = |headers: &[(&str, &str)], status: u16, header: &str| {
        let refused = http::get(server.addr(), sink.path, headers).unwrap();
        assert_eq!(refused.status(), status, "{} {headers:?}", sink.path);
        assert_eq!(problem(&refused)["header"], header, "{}", sink.path);
    };
    let passing: Vec<_> = sink.headers.iter().map(|(name, value, _)| (*name, *value)).collect();
    for (index, (name, _, wrong)) in sink.headers.iter().enumerate() {
        let mut headers = passing.clone();
        headers.remove(index);
        refused(&headers, 401, name);
        if let Some(wrong) = wrong {
            headers.insert(index, (name, wrong));
            refused(&headers, 403, name);
        }
    }
    Client::open(server.addr(), sink.path, &passing).unwrap()
}

#[test]
fn every_block_is_served_as_it_is_written() {
    let mut seen = BTreeSet::new();
    for (toml, block) in files() {
        seen.insert(block.name);
        if block.name != BRIDGE.name {
            check(&toml, block);
        }
    }
    assert_eq!(seen.len(), BLOCKS.len(), "every block has its file: {seen:?}");
}

const HIDES: &str = "\"content\": del(.body.subject.content.sensitive_data) ?? .body.subject.content";

#[test]
fn what_would_publish_what_it_means_to_hide_is_refused_and_says_what_is_right() {
    let mut refused = 0;
    for (toml, block) in files() {
        if block.name != BRIDGE.name {
            continue;
        }
        refused += 1;
        let written = file(&toml);
        let path = written.path().to_str().unwrap();
        for args in [&["check", path][..], &["serve", "--config", path]] {
            let output = run(args, block.env);
            assert_eq!((output.code, output.stdout.as_str()), (Some(3), ""), "{args:?}");
            for shown in [
                "sanitize_for_internal",
                HIDES,
                "`del` returns the value that it removed",
                "content = .body.subject.content\n",
                "del(content.sensitive_data)\n",
            ] {
                assert!(output.stderr.contains(shown), "without {shown}:\n{}", output.stderr);
            }
        }
        // What it says is right is right.
        let right = "content = .body.subject.content\ndel(content.sensitive_data)\n[{";
        check(&toml.replace("[{", right).replace(HIDES, "\"content\": content"), block);
    }
    assert_eq!(refused, 2, "in two of the documents");
}

const KEPT: &str = r#"
[transformers.show]
type = "vrl"
template = '''
[{"metadata": .metadata, "headers": .headers, "body": {"type": "shown", "metadata": .metadata, "headers": .headers, "body": .body}}]
'''
[transformers.github]
type = "vrl"
template_file = "github.vrl"

[sources.ci]
transformer_refs = ["show"]
[sources.ci.extractor]
type = "webhook"
id = "ci"
headers_to_keep = ["X-Request-ID", "x-absent"]
metadata = { team = "a", nested = { list = [1, true] } }

[sources.github]
transformer_refs = ["github"]
extractor = { type = "webhook", id = "github", headers_to_keep = ["x-github-event"] }

[sinks.events]
type = "sse"
id = "events"
"#;

const GITHUB: &str = r#"
if .headers."x-github-event" != "pull_request" {
  return []
}
[{
  "metadata": .metadata,
  "headers": .headers,
  "body": {
    "context": {"version": "0.4.1", "id": "0", "source": .metadata.context.source,
      "type": "dev.cdevents.change.created.0.1.2", "timestamp": .body.pull_request.created_at},
    "subject": {"id": to_string!(.body.number), "type": "change", "content": {}}
  }
}]
"#;

fn kept() -> Server {
    fanfare().config(KEPT).file("github.vrl", GITHUB).start().unwrap()
}

#[test]
fn programs_see_the_kept_headers_and_the_metadata() {
    let server = kept();
    let mut client = Client::open(server.addr(), STREAM, &[]).unwrap();
    let headers = [("x-request-id", "7"), ("X-Request-Id", "8"), ("x-other", "9")];
    assert_eq!(http::post(server.addr(), WEBHOOK, &headers, "[1]").unwrap().status(), 201);
    let shown: Value = serde_json::from_str(&client.next_event(LONG).unwrap().data).unwrap();
    let source = format!("http://127.0.0.1:{}/?source=ci", server.addr().port());
    let expected = json!({
        "type": "shown",
        "metadata": {"team": "a", "nested": {"list": [1, true]}, "context": {"source": source}},
        "headers": {"x-request-id": "7, 8"},
        "body": [1]
    });
    assert_eq!(shown, expected);
}

#[test]
fn a_foreign_body_becomes_an_event_by_a_program() {
    let server = kept();
    let mut client = Client::open(server.addr(), STREAM, &[]).unwrap();
    let body =
        json!({"action": "opened", "number": 7, "pull_request": {"created_at": "2024-01-15T10:30:00Z"}});
    let post = |kind: &str, body: &Value| {
        http::post(server.addr(), "/webhook/github", &[("X-GitHub-Event", kind)], body.to_string()).unwrap()
    };
    assert_eq!(post("ping", &json!({"zen": "…"})).status(), 200, "dropped");
    let refused = post("pull_request", &json!({"number": 7, "pull_request": {"created_at": 9}}));
    assert_eq!((refused.status(), &problem(&refused)["field"]), (422, &json!("body.context.timestamp")));
    let failed = post("pull_request", &json!({"number": [], "pull_request": {}}));
    assert_eq!((failed.status(), &problem(&failed)["transformer"]), (422, &json!("github")));
    assert_eq!(post("pull_request", &body).status(), 201);
    let event = client.next_event(LONG).unwrap();
    assert!(event.id.as_deref().unwrap().starts_with("bafkrei"), "a hash of the content: {event:?}");
    let data: Value = serde_json::from_str(&event.data).unwrap();
    assert_eq!((&data["subject"]["id"], &data["context"]["id"]), (&json!("7"), &json!(event.id)));
    assert!(data["context"]["source"].as_str().unwrap().ends_with("/?source=github"));
}
