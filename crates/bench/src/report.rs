//! What a run gives, the medians of several, and the table: a line a server, and lines with ratios.

use std::fmt::Write as _;
use std::time::Duration;

/// What can be measured. Not every run measures everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    /// Published in each second.
    Rate,
    P50,
    P99,
    /// The server's CPU time for a delivery, accepting and answering the publications included.
    Delivery,
    /// The same where events are published in bursts.
    Burst,
    BurstP99,
    /// The server's CPU time for an event that nobody listens to.
    Publishing,
    /// That for a delivery, without that for publishing.
    Apart,
    /// Private memory of the server that a client adds, and kernel memory of its sockets.
    Memory,
    Sockets,
    /// The server's CPU time for a client, until its stream is open.
    Opening,
    /// The part of a CPU that the server takes while nothing happens but keep-alives.
    Idle,
    /// All private memory of the server, and all of its sockets, after everything else.
    Private,
    Kernel,
    /// Until the last of the clients that arrived at once had its stream.
    Arrival,
    /// What the others met meanwhile.
    ArrivalP99,
    /// The part of its CPU that the load took while it measured [`Column::Delivery`], and what everybody else on the
    /// machine took of one.
    Load,
    Others,
}

impl Column {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rate => "events/s",
            Self::P50 => "p50 ms",
            Self::P99 => "p99 ms",
            Self::Delivery => "CPU µs a delivery",
            Self::Burst => "in bursts",
            Self::BurstP99 => "p99 ms in bursts",
            Self::Publishing => "CPU µs to publish",
            Self::Apart => "CPU µs a delivery without that",
            Self::Memory => "B a client",
            Self::Sockets => "socket B a client",
            Self::Opening => "CPU µs to open",
            Self::Idle => "idle CPU %",
            Self::Private => "private MiB",
            Self::Kernel => "socket MiB",
            Self::Arrival => "s until all had arrived",
            Self::ArrivalP99 => "p99 ms meanwhile",
            Self::Load => "load's CPU %",
            Self::Others => "others' CPU %",
        }
    }

    /// Digits behind the point.
    const fn decimals(self) -> usize {
        match self {
            Self::Memory | Self::Sockets | Self::Load | Self::Others => 0,
            Self::Delivery | Self::Burst | Self::Apart | Self::Arrival => 2,
            Self::Idle => 3,
            _ => 1,
        }
    }

    pub(crate) fn show(self, value: Option<f64>) -> String {
        value.map_or_else(|| "?".to_owned(), |value| format!("{value:.0$}", self.decimals()))
    }

    /// Whether a ratio says something about the servers.
    const fn is_of_the_server(self) -> bool {
        !matches!(self, Self::Rate | Self::Load | Self::Others)
    }
}

/// What one run gave.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    pub(crate) values: Vec<(Column, f64)>,
    pub(crate) account: Account,
}

/// What became of the events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) delivered: u64,
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    pub(crate) notices: u64,
}

impl Account {
    /// Every client got every event in order, exactly once, and nothing else.
    pub(crate) const fn is_flawless(self) -> bool {
        self.lost == 0 && self.repeated == 0 && self.notices == 0
    }
}

impl Run {
    pub(crate) fn get(&self, column: Column) -> Option<f64> {
        self.values.iter().find(|(known, _)| *known == column).map(|(_, value)| *value)
    }
}

/// What one server gave in all rounds.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) runs: Vec<Run>,
}

impl Outcome {
    pub(crate) fn get(&self, column: Column) -> Option<f64> {
        median(self.runs.iter().filter_map(|run| run.get(column)).collect())
    }

    pub(crate) fn account(&self) -> Account {
        self.runs.iter().fold(Account::default(), |sum, Run { account, .. }| Account {
            delivered: sum.delivered + account.delivered,
            lost: sum.lost + account.lost,
            repeated: sum.repeated + account.repeated,
            notices: sum.notices + account.notices,
        })
    }
}

/// The middle one, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let upper = *values.get(values.len() / 2)?;
    let lower = *values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

