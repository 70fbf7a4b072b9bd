//! The launcher against a shell script that stands in for the binary: `/bin/sh serve …` runs the file `serve`.

use std::io;
use std::time::Duration;

use fanfare_testkit::{Builder, Server};

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(20);

/// Says where it listens (nobody checks whether it does), shows what it was given, and waits for its end.
const WELL_BEHAVED: &str = r#"
port=$FANFARE__HTTP__PORT
[ "$port" = 0 ] && port=4711
echo "log of ${RUST_LOG-nobody}" >&2
cat fanfare.toml extra.vrl >&2
trap 'kill $!; echo bye >&2; exit 3' TERM
tail --pid=$$ -f /dev/null >/dev/null 2>&1 &
echo "fanfare, port $port"
echo "listening on http://$FANFARE__HTTP__HOST:$port"
echo "args: $*"
wait $!
"#;

fn stand_in(script: &str) -> Builder {
    Server::builder("/bin/sh").file("serve", script).file("extra.vrl", "extra\n").config("config\n")
}

#[test]
fn a_server_gets_its_files_arguments_and_environment() {
    let server = stand_in(WELL_BEHAVED).arg("-v").env("RUST_LOG", "me").start().unwrap();
    assert_eq!(server.addr().to_string(), "127.0.0.1:4711");
    assert_eq!(server.url("/x"), "http://127.0.0.1:4711/x");
    for line in ["log of me", "config", "extra"] {
        assert_eq!(server.wait_for_log(line, LONG).unwrap(), line);
    }
    assert_eq!(server.wait_for_log("never", SHORT).unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[test]
fn a_server_ends_when_asked_and_starts_again_on_its_port() {
    let mut server = stand_in(WELL_BEHAVED).env("FANFARE__HTTP__HOST", "127.0.0.2").start().unwrap();
    let first = server.addr();
    assert_eq!(server.terminate(LONG).unwrap().code(), Some(3));
    assert_eq!(server.log().last().unwrap(), "bye");
    server.restart().unwrap();
    assert_eq!(server.addr(), first);
    assert!(!server.log().contains(&"bye".to_owned()), "the log starts anew");
    server.kill().unwrap();
    assert!(server.terminate(LONG).is_err(), "there is nobody to ask");
}

#[test]
fn a_server_that_does_not_end_is_killed() {
    let deaf = WELL_BEHAVED.replace("trap 'kill $!; echo bye >&2; exit 3' TERM", "trap '' TERM");
    let mut server = stand_in(&deaf).start().unwrap();
    assert_eq!(server.terminate(SHORT).unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert_eq!(server.wait(LONG).unwrap().code(), None, "ended by a signal");
}

#[test]
fn a_server_that_does_not_start_shows_why() {
    let check = |script: &str, kind: io::ErrorKind, shown: &str| {
        let error = stand_in(script).start().unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains(shown), "{error}");
    };
    check("echo bad config >&2; exit 2", io::ErrorKind::UnexpectedEof, "exit status: 2:\nbad config");
    check("echo listening on nothing", io::ErrorKind::UnexpectedEof, "exit status: 0");

    let error = Server::builder("/nowhere/fanfare").start().unwrap_err();
    assert!(error.to_string().contains("/nowhere/fanfare"), "{error}");
}
