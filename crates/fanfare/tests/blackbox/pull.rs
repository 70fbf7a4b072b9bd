//! Batches that clients fetch and confirm, as Inboxclaw's document has them.

use fanfare_testkit::Server;
use fanfare_testkit::http::{self, Response};
use serde_json::{Value, json};

use crate::kit::{self, body, problem, serve};

mod restart;

const SOURCE: &str = r#"
[sources.shop.extractor]
type = "webhook"
path = "/shop/"
profile = "envelope"
"#;

const SINKS: &str = r#"
[sinks.http_pull]
type = "http_pull"
path = { extract = "/http_pull/extract", mark_processed = "/http_pull/mark-processed" }

[sinks.sales]
type = "http_pull"
id = "sales"
match = ["sales.order.*", "refund"]
"#;

const EXTRACT: &str = "/http_pull/extract";
const CONFIRM: &str = "/http_pull/mark-processed";

fn in_memory(sinks: &str) -> Server {
    serve(&format!("[log]\ntype = \"memory\"\n{SOURCE}{sinks}"))
}

fn publish(server: &Server, kinds: &[&str]) -> Vec<u64> {
    let envelopes: Vec<_> = kinds.iter().map(|kind| json!({"event_type": kind})).collect();
    let response = http::post(server.addr(), "/shop/", &[], Value::from(envelopes).to_string()).unwrap();
    assert_eq!(response.status(), 201, "{}", response.text());
    let events = body(&response)["events"].as_array().unwrap().clone();
    events.iter().map(|event| event["seq"].as_u64().unwrap()).collect()
}

/// The batch's id, its events, and how many remain.
fn extract(server: &Server, target: &str) -> (Option<u64>, Vec<u64>, u64) {
    let response = http::get(server.addr(), target, &[]).unwrap();
    assert_eq!(response.status(), 200, "{target}: {}", response.text());
    assert_eq!(response.header("content-type"), Some("application/json"));
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let answer = body(&response);
    let seqs =
        answer["events"].as_array().unwrap().iter().map(|event| event["id"].as_u64().unwrap()).collect();
    (answer["batch_id"].as_u64(), seqs, answer["remaining_events"].as_u64().unwrap())
}

fn confirm(server: &Server, target: &str, batch: u64) -> Response {
    http::post(server.addr(), &format!("{target}?batch_id={batch}"), &[], "").unwrap()
}

#[track_caller]
fn check_confirmed(server: &Server, target: &str, batch: u64, count: u64) {
    let response = confirm(server, target, batch);
    assert_eq!(response.status(), 200, "{}", response.text());
    let expected = format!("{{\"status\":\"success\",\"marked_count\":{count}}}\n");
    assert_eq!(response.text(), expected);
}

#[test]
fn a_batch_is_as_the_document_shows_it() {
    let server = in_memory(SINKS);
    let nothing = http::get(server.addr(), EXTRACT, &[]).unwrap();
    assert_eq!(nothing.text(), "{\"batch_id\":null,\"events\":[],\"remaining_events\":0}\n");
    let sent = json!([
        {"event_id": "evt_abc", "event_type": "sales.order.created", "entity_id": "order_789",
            "occurred_at": "2024-03-15T10:00:00Z", "data": {"order_id": "ORD-789", "amount": 150.5}},
        {"event_type": "other"},
    ]);
    let response = http::post(server.addr(), "/shop/", &[], sent.to_string()).unwrap();
    let seq = &body(&response)["events"][0]["seq"];
    let response = http::get(server.addr(), &format!("{EXTRACT}?batch_size=1"), &[]).unwrap();
    let batch = &body(&response)["batch_id"];
    assert!(batch.as_u64().is_some_and(|batch| batch < 1 << 53), "{batch}");
    let expected = format!(
        r#"{{"batch_id":{batch},"events":[{{"id":{seq},"event_id":"evt_abc","event_type":"sales.order.created","entity_id":"order_789","created_at":"2024-03-15T10:00:00+00:00","data":{{"order_id":"ORD-789","amount":150.5}},"source":{{"id":1,"name":"shop"}},"meta":{{}}}}],"remaining_events":1}}"#
    );
    assert_eq!(response.text().trim_end(), expected);
}

