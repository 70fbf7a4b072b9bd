//! Every target that delivery has, measured in one command: what is run for which of them. The table is in [`rows`].

mod rows;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::ValueEnum;

use crate::fanout;
use crate::load::Pace;
use crate::report::{Column, Outcome};
use crate::rounds::{Case, Rounds};
use crate::scenario::Scenario;
use crate::target::{Log, Target};
use rows::Row;

/// Deliveries a second where there are many clients: what leaves the slowest of the servers some air.
const DELIVERIES: u32 = 50_000;

/// Of 100 clients, those that read nothing where some do not.
const STALLED: u32 = 10;

#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// What to measure; by default the `fanfare` beside this program.
    #[arg(long, value_name = "SERVER")]
    server: Option<Target>,
    /// How often each server is measured, in turns; the table has the medians.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Measure these only.
    #[arg(long, value_delimiter = ',', num_args = 1..)]
    only: Vec<Name>,
    /// Few clients, and many.
    #[arg(long, value_name = "FEW,MANY", value_parser = pair, default_value = "1000,10000")]
    clients: (u32, u32),
    /// How long to publish, one event at a time and again in bursts.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// How long idle streams are measured.
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=3600))]
    idle: u32,
    /// Bytes of an event's JSON.
    #[arg(long, default_value_t = 440)]
    bytes: usize,
}

/// A target, or several that belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Name {
    /// CPU per delivery, beside the floor.
    Delivery,
    /// CPU per delivery where ten events come at once.
    Bursts,
    /// Private memory of an idle client.
    Memory,
    /// CPU per delivery, beside nginx with nchan.
    Nchan,
    /// CPU while nothing happens.
    Idle,
    /// CPU to open a stream.
    Opening,
    /// p99, beside the floor.
    Latency,
    /// What clients that read nothing cost the others.
    Stalled,
    /// What clients that come at once cost the others.
    Storm,
    /// What the durable log costs a delivery.
    Log,
}

/// Runs that take turns, and the rows that come of them.
struct Group {
    cases: Vec<Case>,
    rows: fn(&Plan, &[Outcome]) -> Vec<Row>,
}

type Rows = fn(&Plan, &[Outcome]) -> Vec<Row>;

/// What is to be measured.
struct Plan {
    args: Args,
    server: Target,
}

