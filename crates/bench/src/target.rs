//! What is measured: a server that this program starts, or one that is running already.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use fanfare_testkit::Server;

use crate::nchan::Nginx;
use crate::process::{Process, Split};

/// A server as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `fanfare=PATH,log=sqlite,FANFARE__KEY=VALUE`: that binary, with a configuration of this module.
    Fanfare(Fanfare),
    /// `floor`: this program's own.
    Floor,
    /// `nchan`: nginx with nchan, as Debian has them.
    Nchan,
    /// `http://ADDRESS:PORT`: one that runs on this machine and has Fanfare's default configuration, or its paths.
    Running(SocketAddr),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fanfare {
    binary: PathBuf,
    log: Log,
    /// Settings from the environment.
    env: Vec<(String, String)>,
}

/// Where Fanfare keeps events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Log {
    Memory,
    /// With full durability.
    Sqlite,
}

/// Where a server takes events and streams them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Site {
    pub(crate) addr: SocketAddr,
    pub(crate) paths: &'static Paths,
}

#[derive(Debug)]
pub(crate) struct Paths {
    /// Takes an event as the body of a `POST`.
    pub(crate) publish: &'static str,
    /// Streams every event.
    pub(crate) stream: &'static str,
    /// Streams none of them.
    pub(crate) quiet: &'static str,
}

const FANFARE: Paths = Paths { publish: "/webhook/events", stream: "/sse/events", quiet: "/sse/quiet" };

/// A target that serves.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) site: Site,
    /// Whose CPU time and memory count, where that is known.
    pub(crate) process: Option<Process>,
    /// Ends with this value.
    _running: Running,
}

#[derive(Debug)]
enum Running {
    Elsewhere,
    Here { _server: Box<Server> },
    Nginx { _server: Nginx },
}

impl Site {
    /// A server with Fanfare's paths.
    pub(crate) const fn of_fanfare(addr: SocketAddr) -> Self {
        Self { addr, paths: &FANFARE }
    }
}

impl Target {
    /// The `fanfare` beside this program, with events in memory.
    pub(crate) fn beside() -> io::Result<Self> {
        Ok(Self::Fanfare(Fanfare { binary: beside()?, log: Log::Memory, env: Vec::new() }))
    }

    /// The same server with another log, where it has one.
    pub(crate) fn with_log(mut self, chosen: Log) -> Self {
        if let Self::Fanfare(Fanfare { log, .. }) = &mut self {
            *log = chosen;
        }
        self
    }

    /// The same server with this setting, where it has settings; what the command line says wins.
    pub(crate) fn with_setting(mut self, name: &str, value: &str) -> Self {
        if let Self::Fanfare(Fanfare { env, .. }) = &mut self
            && !env.iter().any(|(known, _)| known == name)
        {
            env.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Fanfare(Fanfare { log, env, .. }) => {
                let mut name = match log {
                    Log::Memory => "fanfare".to_owned(),
                    Log::Sqlite => "fanfare, sqlite".to_owned(),
                };
                for (key, value) in env {
                    let _ = write!(name, ", {}={value}", key.trim_start_matches("FANFARE__").to_lowercase());
                }
                name
            }
            Self::Floor => "floor".to_owned(),
            Self::Nchan => "nginx + nchan".to_owned(),
            Self::Running(addr) => addr.to_string(),
        }
    }

    /// Starts it, on a CPU of its own where there are several.
    pub(crate) fn start(&self, split: Option<&Split>, pid: Option<u32>) -> io::Result<Started> {
        match split {
            Some(split) => split.start(|| self.start_here(pid)),
            None => self.start_here(pid),
        }
    }

    fn start_here(&self, pid: Option<u32>) -> io::Result<Started> {
        let builder = match self {
            Self::Running(addr) => {
                let process = pid.map(Process::new).transpose()?;
                return Ok(Started { site: Site::of_fanfare(*addr), process, _running: Running::Elsewhere });
            }
            Self::Nchan => {
                let server = Nginx::start()?;
                let (site, process) = (server.site(), Some(server.worker()));
                return Ok(Started { site, process, _running: Running::Nginx { _server: server } });
            }
            Self::Floor => Server::builder(std::env::current_exe()?),
            Self::Fanfare(Fanfare { binary, log, env }) => {
                // No line for each stream: none of the others writes one.
                let builder = Server::builder(binary).config(config(*log)).env("RUST_LOG", "warn");
                env.iter().fold(builder, |builder, (name, value)| builder.env(name, value))
            }
        };
        let server = Box::new(builder.start()?);
        let process = Some(Process::new(server.pid())?);
        Ok(Started {
            site: Site::of_fanfare(server.addr()),
            process,
            _running: Running::Here { _server: server },
        })
    }
}

