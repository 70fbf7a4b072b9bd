//! How cost and memory grow with the clients, up to what a process here may have.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::load::Pace;
use crate::report::{Column, Outcome};
use crate::rounds::{Case, Rounds};
use crate::scenario::Scenario;
use crate::target::Target;

/// Deliveries a second, at any number of clients: what leaves both CPUs some air.
const DELIVERIES: u32 = 50_000;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to measure; by default the `fanfare` beside this program.
    #[arg(long, value_name = "SERVER")]
    server: Option<Target>,
    /// How often each number of clients is measured.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Clients that hold a stream open.
    #[arg(long, value_delimiter = ',', default_values_t = [1000, 5000, 10_000, 18_000])]
    clients: Vec<u32>,
    /// How long to publish.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// Bytes of an event's JSON.
    #[arg(long, default_value_t = 440)]
    bytes: usize,
}

const HEAD: &str = "\
| clients | events/s | B a client | socket B a client | CPU µs to open | CPU µs a delivery | floor's | ratio | p50 / p99 ms | floor's |
|---|---|---|---|---|---|---|---|---|---|
";

/// Runs, prints the table, and says whether every client got everything.
pub(crate) fn run(args: &Args) -> io::Result<ExitCode> {
    let server = args.server.clone().map_or_else(Target::beside, Ok)?;
    let groups: Vec<_> = args.clients.iter().map(|clients| cases(&server, *clients, args)).collect();
    let mut rounds = Rounds::new(args.rounds, true, None, groups.iter().map(<[Case; 2]>::as_slice))?;
    let mut text = HEAD.to_owned();
    let mut is_flawless = true;
    for group in &groups {
        if let [server, floor] = rounds.run(group)?.as_slice() {
            let clients = group.first().map_or(0, |case| case.scenario.clients);
            text.push_str(&line(clients, server, floor));
            is_flawless &= server.account().is_flawless() && floor.account().is_flawless();
        }
    }
    writeln!(io::stdout(), "{text}")?;
    Ok(if is_flawless { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn cases(server: &Target, clients: u32, args: &Args) -> [Case; 2] {
    let rate = (DELIVERIES / clients.max(1)).clamp(1, 50);
    let pace = Pace { rate, burst: 1, bytes: args.bytes };
    [server, &Target::Floor].map(|target| Case::new(target, Scenario::new(clients, pace, args.seconds)))
}

fn line(clients: u32, server: &Outcome, floor: &Outcome) -> String {
    let mut text = format!("| {clients} |");
    for column in [Column::Rate, Column::Memory, Column::Sockets, Column::Opening, Column::Delivery] {
        let _ = write!(text, " {} |", column.show(server.get(column)));
    }
    let delivery = |outcome: &Outcome| outcome.get(Column::Delivery);
    let ratio = delivery(server).zip(delivery(floor)).map(|(one, two)| one / two);
    let latencies = |outcome: &Outcome| {
        [Column::P50, Column::P99].map(|column| column.show(outcome.get(column))).join(" / ")
    };
    let _ = writeln!(
        text,
        " {} | {} | {} | {} |",
        Column::Delivery.show(delivery(floor)),
        Column::Delivery.show(ratio),
        latencies(server),
        latencies(floor)
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Run;

    #[test]
    fn a_line_compares_with_the_floor() {
        let outcome = |delivery: f64| {
            let values = vec![
                (Column::Rate, 50.0),
                (Column::Memory, 512.4),
                (Column::Delivery, delivery),
                (Column::P50, 3.0),
                (Column::P99, 9.0),
            ];
            Outcome { name: String::new(), runs: vec![Run { values, ..Run::default() }] }
        };
        let expected = "| 1000 | 50.0 | 512 | ? | ? | 6.60 | 6.00 | 1.10 | 3.0 / 9.0 | 3.0 / 9.0 |\n";
        assert_eq!(line(1000, &outcome(6.6), &outcome(6.0)), expected);
    }
}
