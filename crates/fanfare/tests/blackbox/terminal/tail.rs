//! `fanfare tail`: what is printed, what is left out, and how it ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::slice::from_ref;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::kit::{Ended, Program, command, run, run_on_terminal};
use crate::kit::{
    BASIC, LONG, STREAM, cdevent, cdevent_of, eventually, fanfare, publish, publish_ids, serve,
};
use fanfare_testkit::Server;
use fanfare_testkit::upstream::Upstream;

fn tail(url: &str, args: &[&str]) -> Command {
    command(&[&["tail", url], args].concat())
}

/// Starts it in pipes, and waits until the server has it.
fn start(server: &Server, args: &[&str]) -> Program {
    let program = Program::start(tail(&server.url(STREAM), args));
    server.wait_for_log("stream opened", LONG).unwrap();
    program
}

fn ids(ended: &Ended) -> Vec<Value> {
    ended.stdout.iter().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].clone()).collect()
}

/// What a child ends with.
fn code(mut child: Child) -> Option<i32> {
    let code = eventually("end", || child.try_wait().unwrap());
    code.code()
}

#[test]
fn a_pipe_gets_one_json_line_for_each_event_as_it_comes() {
    let server = serve(BASIC);
    let mut program = start(&server, &["--count", "2"]);
    publish(&server, &cdevent("e-1"));
    let line: Value = serde_json::from_str(&program.next_line()).unwrap();
    assert_eq!(line, json!({"id": "e-1", "event": "cdevent", "data": cdevent("e-1")}));
    publish_ids(&server, ["e-2", "e-3"]);
    let ended = program.end();
    assert_eq!(
        (ended.code, ids(&ended), ended.stderr.as_str()),
        (Some(0), vec!["e-1".into(), "e-2".into()], "")
    );
}

#[test]
fn since_count_event_and_match_choose_what_is_printed() {
    let server = serve(BASIC);
    publish(&server, &cdevent("first"));
    for (kind, id) in [("a.b", "1"), ("a.b.c", "2"), ("a", "3"), ("x.y", "4")] {
        publish(&server, &cdevent_of(kind, id));
    }
    publish(&server, &json!({"type": "plain.t", "id": "5"}));
    let check = |args: &[&str], expected: &[&str]| {
        let count = expected.len().to_string();
        let args = [&["--since", "first", "--count", &count], args].concat();
        let ended = run(tail(&server.url(STREAM), &args), "");
        assert_eq!(
            (ended.code, ids(&ended)),
            (Some(0), expected.iter().map(|id| (*id).into()).collect()),
            "{args:?}"
        );
    };
    check(&[], &["1", "2", "3", "4", "5"]);
    check(&["--match", "a.*"], &["1", "2"]);
    check(&["--match", "a", "--match", "plain.*"], &["3", "5"]);
    check(&["--match", "*", "--event", "cdevent"], &["1", "2"]);
}

#[test]
fn several_streams_are_told_apart_and_nothing_secret_is_shown_of_their_urls() {
    let config = format!("{BASIC}[sinks.other]\ntype = \"sse\"\nid = \"other\"\nmatch = [\"b\"]\n");
    let server = serve(&config);
    publish(&server, &cdevent("first"));
    publish(&server, &cdevent_of("b", "1"));
    let addr = server.addr();
    let urls =
        [format!("http://me:s3cr3t@{addr}{STREAM}?t=s3cr3t"), format!("http://{addr}/sse/other?t=s3cr3t#x")];
    let ended = run(command(&["tail", &urls[0], &urls[1], "--since", "first", "--count", "2"]), "");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let mut lines: Vec<Value> = ended.stdout.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    lines.sort_by_key(|line| line["url"].to_string());
    let expected = |path: &str| json!({"url": server.url(path), "id": "1", "event": "cdevent", "data": cdevent_of("b", "1")});
    assert_eq!(lines, [expected("/sse/events"), expected("/sse/other")]);
    assert!(!format!("{ended:?}").contains("s3cr3t"), "{ended:?}");
}