#[test]
fn events_come_until_they_are_confirmed_in_any_batch() {
    let server = in_memory(SINKS);
    let seqs = publish(&server, &["a", "b", "c", "d"]);
    let (first, events, remaining) = extract(&server, &format!("{EXTRACT}?batch_size=2"));
    assert_eq!((&events[..], remaining), (&seqs[..2], 2));
    let (second, events, remaining) = extract(&server, &format!("{EXTRACT}?batch_size=3"));
    assert_eq!((&events[..], remaining), (&seqs[..3], 1), "what is not confirmed comes again");
    assert!(second > first);

    check_confirmed(&server, CONFIRM, first.unwrap(), 2);
    check_confirmed(&server, CONFIRM, first.unwrap(), 0);
    let (third, events, remaining) = extract(&server, EXTRACT);
    assert_eq!((&events[..], remaining), (&seqs[2..], 0));
    check_confirmed(&server, CONFIRM, third.unwrap(), 2);
    assert_eq!(extract(&server, EXTRACT), (None, vec![], 0));
    // The overlapping batch was never confirmed as one, and that brings nothing back.
    check_confirmed(&server, CONFIRM, second.unwrap(), 3);
    assert_eq!(extract(&server, EXTRACT), (None, vec![], 0));
    let later = publish(&server, &["e"]);
    assert_eq!(extract(&server, EXTRACT).1, later);
}

#[test]
fn each_sink_has_its_own_confirmations_and_types() {
    let server = in_memory(SINKS);
    let (extract_sales, confirm_sales) = ("/pull/sales/extract", "/pull/sales/mark-processed");
    let seqs =
        publish(&server, &["sales.order.created", "refund", "sales.order", "inventory", "sales.order.paid"]);
    let sales = [seqs[0], seqs[1], seqs[4]];
    let (batch, events, _) = extract(&server, extract_sales);
    assert_eq!(events, sales);
    let foreign = confirm(&server, CONFIRM, batch.unwrap());
    assert_eq!(foreign.status(), 404, "another sink's batch");
    problem(&foreign);
    check_confirmed(&server, confirm_sales, batch.unwrap(), 3);
    assert_eq!(extract(&server, extract_sales), (None, vec![], 0));
    assert_eq!(extract(&server, EXTRACT).1, seqs);
}

#[test]
fn a_client_narrows_and_never_widens() {
    let server = in_memory(SINKS);
    let seqs = publish(&server, &["sales.order.created", "refund", "sales.order.paid", "inventory"]);
    let check = |target: &str, expected: &[u64], remaining: u64| {
        let (_, events, left) = extract(&server, target);
        assert_eq!((&events[..], left), (expected, remaining), "{target}");
    };
    check("/pull/sales/extract?event_type=sales.*&batch_size=1", &seqs[..1], 1);
    check("/pull/sales/extract?event_type=*", &seqs[..3], 0);
    check("/pull/sales/extract?event_type=inventory", &[], 0);
    check("/pull/sales/extract?event_type=refund&event_type=inventory", &seqs[1..2], 0);
    check("/pull/sales/extract?event_type=", &seqs[..3], 0);
    // What was confirmed through one narrowing is done for all.
    let (batch, ..) = extract(&server, "/pull/sales/extract?event_type=refund");
    check_confirmed(&server, "/pull/sales/mark-processed", batch.unwrap(), 1);
    check("/pull/sales/extract", &[seqs[0], seqs[2]], 0);
}

#[test]
fn what_is_too_old_is_not_given_out() {
    let server = in_memory(
        "[sinks.s]\ntype = \"http_pull\"\nid = \"s\"\ndefault_ttl = \"1h\"\n\
         event_ttl = { \"short.*\" = \"1ms\", \"short.kept\" = \"1h\" }\n\
         [sinks.all]\ntype = \"http_pull\"\nid = \"all\"\nttl_enabled = false\ndefault_ttl = \"1ms\"\n",
    );
    let seqs = publish(&server, &["short.lived", "short.kept", "other"]);
    kit::eventually("expiry", || (extract(&server, "/pull/s/extract").1 == seqs[1..]).then_some(()));
    assert_eq!(extract(&server, "/pull/all/extract").1, seqs);
}

