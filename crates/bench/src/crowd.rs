//! Clients that all connect at once, in a process of their own: with the lowest priority, so that connecting, which costs
//! the load about what it costs the server, does not hold up those who take the others' latencies.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use crate::load::Load;
use crate::process;
use crate::publisher::Series;
use crate::target::Site;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    addr: SocketAddr,
    path: String,
    clients: u32,
}

/// Connects, says when all have their streams, and holds them until standard input ends.
pub(crate) fn run(args: &Args) -> io::Result<ExitCode> {
    process::allow_sockets(args.clients as usize)?;
    let mut load = Load::new(Site::of_fanfare(args.addr), Series::fresh(), 0)?;
    let start = Instant::now();
    load.open_at_once(&args.path, args.clients)?;
    writeln!(io::stdout(), "{}", start.elapsed().as_micros())?;
    io::stdin().read_to_end(&mut Vec::new())?;
    load.read_what_came()?;
    let tally = load.into_tally();
    writeln!(io::stdout(), "{}", tally.notices + tally.delivered + tally.repeated)?;
    Ok(ExitCode::SUCCESS)
}

/// The process.
pub(crate) struct Crowd {
    child: Child,
    /// What it waits for the end of.
    input: Option<ChildStdin>,
    /// The numbers that it says.
    said: Receiver<u64>,
}

impl Crowd {
    /// So many clients set out for the stream that no event is for.
    pub(crate) fn send(site: Site, clients: u32) -> io::Result<Self> {
        let mut child = Command::new("nice")
            .args(["-n", "19"])
            .arg(std::env::current_exe()?)
            .args(["crowd", &site.addr.to_string(), site.paths.quiet, &clients.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (say, said) = mpsc::channel();
        thread::spawn(move || {
            let lines = output.into_iter().flat_map(|output| BufReader::new(output).lines());
            for number in lines.map_while(|line| line.ok()?.parse().ok()) {
                if say.send(number).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, input, said })
    }

    /// How long they took, once all have their streams.
    pub(crate) fn has_arrived(&self) -> io::Result<Option<Duration>> {
        match self.said.try_recv() {
            Ok(taken) => Ok(Some(Duration::from_micros(taken))),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(io::Error::other("not all who came at once were let in")),
        }
    }

    /// Lets them go, and gives how much came on their streams.
    pub(crate) fn leave(mut self) -> io::Result<u64> {
        self.input = None;
        self.said.recv().map_err(io::Error::other)
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        // Where it has ended already there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
