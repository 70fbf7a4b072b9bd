//! The table of targets: what is aimed at, what was measured, and whether that is met. Nothing here runs anything.

use std::fmt::Write as _;

use crate::report::{Column, Outcome};

/// Events of a burst.
pub(super) const BURST: u32 = 10;

/// Private mebibytes that clients which read nothing may add together: a server may keep pages of what they missed, once for
/// all of them (Fanfare 32 MiB at most), and its allocator some more. What a hundred of them have not read is 600 MiB.
const MOST_PRIVATE: f64 = 40.0;

/// Bytes that the kernel may hold for it: a send buffer that a server has bounded. Unbounded it is 4 MiB.
const MOST_KERNEL: f64 = 512.0 * 1024.0;

#[derive(Debug)]
pub(super) struct Row {
    measure: String,
    target: String,
    measured: String,
    /// What it is compared with.
    beside: String,
    ratio: Option<f64>,
    /// `None` where nothing is aimed at.
    is_met: Option<bool>,
}

pub(super) fn delivery(clients: u32, outcomes: &[Outcome]) -> Option<Row> {
    let (one, two) = pair(outcomes)?;
    let measure = format!("CPU µs a delivery, {clients} clients, one event at a time");
    Some(compared(measure, 1.10, (one, Column::Delivery), (two, Column::Delivery)))
}

pub(super) fn bursts(clients: u32, outcomes: &[Outcome]) -> Option<Row> {
    let (one, two) = pair(outcomes)?;
    let measure =
        format!("CPU µs a delivery, {clients} clients, bursts of {BURST} events; beside single ones");
    Some(compared(measure, 0.35, (one, Column::Burst), (two, Column::Delivery)))
}

pub(super) fn nchan(clients: u32, outcomes: &[Outcome]) -> Option<Row> {
    let measure = format!("CPU µs a delivery, {clients} clients, one event at a time");
    Some(compared(measure, 0.75, (outcomes.first()?, Column::Delivery), (outcomes.get(2)?, Column::Delivery)))
}

pub(super) fn latency(clients: u32, outcomes: &[Outcome]) -> Option<Row> {
    let (one, two) = pair(outcomes)?;
    Some(compared(format!("latency p99 ms, {clients} clients"), 1.15, (one, Column::P99), (two, Column::P99)))
}

pub(super) fn opening(clients: u32, outcomes: &[Outcome]) -> Option<Row> {
    let (one, two) = pair(outcomes)?;
    let measure = format!("CPU µs for a client until it is subscribed, {clients} clients");
    Some(compared(measure, 2.0, (one, Column::Opening), (two, Column::Opening)))
}

pub(super) fn memory(clients: u32, outcomes: &[Outcome]) -> Option<Row> {
    let (one, two) = pair(outcomes)?;
    let mut row =
        bounded(format!("private B a client, {clients} idle clients"), "768", 768.0, one, Column::Memory);
    row.beside = beside((two, Column::Memory));
    Some(row)
}

pub(super) fn idle(outcomes: &[Outcome]) -> Vec<Row> {
    let row =
        |one| bounded("% of a core while idle, keep-alives of 30 s".into(), "0.5", 0.5, one, Column::Idle);
    outcomes.first().map(row).into_iter().collect()
}

/// Of a run with so many clients that read nothing, and one without them.
pub(super) fn stalled(clients: u32, outcomes: &[Outcome]) -> Vec<Row> {
    let Some((with, without)) = pair(outcomes) else { return Vec::new() };
    // Two processes may differ by more than they add.
    let added = |column| Some((with.get(column)? - without.get(column)?).max(0.0));
    let kernel = added(Column::Kernel).map(|added| added * f64::from(1 << 20) / f64::from(clients.max(1)));
    let measure =
        "p99 ms of the others, a tenth of all clients reading nothing; beside without them".to_owned();
    vec![
        compared(measure, 1.15, (with, Column::P99), (without, Column::P99)),
        adds("private MiB that they add together", MOST_PRIVATE, Column::Private, added(Column::Private)),
        adds("socket B that each of them adds", MOST_KERNEL, Column::Sockets, kernel),
    ]
}

pub(super) fn storm(outcomes: &[Outcome]) -> Vec<Row> {
    let Some(one) = outcomes.first() else { return Vec::new() };
    let measure = "s until all who connect at once are subscribed".to_owned();
    let meanwhile = "p99 ms of the others meanwhile; beside before".to_owned();
    vec![
        bounded(measure, "10", 10.0, one, Column::Arrival),
        compared(meanwhile, 3.0, (one, Column::ArrivalP99), (one, Column::P99)),
    ]
}

/// Of a run with the log in a file, and one with the log in memory.
pub(super) fn log(outcomes: &[Outcome]) -> Vec<Row> {
    let Some((file, memory)) = pair(outcomes) else { return Vec::new() };
    let measure =
        "CPU µs a delivery with full durability, publishing apart; beside the log in memory".to_owned();
    let mut publishing = compared(
        "CPU µs to publish an event with full durability; beside the log in memory".to_owned(),
        f64::INFINITY,
        (file, Column::Publishing),
        (memory, Column::Publishing),
    );
    (publishing.target, publishing.is_met) = (String::new(), None);
    vec![compared(measure, 1.05, (file, Column::Apart), (memory, Column::Apart)), publishing]
}

