//! A folder of Mycel's: its companion example as its users run it, on two free ports.

use std::collections::BTreeMap;
use std::fs;

use fanfare_testkit::sse::Client;
use fanfare_testkit::{Builder, Server, http};
use serde_json::{Value, json};

use crate::kit::{LONG, body, fanfare, run};

const CONNECTORS: &str = include_str!("../../../config/tests/mycel/example/connectors.mycel");
const FLOWS: &str = include_str!("../../../config/tests/mycel/example/flows.mycel");

/// The folder itself is the configuration.
fn example() -> Builder {
    let folder = fanfare().file("connectors.mycel", CONNECTORS).file("flows.mycel", FLOWS);
    let any_port =
        [("FANFARE__LISTENERS__EVENTS__PORT", "0"), ("FANFARE__LISTENERS__EVENTS__HOST", "127.0.0.1")];
    any_port
        .into_iter()
        .fold(folder, |folder, (name, value)| folder.env(name, value))
        .arg("--config")
        .arg(".")
}

fn stream(server: &Server, query: &str, headers: &[(&str, &str)]) -> Client {
    let addr = server.listener("events").unwrap();
    Client::open(addr, &format!("/events{query}"), headers).unwrap()
}

/// A request that must be taken.
#[track_caller]
fn call(server: &Server, target: &str, input: &Value) {
    let headers = [("Content-Type", "application/json")];
    let response = http::post(server.addr(), target, &headers, input.to_string()).unwrap();
    assert_eq!(response.status(), 200, "{}", response.text());
    let answer = body(&response);
    assert_eq!(answer["affected"], 1);
    assert!(answer["id"].is_string());
}

/// The id and the data of the next message.
#[track_caller]
fn next(client: &mut Client) -> (String, Value) {
    let event = client.next_event(LONG).unwrap();
    assert_eq!(event.kind, "message");
    (event.id.unwrap(), serde_json::from_str(&event.data).unwrap())
}

#[test]
fn the_companion_example_with_its_six_calls() {
    let server = example().start().unwrap();
    let hello = json!({"message": "Hello everyone!"});
    let order = json!({"message": "New order received!"});
    let shipped = json!({"message": "Your order shipped!"});
    let in_room = json!({"message": "New order received!", "room": "orders"});
    let in_stock = json!({"message": "Restocked", "room": "inventory"});
    let for_user = json!({"message": "Your order shipped!", "user_id": "42"});
    let last = json!({"last": true});
    let clients = [
        ("", vec![&hello, &last]),
        ("?room=orders", vec![&hello, &in_room, &last]),
        ("?rooms=orders,inventory", vec![&hello, &in_room, &in_stock, &last]),
        ("?user_id=42", vec![&hello, &for_user, &last]),
        ("?user_id=7", vec![&hello, &last]),
    ];
    let mut open: Vec<_> = clients.iter().map(|(query, _)| stream(&server, query, &[])).collect();
    for (target, input) in [
        ("/notify", &hello),
        ("/notify/orders", &order),
        ("/notify/inventory", &json!({"message": "Restocked"})),
        ("/notify/user/42", &shipped),
        // Nobody is there.
        ("/notify/user/8", &shipped),
        ("/notify", &last),
    ] {
        call(&server, target, input);
    }
    // An event has one id, whoever gets it, and ids grow.
    let mut ids = BTreeMap::new();
    for (client, (query, expected)) in open.iter_mut().zip(&clients) {
        let mut before = 0;
        for expected in expected {
            let (id, data) = next(client);
            assert_eq!(data, **expected, "{query}");
            assert_eq!(*ids.entry(data.to_string()).or_insert_with(|| id.clone()), id, "{query}");
            let id: u64 = id.parse().unwrap();
            assert!(id > before, "{query}");
            before = id;
        }
    }
    // Who comes back gets what it could have seen.
    let mut again = stream(&server, "?room=orders", &[("Last-Event-ID", &ids[&hello.to_string()])]);
    assert_eq!([next(&mut again), next(&mut again)].map(|(_, data)| data), [in_room, last]);
}

#[test]
fn where_the_path_and_the_body_name_rooms_the_path_holds() {
    let server = example().start().unwrap();
    let mut orders = stream(&server, "?room=orders", &[]);
    let mut vip = stream(&server, "?room=vip", &[]);
    call(&server, "/notify/orders?room=vip", &json!({"room": "vip", "n": 1}));
    call(&server, "/notify", &json!({"n": 2}));
    assert_eq!(next(&mut orders).1, json!({"room": "orders", "n": 1}));
    assert_eq!(next(&mut vip).1, json!({"n": 2}));
    for wrong in ["[1]", "no json"] {
        let response = http::post(server.addr(), "/notify/orders", &[], wrong).unwrap();
        assert_eq!(response.status(), 400, "{}", response.text());
    }
}

#[test]
fn pages_of_other_origins_may_read_the_example() {
    let server = example().start().unwrap();
    let client = stream(&server, "", &[("Origin", "https://app.example.com")]);
    assert_eq!(client.head().header("access-control-allow-origin"), Some("*"));
}

#[test]
fn a_start_says_that_anyone_may_join() {
    let server = example().start().unwrap();
    let _ = server.wait_for_log("anyone may join any room of `events` and be any user", LONG).unwrap();
    assert!(server.dir().join("fanfare-data/events.db").exists(), "the log is in the folder");
}

#[test]
fn a_folder_is_checked_and_printed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let output = run(&["check", path], &[]);
    assert_eq!(output.code, Some(3));
    assert!(output.stderr.contains("no file in this folder ends in `.mycel` or `.hcl`"), "{}", output.stderr);

    fs::create_dir(folder.path().join("flows")).unwrap();
    fs::write(folder.path().join("connectors.mycel"), CONNECTORS).unwrap();
    fs::write(folder.path().join("flows/notify.mycel"), FLOWS).unwrap();
    let output = run(&["check", path], &[]);
    assert_eq!((output.code, output.stdout.contains("ok, 1 source, 1 sink")), (Some(0), true), "{output:?}");

    let printed = run(&["check", "--print", path], &[]).stdout;
    let native = folder.path().join("fanfare.toml");
    fs::write(&native, &printed).unwrap();
    let output = run(&["check", "--print", native.to_str().unwrap()], &[]);
    assert_eq!((output.code, output.stdout), (Some(0), printed), "{}", output.stderr);

    fs::write(folder.path().join("more.mycel"), "connector \"db\" {\n  type = \"database\"\n}\n").unwrap();
    let output = run(&["check", path], &[]);
    assert_eq!(output.code, Some(3));
    assert!(output.stderr.contains("more.mycel:2:10"), "{}", output.stderr);
}

#[test]
fn where_the_log_cannot_be_opened_the_environment_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("connectors.mycel"), CONNECTORS).unwrap();
    fs::write(folder.path().join("flows.mycel"), FLOWS).unwrap();
    fs::create_dir(folder.path().join("fanfare-data")).unwrap();
    fs::write(folder.path().join("fanfare-data/events.db"), "this is no database at all".repeat(99)).unwrap();
    let env = [("FANFARE__HTTP__PORT", "0"), ("FANFARE__LISTENERS__EVENTS__PORT", "0")];
    let output = run(&["serve", "--config", folder.path().to_str().unwrap()], &env);
    assert_eq!(output.code, Some(1), "{}", output.stderr);
    assert!(
        output.stderr.contains("FANFARE__LOG__PATH in the environment is `log.path`"),
        "{}",
        output.stderr
    );
}
