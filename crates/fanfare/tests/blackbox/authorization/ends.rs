//! Streams that end with their tokens, and users whose tokens are refused.

use fanfare_testkit::Server;
use fanfare_testkit::http::{self, Connection, End};
use fanfare_testkit::sse::Client;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::tokens::{SECRET, now, token};
use crate::admin;
use crate::kit::{self, BROWSER, LONG, STREAM, serve};

fn start() -> Server {
    serve(&format!(
        r#"
[sources.ci.extractor]
type = "webhook"
id = "ci"

[sinks.events]
type = "sse"
id = "events"
profile = "message"
identity = "jwt"
[sinks.events.jwt]
cookie = "session"
[[sinks.events.jwt.keys]]
algorithm = "HS256"
secret = "{SECRET}"

[admin]
port = 0
"#
    ))
}

fn cookie(members: &Value) -> String {
    format!("session={}", token(Algorithm::HS256, None, members))
}

fn open(server: &Server, cookie: &str) -> Client {
    Client::open(server.addr(), STREAM, &[("cookie", cookie), BROWSER[0]]).unwrap()
}

fn number(client: &mut Client) -> Value {
    serde_json::from_str::<Value>(&client.next_event(LONG).unwrap().data).unwrap()["n"].clone()
}

fn publish(server: &Server, number: u64) {
    kit::publish(server, &json!({"type": "t", "n": number}));
}

#[test]
fn a_stream_ends_with_its_token_and_a_new_one_misses_nothing() {
    let server = start();
    let expires = now() + 3;
    let old = cookie(&json!({"exp": expires}));
    let mut client = open(&server, &old);
    let told = client.next_event(LONG).unwrap();
    assert_eq!(
        (told.kind.as_str(), &told.id),
        ("expiring", &None),
        "a token of three seconds has little left"
    );
    let time = told.data.strip_prefix("the token expires at ").unwrap();
    assert_eq!(time.parse::<jiff::Timestamp>().unwrap().as_second(), i64::try_from(expires).unwrap());
    let listed = http::get(admin::address(&server), admin::CONNECTIONS, &[]).unwrap();
    assert_eq!(kit::body(&listed)["connections"][0]["expires"], time);
    publish(&server, 1);
    assert_eq!(number(&mut client), 1);
    let (items, how) = client.read_to_end(LONG).unwrap();
    assert_eq!(how, End::CutOff);
    assert!(format!("{items:?}").contains("retry: Some("), "{items:?}");
    let ended = server.wait_for_log("reason=token_expired", LONG).unwrap();
    assert!(ended.contains("user=\"7\""), "{ended}");

    publish(&server, 2);
    let seen = client.last_event_id().to_owned();
    let resume = |cookie: &str| {
        let headers = [("cookie", cookie), ("last-event-id", &seen), BROWSER[0]];
        http::get(server.addr(), STREAM, &headers).map(|response| response.status())
    };
    assert_eq!(resume(&old).unwrap(), 401, "which a browser takes for final");
    let new = cookie(&json!({}));
    let headers = [("cookie", new.as_str()), ("last-event-id", &seen), BROWSER[0]];
    let mut again = Client::open(server.addr(), STREAM, &headers).unwrap();
    publish(&server, 3);
    assert_eq!((number(&mut again), number(&mut again)), (json!(2), json!(3)));
}

#[test]
fn a_stream_ends_with_its_token_also_where_its_client_reads_nothing() {
    let server = start();
    let mut reading = open(&server, &cookie(&json!({"sub": "8"})));
    let connection = Connection::open(server.addr()).unwrap();
    connection.shrink_receive_buffer(16 * 1024).unwrap();
    let short = cookie(&json!({"exp": now() + 4}));
    let stalled = Client::open_on(connection, STREAM, &[("cookie", &short)]).unwrap();
    for _ in 0..60 {
        kit::publish(&server, &json!({"type": "t", "filling": "x".repeat(200_000)}));
        reading.next_event(LONG).unwrap();
    }
    let ended = server.wait_for_log("reason=token_expired", LONG).unwrap();
    assert!(ended.contains("user=\"7\""), "{ended}");
    publish(&server, 1);
    assert_eq!(number(&mut reading), 1);
    drop(stalled);
}

#[test]
fn a_revoked_user_needs_a_new_token_also_after_a_restart() {
    let mut server = start();
    let old = cookie(&json!({"iat": now() - 10}));
    let without_time = cookie(&json!({}));
    let others = cookie(&json!({"sub": "8", "iat": now() - 10}));
    let mut ended = [open(&server, &old), open(&server, &without_time)];
    let mut kept = open(&server, &others);
    kept.next(LONG).unwrap();
    assert_eq!(admin::end(&server, "?user=7&revoke=true"), 2);
    for client in &mut ended {
        assert_eq!(client.read_to_end(LONG).unwrap().1, End::CutOff);
    }
    server.wait_for_log("reason=revoked", LONG).unwrap();
    server.wait_for_log("user revoked peer=127.0.0.1:", LONG).unwrap();
    publish(&server, 1);
    assert_eq!(number(&mut kept), 1);
    // Whole seconds are what most tokens have.
    let new = cookie(&json!({"iat": now() + 1}));
    for _ in 0..2 {
        for refused in [&old, &without_time] {
            let response = http::get(server.addr(), STREAM, &[("cookie", refused)]).unwrap();
            assert_eq!(response.status(), 401, "{}", response.text());
            assert_eq!(response.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
            kit::problem(&response);
        }
        for taken in [&new, &others] {
            open(&server, taken).next(LONG).unwrap();
        }
        server.terminate(LONG).unwrap();
        server.restart().unwrap();
    }
    assert_eq!(admin::end(&server, "?user=nobody&revoke=true"), 0);
}
