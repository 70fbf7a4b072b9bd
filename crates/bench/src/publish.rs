//! The publish benchmark: how many publications are acknowledged in a second, beside what the disk can do at all.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use fanfare_testkit::Server;
use fanfare_testkit::sse::Client;

use crate::disk::Rate;
use crate::load::GIVE_UP;
use crate::process::Process;
use crate::publisher::Series;
use crate::report;
use crate::senders::Senders;
use crate::target::Site;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The binary; by default the `fanfare` beside this program.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// How many publish at once, one event a request.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8, 64])]
    publishers: Vec<usize>,
    /// How many publish at once, a batch a request.
    #[arg(long, value_delimiter = ',', default_values_t = [1, 8])]
    batch_publishers: Vec<usize>,
    /// Events of a batch.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(2..=1000))]
    batch: u32,
    /// Bytes of an event's JSON.
    #[arg(long, default_value_t = 440)]
    bytes: usize,
    /// How long to publish in each case; each second is a turn, between two looks at the disk.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=3600))]
    seconds: u64,
}

/// How long to publish before the disk is looked at again: what it can do changes from one moment to the next.
const TURN: Duration = Duration::from_secs(1);

/// How long to look at the disk, each way.
const DISK_TURN: Duration = Duration::from_millis(150);

const STREAM: &str = "/sse/events";

/// What one case gave.
struct Figures {
    durability: &'static str,
    publishers: usize,
    batch: u32,
    /// Events in a second.
    rate: f64,
    /// Microseconds of the server's CPU time for an event.
    cpu: f64,
    p50: Duration,
    p99: Duration,
    lost: u64,
    repeated: u64,
    disk: Rate,
}

const HEAD: &str = "\
| durability | publishers | events a request | events/s | fdatasync/s, appending | overwriting | requests ÷ appending | ÷ overwriting | CPU µs an event | p50 ms | p99 ms | lost | repeated |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
";

