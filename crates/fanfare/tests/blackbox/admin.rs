//! What an operator sees of the open streams, how he ends them, and who cannot.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use fanfare_testkit::Server;
use fanfare_testkit::http::{self, Connection, End, Response};
use fanfare_testkit::sse::{Client, Item, Silent};
use serde_json::{Value, json};

use crate::kit::{BROWSER, LONG, body, eventually, problem, publish, serve};

pub(crate) const CONNECTIONS: &str = "/admin/connections";

const BASE: &str = r#"
[sources.ci.extractor]
type = "webhook"
id = "ci"

[sinks.events]
type = "sse"
id = "events"
profile = "message"
identity = "query"

[sinks.other]
type = "sse"
id = "other"
"#;

const ADMIN: &str = "[admin]\nport = 0\n";

fn start() -> Server {
    serve(&format!("{BASE}{ADMIN}"))
}

/// Where a server says that its operator may ask.
pub(crate) fn address(server: &Server) -> SocketAddr {
    eventually("line that says where the operator may ask", || {
        let printed = server.stdout();
        let address =
            |line: &String| line.strip_prefix("  admin    http://")?.strip_suffix(CONNECTIONS)?.parse().ok();
        printed.iter().find_map(address)
    })
}

fn ask(server: &Server, method: &str, query: &str) -> Response {
    http::request(address(server), method, &format!("{CONNECTIONS}{query}"), &[], b"").unwrap()
}

/// The open streams that are meant, and how many there are.
fn listed(server: &Server, query: &str) -> (Vec<Value>, u64) {
    let response = ask(server, "GET", query);
    assert_eq!(response.status(), 200, "{}", response.text());
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let answer = body(&response);
    (answer["connections"].as_array().unwrap().clone(), answer["total"].as_u64().unwrap())
}

/// Ends the streams that are meant, and says how many there were.
pub(crate) fn end(server: &Server, query: &str) -> u64 {
    let response = ask(server, "DELETE", query);
    assert_eq!(response.status(), 200, "{query}: {}", response.text());
    body(&response)["closed"].as_u64().unwrap()
}

fn open(server: &Server, target: &str) -> Client {
    Client::open(server.addr(), target, &[]).unwrap()
}

#[test]
fn the_open_streams_are_listed() {
    let server = start();
    assert_eq!(listed(&server, ""), (vec![], 0));
    let connection = Connection::open(server.addr()).unwrap();
    let peer = connection.local_addr().unwrap().to_string();
    let mut first = Client::open_on(connection, "/sse/events?rooms=b,a&user_id=42", &[]).unwrap();
    let other = open(&server, "/sse/other");
    let (all, total) = listed(&server, "");
    assert_eq!((all.len(), total), (2, 2));
    let [one, two] = &all[..] else { panic!("{all:?}") };
    let of_first = [&one["sink"], &one["peer"], &one["user"], &one["rooms"], &one["expires"]];
    let expected = [json!("events"), json!(peer), json!("42"), json!(["a", "b"]), Value::Null];
    assert_eq!(of_first.map(Value::clone), expected);
    assert_eq!((&two["sink"], &two["user"], &two["rooms"]), (&json!("other"), &Value::Null, &json!([])));
    assert!(one["opened"].as_str().unwrap().ends_with('Z'), "{one}");
    assert_eq!(one["position"], first.head().header("last-event-id").unwrap());
    assert_ne!(one["connection"], two["connection"]);

    // The log calls it the same.
    let id = one["connection"].as_str().unwrap();
    let opened = server.wait_for_log(&format!("connection=\"{id}\" user=\"42\""), LONG).unwrap();
    assert!(opened.contains("stream opened") && opened.contains(&peer), "{opened}");

    publish(&server, &json!({"type": "t", "id": "e"}));
    let position = first.next_event(LONG).unwrap().id.unwrap();
    eventually("position behind the event", || {
        let (now, _) = listed(&server, &format!("?connection={id}"));
        now[0]["position"].as_str().unwrap().ends_with(&format!(".{position}")).then_some(())
    });
    for (query, total) in [
        ("?user=42", 1),
        ("?user=43", 0),
        ("?room=a", 1),
        ("?room=c", 0),
        ("?sink=other", 1),
        ("?sink=nothing", 0),
        ("?sink=other&user=42", 0),
        (&format!("?connection={id}&room=b&user=42&sink=events"), 1),
        ("?connection=nothing", 0),
    ] {
        assert_eq!(listed(&server, query).1, total, "{query}");
    }
    server.wait_for_log("connections listed peer=127.0.0.1:", LONG).unwrap();
    drop(other);
    eventually("end of the other", || (listed(&server, "").1 == 1).then_some(()));
    assert_eq!(ask(&server, "HEAD", "").body, b"");
}

