//! The benchmark: opens the clients, publishes at a steady rate, waits for the last delivery, and accounts for
//! every one. One thread does all of it.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use crate::poller::{Interest, Poller};
use crate::process::{self, Split};
use crate::publisher::{Publisher, Series};
use crate::report::{self, Costs, Figures};
use crate::subscriber::{Subscriber, Tally};
use crate::target::{Started, Target};

const PUBLISHER: usize = usize::MAX;

/// Without any progress for so long, what has not been delivered is lost.
const GIVE_UP: Duration = Duration::from_secs(10);

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to measure: `fanfare=PATH` or `floor` to start one, `http://ADDRESS:PORT` for one that runs; by default
    /// the `fanfare` beside this program.
    #[arg(long, value_name = "SERVER")]
    server: Option<Target>,
    /// What to compare it with, in the same run.
    #[arg(long, value_name = "SERVER")]
    vs: Option<Target>,
    /// Clients that hold a stream open.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    clients: u32,
    /// Events published in a second, one at a time.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// Bytes of an event's JSON.
    #[arg(long, default_value_t = 440)]
    bytes: usize,
    /// How long to publish.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// The process of a server given by its address, for its CPU time and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// Leave server and load on all CPUs, instead of the server on one and the load on the others.
    #[arg(long)]
    no_pin: bool,
}

/// Runs, prints the table, and says whether every client got everything.
pub(crate) fn run(args: &Args) -> io::Result<ExitCode> {
    process::allow_sockets(args.clients as usize)?;
    let split = if args.no_pin { None } else { Split::of_this_machine()? };
    let beside = || Ok(Target::Fanfare(std::env::current_exe()?.with_file_name("fanfare")));
    let server = args.server.clone().map_or_else(beside, Ok::<_, io::Error>)?;

    let figures = measure(&server, args, split.as_ref())?;
    let other = args.vs.as_ref().map(|vs| measure(vs, args, split.as_ref())).transpose()?;
    let Args { clients, rate, bytes, seconds, .. } = args;
    writeln!(
        io::stdout(),
        "{clients} clients, {rate} events/s of {bytes} bytes for {seconds} s, loopback, server on {}\n\n{}",
        if split.is_some() { "one CPU and load on the others" } else { "the same CPUs as the load" },
        report::table(&figures, other.as_ref())
    )?;
    let flawless = figures.is_flawless() && other.is_none_or(|other| other.is_flawless());
    Ok(if flawless { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(target: &Target, args: &Args, split: Option<&Split>) -> io::Result<Figures> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", target.name()));
    let Started { addr, process, .. } = &target.start(split, args.pid).map_err(named)?;
    let cpu = || process.map(process::Process::cpu_time).transpose();
    let memory = || process.map(process::Process::private_bytes).transpose();

    // What a server sets up once, with its first clients and events, is not what a client costs.
    let mut warm_up = Load::open(*addr, 20).map_err(named)?;
    warm_up.publish(50, 20, args.bytes).map_err(named)?;
    drop(warm_up);

    let (cpu_before, memory_before) = (cpu()?, memory()?);
    let mut load = Load::open(*addr, args.clients).map_err(named)?;
    let (cpu_open, memory_open) = (cpu()?, memory()?);
    let rate = load.publish(args.rate, args.rate * args.seconds, args.bytes).map_err(named)?;
    let cpu_after = cpu()?;

    let mut tally = load.tally;
    let (clients, deliveries) = (f64::from(args.clients), tally.delivered.max(1));
    let costs = match (cpu_before.zip(cpu_open).zip(cpu_after), memory_before.zip(memory_open)) {
        (Some(((before, open), after)), Some((memory_before, memory_open))) => Some(Costs {
            delivery: microseconds(after.saturating_sub(open)) / as_f64(deliveries),
            memory: as_f64(memory_open.saturating_sub(memory_before)) / clients,
            opening: microseconds(open.saturating_sub(before)) / clients,
        }),
        _ => None,
    };
    Ok(Figures {
        name: target.name(),
        rate,
        delivered: tally.delivered,
        lost: tally.lost,
        repeated: tally.repeated,
        notices: tally.notices,
        p50: report::percentile(&mut tally.latencies, 50),
        p99: report::percentile(&mut tally.latencies, 99),
        costs,
    })
}

/// Clients with open streams, and a connection to publish on.
struct Load {
    poller: Poller,
    publisher: Publisher,
    subscribers: Vec<Subscriber>,
    tally: Tally,
    ready: Vec<usize>,
    buffer: Box<[u8]>,
}

impl Load {
    /// Opens the streams, and waits until all are open.
    fn open(addr: SocketAddr, clients: u32) -> io::Result<Self> {
        let run = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        let mut load = Self {
            poller: Poller::new()?,
            publisher: Publisher::connect(addr)?,
            subscribers: Vec::new(),
            tally: Tally::new(Series::new(run)),
            ready: Vec::new(),
            buffer: vec![0; 64 * 1024].into(),
        };
        load.poller.add(&load.publisher.stream, PUBLISHER, Interest::Read)?;
        for token in 0..clients as usize {
            let subscriber = Subscriber::connect(addr)?;
            load.poller.add(&subscriber.stream, token, Interest::Read)?;
            load.subscribers.push(subscriber);
        }
        while !load.subscribers.iter().all(Subscriber::is_open) {
            if !load.turn(GIVE_UP)? {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "not all streams could be opened"));
            }
        }
        Ok(load)
    }

    /// Publishes so many events at this rate, waits for their delivery, and gives the rate that came of it.
    fn publish(&mut self, rate: u32, events: u32, bytes: usize) -> io::Result<f64> {
        let interval = Duration::from_secs(1) / rate;
        let start = Instant::now();
        let mut published = 0;
        let mut last_progress = start;
        loop {
            let now = Instant::now();
            let due = start + interval * published;
            let is_open = published < events && self.publisher.is_ready();
            if is_open && due <= now {
                self.tally.published.push(now);
                self.publisher.publish(&self.tally.series, published, bytes)?;
                published += 1;
                continue;
            }
            if published == events && self.subscribers.iter().all(|subscriber| subscriber.is_done(events)) {
                break;
            }
            let wait = if is_open { due - now } else { GIVE_UP };
            if self.turn(wait)? {
                last_progress = now;
            } else if last_progress.elapsed() >= GIVE_UP {
                break;
            }
        }
        for subscriber in &self.subscribers {
            subscriber.finish(events, &mut self.tally);
        }
        let taken = self.tally.published.last().map_or(Duration::ZERO, |last| *last - start) + interval;
        Ok(f64::from(published) / taken.as_secs_f64())
    }

    /// Waits for something to read, and reads it; `false` where nothing came.
    fn turn(&mut self, wait: Duration) -> io::Result<bool> {
        self.poller.wait(Some(wait), &mut self.ready)?;
        let came = !self.ready.is_empty();
        for token in self.ready.drain(..) {
            if token == PUBLISHER {
                self.publisher.read()?;
            } else if let Some(subscriber) = self.subscribers.get_mut(token) {
                subscriber.read(&mut self.buffer, &mut self.tally)?;
            }
        }
        Ok(came)
    }
}

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

#[expect(clippy::cast_precision_loss, reason = "figures of a report need no 53 bits")]
fn as_f64(number: u64) -> f64 {
    number as f64
}