#[test]
fn what_is_wrong_has_a_clear_answer() {
    let server = in_memory(SINKS);
    publish(&server, &["a"]);
    let check = |method: &str, target: &str, status: u16, names: Option<&str>| {
        let response = http::request(server.addr(), method, target, &[], b"").unwrap();
        assert_eq!(response.status(), status, "{method} {target}: {}", response.text());
        assert_eq!(problem(&response)["parameter"].as_str(), names, "{method} {target}");
        response
    };
    for number in ["0", "-1", "x", "", "2.5"] {
        check("GET", &format!("{EXTRACT}?batch_size={number}"), 422, Some("batch_size"));
    }
    check("GET", &format!("{EXTRACT}?event_type=a.*.b"), 422, Some("event_type"));
    check("POST", CONFIRM, 422, Some("batch_id"));
    check("POST", &format!("{CONFIRM}?batch_id=x"), 422, Some("batch_id"));
    for unknown in ["0", "-1", "1", "999999999999999999999999"] {
        check("POST", &format!("{CONFIRM}?batch_id={unknown}"), 404, Some("batch_id"));
    }
    let allow = |response: &Response| response.header("allow").map(str::to_owned);
    assert_eq!(allow(&check("POST", EXTRACT, 405, None)).as_deref(), Some("GET, HEAD"));
    assert_eq!(allow(&check("GET", CONFIRM, 405, None)).as_deref(), Some("POST"));
    let redirected = http::get(server.addr(), &format!("{EXTRACT}/?batch_size=1"), &[]).unwrap();
    let location = format!("{EXTRACT}?batch_size=1");
    assert_eq!((redirected.status(), redirected.header("location")), (307, Some(&*location)));
}

#[test]
fn a_head_request_opens_no_batch() {
    let server = in_memory(SINKS);
    publish(&server, &["a"]);
    let head = http::request(server.addr(), "HEAD", EXTRACT, &[], b"").unwrap();
    assert_eq!(
        (head.status(), head.header("content-type"), head.body.len()),
        (200, Some("application/json"), 0)
    );
    let (batch, ..) = extract(&server, EXTRACT);
    assert_eq!(confirm(&server, CONFIRM, batch.unwrap() - 1).status(), 404);
}

#[test]
fn header_rules_and_cors_hold_as_for_streams() {
    let server = in_memory(
        "[sinks.s]\ntype = \"http_pull\"\nid = \"s\"\ncors.allowed_origins = [\"https://app.example.com\"]\n\
         [sinks.s.headers]\nX-Key = { type = \"equals\", value = \"k\" }\n",
    );
    publish(&server, &["a"]);
    let origin = ("Origin", "https://app.example.com");
    for (method, path, methods, allow) in [
        ("GET", "/pull/s/extract", "GET, HEAD", "GET, HEAD, OPTIONS"),
        ("POST", "/pull/s/mark-processed?batch_id=1", "POST", "POST, OPTIONS"),
    ] {
        let check = |method: &str, headers: &[(&str, &str)], status: u16| {
            let response =
                http::request(server.addr(), method, path, &[headers, &[origin]].concat(), b"").unwrap();
            assert_eq!(response.status(), status, "{method} {path}: {}", response.text());
            assert_eq!(response.header("access-control-allow-origin"), Some(origin.1));
            response
        };
        check(method, &[], 401);
        check(method, &[("X-Key", "other")], 403);
        check(method, &[("X-Key", "k")], if method == "GET" { 200 } else { 404 });
        assert_eq!(check("PUT", &[], 405).header("allow"), Some(allow));
        let preflight = check("OPTIONS", &[("Access-Control-Request-Method", method)], 204);
        assert_eq!(preflight.header("access-control-allow-methods"), Some(methods));
        assert!(preflight.header("access-control-allow-headers").unwrap().contains("x-key"));
    }
}

#[test]
fn several_at_once_see_the_same_events_and_have_batches_of_their_own() {
    let server = in_memory(SINKS);
    let seqs = publish(&server, &["a"; 100]);
    let answers: Vec<_> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(|| extract(&server, EXTRACT))).collect();
        clients.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let mut batches: Vec<_> = answers.iter().map(|(batch, ..)| batch.unwrap()).collect();
    batches.sort_unstable();
    batches.dedup();
    assert_eq!(batches.len(), answers.len());
    assert!(answers.iter().all(|(_, events, remaining)| *events == seqs && *remaining == 0));
}

#[test]
fn a_batch_is_bounded_and_says_what_is_left() {
    let server = in_memory(SINKS);
    let large = json!({"event_type": "a", "data": {"text": "x".repeat(900_000)}}).to_string();
    for _ in 0..10 {
        assert_eq!(http::post(server.addr(), "/shop/", &[], &large).unwrap().status(), 201);
    }
    let (batch, events, remaining) = extract(&server, EXTRACT);
    assert_eq!((events.len(), remaining), (9, 1), "8 MiB");
    check_confirmed(&server, CONFIRM, batch.unwrap(), 9);
    assert_eq!(extract(&server, EXTRACT).1.len(), 1);
}

#[test]
fn the_addresses_are_said_at_the_start() {
    let server = in_memory(SINKS);
    kit::eventually("addresses", || {
        let said = server.stdout().join("\n");
        (said.contains(&server.url(EXTRACT)) && said.contains(&server.url(CONFIRM))).then_some(())
    });
}