#[test]
fn those_who_are_meant_are_ended_and_nobody_else() {
    let server = start();
    for (query, ended) in [
        ("?user=1", vec![0, 1]),
        ("?room=a", vec![0, 2]),
        ("?room=a&user=1", vec![0]),
        ("?sink=other", vec![3]),
        ("?sink=events&room=b", vec![2]),
        ("?room=c", vec![]),
        ("?user=%31&revoke=false", vec![0, 1]),
    ] {
        let targets =
            ["/sse/events?room=a&user_id=1", "/sse/events?user_id=1", "/sse/events?rooms=a,b", "/sse/other"];
        let mut clients: Vec<_> = targets.iter().map(|target| open(&server, target)).collect();
        assert_eq!(end(&server, query), ended.len() as u64, "{query}");
        for index in &ended {
            assert_eq!(clients[*index].read_to_end(LONG).unwrap(), (vec![], End::CutOff), "{query}");
        }
        eventually("end of those that are meant", || {
            (listed(&server, "").1 == (targets.len() - ended.len()) as u64).then_some(())
        });
        publish(&server, &json!({"type": "t"}));
        for (index, client) in clients.iter_mut().enumerate().filter(|(index, _)| !ended.contains(index)) {
            assert_eq!(client.next_event(LONG).unwrap().kind, if index == 3 { "cdevent" } else { "message" });
        }
        drop(clients);
        eventually("end of all", || (listed(&server, "").1 == 0).then_some(()));
    }
    server.wait_for_log("connections ended peer=127.0.0.1:", LONG).unwrap();
    let kicked = || server.log().iter().filter(|line| line.contains("reason=kicked")).count();
    eventually("log of each end", || (kicked() == 9).then_some(()));
    assert_eq!(kicked(), 9);
}

