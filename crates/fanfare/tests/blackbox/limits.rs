//! What is bounded: connections, peers that stop reading; and that whoever leaves gives back what it held.

use std::fs;

use fanfare_testkit::Server;
use fanfare_testkit::http::{self, Connection, End};
use fanfare_testkit::sse::{Client, Item, Silent};
use serde_json::json;

use crate::kit::{
    BASIC, LONG, STREAM, eventually, fanfare, head_of, next_ids, publish, serve, serve_sink, subscribe,
};
use crate::kit::{cdevent, request_on};

/// A stream, and how the log names its other end.
fn known(server: &Server) -> (Client, String) {
    let connection = Connection::open(server.addr()).unwrap();
    let peer = connection.local_addr().unwrap().to_string();
    (Client::open_on(connection, STREAM, &[]).unwrap(), peer)
}

fn ended(server: &Server, peer: &str, reason: &str) {
    server.wait_for_log(&format!("stream ended sink=events peer={peer} reason={reason} "), LONG).unwrap();
}

#[test]
fn a_full_sink_asks_to_come_back_later() {
    let server = serve_sink("max_connections = 2\n");
    let (first, peer) = known(&server);
    let mut second = subscribe(&server, &[]);
    for headers in [&[][..], &[("Sec-Fetch-Mode", "cors")]] {
        let mut refused = subscribe(&server, headers);
        assert_eq!(refused.head().header("content-type"), Some("text/event-stream"));
        let (items, end) = refused.read_to_end(LONG).unwrap();
        let [Item::Silent(Silent { kind: None, id: None, retry: Some(retry) })] = items.as_slice() else {
            panic!("{items:?}");
        };
        assert!((5000..10_000).contains(retry), "{retry}");
        assert_eq!(end, End::CutOff, "a clean end would keep some clients from coming back");
    }
    server.wait_for_log("the sink is full", LONG).unwrap();
    // Asking without listening takes no place, and who is there is not disturbed.
    assert_eq!(head_of(server.addr(), "HEAD", STREAM, &[]).status, 200);
    publish(&server, &cdevent("e-1"));
    assert_eq!(next_ids(&mut second, 1), ["e-1"]);

    drop(first);
    ended(&server, &peer, "client_gone");
    let mut third = subscribe(&server, &[]);
    publish(&server, &cdevent("e-2"));
    assert_eq!(next_ids(&mut third, 1), ["e-2"]);
}

#[test]
fn a_place_is_free_again_however_its_client_left() {
    let server = serve_sink("max_connections = 1\n");
    for round in 0..50 {
        let (mut client, peer) = known(&server);
        let id = format!("e-{round}");
        publish(&server, &cdevent(&id));
        assert_eq!(next_ids(&mut client, 1), [id]);
        if round % 2 == 0 {
            drop(client);
        } else {
            client.abort().unwrap();
        }
        ended(&server, &peer, "client_gone");
    }
}

#[test]
fn a_peer_that_stops_reading_is_closed() {
    let server = serve_sink("[http]\nsend_timeout = \"200ms\"\n");
    let connection = Connection::open(server.addr()).unwrap();
    connection.shrink_receive_buffer(16 * 1024).unwrap();
    let peer = connection.local_addr().unwrap().to_string();
    let stalled = Client::open_on(connection, STREAM, &[]).unwrap();
    let mut reading = subscribe(&server, &[]);
    let mut published = 0;
    eventually("end of the stalled stream", || {
        let id = published.to_string();
        publish(&server, &json!({"type": "t", "id": id, "filling": "x".repeat(200_000)}));
        assert_eq!(next_ids(&mut reading, 1), [id]);
        published += 1;
        server.log().iter().any(|line| line.contains("stream ended")).then_some(())
    });
    ended(&server, &peer, "stalled");
    drop(stalled);
}

