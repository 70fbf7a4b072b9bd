//! The replay benchmark: clients that come back at once, each far behind, while events go on being published and
//! others follow them live.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use fanfare_testkit::Server;

use crate::load::{GIVE_UP, Load, Pace};
use crate::poller::Poller;
use crate::process::{self, Process, Split};
use crate::publish;
use crate::publisher::Series;
use crate::report;
use crate::senders::Senders;
use crate::subscriber::{Subscriber, Tally, Wish};
use crate::target::Site;

/// Between two looks at the server's memory while it replays.
const MEMORY_INTERVAL: Duration = Duration::from_millis(100);

/// Events of a request while the log is filled.
const FILL_BATCH: u32 = 100;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The binary; by default the `fanfare` beside this program.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// How many clients come back at once; each number is a run of its own.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 500])]
    clients: Vec<u32>,
    /// How many events each of them is behind.
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..))]
    behind: u32,
    /// Events that the server keeps in memory; the others are read from the log's files.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    window: u32,
    /// Clients that follow live.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    live_clients: u32,
    /// Events published in a second, one at a time.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Bytes of an event's JSON.
    #[arg(long, default_value_t = 440)]
    bytes: usize,
    /// How long to publish before the clients come back, and again behind that.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Leave server and load on all CPUs, instead of the server on one and the load on the others.
    #[arg(long)]
    no_pin: bool,
}

/// What one run gave.
struct Figures {
    clients: u32,
    replayed: u64,
    time: Duration,
    live: [Phase; 3],
    lost: u64,
    repeated: u64,
    notices: u64,
}

/// What live clients met before, while, and after others came back.
#[derive(Clone, Copy, Default)]
struct Phase {
    p50: Duration,
    p99: Duration,
    max: Duration,
    /// Private bytes of the server: at its end, or while clients come back at most.
    memory: u64,
}