#[test]
fn a_browser_that_was_ended_comes_back_without_a_gap() {
    let server = start();
    let mut client = Client::open(server.addr(), "/sse/events?user_id=42", &BROWSER).unwrap();
    client.next(LONG).unwrap();
    publish(&server, &json!({"type": "t", "n": 1}));
    client.next_event(LONG).unwrap();
    let id = listed(&server, "").0[0]["connection"].as_str().unwrap().to_owned();
    assert_eq!(end(&server, &format!("?connection={id}")), 1);
    let (items, how) = client.read_to_end(LONG).unwrap();
    assert!(matches!(&items[..], [Item::Silent(Silent { retry: Some(_), .. })]), "{items:?}");
    assert_eq!(how, End::CutOff);
    publish(&server, &json!({"type": "t", "n": 2}));
    let seen = client.last_event_id().to_owned();
    let headers = [BROWSER[0], ("Last-Event-ID", &*seen)];
    let mut again = Client::open(server.addr(), "/sse/events?user_id=42", &headers).unwrap();
    assert_eq!(again.next_event(LONG).unwrap().data, r#"{"type":"t","n":2}"#);
    let other = listed(&server, "").0[0]["connection"].clone();
    assert_ne!(other, id);
    assert_eq!(end(&server, &format!("?connection={id}")), 0, "an id is not given again");
}

/// Publishes more than what fits between a server and a client that reads nothing.
fn fill(server: &Server) {
    let mut reading = open(server, "/sse/events");
    for _ in 0..40 {
        publish(server, &json!({"type": "t", "filling": "x".repeat(200_000)}));
        reading.next_event(LONG).unwrap();
    }
}

#[test]
fn a_client_that_reads_nothing_is_ended_too() {
    let server = start();
    let connection = Connection::open(server.addr()).unwrap();
    connection.shrink_receive_buffer(16 * 1024).unwrap();
    let stalled = Client::open_on(connection, "/sse/events?user_id=42", &[]).unwrap();
    eventually("time when the server cannot send any more", || {
        let position = || listed(&server, "?user=42").0[0]["position"].clone();
        let before = position();
        fill(&server);
        (position() == before).then_some(())
    });
    assert_eq!(end(&server, "?user=42"), 1);
    let ended = server.wait_for_log("reason=kicked", LONG).unwrap();
    assert!(ended.contains("user=\"42\""), "{ended}");
    assert_eq!(listed(&server, "?user=42").1, 0);
    drop(stalled);
}

/// A connection that speaks HTTP/2 (RFC 9113) as far as it takes to open streams and to read nothing of them.
struct Http2(TcpStream);

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;

impl Http2 {
    fn open(addr: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(addr).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").unwrap();
        let mut connection = Self(stream);
        // SETTINGS_INITIAL_WINDOW_SIZE is 0: no byte of a body may be sent.
        connection.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
        connection
    }

    fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let frame = [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat();
        self.0.write_all(&frame).unwrap();
    }

    /// `GET`, in the table of RFC 7541, appendix A; the path and the authority as literals.
    fn get(&mut self, stream: u32, path: &str) {
        let literal = |index: u8, value: &str| {
            [&[index, u8::try_from(value.len()).unwrap()], value.as_bytes()].concat()
        };
        let block = [vec![0x82, 0x86], literal(0x04, path), literal(0x01, "x")].concat();
        // END_HEADERS and END_STREAM.
        self.send(HEADERS, 0x5, stream, &block);
        self.wait_for(HEADERS, stream);
    }

    fn wait_for(&mut self, kind: u8, stream: u32) {
        loop {
            let mut head = [0; 9];
            self.0.read_exact(&mut head).unwrap();
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; length as usize];
            self.0.read_exact(&mut payload).unwrap();
            if (head[3], u32::from_be_bytes([head[5], head[6], head[7], head[8]])) == (kind, stream) {
                return;
            }
        }
    }
}

#[test]
fn of_http_2_one_stream_is_ended_and_the_connection_goes_on() {
    let server = start();
    let mut connection = Http2::open(server.addr());
    connection.get(1, "/sse/events?user_id=1");
    connection.get(3, "/sse/events?user_id=2");
    publish(&server, &json!({"type": "t"}));
    assert_eq!(end(&server, "?user=1"), 1);
    connection.wait_for(RST_STREAM, 1);
    server.wait_for_log("reason=kicked", LONG).unwrap();
    assert_eq!(listed(&server, "").1, 1);
    connection.send(PING, 0, 0, &[7; 8]);
    connection.wait_for(PING, 0);
    assert_eq!(end(&server, "?user=2"), 1);
    connection.wait_for(RST_STREAM, 3);
}

