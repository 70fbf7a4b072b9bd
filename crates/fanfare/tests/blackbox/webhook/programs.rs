//! What VRL programs see of a request, and what they make of it.

use fanfare_testkit::Server;
use fanfare_testkit::http;
use fanfare_testkit::sse::Client;
use serde_json::{Value, json};

use crate::kit::{LONG, STREAM, WEBHOOK, fanfare, problem};

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
