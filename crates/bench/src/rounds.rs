//! Runs that take turns, so that what changes on the machine meanwhile is nobody's alone; and what is said to those who
//! wait.

use std::io::{self, Write as _};
use std::time::Duration;

use crate::process::{self, Split};
use crate::report::{Column, Outcome, Run};
use crate::scenario::Scenario;
use crate::target::Target;

/// From here on, the load is what is measured: percent of its CPU.
const SATURATED: f64 = 85.0;

/// From here on, what else the machine does is measured too: percent of a CPU. A machine that does nothing else takes one
/// or two.
const CROWDED: f64 = 5.0;

/// One line of a table.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) target: Target,
    pub(crate) scenario: Scenario,
}

impl Case {
    pub(crate) fn new(target: &Target, scenario: Scenario) -> Self {
        Self { name: target.name(), target: target.clone(), scenario }
    }
}

/// Everything that a command runs.
pub(crate) struct Rounds {
    count: u32,
    split: Option<Split>,
    pid: Option<u32>,
    done: usize,
    all: usize,
    left: Duration,
}

impl Rounds {
    /// Prepares so many rounds of each of these groups of cases.
    pub(crate) fn new<'a>(
        count: u32,
        pins: bool,
        pid: Option<u32>,
        groups: impl IntoIterator<Item = &'a [Case]>,
    ) -> io::Result<Self> {
        let split = if pins { Split::of_this_machine()? } else { None };
        let mut rounds = Self { count, split, pid, done: 0, all: 0, left: Duration::ZERO };
        for case in groups.into_iter().flatten() {
            process::allow_sockets(case.scenario.clients as usize)?;
            rounds.all += count as usize;
            rounds.left += case.scenario.about() * count;
        }
        Ok(rounds)
    }

    /// Whether the server has a CPU that the load has not.
    pub(crate) fn pins(&self) -> bool {
        self.split.is_some()
    }

    /// Runs one group. Every other round begins at its other end.
    pub(crate) fn run(&mut self, cases: &[Case]) -> io::Result<Vec<Outcome>> {
        let mut outcomes: Vec<_> =
            cases.iter().map(|case| Outcome { name: case.name.clone(), runs: Vec::new() }).collect();
        for round in 0..self.count {
            let mut order: Vec<_> = cases.iter().zip(&mut outcomes).collect();
            if round % 2 == 1 {
                order.reverse();
            }
            for (case, outcome) in order {
                self.announce(round, case)?;
                let run = case.scenario.run(&case.target, self.split.as_ref(), self.pid)?;
                conclude(&run)?;
                outcome.runs.push(run);
                self.done += 1;
                self.left = self.left.saturating_sub(case.scenario.about());
            }
        }
        Ok(outcomes)
    }

    fn announce(&self, round: u32, case: &Case) -> io::Result<()> {
        writeln!(
            io::stderr(),
            "[{}/{}, {} s left] round {} of {}: {}, {} clients",
            self.done + 1,
            self.all,
            self.left.as_secs(),
            round + 1,
            self.count,
            case.name,
            case.scenario.clients
        )
    }
}

/// Says in short what a run gave, and what makes it doubtful.
fn conclude(run: &Run) -> io::Result<()> {
    let shown = [Column::Delivery, Column::Burst, Column::P99, Column::Memory, Column::Idle, Column::Arrival]
        .into_iter()
        .filter_map(|column| Some(format!("{} {}", column.name(), column.show(Some(run.get(column)?)))));
    writeln!(io::stderr(), "    {}", shown.collect::<Vec<_>>().join(", "))?;
    if let Some(share) = run.get(Column::Load).filter(|share| *share > SATURATED) {
        writeln!(
            io::stderr(),
            "    warning: the load took {share:.0} % of its CPU: latencies are its own; use fewer clients or a lower rate"
        )?;
    }
    if let Some(share) = run.get(Column::Others).filter(|share| *share > CROWDED) {
        writeln!(
            io::stderr(),
            "    warning: something else took {share:.0} % of a CPU: measure on a quiet machine"
        )?;
    }
    if !run.account.is_flawless() {
        writeln!(io::stderr(), "    flawed: {:?}", run.account)?;
    }
    Ok(())
}