const HEAD: &str = "\
| clients | replayed | s | replayed/s | live | p50 ms | p99 ms | max ms | server MiB | lost | repeated | notices |
|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// Runs, prints the table, and says whether every client got everything.
pub(crate) fn run(args: &Args) -> io::Result<ExitCode> {
    let most = args.clients.iter().max().copied().unwrap_or_default();
    process::allow_sockets((most + args.live_clients) as usize)?;
    let split = if args.no_pin { None } else { Split::of_this_machine()? };
    let all = args
        .clients
        .iter()
        .map(|clients| measure(args, *clients, split.as_ref()))
        .collect::<io::Result<Vec<_>>>()?;
    let Args { behind, window, live_clients, rate, bytes, .. } = args;
    writeln!(
        io::stdout(),
        "{behind} events behind, of which {window} are in the server's memory; {live_clients} clients live, {rate} \
         events/s of {bytes} bytes, loopback, server on {}\n\n{}",
        if split.is_some() { "one CPU and load on the others" } else { "the same CPUs as the load" },
        table(&all)
    )?;
    let is_whole = all.iter().all(|run| (run.lost, run.repeated, run.notices) == (0, 0, 0));
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(args: &Args, clients: u32, split: Option<&Split>) -> io::Result<Figures> {
    let binary = match &args.server {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("fanfare"),
    };
    let start = || Server::builder(binary).config(publish::config("full", args.window)).start();
    let server = match split {
        Some(split) => split.start(start),
        None => start(),
    }?;
    let (site, process) = (Site::of_fanfare(server.addr()), Process::new(server.pid())?);

    let series = Series::fresh();
    let fill = args.behind + args.window;
    let mut senders = Senders::connect(site, 1, &series, FILL_BATCH, args.bytes)?;
    let filled = senders.publish(|_, sent| sent < fill)?.numbers.end;
    drop(senders);

    let mut load = Load::new(site, series.clone(), filled)?;
    load.open(args.live_clients)?;
    let events = args.rate * args.seconds;
    let pace = Pace { rate: args.rate, burst: 1, bytes: args.bytes };
    load.publish(pace, |published| published < events)?;
    let before = Phase::of(&mut load, process.private_bytes()?);

    // Where everybody is to get, once that is known.
    let end = AtomicU32::new(u32::MAX);
    let first = load.tally.end() - args.behind;
    let (during, after, time, replayed) = thread::scope(|scope| {
        let (done, is_done) = mpsc::channel();
        let replaying = scope.spawn(|| replay(site, clients, &series, first, args.behind, &end, done));
        let (stop, stopped) = mpsc::channel();
        let memory = scope.spawn(move || most_memory(process, &stopped));
        let mut time = None;
        // Publishes on until the last of them has what it had missed, or will not get it.
        load.publish(pace, |_| match is_done.try_recv() {
            Ok(taken) => {
                time = Some(taken);
                false
            }
            Err(mpsc::TryRecvError::Empty) => true,
            Err(mpsc::TryRecvError::Disconnected) => false,
        })?;
        drop(stop);
        let during = Phase::of(&mut load, join(memory)?);
        load.publish(pace, |published| published < events)?;
        end.store(load.tally.end(), Ordering::Release);
        let replayed = join(replaying)?;
        let after = Phase::of(&mut load, process.private_bytes()?);
        Ok::<_, io::Error>((during, after, time.unwrap_or_default(), replayed))
    })?;

    let tally = load.into_tally();
    Ok(Figures {
        clients,
        replayed: u64::from(clients) * u64::from(args.behind),
        time,
        live: [before, during, after],
        lost: tally.lost + replayed.lost,
        repeated: tally.repeated + replayed.repeated,
        notices: tally.notices + replayed.notices,
    })
}

/// Opens all streams behind the event before `first`, and reads them to `end`. Says on the way how long it took until
/// all had the events that they were behind.
fn replay(
    site: Site,
    clients: u32,
    series: &Series,
    first: u32,
    behind: u32,
    end: &AtomicU32,
    done: Sender<Duration>,
) -> io::Result<Tally> {
    let start = Instant::now();
    let mut poller = Poller::new()?;
    let mut tally = Tally::untimed(series.clone());
    let last = series.id(first - 1);
    let wish = Wish { path: site.paths.stream, last_event_id: Some(&last), expected: first, stalls: false };
    let mut replayers = (0..clients as usize)
        .map(|token| Subscriber::connect(site, wish, &poller, token))
        .collect::<io::Result<Vec<_>>>()?;
    let (mut ready, mut buffer) = (Vec::new(), vec![0; 256 * 1024]);
    let mut done = Some(done);
    let mut last_progress = start;
    while last_progress.elapsed() < GIVE_UP {
        poller.wait(Some(MEMORY_INTERVAL), &mut ready)?;
        for token in ready.drain(..) {
            last_progress = Instant::now();
            if let Some(replayer) = replayers.get_mut(token) {
                replayer.handle(&poller, token, &mut buffer, &mut tally)?;
            }
        }
        if done.is_some() && replayers.iter().all(|replayer| replayer.is_done(first + behind)) {
            // Nobody is left to hear it only where the other side has failed.
            let _ = done.take().map(|done| done.send(start.elapsed()));
        }
        let end = end.load(Ordering::Acquire);
        if done.is_none() && replayers.iter().all(|replayer| replayer.is_done(end)) {
            break;
        }
    }
    let end = end.load(Ordering::Acquire);
    for replayer in &replayers {
        replayer.finish(end, &mut tally);
    }
    Ok(tally)
}

/// The most private memory that the server has until the channel is closed.
fn most_memory(process: Process, stopped: &mpsc::Receiver<()>) -> io::Result<u64> {
    let mut most = 0;
    loop {
        most = most.max(process.private_bytes()?);
        if stopped.recv_timeout(MEMORY_INTERVAL) != Err(RecvTimeoutError::Timeout) {
            return Ok(most);
        }
    }
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    thread.join().unwrap_or_else(|_| Err(io::Error::other("a thread of the benchmark has panicked")))
}

impl Phase {
    /// What has been noted since the last phase.
    fn of(load: &mut Load, memory: u64) -> Self {
        let mut latencies = std::mem::take(&mut load.tally.latencies);
        Self {
            p50: report::percentile(&mut latencies, 50),
            p99: report::percentile(&mut latencies, 99),
            max: report::percentile(&mut latencies, 100),
            memory,
        }
    }
}

fn table(all: &[Figures]) -> String {
    let mut text = HEAD.to_owned();
    for Figures { clients, replayed, time, live, lost, repeated, notices } in all {
        for (name, phase) in ["before", "during", "after"].iter().zip(live) {
            let [p50, p99, max] = [phase.p50, phase.p99, phase.max].map(report::milliseconds);
            let memory = report::as_f64(phase.memory) / f64::from(1 << 20);
            let _ = match *name {
                "during" => {
                    let seconds = time.as_secs_f64();
                    let rate = report::as_f64(*replayed) / seconds;
                    write!(text, "| {clients} | {replayed} | {seconds:.2} | {rate:.0} ")
                }
                _ => write!(text, "| {clients} | | | "),
            };
            let _ = write!(text, "| {name} | {p50:.1} | {p99:.1} | {max:.1} | {memory:.1} ");
            let _ = match *name {
                "after" => writeln!(text, "| {lost} | {repeated} | {notices} |"),
                _ => writeln!(text, "| | | |"),
            };
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_three_lines_a_run() {
        let phase = |ms: u64| {
            let time = Duration::from_millis(ms);
            Phase { p50: time, p99: 2 * time, max: 3 * time, memory: ms << 20 }
        };
        let live = [phase(1), phase(10), phase(2)];
        let time = Duration::from_secs(2);
        let run = Figures { clients: 5, replayed: 1000, time, live, lost: 1, repeated: 2, notices: 3 };
        let lines = [
            "| 5 | | | | before | 1.0 | 2.0 | 3.0 | 1.0 | | | |",
            "| 5 | 1000 | 2.00 | 500 | during | 10.0 | 20.0 | 30.0 | 10.0 | | | |",
            "| 5 | | | | after | 2.0 | 4.0 | 6.0 | 2.0 | 1 | 2 | 3 |",
        ];
        assert_eq!(table(&[run]), HEAD.to_owned() + &lines.join("\n") + "\n");
    }
}
