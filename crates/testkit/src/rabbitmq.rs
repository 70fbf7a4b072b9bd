//! A real RabbitMQ: a node of its own, on free ports and in a folder of its own, that can be killed and started again;
//! and [`Client`], which speaks AMQP 0-9-1 to it.
//!
//! A server of the machine is neither used nor disturbed: names, ports, cookie, plugins and configuration are the test's.

mod client;
mod frame;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;

pub use client::{Client, Got, Message, Properties, Queue};

use crate::lines::Lines;

/// The script that starts a node as whoever calls it. The one in `/usr/sbin` becomes the user `rabbitmq` first, who may
/// not write here.
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/// How long a node may take to start: an Erlang machine, and a disk that is busy with other tests.
const START_TIMEOUT: Duration = Duration::from_mins(2);

/// What a node prints last, once it listens.
const STARTED: &str = "Starting broker... completed";

/// A running node. It is killed when dropped.
#[derive(Debug)]
pub struct Broker {
    dir: TempDir,
    ports: Ports,
    /// Erlang's name server. One of its own, so that none stays behind.
    names: Child,
    node: Option<Node>,
}

#[derive(Clone, Copy, Debug)]
struct Ports {
    amqp: u16,
    amqps: u16,
    distribution: u16,
    names: u16,
}

#[derive(Debug)]
struct Node {
    child: Child,
    output: Lines,
    /// A pipe that nobody empties would stop the node.
    errors: Lines,
}

impl Broker {
    /// Starts a node with RabbitMQ's defaults: user `guest`, virtual host `/`.
    ///
    /// # Errors
    ///
    /// Where RabbitMQ is not installed the error says how to get it.
    pub fn start() -> io::Result<Self> {
        Self::with_config(|_, _| Ok(String::new()))
    }

    /// Starts a node with this `rabbitmq.conf`, which may name files that are put into the folder. The function is given
    /// the folder, and a port for a listener of its own.
    pub fn with_config(config: impl FnOnce(&Path, u16) -> io::Result<String>) -> io::Result<Self> {
        need_rabbitmq()?;
        let dir = TempDir::with_prefix("fanfare-rabbitmq-")?;
        let [amqp, amqps, distribution, names] = free_ports()?;
        let ports = Ports { amqp, amqps, distribution, names };
        std::fs::write(dir.path().join("rabbitmq.conf"), config(dir.path(), amqps)?)?;
        std::fs::write(dir.path().join("enabled_plugins"), "[].\n")?;
        let names = Command::new("epmd")
            .args(["-port", &ports.names.to_string(), "-address", "127.0.0.1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut broker = Self { dir, ports, names, node: None };
        broker.restart()?;
        Ok(broker)
    }

    /// Where it takes AMQP.
    pub fn addr(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.amqp).into()
    }

    /// The port that its configuration was given.
    pub fn own_port(&self) -> u16 {
        self.ports.amqps
    }

    /// Its folder.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its URL for its default user.
    pub fn url(&self) -> String {
        format!("amqp://guest:guest@{}/", self.addr())
    }

    /// Connects to it.
    pub fn client(&self) -> io::Result<Client> {
        Client::connect(self.addr())
    }

    /// Kills it (SIGKILL): it has no chance to do anything.
    pub fn kill(&mut self) -> io::Result<()> {
        let Some(mut node) = self.node.take() else { return Ok(()) };
        let group = i32::try_from(node.child.id()).map_err(io::Error::other)?;
        killpg(Pid::from_raw(group), Signal::SIGKILL)?;
        node.child.wait()?;
        // The Erlang machine is a child of the script; its output ends with it.
        node.output.wait_for_end("end of the node", START_TIMEOUT)
    }

    /// Starts it again with the same ports and files, after killing it if it still runs, and waits until it listens.
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill()?;
        let mut child = self.command().spawn()?;
        let output = child.stdout.take().map(Lines::collect).unwrap_or_default();
        let errors = child.stderr.take().map(Lines::collect).unwrap_or_default();
        self.node = Some(Node { child, output: output.clone(), errors });
        let started =
            output.wait_for("started broker", START_TIMEOUT, |line| line.contains(STARTED).then_some(()));
        started.map_err(|error| io::Error::new(error.kind(), format!("{error}:\n{}", self.output())))
    }

    /// What the node has printed since it was last started.
    pub fn output(&self) -> String {
        let lines = self.node.iter().flat_map(|node| node.output.all().into_iter().chain(node.errors.all()));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn command(&self) -> Command {
        let file = |name: &str| -> PathBuf { self.dir.path().join(name) };
        let Ports { amqp, distribution, names, .. } = self.ports;
        let mut command = Command::new(PROGRAM);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RABBITMQ_") {
                command.env_remove(name);
            }
        }
        command
            .env("HOME", self.dir.path())
            .env("ERL_EPMD_PORT", names.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("fanfare-{amqp}@localhost"))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", amqp.to_string())
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("RABBITMQ_MNESIA_BASE", file("data"))
            .env("RABBITMQ_LOG_BASE", file("log"))
            .env("RABBITMQ_CONFIG_FILE", file("rabbitmq"))
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", file("enabled_plugins"))
            // One thread that does not spin: the machine is there for the tests.
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "+S 1:1 +sbwt none")
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.kill();
        let _ = self.names.kill();
        let _ = self.names.wait();
    }
}

fn need_rabbitmq() -> io::Result<()> {
    if Path::new(PROGRAM).exists() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::NotFound, "this test needs RabbitMQ: apt-get install rabbitmq-server"))
}

/// Ports that nobody has now. They are all held until the last is known, so that they differ.
fn free_ports<const N: usize>() -> io::Result<[u16; N]> {
    let held: Vec<_> =
        (0..N).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).collect::<Result<_, _>>()?;
    let ports: Vec<_> = held.iter().map(|held| Ok(held.local_addr()?.port())).collect::<io::Result<_>>()?;
    ports.try_into().map_err(|_| io::Error::other("ports are missing"))
}