/// A Markdown table of the medians, with the ratio of the first server to each of the others.
pub(crate) fn table(outcomes: &[Outcome]) -> String {
    let columns: Vec<_> = outcomes
        .iter()
        .filter_map(|outcome| outcome.runs.first())
        .max_by_key(|run| run.values.len())
        .map(|run| run.values.iter().map(|(column, _)| *column).collect())
        .unwrap_or_default();
    let mut text = "| server | delivered | lost | repeated | notices |".to_owned();
    for column in &columns {
        let _ = write!(text, " {} |", column.name());
    }
    text.push_str("\n|---|---|---|---|---|");
    text.push_str(&"---|".repeat(columns.len()));
    text.push('\n');
    for outcome in outcomes {
        let Account { delivered, lost, repeated, notices } = outcome.account();
        let _ = write!(text, "| {} | {delivered} | {lost} | {repeated} | {notices} |", outcome.name);
        for column in &columns {
            let _ = write!(text, " {} |", column.show(outcome.get(*column)));
        }
        text.push('\n');
    }
    let Some((first, others)) = outcomes.split_first() else { return text };
    for other in others {
        let _ = write!(text, "| {} ÷ {} | | | | |", first.name, other.name);
        for column in &columns {
            let ratio = first.get(*column).zip(other.get(*column)).map(|(one, two)| one / two);
            let _ = match ratio {
                Some(ratio) if ratio.is_finite() && column.is_of_the_server() => {
                    write!(text, " {ratio:.2} |")
                }
                _ => write!(text, " |"),
            };
        }
        text.push('\n');
    }
    text
}

/// The latency that `percent` of a hundred deliveries did not exceed; sorts them.
pub(crate) fn percentile(latencies: &mut [Duration], percent: usize) -> Duration {
    latencies.sort_unstable();
    let index = (latencies.len() * percent).div_ceil(100).saturating_sub(1);
    latencies.get(index).copied().unwrap_or_default()
}

pub(crate) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

pub(crate) fn microseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Mebibytes of so many bytes.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    as_f64(bytes) / f64::from(1 << 20)
}

#[expect(clippy::cast_precision_loss, reason = "figures of a report need no 53 bits")]
pub(crate) fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(name: &str, deliveries: &[f64], lost: u64) -> Outcome {
        let run = |delivery: &f64| Run {
            values: vec![(Column::Rate, 50.0), (Column::Delivery, *delivery)],
            account: Account { delivered: 100, lost, ..Account::default() },
        };
        Outcome { name: name.into(), runs: deliveries.iter().map(run).collect() }
    }

    #[test]
    fn the_table_shows_medians_and_their_ratios() {
        let outcomes = [
            outcome("fanfare", &[9.0, 6.6, 7.0], 1),
            outcome("floor", &[6.0, 5.0, 70.0], 0),
            outcome("nchan", &[14.0], 0),
        ];
        let lines = [
            "| server | delivered | lost | repeated | notices | events/s | CPU µs a delivery |",
            "|---|---|---|---|---|---|---|",
            "| fanfare | 300 | 3 | 0 | 0 | 50.0 | 7.00 |",
            "| floor | 300 | 0 | 0 | 0 | 50.0 | 6.00 |",
            "| nchan | 100 | 0 | 0 | 0 | 50.0 | 14.00 |",
            "| fanfare ÷ floor | | | | | | 1.17 |",
            "| fanfare ÷ nchan | | | | | | 0.50 |",
        ];
        assert_eq!(table(&outcomes), lines.join("\n") + "\n");
        assert!(!outcomes[0].account().is_flawless() && outcomes[1].account().is_flawless());
    }

    #[test]
    fn what_was_not_measured_is_a_question() {
        let mut unknown = outcome("x", &[1.0], 0);
        unknown.runs[0].values.truncate(1);
        let text = table(&[outcome("fanfare", &[7.0], 0), unknown]);
        assert!(
            text.ends_with("| x | 100 | 0 | 0 | 0 | 50.0 | ? |\n| fanfare ÷ x | | | | | | |\n"),
            "{text}"
        );
    }

    #[test]
    fn a_median_is_in_the_middle() {
        let check = |values: &[f64], expected: Option<f64>| assert_eq!(median(values.to_vec()), expected);
        check(&[], None);
        check(&[3.0], Some(3.0));
        check(&[9.0, 1.0], Some(5.0));
        check(&[9.0, 1.0, 2.0], Some(2.0));
    }

    #[test]
    fn a_percentile_is_one_of_the_latencies() {
        let mut latencies: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut latencies, 50), Duration::from_millis(100));
        assert_eq!(percentile(&mut latencies, 99), Duration::from_millis(198));
        assert_eq!(percentile(&mut [], 99), Duration::ZERO);
    }
}
