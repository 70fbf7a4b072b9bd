//! The real binary as a child process on a free port of the loopback interface.

use std::ffi::{OsStr, OsString};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use crate::lines::Lines;

/// How long a server may take to say where it listens.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The configuration's name in the server's folder.
const CONFIG: &str = "fanfare.toml";

/// Who writes streams: the variable that a run of all tests is done with once more.
const DELIVERY: &str = "FANFARE__HTTP__DELIVERY";

/// What stands before the URL in the line that says where the server listens. Behind the URL may stand the name of the
/// listener.
const LISTENING: &str = "listening on ";
const SCHEMES: [&str; 2] = ["http://", "https://"];
const NAMED: &str = " as ";

/// How to start a server.
#[derive(Debug)]
pub struct Builder {
    binary: PathBuf,
    config: Option<String>,
    files: Vec<(String, String)>,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    under: Vec<OsString>,
}

/// A running server. It is killed when dropped.
#[derive(Debug)]
pub struct Server {
    builder: Builder,
    dir: TempDir,
    running: Running,
}

#[derive(Debug)]
struct Running {
    child: Child,
    /// Where its default listener is, or else its first one.
    addr: SocketAddr,
    stdout: Lines,
    stderr: Lines,
}

impl Builder {
    /// Serves this TOML instead of the built-in default.
    #[must_use]
    pub fn config(mut self, toml: impl Into<String>) -> Self {
        self.config = Some(toml.into());
        self
    }

    /// Puts a file beside the configuration.
    #[must_use]
    pub fn file(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.files.push((name.into(), text.into()));
        self
    }

    /// Adds an argument behind `serve`.
    #[must_use]
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Sets an environment variable, over those that this module sets.
    #[must_use]
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.env.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Starts the binary as an argument of this command. The command must become the binary, as `env`, `nice` and
    /// `strace -D` do, or what is sent to the server's process does not reach it.
    #[must_use]
    pub fn under(mut self, command: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.under = command.into_iter().map(Into::into).collect();
        self
    }

    /// Starts the server and waits until it listens. Where it ends before that, the error shows what it wrote.
    pub fn start(self) -> io::Result<Server> {
        let dir = TempDir::with_prefix("fanfare-test-")?;
        if let Some(config) = &self.config {
            std::fs::write(dir.path().join(CONFIG), config)?;
        }
        for (name, text) in &self.files {
            std::fs::write(dir.path().join(name), text)?;
        }
        let running = self.spawn(dir.path(), 0, &[])?;
        Ok(Server { builder: self, dir, running })
    }

    fn spawn(&self, dir: &Path, port: u16, listeners: &[(String, SocketAddr)]) -> io::Result<Running> {
        let mut words = self.under.iter().map(OsString::as_os_str).chain([self.binary.as_os_str()]);
        let program = words.next().unwrap_or_default();
        let mut command = Command::new(program);
        command.args(words).arg("serve").current_dir(dir);
        if self.config.is_some() {
            command.arg("--config").arg(dir.join(CONFIG));
        }
        for (name, _) in std::env::vars_os() {
            let is_setting = name == "RUST_LOG" || name.to_string_lossy().starts_with("FANFARE__");
            if is_setting && name != DELIVERY {
                command.env_remove(name);
            }
        }
        command.env("FANFARE__HTTP__HOST", "127.0.0.1").env("FANFARE__HTTP__PORT", port.to_string());
        command.args(&self.args).envs(self.env.iter().map(|(name, value)| (name, value)));
        for (name, addr) in listeners {
            command.env(format!("FANFARE__LISTENERS__{name}__PORT"), addr.port().to_string());
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());

        let mut child = command.spawn().map_err(|error| {
            io::Error::new(error.kind(), format!("cannot start {}: {error}", program.display()))
        })?;
        let stdout = child.stdout.take().map(Lines::collect).unwrap_or_default();
        let stderr = child.stderr.take().map(Lines::collect).unwrap_or_default();
        let listening = stdout
            .wait_for("a line that says where it listens", START_TIMEOUT, |line| Some(listener(line)?.0));
        match listening {
            Ok(addr) => Ok(Running { child, addr, stdout, stderr }),
            Err(error) => {
                let _ = child.kill();
                let status = child.wait()?;
                let _ = stderr.wait_for_end("end of its log", START_TIMEOUT);
                let log = stderr.all().join("\n");
                Err(io::Error::new(error.kind(), format!("{error}; the server ended with {status}:\n{log}")))
            }
        }
    }
}

