//! The table: a line a server, and a line with the ratios of two.

use std::fmt::Write as _;
use std::time::Duration;

/// What one run gave.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    pub(crate) name: String,
    /// Published in each second.
    pub(crate) rate: f64,
    pub(crate) delivered: u64,
    pub(crate) lost: u64,
    pub(crate) repeated: u64,
    pub(crate) notices: u64,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    /// Where the server's process is known.
    pub(crate) costs: Option<Costs>,
}

/// What the server's process spent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Costs {
    /// Microseconds of CPU time, accepting and answering the publications included.
    pub(crate) delivery: f64,
    /// Bytes of private memory that a client adds by opening a stream.
    pub(crate) memory: f64,
    /// Microseconds of CPU time.
    pub(crate) opening: f64,
}

const HEAD: &str = "\
| server | events/s | delivered | lost | repeated | notices | p50 ms | p99 ms | CPU µs a delivery | B a client | CPU µs to open |
|---|---|---|---|---|---|---|---|---|---|---|
";

impl Figures {
    /// Every client got every event in order, exactly once, and nothing else.
    pub(crate) fn is_flawless(&self) -> bool {
        self.lost == 0 && self.repeated == 0 && self.notices == 0
    }
}

/// A Markdown table of one run, or of two with the ratio of the first to the second.
pub(crate) fn table(figures: &Figures, other: Option<&Figures>) -> String {
    let mut text = HEAD.to_owned();
    for run in [Some(figures), other].into_iter().flatten() {
        let Figures { name, rate, delivered, lost, repeated, notices, p50, p99, costs } = run;
        let (p50, p99) = (milliseconds(*p50), milliseconds(*p99));
        let _ = write!(
            text,
            "| {name} | {rate:.1} | {delivered} | {lost} | {repeated} | {notices} | {p50:.1} | {p99:.1} "
        );
        let _ = match costs {
            Some(costs) => {
                writeln!(text, "| {:.2} | {:.0} | {:.1} |", costs.delivery, costs.memory, costs.opening)
            }
            None => writeln!(text, "| ? | ? | ? |"),
        };
    }
    if let Some(other) = other {
        let _ = write!(
            text,
            "| {} ÷ {} | | | | | | {:.2} | {:.2} ",
            figures.name,
            other.name,
            milliseconds(figures.p50) / milliseconds(other.p50),
            milliseconds(figures.p99) / milliseconds(other.p99),
        );
        let _ = match (figures.costs, other.costs) {
            (Some(one), Some(two)) => writeln!(
                text,
                "| {:.2} | {:.1} | {:.2} |",
                one.delivery / two.delivery,
                one.memory / two.memory,
                one.opening / two.opening
            ),
            _ => writeln!(text, "| ? | ? | ? |"),
        };
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

#[expect(clippy::cast_precision_loss, reason = "figures of a report need no 53 bits")]
pub(crate) fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_both_runs_and_their_ratio() {
        let floor = Figures {
            name: "floor".into(),
            rate: 50.0,
            delivered: 100,
            lost: 0,
            repeated: 0,
            notices: 0,
            p50: Duration::from_millis(4),
            p99: Duration::from_millis(8),
            costs: Some(Costs { delivery: 6.0, memory: 150.0, opening: 25.0 }),
        };
        let mut fanfare = Figures { name: "fanfare".into(), lost: 3, ..floor.clone() };
        fanfare.p99 = Duration::from_millis(12);
        assert!(floor.is_flawless() && !fanfare.is_flawless());
        let lines = [
            "| fanfare | 50.0 | 100 | 3 | 0 | 0 | 4.0 | 12.0 | 6.00 | 150 | 25.0 |",
            "| floor | 50.0 | 100 | 0 | 0 | 0 | 4.0 | 8.0 | 6.00 | 150 | 25.0 |",
            "| fanfare ÷ floor | | | | | | 1.00 | 1.50 | 1.00 | 1.0 | 1.00 |",
        ];
        assert_eq!(table(&fanfare, Some(&floor)), HEAD.to_owned() + &lines.join("\n") + "\n");

        fanfare.costs = None;
        let line = "| fanfare | 50.0 | 100 | 3 | 0 | 0 | 4.0 | 12.0 | ? | ? | ? |\n";
        assert_eq!(table(&fanfare, None), HEAD.to_owned() + line);
    }

    #[test]
    fn a_percentile_is_one_of_the_latencies() {
        let mut latencies: Vec<_> = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut latencies, 50), Duration::from_millis(100));
        assert_eq!(percentile(&mut latencies, 99), Duration::from_millis(198));
        assert_eq!(percentile(&mut [], 99), Duration::ZERO);
    }
}
