//! What is confirmed, and which batches are open, outlives the process.

use super::{CONFIRM, EXTRACT, SINKS, SOURCE, check_confirmed, extract, publish};
use crate::kit::serve;

#[test]
fn confirmations_and_open_batches_survive_a_kill() {
    let mut server = serve(&format!("{SOURCE}{SINKS}"));
    let seqs = publish(&server, &["a", "b", "c", "d", "e"]);
    let (first, ..) = extract(&server, &format!("{EXTRACT}?batch_size=2"));
    check_confirmed(&server, CONFIRM, first.unwrap(), 2);
    let (open, events, _) = extract(&server, &format!("{EXTRACT}?event_type=d"));
    assert_eq!(events, [seqs[3]]);
    server.restart().unwrap();

    assert_eq!(extract(&server, EXTRACT).1, seqs[2..]);
    check_confirmed(&server, CONFIRM, first.unwrap(), 0);
    check_confirmed(&server, CONFIRM, open.unwrap(), 1);
    server.restart().unwrap();

    let (last, events, _) = extract(&server, EXTRACT);
    assert_eq!(events, [seqs[2], seqs[4]]);
    assert!(last > open, "an id is never given twice");
    assert_eq!(extract(&server, "/pull/sales/extract"), (None, vec![], 0));
    check_confirmed(&server, CONFIRM, last.unwrap(), 2);
    server.restart().unwrap();
    assert_eq!(extract(&server, EXTRACT), (None, vec![], 0));
    let later = publish(&server, &["f"]);
    assert_eq!(extract(&server, EXTRACT).1, later);
}

#[test]
fn what_was_too_old_comes_back_where_the_time_to_live_is_switched_off() {
    let sink = "[sinks.s]\ntype = \"http_pull\"\nid = \"s\"\n";
    let config = |keys: &str| format!("{SOURCE}{sink}{keys}");
    let mut server = serve(&config("default_ttl = \"1ms\"\n"));
    let seqs = publish(&server, &["a", "b"]);
    crate::kit::eventually("expiry", || extract(&server, "/pull/s/extract").1.is_empty().then_some(()));
    std::fs::write(server.dir().join("fanfare.toml"), config("ttl_enabled = false\n")).unwrap();
    server.restart().unwrap();
    assert_eq!(extract(&server, "/pull/s/extract").1, seqs);
}
