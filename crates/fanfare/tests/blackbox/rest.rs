//! Operations of an API: which request means which, what becomes of its parts, who gets the event, and what is answered.

use fanfare_testkit::Server;
use fanfare_testkit::http::{self, Response};
use fanfare_testkit::sse::Client;
use serde_json::{Value, json};

use crate::kit::{LONG, body, eventually, fanfare, problem, serve};

/// Mycel's example of REST and SSE, in native words: an API on the default listener, the stream on another.
const EXAMPLE: &str = r#"
[listeners.public]
host = "127.0.0.1"
port = 0

[sources.api.extractor]
type = "rest"
operations = ["POST /notify", "POST /notify/:room", "POST /notify/user/:user_id"]

[sinks.events]
type = "sse"
path = "/events"
listener = "public"
profile = "message"
identity = "query"

[[routes]]
from = "api"
to = "events"
operation = "POST /notify"

[[routes]]
from = "api"
to = "events"
operation = "POST /notify/:room"
audience = { room = ".body.room" }

[[routes]]
from = "api"
to = "events"
operation = "POST /notify/user/:user_id"
audience = { user = ".body.user_id" }
"#;

const JSON: (&str, &str) = ("content-type", "application/json");
const ORIGIN: (&str, &str) = ("Origin", "https://app.example.com");

fn stream(server: &Server, query: &str) -> Client {
    let public = server.listener("public").unwrap();
    Client::open(public, &format!("/events{query}"), &[]).unwrap()
}

/// A request that must be taken; the id that it is answered.
#[track_caller]
fn call(server: &Server, target: &str, input: &Value) -> String {
    let response = http::post(server.addr(), target, &[JSON], input.to_string()).unwrap();
    assert_eq!(response.status(), 200, "{}", response.text());
    assert_eq!(response.header("content-type"), Some("application/json"));
    let answer = body(&response);
    assert_eq!(answer["affected"], 1, "{answer}");
    assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    answer["id"].as_str().unwrap().to_owned()
}

/// The data of the next message, as it came.
#[track_caller]
fn next(client: &mut Client) -> String {
    let event = client.next_event(LONG).unwrap();
    assert_eq!(event.kind, "message");
    event.data
}

