//! The benchmarks and the soak against the floor server, small: that every delivery is seen, and that a bad server shows.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn bench(command: &str, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fanfare-bench")).arg(command).args(args).output().expect("it can be run")
}

#[test]
fn the_floor_loses_nothing() {
    let args = ["--server=floor", "--vs=floor", "--clients=30", "--rate=100", "--seconds=1", "--rounds=2"];
    let run = bench("fanout", &args);
    let (table, progress) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(run.status.success(), "{run:?}");
    // Each client gets one event when it is open, and a hundred more; in two rounds.
    assert_eq!(table.matches("| 6060 | 0 | 0 | 0 |").count(), 2, "{table}");
    assert!(table.contains("| floor ÷ floor |"), "{table}");
    assert_eq!(progress.matches("round 2 of 2: floor, 30 clients").count(), 2, "{progress}");
}

#[test]
fn what_else_happens_loses_nothing() {
    let args = [
        "--server=floor",
        "--clients=20",
        "--rate=50",
        "--seconds=1",
        "--rounds=1",
        "--burst=10",
        "--arriving=50",
        "--idle=1",
        "--apart",
        "--stalled=10%",
    ];
    let run = bench("fanout", &args);
    let table = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{run:?}");
    for part in
        ["in bursts", "idle CPU %", "socket MiB", "s until all had arrived", "| floor, 2 more stalled |"]
    {
        assert!(table.contains(part), "{part}\n{table}");
    }
}

#[test]
fn targets_have_their_rows() {
    let args = ["--server=floor", "--clients=20,40", "--seconds=1", "--rounds=1", "--only=latency,memory"];
    let run = bench("targets", &args);
    let table = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{run:?}");
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with("| ")).collect();
    assert_eq!(rows.len(), 3, "{table}");
    assert!(rows.iter().any(|row| row.starts_with("| latency p99 ms, 20 clients | ≤ 1.15 × |")), "{table}");
    assert!(
        rows.iter().any(|row| row.starts_with("| private B a client, 40 idle clients | ≤ 768 |")),
        "{table}"
    );
    assert!(table.contains("none was lost, doubled or out of order"), "{table}");
}

/// The floor keeps nothing for those who come back.
#[test]
fn a_soak_sees_what_a_server_loses() {
    let run = bench("soak", &["--server=floor", "--clients=10", "--unruly=10", "--seconds=6", "--seed=1"]);
    let (summary, log) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    assert!(!run.status.success(), "{summary}");
    assert!(summary.contains("deliveries to 10 clients") && !summary.contains(": 0 lost"), "{summary}{log}");
}

#[test]
fn what_cannot_be_measured_says_why() {
    let check = |args: &[&str], shown: &str| {
        let run = bench("fanout", args);
        let error = String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success() && error.contains(shown), "{error}");
    };
    check(&["--server=fanfare=/nowhere/fanfare"], "/nowhere/fanfare");
    check(&["--server=floor", "--clients=2000000000"], "file descriptors");
    check(&["--server=http://192.0.2.1:80"], "loopback");
    check(&["--server=fanfare,log=paper"], "log=paper");
}
