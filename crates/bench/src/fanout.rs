//! The fan-out benchmark: one table for one server, or for two that take turns.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::load::Pace;
use crate::report;
use crate::rounds::{Case, Rounds};
use crate::scenario::Scenario;
use crate::target::Target;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to measure: `fanfare=PATH`, with `,log=sqlite` and `,FANFARE__KEY=VALUE` behind it, `floor` or `nchan` to
    /// start one, `http://ADDRESS:PORT` for one that runs; by default the `fanfare` beside this program, with events in
    /// memory.
    #[arg(long, value_name = "SERVER")]
    server: Option<Target>,
    /// What to compare it with, in the same run; may be given several times.
    #[arg(long, value_name = "SERVER")]
    vs: Vec<Target>,
    /// How often each of them is measured, in turns; the table has the medians.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Clients that hold a stream open.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
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
    /// Publish as long again at the same rate, but so many events at once, pipelined on one connection.
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1000))]
    burst: u32,
    /// Clients beside the others that read nothing, as a share of all; each server is measured with and without them.
    #[arg(long, value_parser = percent, default_value = "0%")]
    stalled: u32,
    /// Clients that connect at once, to a stream that no event is for, while the others go on.
    #[arg(long, default_value_t = 0)]
    arriving: u32,
    /// Measure so many seconds without an event.
    #[arg(long, default_value_t = 0)]
    idle: u32,
    /// Publish the same without clients before, and show what publishing costs apart.
    #[arg(long)]
    apart: bool,
    /// The process of a server given by its address, for its CPU time and memory.
    #[arg(long)]
    pid: Option<u32>,
    /// Leave server and load on all CPUs, instead of the server on one and the load on the others.
    #[arg(long)]
    no_pin: bool,
}

/// Runs, prints the table, and says whether every client got everything.
pub(crate) fn run(args: &Args) -> io::Result<ExitCode> {
    let server = args.server.clone().map_or_else(Target::beside, Ok)?;
    let cases: Vec<_> = [&server].into_iter().chain(&args.vs).flat_map(|target| args.cases(target)).collect();
    let mut rounds = Rounds::new(args.rounds, !args.no_pin, args.pid, [cases.as_slice()])?;
    let outcomes = rounds.run(&cases)?;
    let Args { clients, rate, bytes, seconds, .. } = args;
    writeln!(
        io::stdout(),
        "{clients} clients, {rate} events/s of {bytes} bytes for {seconds} s, loopback, server on {}; medians of {} rounds\n\n{}",
        if rounds.pins() { "one CPU and load on the others" } else { "the same CPUs as the load" },
        args.rounds,
        report::table(&outcomes)
    )?;
    let is_flawless = outcomes.iter().all(|outcome| outcome.account().is_flawless());
    Ok(if is_flawless { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Args {
    fn cases(&self, target: &Target) -> Vec<Case> {
        let pace = Pace { rate: self.rate, burst: 1, bytes: self.bytes };
        let all = Scenario {
            burst: self.burst,
            arriving: self.arriving,
            idle: self.idle,
            publishes_alone: self.apart,
            ..Scenario::new(self.clients, pace, self.seconds)
        };
        if self.stalled == 0 {
            vec![Case::new(target, all)]
        } else {
            stalled(target, all, self.stalled).into()
        }
    }
}

/// A case where this share of all reads nothing, in percent, and one with the others alone.
pub(crate) fn stalled(target: &Target, all: Scenario, percent: u32) -> [Case; 2] {
    let stalled = share(all.clients, percent);
    let others = Scenario { clients: all.clients - stalled, fills: true, ..all };
    let with = Scenario { clients: all.clients, stalled, ..others };
    let name = target.name();
    [
        Case { name: format!("{name}, {stalled} more stalled"), ..Case::new(target, with) },
        Case { name: format!("{name}, without them"), ..Case::new(target, others) },
    ]
}

/// So many of a hundred clients, of so many.
pub(crate) const fn share(clients: u32, percent: u32) -> u32 {
    (clients * percent).div_ceil(100)
}

fn percent(text: &str) -> Result<u32, String> {
    let number = text.strip_suffix('%').and_then(|number| number.parse().ok());
    number.filter(|number| *number < 100).ok_or_else(|| "not a share such as `10%`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_has_its_sign() {
        let check = |text: &str, expected: Option<u32>| assert_eq!(percent(text).ok(), expected, "{text}");
        check("10%", Some(10));
        check("0%", Some(0));
        check("10", None);
        check("100%", None);
        check("-1%", None);
    }

    #[test]
    fn the_others_are_as_many_with_and_without_stalled_clients() {
        let pace = Pace { rate: 1, burst: 1, bytes: 1 };
        let [with, without] = stalled(&Target::Floor, Scenario::new(1000, pace, 1), 10);
        assert_eq!((with.scenario.clients, with.scenario.stalled), (1000, 100));
        assert_eq!((without.scenario.clients, without.scenario.stalled), (900, 0));
        assert!(with.scenario.fills && without.scenario.fills);
    }
}