impl Server {
    /// Prepares `{binary} serve` with the built-in default configuration; `RUST_LOG` and `FANFARE__…` of the test's own
    /// environment do not reach it, except `FANFARE__HTTP__DELIVERY`.
    pub fn builder(binary: impl Into<PathBuf>) -> Builder {
        Builder {
            binary: binary.into(),
            config: None,
            files: Vec::new(),
            args: Vec::new(),
            env: Vec::new(),
            under: Vec::new(),
        }
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.running.addr
    }

    /// Where a listener of this name listens.
    pub fn listener(&self, name: &str) -> io::Result<SocketAddr> {
        let what = format!("a line that says where `{name}` listens");
        self.running.stdout.wait_for(&what, START_TIMEOUT, |line| match listener(line)? {
            (addr, Some(named)) if named == name => Some(addr),
            _ => None,
        })
    }

    /// The URL of a path on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr())
    }

    /// The folder with its configuration, which is also its working directory.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.running.child.id()
    }

    /// What it has printed since it was last started.
    pub fn stdout(&self) -> Vec<String> {
        self.running.stdout.all()
    }

    /// What it has logged since it was last started.
    pub fn log(&self) -> Vec<String> {
        self.running.stderr.all()
    }

    /// Waits for a log line with this text, which may have been written before; gives the line.
    pub fn wait_for_log(&self, text: &str, timeout: Duration) -> io::Result<String> {
        let what = format!("`{text}` in the log");
        self.running
            .stderr
            .wait_for(&what, timeout, |line| line.contains(text).then(|| line.to_owned()))
            .map_err(|error| io::Error::new(error.kind(), format!("{error}:\n{}", self.log().join("\n"))))
    }

    /// Asks it to end (SIGTERM), without waiting.
    pub fn ask_to_end(&mut self) -> io::Result<()> {
        self.signal(Signal::SIGTERM)
    }

    /// Stops it in the middle of whatever it does (SIGSTOP), until [`Self::thaw`].
    pub fn freeze(&mut self) -> io::Result<()> {
        self.signal(Signal::SIGSTOP)
    }

    /// Lets it go on (SIGCONT).
    pub fn thaw(&mut self) -> io::Result<()> {
        self.signal(Signal::SIGCONT)
    }

    fn signal(&mut self, signal: Signal) -> io::Result<()> {
        // Once it has been waited for, its process id may be somebody else's.
        if let Some(status) = self.running.child.try_wait()? {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                format!("the server has ended with {status}"),
            ));
        }
        let pid = i32::try_from(self.pid()).map_err(io::Error::other)?;
        Ok(kill(Pid::from_raw(pid), signal)?)
    }

    /// Asks it to end (SIGTERM) and waits for that.
    pub fn terminate(&mut self, timeout: Duration) -> io::Result<ExitStatus> {
        self.ask_to_end()?;
        self.wait(timeout)
    }

    /// Waits until it ends. Where it does not in time, it is killed.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<ExitStatus> {
        // Its output ends with the process.
        let ended = self.running.stderr.wait_for_end("end of the server", timeout);
        if ended.is_err() {
            self.running.child.kill()?;
        }
        let status = self.running.child.wait()?;
        ended.map(|()| status)
    }

    /// Kills it (SIGKILL): it has no chance to do anything.
    pub fn kill(&mut self) -> io::Result<()> {
        self.running.child.kill()?;
        self.running.child.wait().map(drop)
    }

    /// Starts it again on the same ports, after killing it if it still runs.
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill()?;
        let listeners: Vec<_> = self
            .stdout()
            .iter()
            .filter_map(|line| listener(line))
            .filter_map(|(addr, name)| Some((name?.to_owned(), addr)))
            .collect();
        self.running = self.builder.spawn(self.dir.path(), self.addr().port(), &listeners)?;
        Ok(())
    }
}

/// The address and the name in a line that says where a server listens.
fn listener(line: &str) -> Option<(SocketAddr, Option<&str>)> {
    let rest = line.strip_prefix(LISTENING)?;
    let (addr, name) = match rest.split_once(NAMED) {
        Some((addr, name)) => (addr, Some(name)),
        None => (rest, None),
    };
    let addr = SCHEMES.iter().find_map(|scheme| addr.strip_prefix(scheme))?;
    Some((addr.parse().ok()?, name))
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.kill();
    }
}
