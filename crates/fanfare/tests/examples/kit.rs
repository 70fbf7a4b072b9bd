//! What the tests share: an example's instances, posting to them, and listening to them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fanfare_testkit::Server;
use fanfare_testkit::http;
use fanfare_testkit::sse::{Client, Event};
use serde_json::Value;

/// For what must happen; far more than it takes. A source that could not connect for a while waits up to half a minute.
pub(crate) const LONG: Duration = Duration::from_mins(1);

/// Where the examples are.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples")
}

/// One of the folders, with the variables that its README sets.
pub(crate) struct Example {
    folder: PathBuf,
    variables: Vec<(String, String)>,
    /// Where an instance listens as written, and where it listens here.
    moved: Vec<(String, String)>,
}

impl Example {
    pub(crate) fn new(name: &str) -> Self {
        let folder = examples().join(name);
        let variables = variables(&fs::read_to_string(folder.join("README.md")).unwrap());
        Self { folder, variables, moved: Vec::new() }
    }

    /// Starts what this file configures. Whom it listens to must have been started before.
    pub(crate) fn start(&mut self, file: &str) -> Server {
        let written = fs::read_to_string(self.folder.join(file)).unwrap();
        let toml = self.moved.iter().fold(written.clone(), |toml, (from, to)| toml.replace(from, to));
        let server = Server::builder(env!("CARGO_BIN_EXE_fanfare")).config(toml);
        let server = self.variables.iter().fold(server, |server, (name, value)| server.env(name, value));
        // A test need not be as patient with itself as servers are with each other.
        let server = sinks(&written)
            .fold(server, |server, name| server.env(format!("FANFARE__SINKS__{name}__RETRY"), "100ms"))
            .start()
            .unwrap();
        self.moved.push((format!("127.0.0.1:{}", port(&written)), server.addr().to_string()));
        server
    }

    /// Starts it with another value of a variable.
    pub(crate) fn start_with(&mut self, file: &str, name: &str, value: &str) -> Server {
        let right: Vec<_> = self.variables.clone();
        for variable in self.variables.iter_mut().filter(|(known, _)| known == name) {
            value.clone_into(&mut variable.1);
        }
        assert_ne!(self.variables, right, "{name} is set by the README");
        let server = self.start(file);
        self.variables = right;
        server
    }

    /// The event in this file, under this id.
    pub(crate) fn event(&self, file: &str, id: &str) -> Value {
        let text = fs::read_to_string(self.folder.join(file)).unwrap();
        let mut event: Value = serde_json::from_str(&text).unwrap();
        event["context"]["id"] = id.into();
        event
    }

    /// What `Authorization` is with the token in this variable.
    pub(crate) fn bearer(&self, name: &str) -> String {
        let (_, token) = self.variables.iter().find(|(known, _)| known == name).unwrap();
        format!("Bearer {token}")
    }
}

/// What the `export` lines of a README set.
pub(crate) fn variables(readme: &str) -> Vec<(String, String)> {
    let exports = readme.lines().filter_map(|line| line.strip_prefix("export ")?.split_once('='));
    exports.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The names of the sinks of a configuration.
fn sinks(toml: &str) -> impl Iterator<Item = &str> {
    let names = toml.split("[sinks.").skip(1).filter_map(|rest| Some(rest.split_once(']')?.0));
    names.filter(|name| !name.contains('.'))
}

/// Where a configuration listens.
pub(crate) fn port(toml: &str) -> u16 {
    toml.lines().find_map(|line| line.strip_prefix("port = ")).unwrap().parse().unwrap()
}

/// Posts an event, which must be stored.
pub(crate) fn publish(server: &Server, webhook: &str, event: &Value) {
    let answer = http::post(server.addr(), webhook, &[], event.to_string()).unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text());
}

/// Waits until somebody listens to this sink.
pub(crate) fn wait_for_listener(server: &Server, sink: &str) {
    server.wait_for_log(&format!("stream opened sink={sink} "), LONG).unwrap();
}

pub(crate) fn listen(server: &Server, target: &str, headers: &[(&str, &str)]) -> Client {
    Client::open(server.addr(), target, headers).unwrap()
}

/// The next event, which must have this id, and its body.
#[track_caller]
pub(crate) fn next(client: &mut Client, id: &str) -> Value {
    let (came, body) = next_event(client);
    assert_eq!(came, id, "{body}");
    body
}

/// The id and the body of the next event.
#[track_caller]
pub(crate) fn next_event(client: &mut Client) -> (String, Value) {
    let Event { kind, data, id, .. } = client.next_event(LONG).unwrap();
    assert_eq!(kind, "cdevent", "{data}");
    (id.unwrap(), serde_json::from_str(&data).unwrap())
}

/// A stream that does not open without one of these headers (401), nor with another value where there is one (403).
pub(crate) fn check_refusals(server: &Server, target: &str, headers: &[(&str, &str, Option<&str>)]) {
    let right: Vec<_> = headers.iter().map(|(name, value, _)| (*name, *value)).collect();
    listen(server, target, &right);
    for (index, (name, _, wrong)) in headers.iter().enumerate() {
        let mut sent = right.clone();
        sent.remove(index);
        assert_eq!(http::get(server.addr(), target, &sent).unwrap().status(), 401, "{target} without {name}");
        if let Some(wrong) = wrong {
            sent.push((name, wrong));
            assert_eq!(
                http::get(server.addr(), target, &sent).unwrap().status(),
                403,
                "{target}, {name}: {wrong}"
            );
        }
    }
}