#[test]
fn what_may_be_a_mistake_ends_nobody() {
    let server = start();
    let _client = open(&server, "/sse/events?user_id=42");
    let check = |method: &str, query: &str, status: u16, detail: &str| {
        let response = ask(&server, method, query);
        assert_eq!(response.status(), status, "{method} {query}: {}", response.text());
        let problem = problem(&response);
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{method} {query}: {problem}");
    };
    check("DELETE", "", 400, "say whose streams end");
    check("DELETE", "?usr=42", 400, "not known here");
    check("DELETE", "?user=42&rooms=a", 400, "not known here");
    check("DELETE", "?user=", 400, "the parameter `user` must not be empty");
    check("DELETE", "?user=42&revoke=true", 400, "whoever they say they are");
    check("DELETE", "?room=a&revoke=true", 400, "goes with `user` and nothing else");
    check("GET", "?user_id=42", 400, "not known here");
    check("POST", "?user=42", 405, "GET, HEAD, DELETE");
    check("OPTIONS", "?user=42", 405, "GET, HEAD, DELETE");
    assert_eq!(listed(&server, "").1, 1);
    server.wait_for_log("admin refused peer=127.0.0.1:", LONG).unwrap();
}

#[test]
fn pages_in_the_operators_browser_end_nobody() {
    let server = start();
    let _client = open(&server, "/sse/events?user_id=42");
    let admin = address(&server);
    for headers in [
        [("Origin", "http://evil.example")],
        [("Origin", "null")],
        [("Sec-Fetch-Site", "cross-site")],
        [("Sec-Fetch-Site", "same-site")],
        [("Host", "evil.example")],
        [("Host", "127.0.0.1.evil.example:9090")],
    ] {
        for method in ["GET", "DELETE"] {
            let target = format!("{CONNECTIONS}?user=42");
            let response = http::request(admin, method, &target, &headers, b"").unwrap();
            assert_eq!(response.status(), 403, "{method} {headers:?}");
            assert_eq!(response.header("access-control-allow-origin"), None);
            let named = problem(&response)["header"].as_str().unwrap().to_owned();
            assert!(named.eq_ignore_ascii_case(headers[0].0), "{named}");
        }
    }
    for headers in [[("Host", "localhost:1")], [("Host", "[::1]")], [("Sec-Fetch-Site", "none")]] {
        assert_eq!(http::get(admin, CONNECTIONS, &headers).unwrap().status(), 200, "{headers:?}");
    }
    assert_eq!(listed(&server, "").1, 1);
}

#[test]
fn it_has_header_rules_of_its_own() {
    let rule = r#""Authorization" = { type = "equals", value = "hunter2", prefix = "Bearer " }"#;
    let server = serve(&format!("{BASE}{ADMIN}host = \"0.0.0.0\"\n[admin.headers]\n{rule}\n"));
    let admin = SocketAddr::from(([127, 0, 0, 1], address(&server).port()));
    let check = |headers: &[(&str, &str)], status: u16| {
        let response =
            http::request(admin, "DELETE", &format!("{CONNECTIONS}?user=1"), headers, b"").unwrap();
        assert_eq!(response.status(), status, "{headers:?}: {}", response.text());
        assert!(!response.text().contains("hunter2"));
    };
    check(&[], 401);
    check(&[("Authorization", "Bearer hunter3")], 403);
    check(&[("Authorization", "Bearer hunter2")], 200);
    check(&[("Authorization", "Bearer hunter2"), ("Host", "admin.example.com")], 200);
    check(&[("Authorization", "Bearer hunter2"), ("Origin", "http://localhost")], 403);
    assert!(!server.log().iter().any(|line| line.contains("hunter")));
}

#[test]
fn nothing_else_is_served_where_the_operator_asks_and_it_ends_with_the_server() {
    let mut server = start();
    let admin = address(&server);
    for path in ["/", "/sse/events", "/webhook/ci", "/admin"] {
        assert_eq!(http::get(admin, path, &[]).unwrap().status(), 404, "{path}");
    }
    assert_eq!(http::get(server.addr(), CONNECTIONS, &[]).unwrap().status(), 404);
    let kept = Connection::open(admin).unwrap();
    let (response, kept) = kept.exchange("GET", CONNECTIONS, &[], b"", LONG).unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(server.terminate(LONG).unwrap().code(), Some(0));
    drop(kept);
}
