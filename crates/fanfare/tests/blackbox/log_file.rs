//! The log in a file, as an operator meets it: what is refused at the start, what is left at the end, and what is said
//! when nothing can be stored.

use std::fs;
use std::process::{Command, Output};

use fanfare_testkit::sse::Client;
use tempfile::TempDir;

use crate::kit::{BASIC, LONG, STREAM, body, cdevent, next_ids, post, publish_ids, serve};

/// Serves with this log until it ends by itself.
fn ends(folder: &TempDir, log: &str) -> Output {
    ends_with(folder, "fanfare.toml", &format!("{BASIC}[http]\nhost = \"127.0.0.1\"\nport = 0\n{log}"))
}

/// Serves with this configuration until it ends by itself.
fn ends_with(folder: &TempDir, name: &str, text: &str) -> Output {
    let config = folder.path().join(name);
    fs::write(&config, text).unwrap();
    Command::new(env!("CARGO_BIN_EXE_fanfare"))
        .args(["serve", "--config"])
        .arg(config)
        .current_dir(folder.path())
        .output()
        .unwrap()
}

#[test]
fn what_cannot_be_opened_ends_the_start_with_advice() {
    let check = |prepare: fn(&TempDir), log: &str, expected: &[&str]| {
        let folder = TempDir::new().unwrap();
        prepare(&folder);
        let output = ends(&folder, log);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        for expected in expected {
            assert!(said.contains(expected), "{expected:?} is not in {said}");
        }
        assert!(output.stdout.is_empty(), "it does not say that it listens");
    };
    check(
        |folder| fs::create_dir(folder.path().join("events")).unwrap(),
        "[log]\npath = \"events\"\n",
        &["error: cannot open the log: ", "events is a folder", "help: `log.path` names a file"],
    );
    check(
        |folder| fs::write(folder.path().join("events.db"), "no database".repeat(100)).unwrap(),
        "[log]\npath = \"events.db\"\n",
        &["events.db is not a log of Fanfare", "help: set another `log.path`, or move the file away"],
    );
    check(
        |folder| fs::write(folder.path().join("file"), "").unwrap(),
        "[log]\npath = \"file/events.db\"\n",
        &["the folder ", "cannot be made", "help: the file, those beside it and their folder"],
    );
}

#[test]
fn what_inboxclaw_has_filled_is_refused_in_words_of_its_file() {
    let folder = TempDir::new().unwrap();
    let other = rusqlite::Connection::open(folder.path().join("data.db")).unwrap();
    other.execute_batch("CREATE TABLE events (id INTEGER PRIMARY KEY, event_id VARCHAR)").unwrap();
    drop(other);
    let yaml = "server: { host: 127.0.0.1, port: 0 }\ndatabase: { db_path: data.db }\nsink: { sse: {} }\n";
    let output = ends_with(&folder, "config.yaml", yaml);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("data.db is not a log of Fanfare"), "{said}");
    assert!(said.contains("in this file `log.path` is `database.db_path`"), "{said}");
}

#[test]
fn a_server_that_ends_in_order_leaves_one_whole_file() {
    let mut server = serve(BASIC);
    publish_ids(&server, ["a", "b"]);
    let _stream = Client::open(server.addr(), STREAM, &[]).unwrap();
    assert!(server.terminate(LONG).unwrap().success());
    let mut files: Vec<_> = fs::read_dir(server.dir().join("fanfare-data"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["events.db", "events.db.lock"]);
}

#[test]
fn a_locked_file_refuses_publishers_once_in_the_log_and_recovers() {
    let server = serve(BASIC);
    publish_ids(&server, ["a"]);
    let other = rusqlite::Connection::open(server.dir().join("fanfare-data/events.db")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    for _ in 0..3 {
        let refused = post(&server, &cdevent("b"));
        assert_eq!((refused.status(), refused.header("retry-after")), (503, Some("1")));
        let detail = body(&refused)["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("another program holds a lock on the file"), "{detail}");
    }
    let mut client = Client::open(server.addr(), STREAM, &[("Last-Event-ID", "a")]).unwrap();
    other.execute_batch("ROLLBACK").unwrap();
    server.wait_for_log("events are stored again", LONG).unwrap();
    publish_ids(&server, ["b"]);
    assert_eq!(next_ids(&mut client, 1), ["b"]);
    let told = server.log().into_iter().filter(|line| line.contains("events cannot be stored"));
    assert_eq!(told.count(), 1);
}
