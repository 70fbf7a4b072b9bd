//! `sse-contract-service [PORT]`: the project's client of Server-Sent Events, driven from outside. It speaks the service
//! protocol of the public contract tests for such clients (`launchdarkly/sse-contract-tests`, `docs/service_spec.md`), so
//! that their harness can judge it.
//!
//! Here is what the service is asked for, and which stream that concerns; what a stream tells is in [`stream`].

mod callback;
mod parameters;
mod stream;

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use std::{env, io};

use fanfare_testkit::upstream::{Exchange, Upstream};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::parameters::Parameters;
use crate::stream::Stream;

/// What of the protocol's options holds for our client. It shows no comments, and events of all types without being told
/// which.
const CAPABILITIES: [&str; 8] = [
    "bom",
    "headers",
    "last-event-id",
    "post",
    "read-timeout",
    "report",
    "restart",
    "server-directed-shutdown-request",
];

/// The port that the harness's documentation has in its examples.
const DEFAULT_PORT: u16 = 8000;

/// Behind it is the number of a stream.
const STREAMS: &str = "/streams/";

/// Whoever connects and asks for nothing keeps others waiting no longer than that.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

#[expect(clippy::print_stdout, reason = "who has chosen port 0 learns here which one it is")]
fn main() -> io::Result<()> {
    let port = match env::args().nth(1) {
        Some(port) => port.parse().map_err(|_| io::Error::other(format!("{port} is no port")))?,
        None => DEFAULT_PORT,
    };
    let listener = Upstream::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))?;
    println!("listening on {}", listener.url(""));

    let mut service = Service { runtime: Runtime::new()?, started: 0, open: HashMap::new() };
    loop {
        let exchange = match listener.accept(REQUEST_TIMEOUT) {
            Ok(exchange) => exchange,
            // Nobody asked, or it was no request.
            Err(error) if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::InvalidData) => {
                continue;
            }
            Err(error) => return Err(error),
        };
        let stops = exchange.method == "DELETE" && exchange.target == "/";
        let Answer { status, location, body } = service.answer(&exchange);
        let location = location.as_ref().map(|location| ("location", location.as_str()));
        // Whoever is gone has no use for the answer.
        let _ = exchange.answer(status, location.as_slice(), body);
        if stops {
            return Ok(());
        }
    }
}

struct Service {
    runtime: Runtime,
    started: u64,
    open: HashMap<u64, Stream>,
}

struct Answer {
    status: u16,
    location: Option<String>,
    body: String,
}

impl Answer {
    fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, location: None, body: body.into() }
    }
}

impl Service {
    fn answer(&mut self, request: &Exchange) -> Answer {
        let number = request.target.strip_prefix(STREAMS).and_then(|number| number.parse().ok());
        match (request.method.as_str(), request.target.as_str(), number) {
            ("GET", "/", _) => {
                Answer::new(200, json!({ "name": "fanfare", "capabilities": CAPABILITIES }).to_string())
            }
            ("DELETE", "/", _) => Answer::new(204, ""),
            ("POST", "/", _) => self.start(&request.body),
            ("POST", _, Some(number)) => self.command(number, &request.body),
            ("DELETE", _, Some(number)) => {
                let ended = self.open.remove(&number);
                Answer::new(if ended.is_some() { 204 } else { 404 }, "")
            }
            _ => Answer::new(404, ""),
        }
    }

    fn start(&mut self, body: &[u8]) -> Answer {
        let parameters = match Parameters::parse(body) {
            Ok(parameters) => parameters,
            Err(problem) => return Answer::new(400, problem),
        };
        self.started += 1;
        self.open.insert(self.started, Stream::start(&self.runtime, parameters));
        Answer { location: Some(format!("{STREAMS}{}", self.started)), ..Answer::new(201, "") }
    }

    fn command(&self, number: u64, body: &[u8]) -> Answer {
        let Some(stream) = self.open.get(&number) else { return Answer::new(404, "") };
        let command = serde_json::from_slice::<Value>(body).unwrap_or_default();
        if command.get("command").and_then(Value::as_str) == Some("restart") {
            stream.restart();
            Answer::new(202, "")
        } else {
            Answer::new(400, "the only command is `restart`")
        }
    }
}