fn beside() -> io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("fanfare"))
}

fn config(log: Log) -> String {
    let log = match log {
        Log::Memory => "type = \"memory\"",
        Log::Sqlite => "type = \"sqlite\"\npath = \"events.db\"\ndurability = \"full\"",
    };
    // Who publishes is silent while others connect, and while idle streams are measured. No event is for the quiet stream.
    format!(
        r#"
[http]
header_timeout = "1h"

[log]
{log}

[sources.events.extractor]
type = "webhook"
id = "events"

[sinks.events]
type = "sse"
id = "events"
keep_alive = "30s"

[sinks.quiet]
type = "sse"
id = "quiet"
match = ["dev.cdevents.incident.*"]
keep_alive = "30s"
"#
    )
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "floor" => return Ok(Self::Floor),
            "nchan" => return Ok(Self::Nchan),
            _ => {}
        }
        if let Some(rest) = text.strip_prefix("fanfare")
            && (rest.is_empty() || rest.starts_with(['=', ',']))
        {
            return fanfare(rest).map(Self::Fanfare);
        }
        let addr: SocketAddr =
            text.strip_prefix("http://").and_then(|addr| addr.trim_end_matches('/').parse().ok()).ok_or(
                "not one of `fanfare=PATH[,log=sqlite][,FANFARE__KEY=VALUE]`, `floor`, `nchan` and `http://ADDRESS:PORT`",
            )?;
        if addr.ip().is_loopback() {
            Ok(Self::Running(addr))
        } else {
            Err("not on the loopback interface: this measures a server, not a network".to_owned())
        }
    }
}

/// Reads what stands behind `fanfare`.
fn fanfare(text: &str) -> Result<Fanfare, String> {
    let mut parts = text.split(',');
    let binary = match parts.next().and_then(|first| first.strip_prefix('=')) {
        Some(path) => path.into(),
        None => beside().map_err(|error| error.to_string())?,
    };
    let mut read = Fanfare { binary, log: Log::Memory, env: Vec::new() };
    for part in parts {
        match part.split_once('=') {
            Some(("log", "memory")) => read.log = Log::Memory,
            Some(("log", "sqlite")) => read.log = Log::Sqlite,
            Some((name, value)) if name.starts_with("FANFARE__") => {
                read.env.push((name.to_owned(), value.to_owned()));
            }
            _ => {
                return Err(format!(
                    "`{part}` is not one of `log=memory`, `log=sqlite`, `FANFARE__KEY=VALUE`"
                ));
            }
        }
    }
    Ok(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_read_as_documented() {
        let check = |text: &str, expected: Result<Target, &str>| match (text.parse::<Target>(), expected) {
            (Ok(target), Ok(expected)) => assert_eq!(target, expected),
            (Err(error), Err(expected)) => assert!(error.contains(expected), "{error}"),
            (read, _) => panic!("{text}: {read:?}"),
        };
        let fanfare = |log, env: &[(&str, &str)]| {
            let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            Ok(Target::Fanfare(Fanfare { binary: "a/b".into(), log, env }))
        };
        check("floor", Ok(Target::Floor));
        check("nchan", Ok(Target::Nchan));
        check("fanfare", Ok(Target::beside().unwrap()));
        check("fanfare,log=sqlite", Ok(Target::beside().unwrap().with_log(Log::Sqlite)));
        check("fanfare=a/b", fanfare(Log::Memory, &[]));
        check(
            "fanfare=a/b,log=sqlite,FANFARE__HTTP__X=y=z",
            fanfare(Log::Sqlite, &[("FANFARE__HTTP__X", "y=z")]),
        );
        check("fanfare=a/b,log=disk", Err("log=disk"));
        check("fanfares", Err("not one of"));
        check("http://127.0.0.1:80/", Ok(Target::Running(([127, 0, 0, 1], 80).into())));
        check("http://192.0.2.1:80", Err("loopback"));
        check("http://localhost", Err("not one of"));
        check("nginx", Err("not one of"));
    }

    #[test]
    fn a_name_tells_targets_apart() {
        let check = |text: &str, name: &str| assert_eq!(text.parse::<Target>().unwrap().name(), name);
        check("fanfare=a/b", "fanfare");
        check("fanfare=a/b,log=sqlite", "fanfare, sqlite");
        check("fanfare,FANFARE__HTTP__DELIVERY=portable", "fanfare, http__delivery=portable");
        check("nchan", "nginx + nchan");
    }

    #[test]
    fn what_the_command_line_sets_wins() {
        let target: Target = "fanfare=a,FANFARE__A=1".parse().unwrap();
        let name = target.with_setting("FANFARE__A", "2").with_setting("FANFARE__B", "3").name();
        assert_eq!(name, "fanfare, a=1, b=3");
    }
}
