//! What the modules share: starting the binary, publishing, subscribing, and looking at answers.

use std::io::Write as _;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use fanfare_testkit::http::{self, Chunk, Connection, Response};
use fanfare_testkit::sse::{Client, Event, Message};
use fanfare_testkit::{Builder, Server};
use serde_json::{Value, json};

/// For what must happen; far more than it takes.
pub(crate) const LONG: Duration = Duration::from_secs(10);

/// A webhook `ci` and a stream `events`.
pub(crate) const BASIC: &str = r#"
[sources.ci.extractor]
type = "webhook"
id = "ci"

[sinks.events]
type = "sse"
id = "events"
"#;

pub(crate) const STREAM: &str = "/sse/events";
pub(crate) const WEBHOOK: &str = "/webhook/ci";

/// What a browser sends with every request of an `EventSource`.
pub(crate) const BROWSER: [(&str, &str); 1] = [("Sec-Fetch-Mode", "cors")];

pub(crate) fn fanfare() -> Builder {
    Server::builder(env!("CARGO_BIN_EXE_fanfare"))
}

/// The binary with this configuration.
pub(crate) fn serve(config: &str) -> Server {
    fanfare().config(config).start().unwrap()
}

/// [`BASIC`], with further keys for its sink.
pub(crate) fn serve_sink(keys: &str) -> Server {
    serve(&format!("{BASIC}{keys}"))
}

/// A CDEvent with this id.
pub(crate) fn cdevent(id: &str) -> Value {
    cdevent_of("dev.cdevents.build.started.0.1.0", id)
}

/// A CDEvent of this type.
pub(crate) fn cdevent_of(kind: &str, id: &str) -> Value {
    json!({
        "context": {"version": "0.4.0", "id": id, "source": "github.com/myorg/myrepo", "type": kind,
            "timestamp": "2024-01-15T10:30:00Z"},
        "subject": {"id": "build-456", "type": "build", "content": {"id": "build-456"}}
    })
}

/// Posts to the webhook `ci`.
pub(crate) fn post(server: &Server, body: &Value) -> Response {
    http::post(server.addr(), WEBHOOK, &[], body.to_string()).unwrap()
}

/// Publishes an event, which must be stored, and gives its seq.
pub(crate) fn publish(server: &Server, event: &Value) -> u64 {
    let response = post(server, event);
    assert_eq!(response.status(), 201, "{}", response.text());
    body(&response)["events"][0]["seq"].as_u64().unwrap()
}

/// Publishes CDEvents with these ids.
pub(crate) fn publish_ids<'a>(server: &Server, ids: impl IntoIterator<Item = &'a str>) {
    for id in ids {
        publish(server, &cdevent(id));
    }
}

/// Opens the stream `events`.
pub(crate) fn subscribe(server: &Server, headers: &[(&str, &str)]) -> Client {
    Client::open(server.addr(), STREAM, headers).unwrap()
}

/// A request of which only the head of the answer is read, so that it may be a stream.
pub(crate) fn head_of(addr: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)]) -> http::Head {
    let mut connection = Connection::open(addr).unwrap();
    connection.send_request(method, target, headers, b"").unwrap();
    connection.read_head(LONG).unwrap()
}

/// A request on a connection that goes on afterwards.
pub(crate) fn request_on(
    mut connection: Connection,
    method: &str,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (Response, Connection) {
    connection.send_request(method, target, headers, body).unwrap();
    let head = connection.read_head(LONG).unwrap();
    let mut coming = connection.into_body(&head, method).unwrap();
    let mut body = Vec::new();
    loop {
        match coming.next(LONG).unwrap() {
            Chunk::Data(data) => body.extend(data),
            Chunk::End(end) => return (Response { head, body, end }, coming.into_connection()),
        }
    }
}

/// The ids of the next events.
pub(crate) fn next_ids(client: &mut Client, count: usize) -> Vec<String> {
    client.next_events(count, LONG).unwrap().iter().map(id_of).collect()
}

pub(crate) fn id_of(event: &Event) -> String {
    assert_eq!(event.kind, "cdevent", "{event:?}");
    event.id.clone().unwrap()
}

/// An event of the stream that is not a fact: a gap, a notice.
pub(crate) fn next_notice(client: &mut Client, kind: &str) -> Event {
    let event = client.next_event(LONG).unwrap();
    assert_eq!(event.kind, kind, "{event:?}");
    event
}

/// Whatever comes next.
pub(crate) fn next(client: &mut Client) -> Message {
    client.next(LONG).unwrap()
}

/// An answer's body.
pub(crate) fn body(response: &Response) -> Value {
    serde_json::from_slice(&response.body).unwrap_or_else(|_| panic!("not JSON: {}", response.text()))
}

/// An answer's problem details (RFC 9457); what all of them have in common is checked here.
#[track_caller]
pub(crate) fn problem(response: &Response) -> Value {
    assert_eq!(response.header("content-type"), Some("application/problem+json"), "{}", response.text());
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let problem = body(response);
    assert_eq!(problem["type"], "about:blank");
    assert_eq!(problem["status"], response.status());
    for member in ["title", "detail"] {
        assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {problem}");
    }
    problem
}

/// What a command that ends by itself said.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs the binary to its end, with nothing of the test's own environment that it would look at.
pub(crate) fn run(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    for (name, _) in std::env::vars_os() {
        if name == "RUST_LOG" || name.to_string_lossy().starts_with("FANFARE__") {
            command.env_remove(name);
        }
    }
    command.args(args).envs(env.iter().copied());
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (done, ended) = mpsc::channel();
    thread::spawn(move || done.send(child.wait_with_output().unwrap()));
    let output = ended.recv_timeout(LONG).unwrap_or_else(|_| panic!("{args:?} does not end"));
    Output {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A file that lives as long as the test.
pub(crate) fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// Asks again and again until there is an answer. For what gives no sign of its own, such as the process's open files.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < LONG {
        if let Some(answer) = ask() {
            return answer;
        }
        thread::yield_now();
    }
    panic!("no {what} within {LONG:?}");
}