/// Open files and threads of the server's process.
fn held(server: &Server) -> (usize, usize) {
    let count = |what: &str| fs::read_dir(format!("/proc/{}/{what}", server.pid())).unwrap().count();
    (count("fd"), count("task"))
}

#[test]
fn two_hundred_clients_leave_nothing_behind() {
    let server = serve(BASIC);
    // What is there from the first request on is not theirs.
    drop(known(&server).0);
    publish(&server, &cdevent("first"));
    let settled = |expected: (usize, usize)| {
        eventually("return to what was open before", || {
            let held = held(&server);
            (held.0 <= expected.0 && held.1 <= expected.1).then_some(())
        });
    };
    let before =
        eventually("moment with the listener alone", || (sockets(&server) == 1).then(|| held(&server)));
    for _ in 0..2 {
        let clients: Vec<_> = (0..100).map(|_| known(&server)).collect();
        assert!(held(&server).0 >= before.0 + 100);
        publish(&server, &json!({"type": "t"}));
        let peers: Vec<_> = clients.into_iter().map(|(_, peer)| peer).collect();
        for peer in &peers {
            ended(&server, peer, "client_gone");
        }
        settled(before);
    }
}

/// Sockets with the server's port that a process holds.
fn sockets(server: &Server) -> usize {
    let table = fs::read_to_string(format!("/proc/{}/net/tcp", server.pid())).unwrap();
    let address = format!("0100007F:{:04X}", server.addr().port());
    let is_held = |line: &&str| {
        let columns: Vec<_> = line.split_whitespace().collect();
        // The local address, and the inode, which is 0 where nobody holds the socket any more.
        columns.get(1) == Some(&address.as_str()) && columns.get(9) != Some(&"0")
    };
    table.lines().filter(is_held).count()
}

#[test]
fn many_requests_on_one_connection_leave_nothing_behind_either() {
    let server = serve(BASIC);
    let mut connection = Connection::open(server.addr()).unwrap();
    let mut before = None;
    for number in 0..100 {
        let event = json!({"type": "t", "id": number.to_string()}).to_string();
        let (response, kept) = request_on(connection, "POST", "/webhook/ci", &[], event.as_bytes());
        assert_eq!(response.status(), 201);
        connection = kept;
        let held = held(&server);
        assert_eq!(*before.get_or_insert(held), held);
    }
    assert_eq!(http::get(server.addr(), "/nothing", &[]).unwrap().status(), 404);
}

#[test]
fn who_finds_no_file_left_waits_for_one() {
    let server = fanfare().config(format!("{BASIC}[log]\ntype = \"memory\"\n"));
    // Each thread has files of its own.
    let server = server.env("FANFARE__HTTP__DELIVERY_THREADS", "1");
    let server = server.under(["prlimit", "--nofile=48:48"]).start().unwrap();
    let ask = || {
        let mut connection = Connection::open(server.addr()).unwrap();
        connection.send_request("GET", STREAM, &[], b"").unwrap();
        connection
    };
    let mut connections: Vec<_> = (0..48).map(|_| ask()).collect();
    server.wait_for_log("no connection can be accepted", LONG).unwrap();
    let waiting = connections.split_off(24);
    drop(connections);
    for mut connection in waiting {
        assert_eq!(connection.read_head(LONG).unwrap().status, 200);
    }
}

#[test]
fn too_few_files_for_what_sinks_let_in_are_reported() {
    let said = |server: &Server| {
        let lines = server.log().into_iter().filter(|line| line.contains("fewer files may be open"));
        lines.collect::<Vec<_>>()
    };
    let start = |max: &str| {
        let server = fanfare().config(BASIC).env("FANFARE__SINKS__EVENTS__MAX_CONNECTIONS", max);
        // Behind this no limit can be raised.
        server.under(["prlimit", "--nofile=500:500"]).start().unwrap()
    };
    let lines = said(&start("400"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(" WARN ") && lines[0].contains("limit=500 needed=656"), "{lines:?}");
    assert_eq!(said(&start("100")), [""; 0]);
}