#[test]
fn what_a_stream_says_of_itself_is_said_beside_and_printed_where_it_is_asked_for() {
    let parts = "event: info\ndata: connected\n\nevent: heartbeat\ndata: ping\n\n\
        event: gap\nid: 7\ndata: expired: so\u{1b}[2J\n\nevent: error\ndata: lagged: 15 messages skipped\n\n\
        event: expiring\ndata: the token expires soon\n\ndata: two\ndata: lines\nid: 8\n\n";
    let check = |args: &[&str], lines: &[Value], said: &[&str]| {
        let upstream = Upstream::start().unwrap();
        let program = Program::start(tail(&upstream.url("/s"), args));
        let mut exchange = upstream.accept(LONG).unwrap();
        exchange.stream().unwrap();
        exchange.send(parts).unwrap();
        let ended = program.end();
        let printed: Vec<Value> =
            ended.stdout.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!((ended.code, printed.as_slice()), (Some(0), lines), "{args:?}: {}", ended.stderr);
        for said in said {
            assert!(ended.stderr.contains(said), "without `{said}`: {}", ended.stderr);
        }
        assert!(!ended.stderr.contains('\u{1b}') && !ended.stderr.contains("ping"), "{}", ended.stderr);
    };
    let fact = json!({"id": "8", "event": "message", "data": "two\nlines"});
    let gap = json!({"id": "7", "event": "gap", "data": "expired: so\u{1b}[2J"});
    let said = ["/s: expired: so\\u{1b}[2J", "lagged: 15 messages skipped", "the token expires soon"];
    check(&["--count", "1"], from_ref(&fact), &said);
    check(&["--count", "2", "--event", "gap", "--event", "message", "-q"], &[gap, fact.clone()], &said);
    check(&["--count", "1", "--stats"], from_ref(&fact), &["events 1", "gaps 2  missed 15  reconnects 0"]);
    check(&["--count", "1", "--match", "message"], &[fact], &said);
}

#[test]
fn a_person_sees_words_in_colours_and_nothing_that_the_terminal_obeys() {
    let server = serve(BASIC);
    publish(&server, &cdevent("first"));
    let mut event = cdevent("e-1");
    event["subject"]["id"] = "evil\u{1b}]0;owned\u{7}".into();
    publish(&server, &event);
    let args = ["--since", "first", "--count", "1", "--stats"];
    let (code, seen) = run_on_terminal(tail(&server.url(STREAM), &args));
    assert_eq!(code, Some(0), "{seen}");
    for part in [
        "2024-01-15T10:30:00.000Z",
        "\u{1b}[36mdev.cdevents.build.started.0.1.0",
        "evil\\u{1b}]0;owned\\u{7}",
        "e-1",
        "events 1",
        "connected",
    ] {
        assert!(seen.contains(part), "without `{part}`: {seen:?}");
    }
    assert!(!seen.contains("\u{1b}]") && !seen.contains('\u{7}'), "{seen:?}");
    let mut colourless = tail(&server.url(STREAM), &args[..4]);
    colourless.env("NO_COLOR", "1");
    let (_, seen) = run_on_terminal(colourless);
    assert!(seen.contains("e-1") && !seen.contains('\u{1b}'), "{seen:?}");
}

#[test]
fn on_a_terminal_the_figures_stay_the_last_line() {
    let upstream = Upstream::start().unwrap();
    let url = upstream.url("/s");
    let serving = std::thread::spawn(move || {
        let mut exchange = upstream.accept(LONG).unwrap();
        exchange.stream().unwrap();
        exchange.send("data: 1\n\n").unwrap();
        exchange
    });
    let mut command = tail(&url, &["--stats"]);
    let (terminal, child) = super::kit::on_terminal(&mut command);
    drop(command);
    let mut seen = String::new();
    let mut coming = BufReader::new(terminal);
    // The line is drawn anew each second; it ends with no line break, but each drawing begins with a return.
    while !seen.contains("events 1") {
        let mut part = Vec::new();
        assert_ne!(coming.read_until(b's', &mut part).unwrap(), 0, "{seen}");
        seen.push_str(&String::from_utf8_lossy(&part));
    }
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT)
        .unwrap();
    std::thread::spawn(move || std::io::copy(&mut coming, &mut std::io::sink()));
    assert_eq!(code(child), Some(0));
    drop(serving.join().unwrap());
}

#[test]
fn control_c_ends_it_with_the_last_figures() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let server = serve(BASIC);
        let mut program = start(&server, &["--stats"]);
        publish(&server, &json!({"type": "t", "time": "2024-01-15T10:30:00Z"}));
        program.next_line();
        program.signal(signal);
        let ended = program.end();
        assert_eq!((ended.code, ended.stdout.len()), (Some(0), 1), "{}", ended.stderr);
        for part in ["events 1", "lag ", " d  latency p50 ", "p99 ", "reconnects 0"] {
            assert!(ended.stderr.contains(part), "without `{part}`: {}", ended.stderr);
        }
    }
}

