//! The benchmark against the floor server, small: that every delivery is seen, and that a bad server shows.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn fanout(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_fanfare-bench"))
        .arg("fanout")
        .args(args)
        .output()
        .expect("it can be run")
}

#[test]
fn the_floor_loses_nothing() {
    let run = fanout(&["--server=floor", "--vs=floor", "--clients=30", "--rate=100", "--seconds=1"]);
    let table = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{run:?}");
    assert_eq!(table.matches("| 3000 | 0 | 0 | 0 |").count(), 2, "{table}");
    assert!(table.contains("| floor ÷ floor |"), "{table}");
}

#[test]
fn what_cannot_be_measured_says_why() {
    let check = |args: &[&str], shown: &str| {
        let run = fanout(args);
        let error = String::from_utf8_lossy(&run.stderr);
        assert!(!run.status.success() && error.contains(shown), "{error}");
    };
    check(&["--server=fanfare=/nowhere/fanfare"], "/nowhere/fanfare");
    check(&["--server=floor", "--clients=2000000000"], "file descriptors");
    check(&["--server=http://192.0.2.1:80"], "loopback");
}
