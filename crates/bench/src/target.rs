//! What is measured: a server that this program starts, or one that is running already.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use fanfare_testkit::Server;

use crate::process::{Process, Split};

/// A server as the command line names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `fanfare=PATH`: that binary, with its built-in default configuration.
    Fanfare(PathBuf),
    /// `floor`: this program's own.
    Floor,
    /// `http://ADDRESS:PORT`: one that runs on this machine.
    Running(SocketAddr),
}

/// A target that serves.
#[derive(Debug)]
pub(crate) struct Started {
    pub(crate) addr: SocketAddr,
    /// Whose CPU time and memory count, where that is known.
    pub(crate) process: Option<Process>,
    /// Ends with this value.
    _server: Option<Server>,
}

impl Target {
    /// The `fanfare` beside this program.
    pub(crate) fn beside() -> io::Result<Self> {
        Ok(Self::Fanfare(std::env::current_exe()?.with_file_name("fanfare")))
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Fanfare(_) => "fanfare".to_owned(),
            Self::Floor => "floor".to_owned(),
            Self::Running(addr) => addr.to_string(),
        }
    }

    /// Starts it, on a CPU of its own where there are several.
    pub(crate) fn start(&self, split: Option<&Split>, pid: Option<u32>) -> io::Result<Started> {
        let binary = match self {
            Self::Fanfare(path) => path.clone(),
            Self::Floor => std::env::current_exe()?,
            Self::Running(addr) => {
                let process = pid.map(Process::new).transpose()?;
                return Ok(Started { addr: *addr, process, _server: None });
            }
        };
        let start = || Server::builder(binary).start();
        let server = match split {
            Some(split) => split.start(start),
            None => start(),
        }?;
        Ok(Started { addr: server.addr(), process: Some(Process::new(server.pid())?), _server: Some(server) })
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "floor" {
            return Ok(Self::Floor);
        }
        if let Some(path) = text.strip_prefix("fanfare=") {
            return Ok(Self::Fanfare(path.into()));
        }
        let addr: SocketAddr = text
            .strip_prefix("http://")
            .and_then(|addr| addr.trim_end_matches('/').parse().ok())
            .ok_or("not one of `fanfare=PATH`, `floor` and `http://ADDRESS:PORT`")?;
        if addr.ip().is_loopback() {
            Ok(Self::Running(addr))
        } else {
            Err("not on the loopback interface: this measures a server, not a network".to_owned())
        }
    }
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
        check("floor", Ok(Target::Floor));
        check("fanfare=a/b", Ok(Target::Fanfare("a/b".into())));
        check("http://127.0.0.1:80/", Ok(Target::Running(([127, 0, 0, 1], 80).into())));
        check("http://192.0.2.1:80", Err("loopback"));
        check("http://localhost", Err("not one of"));
        check("nginx", Err("not one of"));
    }
}