#[test]
fn control_c_ends_it_also_where_nobody_takes_what_it_writes() {
    let server = serve(BASIC);
    publish(&server, &cdevent("first"));
    let filler = "x".repeat(60_000);
    for n in 0..40 {
        publish(&server, &json!({"type": "t", "id": format!("e-{n}"), "filler": filler}));
    }
    let mut command = tail(&server.url(STREAM), &["--since", "first"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert!(line.contains("e-0"));
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id().try_into().unwrap()), Signal::SIGINT)
        .unwrap();
    assert_eq!(code(child), Some(0));
    drop(out);
}

#[test]
fn a_reader_that_has_gone_has_read_enough() {
    let server = serve(BASIC);
    publish_ids(&server, ["first", "a", "b", "c"]);
    let url = server.url(STREAM);
    let shell = |script: &str| {
        let mut shell = Command::new("bash");
        shell
            .args(["-c", &format!("set -o pipefail; {script}")])
            .arg(env!("CARGO_BIN_EXE_fanfare"))
            .arg(&url);
        run(shell, "")
    };
    // One that has events to write, and one that has none.
    for (script, lines) in [
        ("\"$0\" tail \"$1\" --since first | head -1", 1),
        ("\"$0\" tail \"$1\" --since first 2>&1 | head -1", 1),
        ("\"$0\" tail \"$1\" | true", 0),
        ("\"$0\" tail \"$1\" --since first --count 2 2>&-", 2),
    ] {
        let ended = shell(script);
        assert_eq!((ended.code, ended.stdout.len(), ended.stderr.as_str()), (Some(0), lines, ""), "{script}");
    }
    let full = shell("\"$0\" tail \"$1\" --since first > /dev/full");
    assert_eq!(full.code, Some(1));
    assert!(full.stderr.contains("standard output cannot be written to"), "{}", full.stderr);
}

#[test]
fn who_is_refused_at_the_start_is_told_why() {
    let guarded = format!(
        "{BASIC}[sinks.events.headers]\nAuthorization = {{ type = \"secret\", value = \"GUARD\", prefix = \"Bearer \" }}\n"
    );
    let server = fanfare().config(guarded).env("GUARD", "s3cr3t").start().unwrap();
    publish(&server, &cdevent("first"));
    publish(&server, &cdevent("e-1"));
    let url = server.url(STREAM).replace("http://", "http://u:0ther-s3cr3t@");
    let check = |url: &str, args: &[&str], token: &str, code: i32, said: &str| {
        let mut command = tail(url, &[&["--since", "first", "--count", "1"], args].concat());
        command.env("FANFARE_TOKEN", token);
        let ended = run(command, "");
        assert_eq!(
            (ended.code, ended.stdout.len()),
            (Some(code), usize::from(code == 0)),
            "{args:?}: {}",
            ended.stderr
        );
        assert!(ended.stderr.contains(said) && !format!("{ended:?}").contains("s3cr3t"), "{ended:?}");
    };
    check(&url, &[], "s3cr3t", 0, "");
    check(&url, &["--token", "s3cr3t"], "", 0, "");
    check(&url, &["-H", "authorization: Bearer s3cr3t"], "wrong-s3cr3t", 0, "");
    check(&url, &[], "wrong-s3cr3t", 1, "the server answered 403: ");
    check(&server.url(STREAM), &[], "", 1, "the server answered 401: ");
    check(
        &server.url("/nowhere"),
        &[],
        "s3cr3t",
        1,
        "the server answered 404: nothing is served at this path",
    );
}

#[test]
fn a_command_line_that_cannot_be_used_ends_with_2_and_shows_no_secret() {
    let check = |url: &str, args: &[&str], said: &str| {
        let ended = run(tail(url, args), "");
        assert_eq!((ended.code, ended.stdout.len()), (Some(2), 0), "{args:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains(said) && !ended.stderr.contains("s3cr3t"),
            "{args:?}: {}",
            ended.stderr
        );
    };
    let url = "http://127.0.0.1:1/";
    check("ftp://me:s3cr3t@example.com/", &[], "URL");
    check("s3cr3t:s3cr3t", &[], "URL");
    check(url, &["-H", "Last-Event-ID: s3cr3t"], "`last-event-id` is set by this command");
    check(url, &["--match", "a*"], "--match");
    check(url, &["--event", ""], "--event");
    check(url, &["--since", ""], "--since");
    check(url, &["--since", "a\nb"], "--since");
    check(url, &["--count", "0"], "--count");
    check(url, &["--ca", "/nowhere"], "for https");
    check("https://127.0.0.1:1/", &["--ca", "/nowhere"], "/nowhere");
    assert_eq!(run(command(&["tail"]), "").code, Some(2));
}
