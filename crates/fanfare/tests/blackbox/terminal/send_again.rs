//! `fanfare send`: servers that cannot now, and events that are stored once all the same.

use std::io::Read as _;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

use super::kit::{Program, Scripted, answer, command, run};
use crate::kit::{BASIC, LONG, STREAM, WEBHOOK, fanfare, serve, subscribe};
use fanfare_testkit::sse::Client;

const TAKEN: &str = r#"{"duplicate":false,"events":[{"id":"e","seq":1,"duplicate":false}]}"#;

#[test]
fn a_server_that_cannot_now_is_asked_again_under_the_same_name() {
    let server = Scripted::new(&[
        &answer("503 Service Unavailable", "retry-after: 0\r\n", r#"{"detail":"the log is out of reach"}"#),
        "",
        &answer("429 Too Many Requests", "", ""),
        &answer("201 Created", "", TAKEN),
    ]);
    let ended = run(command(&["send", &server.url("/"), "-d", "{}"]), "");
    assert_eq!((ended.code, ended.stdout.len()), (Some(0), 1), "{}", ended.stderr);
    for said in [
        "event 1 (line 1): 503 Service Unavailable: the log is out of reach; trying again in",
        "no answer",
        "429",
    ] {
        assert!(ended.stderr.contains(said), "without `{said}`: {}", ended.stderr);
    }
    let asked: Vec<_> = (0..4).map(|_| server.next()).collect();
    let keys: Vec<_> = asked.iter().map(|asked| asked.header("idempotency-key").unwrap()).collect();
    assert!(keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

#[test]
fn it_is_tried_so_often_and_no_more() {
    let busy = answer("503 Service Unavailable", "", r#"{"detail":"busy"}"#);
    let check = |retries: &str, answers: &[&str], said: &str| {
        let server = Scripted::new(answers);
        let ended = run(command(&["send", &server.url("/"), "--retries", retries, "-d", "{}"]), "");
        assert_eq!((ended.code, ended.stdout.len()), (Some(1), 0));
        assert!(ended.stderr.contains(said), "without `{said}`: {}", ended.stderr);
        for _ in answers {
            server.next();
        }
    };
    check("0", &[&busy], "event 1 (line 1): 503 Service Unavailable: busy; it may be stored all the same");
    check("1", &[&busy, &busy], "busy (tried 2 times); it may be stored all the same");
    check("0", &[""], "no answer");
    check(
        "9",
        &[&answer("500 Internal Server Error", "", "")],
        "event 1 (line 1): 500 Internal Server Error\n",
    );
    check(
        "9",
        &[&answer("503 Service Unavailable", "retry-after: 86400\r\n", "")],
        "503 Service Unavailable",
    );
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ended = run(
        command(&["send", &format!("http://u:s3cr3t@{gone}/?t=s3cr3t"), "--retries", "1", "-d", "{}"]),
        "",
    );
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("cannot connect: Connection refused"), "{}", ended.stderr);
    assert!(!ended.stderr.contains("s3cr3t") && !ended.stderr.contains("may be stored"), "{}", ended.stderr);
}

#[test]
fn an_event_whose_answer_was_lost_is_stored_once() {
    let server = serve(BASIC);
    let mut client = subscribe(&server, &[]);
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}{WEBHOOK}", proxy.local_addr().unwrap());
    let upstream = server.addr();
    thread::spawn(move || {
        // Of the first answer nothing comes through.
        for is_cut in [true, false] {
            let (mut near, _) = proxy.accept().unwrap();
            let mut far = TcpStream::connect(upstream).unwrap();
            let (mut from, mut to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut from, &mut to));
            if is_cut {
                far.read_exact(&mut [0; 100]).unwrap();
                near.shutdown(Shutdown::Both).unwrap();
            } else {
                let _ = std::io::copy(&mut far, &mut near);
            }
        }
    });
    let ended = run(command(&["send", &url, "-d", r#"{"type":"once"}"#]), "");
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let answer: Value = serde_json::from_str(&ended.stdout[0]).unwrap();
    assert_eq!(answer["duplicate"], true, "{answer}");
    run(command(&["send", &server.url(WEBHOOK), "-d", r#"{"type":"next"}"#]), "");
    let kinds: Vec<_> = client.next_events(2, LONG).unwrap().into_iter().map(|event| event.data).collect();
    assert_eq!(kinds, [r#"{"type":"once"}"#, r#"{"type":"next"}"#]);
}

#[test]
fn a_server_that_is_killed_and_started_again_has_every_event_once_and_in_order() {
    let mut server = fanfare().config(BASIC).start().unwrap();
    let mut program = Program::start(command(&["send", &server.url(WEBHOOK), "--retries", "20"]));
    let feed = |program: &mut Program, numbers: std::ops::Range<u32>| {
        for n in numbers {
            program.feed(&format!("{}\n", json!({"type": "t", "n": n})));
        }
    };
    feed(&mut program, 0..40);
    let first: Value = serde_json::from_str(&program.next_line()).unwrap();
    server.kill().unwrap();
    feed(&mut program, 40..60);
    program.wait_for("trying again");
    server.restart().unwrap();
    let ended = program.end();
    assert_eq!((ended.code, ended.stdout.len()), (Some(0), 60), "{}", ended.stderr);

    let behind = [("Last-Event-ID", first["id"].as_str().unwrap())];
    let mut client = Client::open(server.addr(), STREAM, &behind).unwrap();
    let numbers = client.next_events(59, LONG).unwrap();
    let numbers: Vec<_> = numbers
        .iter()
        .map(|event| serde_json::from_str::<Value>(&event.data).unwrap()["n"].clone())
        .collect();
    assert_eq!(numbers, (1..60).map(Value::from).collect::<Vec<_>>());
}
