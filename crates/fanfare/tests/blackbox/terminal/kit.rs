//! Running a command beside the test, in pipes or on a terminal of its own, and a server that does as it is told.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;

use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::kit::LONG;

/// What a command of the test's own environment would look at.
const LOOKED_AT: [&str; 8] = [
    "RUST_LOG",
    "NO_COLOR",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "http_proxy",
    "HTTP_PROXY",
    "all_proxy",
    "ALL_PROXY",
];

/// A command that runs. It is killed when dropped.
pub(super) struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: Lines,
    stderr: Lines,
}

/// Lines as they come.
struct Lines {
    coming: Receiver<String>,
    seen: Vec<String>,
}

/// How a command ended, and all that it said.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) stdout: Vec<String>,
    pub(super) stderr: String,
}

pub(super) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    for (name, _) in std::env::vars_os() {
        if LOOKED_AT.iter().any(|looked_at| name == *looked_at)
            || name.to_string_lossy().starts_with("FANFARE_")
        {
            command.env_remove(name);
        }
    }
    command.args(args);
    command
}

impl Program {
    /// Starts it in pipes.
    pub(super) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        Self { stdin, stdout: Lines::of(stdout.unwrap()), stderr: Lines::of(stderr.unwrap()), child }
    }

    /// Writes to its standard input.
    pub(super) fn feed(&mut self, text: &str) {
        self.stdin.as_mut().unwrap().write_all(text.as_bytes()).unwrap();
    }

    /// Ends its standard input.
    pub(super) fn feed_no_more(&mut self) {
        self.stdin = None;
    }

    /// The next line of its standard output.
    pub(super) fn next_line(&mut self) -> String {
        self.stdout
            .next()
            .unwrap_or_else(|| panic!("the output ended; on the other one: {}", self.stderr.all()))
    }

    /// Waits for a line on standard error with this text.
    pub(super) fn wait_for(&mut self, text: &str) -> String {
        loop {
            match self.stderr.next() {
                Some(line) if line.contains(text) => return line,
                Some(_) => {}
                None => panic!("no `{text}` in: {}", self.stderr.all()),
            }
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end. Lines that were looked at before are there again.
    pub(super) fn end(mut self) -> Ended {
        self.feed_no_more();
        while self.stdout.next().is_some() {}
        let stderr = self.stderr.all();
        let code = self.child.wait().unwrap().code();
        Ended { code, stdout: std::mem::take(&mut self.stdout.seen), stderr }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Lines {
    fn of(output: impl Read + Send + 'static) -> Self {
        let (sender, coming) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                    return;
                }
            }
        });
        Self { coming, seen: Vec::new() }
    }

    fn next(&mut self) -> Option<String> {
        match self.coming.recv_timeout(LONG) {
            Ok(line) => {
                self.seen.push(line.clone());
                Some(line)
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("no further line behind {:?}", self.seen),
        }
    }

    fn all(&mut self) -> String {
        while self.next().is_some() {}
        self.seen.join("\n")
    }
}

/// Runs a command to its end, with this on its standard input.
pub(super) fn run(command: Command, input: &str) -> Ended {
    let mut program = Program::start(command);
    // It may end before it has read all.
    let _ = program.stdin.as_mut().unwrap().write_all(input.as_bytes());
    program.end()
}

/// Runs a command to its end on a terminal of its own, and gives all that the terminal was sent.
pub(super) fn run_on_terminal(mut command: Command) -> (Option<i32>, String) {
    let (mut terminal, mut child) = on_terminal(&mut command);
    drop(command);
    let (sender, read) = mpsc::channel();
    thread::spawn(move || {
        let mut seen = Vec::new();
        // When the other side is gone, that is an error (EIO).
        let _ = terminal.read_to_end(&mut seen);
        sender.send(seen)
    });
    let seen = read.recv_timeout(LONG).unwrap();
    (child.wait().unwrap().code(), String::from_utf8(seen).unwrap())
}

/// Starts a command on a terminal of its own. The command must be dropped for the terminal to end with the child.
pub(super) fn on_terminal(command: &mut Command) -> (File, Child) {
    let pty = openpty(None, None).unwrap();
    let end = || Stdio::from(pty.slave.try_clone().unwrap());
    let child = command.env("TERM", "xterm").stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
    (File::from(pty.master), child)
}

/// A server that answers one request after the other with the next of its answers, and ends with them.
pub(super) struct Scripted {
    addr: SocketAddr,
    asked: Receiver<Asked>,
}

/// A request that it was sent.
#[derive(Debug)]
pub(super) struct Asked {
    /// Which connection it came on, from 1.
    pub(super) connection: usize,
    head: String,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value.trim()))
    }
}

impl Scripted {
    /// An empty answer closes the connection without one.
    pub(super) fn new(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let (sender, asked) = mpsc::channel();
        let mut answers = answers.iter().map(|answer| (*answer).to_owned()).collect::<Vec<_>>().into_iter();
        thread::spawn(move || {
            for connection in 1.. {
                if answers.len() == 0 {
                    return;
                }
                let (stream, _) = listener.accept().unwrap();
                let mut stream = BufReader::new(stream);
                while let Some((head, body)) = request(&mut stream) {
                    let _ = sender.send(Asked { connection, head, body });
                    match answers.next() {
                        Some(answer) if !answer.is_empty() => {
                            stream.get_mut().write_all(answer.as_bytes()).unwrap();
                        }
                        _ => break,
                    }
                }
            }
        });
        Self { addr, asked }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// The next request that it was sent.
    pub(super) fn next(&self) -> Asked {
        self.asked.recv_timeout(LONG).unwrap()
    }
}

/// An answer with this status line and body.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
}

fn request(stream: &mut BufReader<TcpStream>) -> Option<(String, String)> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let length = head
        .lines()
        .find_map(|line| line.to_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).ok()?;
    Some((head, String::from_utf8(body).unwrap()))
}
