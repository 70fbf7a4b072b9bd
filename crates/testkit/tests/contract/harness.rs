//! The other side of the service: the server that its clients read, and the place where they tell what they read.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use fanfare_testkit::http;
use fanfare_testkit::upstream::{Exchange, Upstream};
use serde_json::{Value, json};

/// For what has to come.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// For what must not come: a test fails by it only where it does, and never where the machine is slow.
pub(crate) const SHORT: Duration = Duration::from_millis(50);

/// The service, a process of its own.
pub(crate) struct Service {
    child: Child,
    pub(crate) addr: SocketAddr,
}

impl Service {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sse-contract-service"))
            .arg("0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addr = line.trim_end().rsplit_once("http://").unwrap().1.parse().unwrap();
        Self { child, addr }
    }

    /// A stream that comes back at once where it is lost, with what else is asked of it.
    pub(crate) fn stream(&self, parameters: Value) -> Stream {
        let (upstream, callbacks) = (Upstream::start().unwrap(), Upstream::start().unwrap());
        let mut body = json!({
            "streamUrl": upstream.url("/stream"),
            "callbackUrl": callbacks.url("/told"),
            "initialDelayMs": 0,
        });
        if let Value::Object(parameters) = parameters {
            body.as_object_mut().unwrap().extend(parameters);
        }
        let response = http::post(self.addr, "/", &[], body.to_string()).unwrap();
        assert_eq!(response.status(), 201, "{}", response.text());
        let resource = response.header("location").unwrap().to_owned();
        Stream { service: self.addr, upstream, callbacks, resource, told: 0 }
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A stream that the service reads.
pub(crate) struct Stream {
    service: SocketAddr,
    pub(crate) upstream: Upstream,
    callbacks: Upstream,
    resource: String,
    told: u64,
}

impl Stream {
    /// The client's next request, unanswered.
    pub(crate) fn request(&self) -> Exchange {
        self.upstream.accept(LONG).unwrap()
    }

    /// The client's next request, answered with a stream.
    pub(crate) fn open(&self) -> Exchange {
        let mut exchange = self.request();
        exchange.stream().unwrap();
        exchange
    }

    /// What the client tells next.
    pub(crate) fn told(&mut self) -> Value {
        let exchange = self.callbacks.accept(LONG).unwrap();
        self.told += 1;
        assert_eq!(
            (exchange.method.as_str(), exchange.target.clone()),
            ("POST", format!("/told/{}", self.told))
        );
        let message = serde_json::from_slice(&exchange.body).unwrap();
        exchange.answer(202, &[], "").unwrap();
        message
    }

    /// What it tells next is this event.
    #[track_caller]
    pub(crate) fn tells(&mut self, expected: Event<'_>) {
        assert_eq!(self.told(), expected.told());
    }

    /// What it tells next is an error, in which this stands.
    #[track_caller]
    pub(crate) fn tells_error(&mut self, part: &str) {
        let told = self.told();
        assert!(told["kind"] == "error" && told["error"].as_str().unwrap().contains(part), "{told}");
    }

    /// Gives the client a command; the status that this has.
    pub(crate) fn command(&self, command: &Value) -> u16 {
        http::post(self.service, &self.resource, &[], command.to_string()).unwrap().status()
    }

    /// Ends it; the status that this has.
    pub(crate) fn close(&self) -> u16 {
        http::request(self.service, "DELETE", &self.resource, &[], b"").unwrap().status()
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // Before its server is gone, so that it does not knock there any more. The service may be gone first.
        let _ = http::request(self.service, "DELETE", &self.resource, &[], b"");
    }
}

/// An event that is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Event<'a> {
    pub(crate) kind: &'a str,
    pub(crate) data: &'a str,
    pub(crate) id: &'a str,
}

impl Event<'_> {
    /// As it is told.
    fn told(self) -> Value {
        let Event { kind, data, id } = self;
        json!({ "kind": "event", "event": { "type": kind, "data": data, "id": id } })
    }
}

/// An event of any type, and the id in force.
pub(crate) const fn event<'a>(kind: &'a str, data: &'a str, id: &'a str) -> Event<'a> {
    Event { kind, data, id }
}

/// An event that has data and nothing else.
pub(crate) const fn message(data: &str) -> Event<'_> {
    event("message", data, "")
}

/// What is sent in which pieces, and what must be told of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case<'a> {
    /// The file, and the case in it.
    pub(crate) source: &'a str,
    pub(crate) chunks: &'a [&'a [u8]],
    pub(crate) events: &'a [Event<'a>],
}

impl Case<'_> {
    /// The events are told, and behind them that the stream has ended: so that there is no further event.
    pub(crate) fn check(&self, service: &Service) {
        let mut stream = service.stream(Value::Null);
        let mut exchange = stream.open();
        for chunk in self.chunks {
            exchange.send(chunk).unwrap();
        }
        exchange.end().unwrap();
        for event in self.events {
            let (told, expected) = (stream.told().to_string(), event.told().to_string());
            // Some are megabytes.
            assert!(told == expected, "{}: {told:.200} is not {expected:.200}", self.source);
        }
        stream.tells_error("the server ended the stream");
    }
}