#[test]
fn the_example_of_mycel_reaches_those_whom_it_names() {
    let server = serve(EXAMPLE);
    let queries =
        ["", "?room=orders", "?rooms=orders,inventory", "?user_id=42", "?room=orders&user_id=42", "?room=42"];
    let mut clients = queries.map(|query| (query, stream(&server, query)));
    let mut sent = Vec::new();
    for (target, input, expected, to) in [
        ("/notify", r#"{"message":"all"}"#, r#"{"message":"all"}"#, &[0, 1, 2, 3, 4, 5][..]),
        ("/notify/orders", r#"{"message":"x"}"#, r#"{"message":"x","room":"orders"}"#, &[1, 2, 4]),
        ("/notify/inventory?q=1", "{}", r#"{"q":"1","room":"inventory"}"#, &[2]),
        ("/notify/user/42", r#"{"message":"yours"}"#, r#"{"message":"yours","user_id":"42"}"#, &[3, 4]),
        ("/notify/nobody", "{}", "", &[]),
        // What the URL says holds, whatever else is said.
        ("/notify/orders?room=c&a=1", r#"{"room":"42","a":2}"#, r#"{"room":"orders","a":"1"}"#, &[1, 2, 4]),
        ("/notify/4%32", "", r#"{"room":"42"}"#, &[5]),
        ("/notify/user/a%2Fb?user_id=42", r#"{"user_id":"42"}"#, "", &[]),
        ("/notify?n=1&n=2", "", r#"{"n":["1","2"]}"#, &[0, 1, 2, 3, 4, 5]),
    ] {
        let response = http::post(server.addr(), target, &[JSON], input).unwrap();
        assert_eq!(response.status(), 200, "{target}: {}", response.text());
        assert_eq!(body(&response)["affected"], 1);
        sent.push((target, expected, to));
    }
    for (number, (query, client)) in clients.iter_mut().enumerate() {
        for (target, expected, _) in sent.iter().filter(|(_, _, to)| to.contains(&number)) {
            assert_eq!(next(client), *expected, "{query}: {target}");
        }
    }
}

#[test]
fn a_fixed_segment_wins_over_a_parameter_and_the_rest_is_not_found() {
    let server = serve(&one(
        r#"["POST /notify/:room/:x", "POST /notify/user/:id", "PUT /notify/:room/:x", "POST /a/:b/c", "POST /a/b/:c",
            "POST /slash/:a/", "POST /"]"#,
        "",
    ));
    let mut client = Client::open(server.addr(), "/sse/events", &[]).unwrap();
    for (target, expected) in [
        ("/notify/user/3", json!({"id": "3"})),
        ("/notify/users/3", json!({"room": "users", "x": "3"})),
        ("/notify/a%2Fb/..c", json!({"room": "a/b", "x": "..c"})),
        ("/a/b/c", json!({"c": "c"})),
        ("/a/x/c", json!({"b": "x"})),
        ("/slash/1/", json!({"a": "1"})),
        ("/?a=1", json!({"a": "1"})),
    ] {
        let id = call(&server, target, &json!({}));
        let event = client.next_event(LONG).unwrap();
        assert_eq!(event.id.as_deref(), Some(id.as_str()));
        assert_eq!(serde_json::from_str::<Value>(&event.data).unwrap(), expected, "{target}");
    }
    let status = |method: &str, target: &str| {
        let response = http::request(server.addr(), method, target, &[], b"").unwrap();
        (response.status(), response.header("allow").map(str::to_owned))
    };
    for target in ["/notify", "/notify/a", "/notify/a/b/c", "/notify//b", "/notify/a//", "/nope", "/a/x/d"] {
        assert_eq!(status("POST", target), (404, None), "{target}");
    }
    let allowed = |methods: &str| (405, Some(methods.to_owned()));
    assert_eq!(status("GET", "/notify/a/b"), allowed("POST, PUT"));
    assert_eq!(status("PUT", "/notify/user/3"), allowed("POST"), "its path is another one");
    assert_eq!(status("HEAD", "/a/b/c"), allowed("POST"));
    assert_eq!(status("OPTIONS", "/a/b/c"), allowed("POST"));
    // Somebody who left the slash out, or wrote one, means the same.
    let moved = |target: &str, to: Option<&str>| {
        let response = http::post(server.addr(), target, &[], "").unwrap();
        let expected = if to.is_some() { 307 } else { 404 };
        assert_eq!((response.status(), response.header("location")), (expected, to), "{target}");
    };
    moved("/slash/1?a=2", Some("/slash/1/?a=2"));
    moved("/notify/a/b/", Some("/notify/a/b"));
    moved("//example.com/notify", None);
    moved("/slash/\\example.com", None);
}

/// A source with these operations and further keys, and a stream for everyone.
fn one(operations: &str, keys: &str) -> String {
    format!(
        "[sources.api.extractor]\ntype = \"rest\"\noperations = {operations}\n{keys}\n\
         [sinks.events]\ntype = \"sse\"\nid = \"events\"\n"
    )
}

#[test]
fn what_cannot_be_an_event_is_refused_and_says_why() {
    let server = serve(EXAMPLE);
    let check = |target: &str, headers: &[(&str, &str)], input: &[u8], status: u16, detail: &str| {
        let response = http::post(server.addr(), target, headers, input).unwrap();
        assert_eq!(response.status(), status, "{target}: {}", response.text());
        let problem = problem(&response);
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{target}: {problem}");
        problem
    };
    check("/notify", &[JSON], b"[1]", 400, "must be a JSON object, or empty: this is an array");
    check("/notify/a", &[JSON], b"message", 400, "the body is not JSON");
    check("/notify/a", &[], b"\"x\"", 400, "this is a string");
    let form = ("content-type", "application/x-www-form-urlencoded");
    check("/notify", &[form], b"{}", 415, "with curl, add -H 'content-type: application/json'");
    check("/notify", &[("content-encoding", "br")], b"{}", 415, "gzip");
    assert_eq!(check("/notify?a=%ff", &[], b"", 400, "UTF-8")["parameter"], "a");
    assert_eq!(check("/notify/%ff", &[], b"", 400, "UTF-8")["parameter"], "room");
    assert_eq!(check("/notify/..", &[], b"", 400, "another path")["parameter"], "room");
    let long = format!("/notify/{}", "r".repeat(257));
    assert_eq!(check(&long, &[], b"", 422, "room")["field"], "body.room");
    check("/nope", &[], b"", 404, "nothing is served");
    check("/events", &[], b"", 404, "nothing is served");
    let public = server.listener("public").unwrap();
    assert_eq!(http::post(public, "/notify", &[], "").unwrap().status(), 404);
}

#[test]
fn an_event_that_names_nobody_is_refused_and_one_that_no_route_means_is_not_kept() {
    let config = EXAMPLE
        .replace("\"POST /notify/:room\"", "\"POST /room\"")
        .replace("operations = [", "operations = [\"DELETE /notify/:id\", ");
    let server = serve(&config);
    let refused = http::post(server.addr(), "/room", &[], "").unwrap();
    assert_eq!((refused.status(), problem(&refused)["field"].as_str()), (422, Some("body.room")));
    let check = |method: &str, target: &str, expected: Value| {
        let response = http::request(server.addr(), method, target, &[], b"").unwrap();
        assert_eq!((response.status(), body(&response)), (200, expected));
    };
    check("DELETE", "/notify/1", json!({"affected": 0, "id": null}));
    let mut client = stream(&server, "?room=a");
    call(&server, "/room", &json!({"room": "a", "n": 1}));
    assert_eq!(next(&mut client), r#"{"room":"a","n":1}"#);
}

#[test]
fn several_routes_from_one_operation_are_one_event_to_all_whom_they_mean() {
    let route = "\n[[routes]]\nfrom = \"api\"\nto = \"events\"\noperation = \"POST /notify/:room\"\n";
    let server = serve(&format!("{EXAMPLE}{route}audience = {{ user = \".body.user\" }}\n"));
    let mut clients = ["?room=a", "?user_id=42", "?room=a&user_id=42"].map(|query| stream(&server, query));
    call(&server, "/notify/a?user=42", &json!({}));
    call(&server, "/notify", &json!({"last": true}));
    for client in &mut clients {
        assert_eq!(next(client), r#"{"user":"42","room":"a"}"#);
        assert_eq!(next(client), r#"{"last":true}"#, "it comes once");
    }
}

#[test]
fn a_call_that_is_repeated_under_its_key_stores_nothing_and_names_what_was_stored() {
    let server = serve(EXAMPLE);
    let mut client = stream(&server, "?room=a");
    let send = |key: &str| {
        let headers = [("idempotency-key", key)];
        body(&http::post(server.addr(), "/notify/a", &headers, r#"{"n":1}"#).unwrap())
    };
    let first = send("k-1");
    assert_eq!(first["affected"], 1);
    assert_eq!(send("\"k-1\""), json!({"affected": 0, "id": first["id"]}));
    let other = send("k-2");
    assert_eq!(other["affected"], 1);
    assert_ne!(other["id"], first["id"]);
    call(&server, "/notify/a", &json!({"n": 2}));
    let seen: Vec<_> = (0..3).map(|_| next(&mut client)).collect();
    assert_eq!(seen[2], r#"{"n":2,"room":"a"}"#, "{seen:?}");
}

#[test]
fn rules_hold_for_every_operation_and_kept_headers_and_metadata_reach_routes() {
    let config = EXAMPLE
        .replace(
            "[sinks.events]",
            "headers_to_keep = [\"X-Tenant\"]\nmetadata = { region = \"eu\" }\n\
             [sources.api.extractor.headers]\n\"X-Key\" = { type = \"equals\", value = \"k\" }\n\n[sinks.events]",
        )
        .replace(".body.room", ".metadata.region");
    let server = serve(&config);
    let status = |headers: &[(&str, &str)]| {
        http::post(server.addr(), "/notify/a", headers, r#"{"n":1}"#).unwrap().status()
    };
    let mut client = stream(&server, "?room=eu");
    assert_eq!(status(&[]), 401);
    assert_eq!(status(&[("x-key", "wrong")]), 403);
    assert_eq!(status(&[("x-key", "k"), ("x-tenant", "t")]), 200);
    assert_eq!(next(&mut client), r#"{"n":1,"room":"a"}"#);
    let get = http::get(server.addr(), "/notify/a", &[]).unwrap();
    assert_eq!(get.status(), 405, "which methods there are is nobody's secret");
}

#[test]
fn pages_of_allowed_origins_may_call() {
    let keys =
        "cors.allowed_origins = [\"https://app.example.com\"]\nheaders.X-Key = { type = \"exists\" }\n";
    let server = serve(&one(r#"["POST /notify/:room", "DELETE /notify/:id"]"#, keys));
    let ask = |target: &str, origin: &str| {
        let asked = [
            ("Origin", origin),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "x-key"),
        ];
        http::request(server.addr(), "OPTIONS", target, &asked, b"").unwrap()
    };
    for target in ["/notify/a", "/notify/a/"] {
        let answer = ask(target, ORIGIN.1);
        assert_eq!((answer.status(), answer.body.len()), (204, 0), "{target}");
        assert_eq!(answer.header("access-control-allow-methods"), Some("POST, DELETE"));
        assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN.1));
        let allowed = answer.header("access-control-allow-headers").unwrap();
        for header in ["content-type", "idempotency-key", "x-key", "authorization"] {
            assert!(allowed.split(", ").any(|allowed| allowed == header), "{allowed}");
        }
    }
    assert_eq!(ask("/notify/a", "https://evil.example.com").status(), 403);
    assert_eq!(ask("/nope", ORIGIN.1).status(), 404);
    let readable = |response: &Response| response.header("access-control-allow-origin") == Some(ORIGIN.1);
    let send = |method: &str, headers: &[(&str, &str)]| {
        http::request(server.addr(), method, "/notify/a", &[headers, &[ORIGIN]].concat(), b"").unwrap()
    };
    for (method, headers, status) in
        [("POST", &[("x-key", "k")][..], 200), ("POST", &[], 401), ("GET", &[], 405), ("OPTIONS", &[], 405)]
    {
        let response = send(method, headers);
        assert_eq!(response.status(), status);
        assert!(readable(&response), "{method}: {:?}", response.head);
    }
    assert_eq!(send("GET", &[]).header("allow"), Some("POST, DELETE, OPTIONS"));
}

#[test]
fn transformers_may_make_none_of_it() {
    let keys =
        "[sources.api]\ntransformer_refs = [\"nothing\"]\n[transformers.nothing]\ntype = \"discard_all\"\n";
    let server = serve(&one(r#"["POST /a"]"#, keys));
    let response = http::post(server.addr(), "/a", &[], "").unwrap();
    assert_eq!((response.status(), body(&response)), (200, json!({"affected": 0, "id": null})));
}

#[test]
fn the_terminal_says_where_operations_are() {
    let server = serve(EXAMPLE);
    let public = server.listener("public").unwrap();
    let lines =
        [format!("  POST     {}", server.url("/notify/:room")), format!("  stream   http://{public}/events")];
    for line in lines {
        eventually(&line, || server.stdout().contains(&line).then_some(()));
    }
}

#[test]
fn a_get_that_stores_is_served_and_warned_of() {
    let server = fanfare().config(one(r#"["GET /hit/:page"]"#, "")).start().unwrap();
    server.wait_for_log("a GET that stores an event is not safe", LONG).unwrap();
    let response = http::get(server.addr(), "/hit/home?ref=x", &[]).unwrap();
    assert_eq!((response.status(), body(&response)["affected"].as_u64()), (200, Some(1)));
}
