//! Three instances, where the second follows the first, and the third the second.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use fanfare_testkit::fault_proxy::FaultProxy;
use fanfare_testkit::http::post;
use fanfare_testkit::sse::Client;
use fanfare_testkit::{Builder, Server};

use crate::LONG;

/// How often something new is sent until the last instance shows some of it.
const SHORT: Duration = Duration::from_millis(100);

/// The path of every instance's stream.
pub(crate) const OUT: &str = "/sse/out";

/// What all have. Windows and buffers are soon left, so that much is read from the files; who comes back does so soon.
const EVERYBODY: &str = r#"
[log]
type = "sqlite"
path = "events.db"
[log.window]
events = 64

[sinks.out]
type = "sse"
id = "out"
buffer = 32
keep_alive = "200ms"
retry = "50ms"

[sinks.envelopes]
type = "sse"
id = "envelopes"
profile = "envelope"
"#;

const WEBHOOK: &str = r#"
[sources.in.extractor]
type = "webhook"
id = "in"
"#;

pub(crate) struct Chain {
    instances: [Server; 3],
    /// In front of the first and of the second one.
    pub(crate) proxies: Vec<FaultProxy>,
}

/// An instance that events are sent to.
pub(crate) fn first() -> Builder {
    instance(format!("{EVERYBODY}{WEBHOOK}"))
}

/// An instance that follows the stream at this address.
pub(crate) fn following(addr: SocketAddr) -> Builder {
    instance(format!("{EVERYBODY}{}", source(addr)))
}

pub(crate) fn source(addr: SocketAddr) -> String {
    format!(
        "[sources.up.extractor]\ntype = \"sse\"\nurl = \"http://{addr}{OUT}\"\nreconnect_delay = \"50ms\"\n\
         read_timeout = \"1s\"\n"
    )
}

pub(crate) fn instance(config: String) -> Builder {
    Server::builder(env!("CARGO_BIN_EXE_fanfare")).config(config).env("RUST_LOG", "info")
}

impl Chain {
    pub(crate) fn start() -> Self {
        let first = first().start().unwrap();
        let second = following(first.addr()).start().unwrap();
        let third = following(second.addr()).start().unwrap();
        Self::warm([first, second, third], Vec::new())
    }

    /// With a proxy in front of each that is followed.
    pub(crate) fn start_with_proxies() -> Self {
        let first = first().start().unwrap();
        let before_first = FaultProxy::start(first.addr()).unwrap();
        let second = following(before_first.addr()).start().unwrap();
        let before_second = FaultProxy::start(second.addr()).unwrap();
        let third = following(before_second.addr()).start().unwrap();
        Self::warm([first, second, third], vec![before_first, before_second])
    }

    /// Who follows a stream for the first time sees what comes from then on; here that is everything.
    fn warm(instances: [Server; 3], proxies: Vec<FaultProxy>) -> Self {
        let [first, _, third] = &instances;
        warm_up(first.addr(), third.addr());
        Self { instances, proxies }
    }

    pub(crate) fn len(&self) -> usize {
        self.instances.len()
    }

    pub(crate) fn first(&self) -> SocketAddr {
        self.instances[0].addr()
    }

    pub(crate) fn last(&self) -> SocketAddr {
        self.instances[2].addr()
    }

    pub(crate) fn instance(&mut self, index: usize) -> &mut Server {
        self.instances.get_mut(index).unwrap()
    }

    /// Kills all of these, then starts them again in this order.
    pub(crate) fn kill_and_restart(&mut self, which: &[usize]) {
        for index in which {
            self.instance(*index).kill().unwrap();
        }
        for index in which {
            self.instance(*index).restart().unwrap();
        }
    }
}

/// Sends events to the first instance until the last one shows one.
pub(crate) fn warm_up(first: SocketAddr, last: SocketAddr) {
    let mut shown = Client::open(last, OUT, &[]).unwrap();
    let start = Instant::now();
    loop {
        let answer =
            post(first, "/webhook/in", &[("content-type", "application/json")], r#"{"type":"warm-up"}"#);
        assert_eq!(answer.unwrap().status(), 201);
        match shown.next_event(SHORT) {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::TimedOut, "{error}"),
        }
        assert!(start.elapsed() < LONG, "nothing arrives");
    }
}

/// Where the stream of an instance begins now.
pub(crate) fn position(addr: SocketAddr, target: &str) -> String {
    Client::open(addr, target, &[]).unwrap().head().header("last-event-id").unwrap().to_owned()
}