/// Runs all cases, prints the table, and says whether everything that was acknowledged is there.
pub(crate) fn run(args: &Args) -> io::Result<ExitCode> {
    let mut all = Vec::new();
    let cases = args.publishers.iter().map(|publishers| (*publishers, 1));
    let batches = args.batch_publishers.iter().map(|publishers| (*publishers, args.batch));
    let cases: Vec<_> = cases.chain(batches).collect();
    for durability in ["full", "relaxed"] {
        for (publishers, batch) in &cases {
            all.push(measure(args, durability, *publishers, *batch)?);
        }
    }
    writeln!(
        io::stdout(),
        "events of {} bytes for {} s each, loopback, server and load on the same CPUs; the disk's rate in the \
         same folder is measured before and after each second\n\n{}",
        args.bytes,
        args.seconds,
        table(&all)
    )?;
    let is_whole = all.iter().all(|figures| figures.lost == 0 && figures.repeated == 0);
    Ok(if is_whole { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A log of its own for each case.
fn measure(args: &Args, durability: &'static str, publishers: usize, batch: u32) -> io::Result<Figures> {
    let binary = match &args.server {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.with_file_name("fanfare"),
    };
    let server = Server::builder(binary).config(config(durability, 10_000)).start()?;
    let process = Process::new(server.pid())?;

    let series = Series::fresh();
    let start = Client::open(server.addr(), STREAM, &[])?;
    let mut senders =
        Senders::connect(Site::of_fanfare(server.addr()), publishers, &series, batch, args.bytes)?;
    // What a server sets up once is not what an event costs.
    senders.publish(|_, sent| sent < batch * 20)?;
    let mut disk = vec![Rate::measure(server.dir(), DISK_TURN)?];
    let (mut time, mut cpu, mut events, mut end) = (Duration::ZERO, Duration::ZERO, 0, 0);
    let mut latencies = Vec::new();
    for _ in 0..args.seconds {
        let before = process.cpu_time()?;
        let mut sent = senders.publish(|time, _| time < TURN)?;
        cpu += process.cpu_time()?.saturating_sub(before);
        time += sent.time;
        events += sent.numbers.end - sent.numbers.start;
        end = sent.numbers.end;
        latencies.append(&mut sent.latencies);
        disk.push(Rate::measure(server.dir(), DISK_TURN)?);
    }

    let position = start.head().header("last-event-id").unwrap_or_default().to_owned();
    drop(start);
    let (lost, repeated) = read_back(&server, &position, &series, end)?;
    Ok(Figures {
        durability,
        publishers,
        batch,
        rate: f64::from(events) / time.as_secs_f64(),
        cpu: cpu.as_secs_f64() * 1e6 / f64::from(events.max(1)),
        p50: report::percentile(&mut latencies, 50),
        p99: report::percentile(&mut latencies, 99),
        lost,
        repeated,
        disk: Rate::mean(&disk),
    })
}

/// Reads everything behind this position, and gives how many of so many events are not there and how many are there
/// more than once.
fn read_back(server: &Server, position: &str, series: &Series, events: u32) -> io::Result<(u64, u64)> {
    let mut client = Client::open(server.addr(), STREAM, &[("Last-Event-ID", position)])?;
    let mut seen = vec![false; events as usize];
    let (mut missing, mut repeated) = (u64::from(events), 0);
    while missing > 0 {
        let event = match client.next_event(GIVE_UP) {
            Ok(event) => event,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => break,
            Err(error) => return Err(error),
        };
        let number = event
            .id
            .as_deref()
            .and_then(|id| series.number(id.as_bytes(), &mut 0))
            .and_then(|id| usize::try_from(id).ok());
        match number.and_then(|number| seen.get_mut(number)) {
            Some(seen) if !*seen => {
                *seen = true;
                missing -= 1;
            }
            Some(_) => repeated += 1,
            None => return Err(io::Error::other(format!("nobody published this: {event:?}"))),
        }
    }
    Ok((missing, repeated))
}

/// A webhook and a stream, on files of its own.
pub(crate) fn config(durability: &str, window: u32) -> String {
    format!(
        r#"
[log]
type = "sqlite"
path = "events.db"
durability = "{durability}"
[log.retention]
max_events = 100000000
max_bytes = "64GiB"
[log.window]
events = {window}

[sources.bench.extractor]
type = "webhook"
id = "events"

[sinks.events]
type = "sse"
id = "events"
"#
    )
}

fn table(all: &[Figures]) -> String {
    let mut text = HEAD.to_owned();
    for figures in all {
        let Figures { durability, publishers, batch, rate, cpu, p50, p99, lost, repeated, disk } = figures;
        let Rate { appending, overwriting } = disk;
        let requests = rate / f64::from(*batch);
        let (to_appending, to_overwriting) = (requests / appending, requests / overwriting);
        let (p50, p99) = (report::milliseconds(*p50), report::milliseconds(*p99));
        let _ = writeln!(
            text,
            "| {durability} | {publishers} | {batch} | {rate:.0} | {appending:.0} | {overwriting:.0} | {to_appending:.2} \
             | {to_overwriting:.2} | {cpu:.1} | {p50:.2} | {p99:.2} | {lost} | {repeated} |"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_compares_requests_with_syncs() {
        let figures = Figures {
            durability: "full",
            publishers: 8,
            batch: 100,
            rate: 50_000.0,
            cpu: 12.34,
            p50: Duration::from_micros(1500),
            p99: Duration::from_micros(2500),
            lost: 0,
            repeated: 1,
            disk: Rate::mean(&[
                Rate { appending: 250.0, overwriting: 1500.0 },
                Rate { appending: 250.0, overwriting: 500.0 },
            ]),
        };
        let line = "| full | 8 | 100 | 50000 | 250 | 1000 | 2.00 | 0.50 | 12.3 | 1.50 | 2.50 | 0 | 1 |\n";
        assert_eq!(table(&[figures]), HEAD.to_owned() + line);
    }
}