/// Runs, prints the table, and says whether every client got everything. A target that is missed is no failure: the table
/// says so.
pub(crate) fn run(args: &Args) -> io::Result<ExitCode> {
    let plan = Plan { args: args.clone(), server: args.server.clone().map_or_else(Target::beside, Ok)? };
    let groups = plan.groups();
    let mut rounds = Rounds::new(args.rounds, true, None, groups.iter().map(|group| group.cases.as_slice()))?;
    let (mut table, mut deliveries, mut is_flawless) = (Vec::new(), 0, true);
    let mut others: f64 = 0.0;
    for group in &groups {
        let outcomes = rounds.run(&group.cases)?;
        table.extend((group.rows)(&plan, &outcomes));
        for outcome in &outcomes {
            let account = outcome.account();
            deliveries += account.delivered;
            is_flawless &= account.is_flawless();
            others = others.max(outcome.get(Column::Others).unwrap_or_default());
        }
    }
    writeln!(
        io::stdout(),
        "{}\nEvents of {} bytes, server on {}, medians of {} rounds. Of {deliveries} deliveries {}. Something else \
         took {others:.0} % of a core at most.",
        rows::table(&table),
        args.bytes,
        if rounds.pins() { "one core and load on the other" } else { "the core that the load has" },
        args.rounds,
        if is_flawless {
            "none was lost, doubled or out of order"
        } else {
            "some were lost, doubled or out of order"
        }
    )?;
    Ok(if is_flawless { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Plan {
    fn measures(&self, name: Name) -> bool {
        self.args.only.is_empty() || self.args.only.contains(&name)
    }

    fn groups(&self) -> Vec<Group> {
        let (few, many) = self.args.clients;
        let measures = |names: &[Name]| names.iter().any(|name| self.measures(*name));
        let mut groups = Vec::new();
        let mut add = |is_measured: bool, cases: Vec<Case>, rows: Rows| {
            if is_measured {
                groups.push(Group { cases, rows });
            }
        };
        let named = [Name::Delivery, Name::Bursts, Name::Nchan, Name::Latency];
        add(measures(&named), self.beside_others(few), Plan::rows_of_few);
        let named = [Name::Delivery, Name::Bursts, Name::Nchan, Name::Memory, Name::Opening];
        add(measures(&named), self.beside_others(many), Plan::rows_of_many);

        let idle = Scenario { idle: self.args.idle, ..Scenario::new(many, self.pace(many), 1) };
        add(measures(&[Name::Idle]), vec![Case::new(&self.server, idle)], |_, outcomes| rows::idle(outcomes));
        let stalled = fanout::stalled(&self.server, self.scenario(few), STALLED);
        add(measures(&[Name::Stalled]), stalled.into(), |plan, outcomes| {
            let (few, _) = plan.args.clients;
            rows::stalled(fanout::share(few, STALLED), outcomes)
        });
        let storm = Scenario { arriving: many, ..self.scenario(few) };
        add(measures(&[Name::Storm]), vec![Case::new(&self.server, storm)], |_, outcomes| {
            rows::storm(outcomes)
        });
        let apart = Scenario { publishes_alone: true, ..self.scenario(few) };
        let logs = [Log::Sqlite, Log::Memory].map(|log| Case::new(&self.server.clone().with_log(log), apart));
        add(measures(&[Name::Log]), logs.into(), |_, outcomes| rows::log(outcomes));
        groups
    }

    fn beside_others(&self, clients: u32) -> Vec<Case> {
        let burst = if self.measures(Name::Bursts) { rows::BURST } else { 0 };
        let scenario = Scenario { burst, ..self.scenario(clients) };
        let mut targets = vec![self.server.clone(), Target::Floor];
        if self.measures(Name::Nchan) {
            targets.push(Target::Nchan);
        }
        targets.iter().map(|target| Case::new(target, scenario)).collect()
    }

    fn scenario(&self, clients: u32) -> Scenario {
        Scenario::new(clients, self.pace(clients), self.args.seconds)
    }

    fn pace(&self, clients: u32) -> Pace {
        Pace { rate: (DELIVERIES / clients.max(1)).clamp(1, 50), burst: 1, bytes: self.args.bytes }
    }

    fn rows_of_few(&self, outcomes: &[Outcome]) -> Vec<Row> {
        let (few, _) = self.args.clients;
        let mut rows = self.rows_beside_others(few, outcomes);
        if self.measures(Name::Latency) {
            rows.extend(rows::latency(few, outcomes));
        }
        rows
    }

    fn rows_of_many(&self, outcomes: &[Outcome]) -> Vec<Row> {
        let (_, many) = self.args.clients;
        let mut rows = self.rows_beside_others(many, outcomes);
        if self.measures(Name::Memory) {
            rows.extend(rows::memory(many, outcomes));
        }
        if self.measures(Name::Opening) {
            rows.extend(rows::opening(many, outcomes));
        }
        rows
    }

    fn rows_beside_others(&self, clients: u32, outcomes: &[Outcome]) -> Vec<Row> {
        let mut all = Vec::new();
        if self.measures(Name::Delivery) {
            all.extend(rows::delivery(clients, outcomes));
        }
        if self.measures(Name::Bursts) {
            all.extend(rows::bursts(clients, outcomes));
        }
        if self.measures(Name::Nchan) {
            all.extend(rows::nchan(clients, outcomes));
        }
        all
    }
}

/// Reads two numbers.
fn pair(text: &str) -> Result<(u32, u32), String> {
    let number = |text: &str| text.parse().ok().filter(|number| *number > 0);
    text.split_once(',')
        .and_then(|(few, many)| Some((number(few)?, number(many)?)))
        .ok_or_else(|| "not two numbers such as `1000,10000`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    /// The clients of each case, by name.
    fn cases(line: &[&str]) -> Vec<String> {
        let line = [&["targets", "--server=fanfare=x", "--clients=10,30"], line].concat();
        let args = Line::parse_from(line).args;
        let server = args.server.clone().unwrap();
        let shown = |case: &Case| format!("{} {}", case.name, case.scenario.clients);
        Plan { args, server }.groups().iter().flat_map(|group| &group.cases).map(shown).collect()
    }

    #[test]
    fn what_is_run_is_what_the_targets_need() {
        assert_eq!(cases(&["--only=memory"]), ["fanfare 30", "floor 30"]);
        assert_eq!(cases(&["--only", "latency"]), ["fanfare 10", "floor 10"]);
        assert_eq!(cases(&["--only=log,idle"]), ["fanfare 30", "fanfare, sqlite 10", "fanfare 10"]);
        let all = [
            "fanfare 10",
            "floor 10",
            "nginx + nchan 10",
            "fanfare 30",
            "floor 30",
            "nginx + nchan 30",
            "fanfare 30",
            "fanfare, 1 more stalled 10",
            "fanfare, without them 9",
            "fanfare 10",
            "fanfare, sqlite 10",
            "fanfare 10",
        ];
        assert_eq!(cases(&[]), all);
    }

    #[test]
    fn two_numbers_of_clients_are_read() {
        let check =
            |text: &str, expected: Option<(u32, u32)>| assert_eq!(pair(text).ok(), expected, "{text}");
        check("1000,10000", Some((1000, 10_000)));
        check("1000", None);
        check("0,1", None);
        check("1,2,3", None);
    }
}
