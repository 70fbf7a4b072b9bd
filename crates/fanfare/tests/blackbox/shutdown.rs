//! The end: what streams, publishers and newcomers see of it.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::process::Command;

use fanfare_testkit::Server;
use fanfare_testkit::http::{Connection, End};
use fanfare_testkit::sse::{Item, Silent};

use crate::kit::{BASIC, BROWSER, LONG, WEBHOOK, cdevent, next, next_ids, publish, serve, subscribe};

/// Asks the server to end, and waits until it takes no connection any more.
fn ask(server: &mut Server) {
    server.ask_to_end().unwrap();
    server.wait_for_log("stopping: finishing what is under way", LONG).unwrap();
}

#[test]
fn streams_end_uncleanly_and_browsers_are_told_when_to_come_back() {
    let mut server = serve(BASIC);
    let mut plain = subscribe(&server, &[]);
    let mut browser = subscribe(&server, &BROWSER);
    next(&mut browser);
    publish(&server, &cdevent("e-1"));
    for client in [&mut plain, &mut browser] {
        assert_eq!(next_ids(client, 1), ["e-1"]);
    }
    ask(&mut server);
    assert_eq!(plain.read_to_end(LONG).unwrap(), (vec![], End::CutOff));
    let (items, end) = browser.read_to_end(LONG).unwrap();
    let [Item::Silent(Silent { kind: None, id: None, retry: Some(retry) })] = items.as_slice() else {
        panic!("{items:?}");
    };
    assert!((3000..6000).contains(retry), "{retry}");
    assert_eq!(end, End::CutOff);
    assert_eq!(server.wait(LONG).unwrap().code(), Some(0));
    let ended: Vec<_> = server.log().into_iter().filter(|line| line.contains("stream ended")).collect();
    assert_eq!(ended.len(), 2, "{ended:?}");
    assert!(ended.iter().all(|line| line.contains("reason=shutdown")), "{ended:?}");
    assert!(server.log().iter().any(|line| line.contains("SIGTERM")));
}

#[test]
fn a_publish_in_flight_gets_its_answer_and_nobody_new_gets_in() {
    let mut server = serve(BASIC);
    let (mut publisher, rest) = half_a_publish(&server);
    ask(&mut server);
    assert_eq!(TcpStream::connect(server.addr()).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    publisher.send(rest.as_bytes()).unwrap();
    assert_eq!(publisher.read_head(LONG).unwrap().status, 201);
    publisher.read_to_close(LONG).unwrap();
    assert_eq!(server.wait(LONG).unwrap().code(), Some(0));
}

#[test]
fn connections_without_a_request_do_not_hold_up_the_end() {
    let mut server = serve(BASIC);
    let silent = Connection::open(server.addr()).unwrap();
    let mut kept = Connection::open(server.addr()).unwrap();
    kept.send_request("GET", "/nothing", &[], b"").unwrap();
    assert_eq!(kept.read_head(LONG).unwrap().status, 404);
    ask(&mut server);
    assert_eq!(server.wait(LONG).unwrap().code(), Some(0));
    let log = server.log().join("\n");
    assert!(!log.contains("stopped before"), "all had finished:\n{log}");
    drop(silent);
}

/// A publish whose body is awaited, and what is left to send of it.
fn half_a_publish(server: &Server) -> (Connection, String) {
    let mut publisher = Connection::open(server.addr()).unwrap();
    let (first, rest) = (String::from("{\"type\":"), String::from("\"last\"}"));
    let head = format!(
        "POST {WEBHOOK} HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        first.len() + rest.len()
    );
    publisher.send(head.as_bytes()).unwrap();
    // The request is under way once its body is asked for.
    assert_eq!(publisher.read_head(LONG).unwrap().status, 100);
    publisher.send(first.as_bytes()).unwrap();
    (publisher, rest)
}

#[test]
fn ctrl_c_is_the_same_and_a_second_one_waits_for_nobody() {
    let interrupt = |server: &Server| {
        let pid = server.pid();
        assert!(Command::new("sh").args(["-c", &format!("kill -INT {pid}")]).status().unwrap().success());
    };
    let mut patient = serve(BASIC);
    let mut client = subscribe(&patient, &[]);
    interrupt(&patient);
    assert_eq!(client.read_to_end(LONG).unwrap().1, End::CutOff);
    assert_eq!(patient.wait(LONG).unwrap().code(), Some(0));
    assert!(patient.log().iter().any(|line| line.contains("SIGINT")));

    let mut hasty = serve(BASIC);
    let (_publisher, _) = half_a_publish(&hasty);
    ask(&mut hasty);
    interrupt(&hasty);
    assert_eq!(hasty.wait(LONG).unwrap().code(), Some(130));
}