/// The table, in Markdown.
pub(super) fn table(rows: &[Row]) -> String {
    let mut text =
        "| measure | target | measured | beside it | ratio | met |\n|---|---|---|---|---|---|\n".to_owned();
    for Row { measure, target, measured, beside, ratio, is_met } in rows {
        let ratio = ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default();
        let is_met = is_met.map(|is_met| if is_met { "yes" } else { "no" }).unwrap_or_default();
        let _ = writeln!(text, "| {measure} | {target} | {measured} | {beside} | {ratio} | {is_met} |");
    }
    text
}

/// The server that is measured, and what comes next to it.
fn pair(outcomes: &[Outcome]) -> Option<(&Outcome, &Outcome)> {
    outcomes.first().zip(outcomes.get(1))
}

/// A row whose target is a multiple of something else that was measured.
fn compared(measure: String, most: f64, one: (&Outcome, Column), two: (&Outcome, Column)) -> Row {
    let value = |(outcome, column): (&Outcome, Column)| outcome.get(column);
    let ratio = value(one).zip(value(two)).filter(|(_, two)| *two > 0.0).map(|(one, two)| one / two);
    Row {
        measure,
        target: format!("≤ {most:.2} ×"),
        measured: one.1.show(value(one)),
        beside: beside(two),
        ratio,
        // What could not be measured is not met.
        is_met: Some(ratio.is_some_and(|ratio| ratio <= most)),
    }
}

/// A row whose target is a number.
fn bounded(measure: String, shown: &str, most: f64, one: &Outcome, column: Column) -> Row {
    let value = one.get(column);
    Row {
        measure,
        target: format!("≤ {shown}"),
        measured: column.show(value),
        beside: String::new(),
        ratio: None,
        is_met: Some(value.is_some_and(|value| value <= most)),
    }
}

fn adds(measure: &str, most: f64, column: Column, added: Option<f64>) -> Row {
    Row {
        measure: measure.to_owned(),
        target: format!("≤ {most}"),
        measured: column.show(added),
        beside: String::new(),
        ratio: None,
        is_met: Some(added.is_some_and(|added| added <= most)),
    }
}

fn beside((outcome, column): (&Outcome, Column)) -> String {
    format!("{} ({})", column.show(outcome.get(column)), outcome.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Run;

    fn outcome(name: &str, values: &[(Column, f64)]) -> Outcome {
        Outcome { name: name.into(), runs: vec![Run { values: values.to_vec(), ..Run::default() }] }
    }

    fn check(rows: impl IntoIterator<Item = Row>, expected: &[&str]) {
        let text = table(&rows.into_iter().collect::<Vec<_>>());
        let lines: Vec<_> = text.lines().skip(2).collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn a_ratio_is_met_or_not() {
        let floor = outcome("floor", &[(Column::Delivery, 6.0), (Column::Opening, 0.0)]);
        let with = |delivery| [outcome("fanfare", &[(Column::Delivery, delivery)]), floor.clone()];
        let start = "| CPU µs a delivery, 9 clients, one event at a time | ≤ 1.10 × |";
        check(delivery(9, &with(6.6)), &[&format!("{start} 6.60 | 6.00 (floor) | 1.10 | yes |")]);
        check(delivery(9, &with(6.7)), &[&format!("{start} 6.70 | 6.00 (floor) | 1.12 | no |")]);
        check(delivery(9, &[]), &[]);
        let unknown =
            "| CPU µs for a client until it is subscribed, 9 clients | ≤ 2.00 × | ? | 0.0 (floor) |  | no |";
        check(opening(9, &with(6.6)), &[unknown]);
    }

    #[test]
    fn a_number_is_met_or_not() {
        let with = |bytes| {
            [outcome("fanfare", &[(Column::Memory, bytes)]), outcome("floor", &[(Column::Memory, 60.0)])]
        };
        let start = "| private B a client, 9 idle clients | ≤ 768 |";
        check(memory(9, &with(768.0)), &[&format!("{start} 768 | 60 (floor) |  | yes |")]);
        check(memory(9, &with(769.0)), &[&format!("{start} 769 | 60 (floor) |  | no |")]);
    }

    #[test]
    fn what_stalled_clients_add_is_theirs_alone() {
        let with = |p99, private, kernel| {
            outcome("x", &[(Column::P99, p99), (Column::Private, private), (Column::Kernel, kernel)])
        };
        check(
            stalled(256, &[with(9.0, 20.5, 257.0), with(8.0, 20.0, 1.0)]),
            &[
                "| p99 ms of the others, a tenth of all clients reading nothing; beside without them | ≤ 1.15 × | 9.0 | 8.0 (x) | 1.12 | yes |",
                "| private MiB that they add together | ≤ 40 | 0.5 |  |  | yes |",
                "| socket B that each of them adds | ≤ 524288 | 1048576 |  |  | no |",
            ],
        );
    }

    #[test]
    fn publishing_is_shown_and_not_aimed_at() {
        let with = |name, apart, publishing| {
            outcome(name, &[(Column::Apart, apart), (Column::Publishing, publishing)])
        };
        check(
            log(&[with("sqlite", 6.3, 300.0), with("memory", 6.0, 100.0)]),
            &[
                "| CPU µs a delivery with full durability, publishing apart; beside the log in memory | ≤ 1.05 × | 6.30 | 6.00 (memory) | 1.05 | yes |",
                "| CPU µs to publish an event with full durability; beside the log in memory |  | 300.0 | 100.0 (memory) | 3.00 |  |",
            ],
        );
    }
}
