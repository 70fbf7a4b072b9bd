//! The fan-out benchmark: opens the clients, publishes at a steady rate, waits for the last delivery, and accounts for
//! every one.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use crate::load::Load;
use crate::process::{self, Split};
use crate::publisher::Series;
use crate::report::{self, Costs, Figures};
use crate::target::{Started, Target};

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
    let server = args.server.clone().map_or_else(Target::beside, Ok)?;

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
    let mut warm_up = Load::open(*addr, 20, Series::fresh(), 0).map_err(named)?;
    warm_up.publish(50, args.bytes, |published| published < 20).map_err(named)?;
    drop(warm_up);

    let (cpu_before, memory_before) = (cpu()?, memory()?);
    let mut load = Load::open(*addr, args.clients, Series::fresh(), 0).map_err(named)?;
    let (cpu_open, memory_open) = (cpu()?, memory()?);
    let events = args.rate * args.seconds;
    let rate = load.publish(args.rate, args.bytes, |published| published < events).map_err(named)?;
    let cpu_after = cpu()?;

    let mut tally = load.into_tally();
    let (clients, deliveries) = (f64::from(args.clients), tally.delivered.max(1));
    let costs = match (cpu_before.zip(cpu_open).zip(cpu_after), memory_before.zip(memory_open)) {
        (Some(((before, open), after)), Some((memory_before, memory_open))) => Some(Costs {
            delivery: microseconds(after.saturating_sub(open)) / report::as_f64(deliveries),
            memory: report::as_f64(memory_open.saturating_sub(memory_before)) / clients,
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

fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
