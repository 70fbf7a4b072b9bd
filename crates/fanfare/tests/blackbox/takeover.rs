//! Both ways of writing a stream look the same from outside, whatever its connection did before and does beside. All of
//! this folder runs over both; what is here is about where they part.

use std::fs;
use std::time::Duration;

use fanfare_testkit::Server;
use fanfare_testkit::http::{Chunk, Connection, End};
use fanfare_testkit::sse::Client;
use serde_json::json;

use crate::kit::{
    BASIC, BROWSER, LONG, STREAM, WEBHOOK, cdevent, eventually, fanfare, next_ids, publish, publish_ids,
    request_on, serve, serve_sink, subscribe,
};

const REQUEST: &str = "GET /sse/events HTTP/1.1\r\nhost: x\r\n\r\n";

const DELIVERY: &str = "FANFARE__HTTP__DELIVERY";

/// The names of the threads that write streams.
fn writers(server: &Server) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    // One that ends meanwhile has no name any more.
    let names = tasks.filter_map(|task| fs::read_to_string(task.unwrap().path().join("comm")).ok());
    names.filter(|name| name.starts_with("stream-")).collect()
}

#[test]
fn as_many_threads_write_streams_as_are_configured() {
    for (delivery, expected) in [("reactor", 3), ("portable", 0)] {
        let server = fanfare().config(BASIC).env(DELIVERY, delivery);
        let server = server.env("FANFARE__HTTP__DELIVERY_THREADS", "3").start().unwrap();
        let mut client = subscribe(&server, &[]);
        publish(&server, &cdevent("e"));
        assert_eq!(next_ids(&mut client, 1), ["e"]);
        // A thread gives itself its name.
        eventually(delivery, || (writers(&server).len() == expected).then_some(()));
    }
}

fn post_on(connection: Connection, id: &str) -> Connection {
    let (response, connection) =
        request_on(connection, "POST", WEBHOOK, &[], cdevent(id).to_string().as_bytes());
    assert_eq!(response.status(), 201);
    connection
}

#[test]
fn a_connection_that_did_other_things_becomes_a_stream() {
    let server = serve(BASIC);
    let mut connection = Connection::open(server.addr()).unwrap();
    for id in ["a", "b"] {
        connection = post_on(connection, id);
    }
    let (response, connection) = request_on(connection, "GET", "/nothing", &[], b"");
    assert_eq!(response.status(), 404);
    let mut client = Client::open_on(connection, STREAM, &[("Last-Event-ID", "a")]).unwrap();
    publish(&server, &cdevent("c"));
    assert_eq!(next_ids(&mut client, 2), ["b", "c"]);
}

#[test]
fn what_is_sent_together_is_answered_in_order_and_nothing_behind_a_stream() {
    let server = serve(BASIC);
    let mut connection = Connection::open(server.addr()).unwrap();
    let event = cdevent("first").to_string();
    let post =
        format!("POST {WEBHOOK} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{event}", event.len());
    let never = post.replace("first", "never");
    connection.send(format!("{post}{REQUEST}{never}{REQUEST}").as_bytes()).unwrap();
    let head = connection.read_head(LONG).unwrap();
    assert_eq!(head.status, 201);
    publish(&server, &cdevent("second"));
    let came = read_until(&mut connection, "second");
    assert_eq!(came.matches("HTTP/1.1").count(), 1, "{came}");
    assert!(came.contains("transfer-encoding: chunked") && !came.contains("never"), "{came}");
}

/// What comes until this text has.
fn read_until(connection: &mut Connection, last: &str) -> String {
    let mut came = String::new();
    while !came.contains(last) {
        let more = connection.read_raw(LONG).unwrap();
        assert!(!more.is_empty(), "ended behind {came:?}");
        came.push_str(std::str::from_utf8(&more).unwrap());
    }
    came
}

#[test]
fn a_stream_begins_behind_all_that_its_client_has_not_read_yet() {
    let server = serve(BASIC);
    let missing = "GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n";
    // The last ones are more than the buffers hold, so that answers still wait when the stream's turn comes; with many more
    // the kernel waits ever longer for so small a window.
    let waiting: Vec<_> = [20, 60, 80, 90]
        .into_iter()
        .map(|before| {
            let mut connection = Connection::open(server.addr()).unwrap();
            connection.shrink_receive_buffer(4 * 1024).unwrap();
            connection.send(format!("{}{REQUEST}", missing.repeat(before)).as_bytes()).unwrap();
            (before, connection)
        })
        .collect();
    let mut reading = subscribe(&server, &[]);
    publish(&server, &cdevent("while"));
    assert_eq!(next_ids(&mut reading, 1), ["while"]);
    for (before, mut connection) in waiting {
        let came = read_until(&mut connection, "transfer-encoding: chunked");
        assert_eq!(came.matches("HTTP/1.1 404 ").count(), before);
        let id = format!("behind-{before}");
        publish(&server, &cdevent(&id));
        read_until(&mut connection, &format!("id: {id}\n"));
    }
}

#[test]
fn a_stream_that_has_not_begun_ends_with_its_connection() {
    let server = serve(BASIC);
    for before in [100, 200, 300, 400] {
        let mut connection = Connection::open(server.addr()).unwrap();
        connection.shrink_receive_buffer(16 * 1024).unwrap();
        let missing = "GET /nothing HTTP/1.1\r\nhost: x\r\n\r\n".repeat(before);
        connection.send(format!("{missing}{REQUEST}").as_bytes()).unwrap();
        connection.abort().unwrap();
    }
    let mut client = subscribe(&server, &[]);
    publish(&server, &cdevent("e"));
    assert_eq!(next_ids(&mut client, 1), ["e"]);
    let count = |what: &str| server.log().iter().filter(|line| line.contains(what)).count();
    eventually("end of all others", || (count("stream opened") == count("stream ended") + 1).then_some(()));
}

#[test]
fn what_a_client_says_on_its_stream_means_nothing() {
    let server = serve(BASIC);
    let mut connection = Connection::open(server.addr()).unwrap();
    connection.send(format!("{REQUEST}\0\u{1}garbage\r\n\r\n").as_bytes()).unwrap();
    let head = connection.read_head(LONG).unwrap();
    assert_eq!(head.status, 200);
    for round in 0..20 {
        connection.send(&[b'x'; 1000]).unwrap();
        publish(&server, &cdevent(&format!("e-{round}")));
    }
    let mut body = connection.into_body(&head, "GET").unwrap();
    body.read_until(b"e-19", LONG).unwrap();
}

#[test]
fn a_client_that_closes_its_side_has_left() {
    let server = serve(BASIC);
    let connection = Connection::open(server.addr()).unwrap();
    let peer = connection.local_addr().unwrap();
    let client = Client::open_on(connection, STREAM, &[]).unwrap();
    let connection = client.into_connection();
    connection.finish_sending().unwrap();
    server.wait_for_log(&format!("stream ended sink=events peer={peer} reason=client_gone "), LONG).unwrap();
    drop(connection);
}

#[test]
fn heads_are_the_same() {
    let config = format!("{BASIC}cors = {{ allowed_origins = [\"https://a.example\"] }}\n");
    let start = |delivery| fanfare().config(config.as_str()).env(DELIVERY, delivery).start().unwrap();
    let servers = [start("reactor"), start("portable")];
    for headers in [
        &[][..],
        &BROWSER,
        &[("Connection", "close")],
        &[("Connection", "Keep-Alive, Close")],
        &[("Connection", "keep-alive"), ("Origin", "https://a.example")],
        &[("Origin", "https://b.example"), ("Accept", "text/event-stream")],
    ] {
        let heads = servers.each_ref().map(|server| {
            let client = subscribe(server, headers);
            let known = |name: &str| !matches!(name, "date" | "last-event-id");
            assert_eq!(client.head().headers("date").count(), 1);
            assert!(client.head().header("last-event-id").is_some());
            let mut fields = client.head().headers.clone();
            fields.retain(|(name, _)| known(name));
            (client.head().status, fields)
        });
        assert_eq!(heads[0], heads[1], "{headers:?}");
    }
}

#[test]
fn the_last_response_of_a_connection_says_so() {
    let server = serve(BASIC);
    let mut client = subscribe(&server, &[("Connection", "close")]);
    assert_eq!(client.head().header("connection"), Some("close"));
    publish(&server, &cdevent("e"));
    assert_eq!(next_ids(&mut client, 1), ["e"]);
}

#[test]
fn a_burst_comes_in_few_pieces() {
    const EVENTS: usize = 60;
    let server = serve(BASIC);
    let connection = Connection::open(server.addr()).unwrap();
    let client = Client::open_on(connection, STREAM, &[]).unwrap();
    let mut connection = client.into_connection();
    let event = |number: usize| json!({"specversion": "1.0", "type": "t", "source": "s", "id": format!("burst-{number:02}.")});
    let batch = json!((0..EVENTS).map(event).collect::<Vec<_>>()).to_string();
    let kind = [("content-type", "application/cloudevents-batch+json")];
    let answer = fanfare_testkit::http::post(server.addr(), WEBHOOK, &kind, batch).unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text());
    let (mut came, mut reads) = (String::new(), 0);
    while !came.contains(&format!("burst-{:02}.", EVENTS - 1)) {
        let more = connection.read_raw(LONG).unwrap();
        assert!(!more.is_empty());
        came.push_str(std::str::from_utf8(&more).unwrap());
        reads += 1;
    }
    // Two of 16 KiB, unless the reading falls into the writing.
    assert!(reads <= EVENTS / 4, "{reads}");
}

#[test]
fn a_thousand_clients_get_all_there_is() {
    let server = serve(BASIC);
    let mut clients: Vec<_> = (0..1000).map(|_| subscribe(&server, &[])).collect();
    publish_ids(&server, ["a", "b", "c"]);
    for client in &mut clients {
        assert_eq!(next_ids(client, 3), ["a", "b", "c"]);
    }
    drop(clients);
    let ended = || server.log().iter().filter(|line| line.contains("reason=client_gone")).count();
    eventually("end of all", || (ended() == 1000).then_some(()));
}

/// Kilobytes of memory that are the process's own.
fn private(server: &Server) -> usize {
    let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", server.pid())).unwrap();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn clients_that_read_nothing_take_no_memory_with_what_they_do_not_read() {
    let window = "[log.window]\nevents = 4\nbytes = \"4MiB\"\n[http]\nsend_timeout = \"1m\"\n";
    let server = serve_sink(window);
    let mut reading = subscribe(&server, &[]);
    let sleeping: Vec<_> = (0..50)
        .map(|_| {
            let connection = Connection::open(server.addr()).unwrap();
            connection.shrink_receive_buffer(16 * 1024).unwrap();
            Client::open_on(connection, STREAM, &[]).unwrap()
        })
        .collect();
    let mut publish_some = |round: usize| {
        for number in 0..10 {
            let id = format!("{round}-{number}");
            publish(&server, &json!({"type": "t", "id": id, "filling": "x".repeat(200_000)}));
            assert_eq!(next_ids(&mut reading, 1), [id]);
        }
    };
    publish_some(0);
    let before = private(&server);
    (1..6).for_each(&mut publish_some);
    let more = private(&server).saturating_sub(before);
    // Ten megabytes were published, and each has taken next to nothing of them. A copy for each would be 500 MB.
    assert!(more < 60 * 1024, "{before} kB and {more} kB more");
    drop(sleeping);
}

#[test]
fn a_client_that_says_too_much_is_closed() {
    let server = fanfare().config(BASIC).env(DELIVERY, "reactor").start().unwrap();
    let connection = Connection::open(server.addr()).unwrap();
    let peer = connection.local_addr().unwrap();
    let client = Client::open_on(connection, STREAM, &[]).unwrap();
    let mut connection = client.into_connection();
    // The kernel may have taken it from us before the server closes.
    let _ = connection.send(&vec![b'x'; 1 << 20]);
    server.wait_for_log(&format!("stream ended sink=events peer={peer} reason=client_gone "), LONG).unwrap();
}

#[test]
fn an_end_is_an_end_and_no_reset() {
    // What the client sent and nobody read would make the kernel reset the connection, and take the last words with it.
    let mut server = serve(BASIC);
    let mut connection = Connection::open(server.addr()).unwrap();
    let browser = REQUEST.replace("\r\n\r\n", "\r\nsec-fetch-mode: cors\r\n\r\nmore");
    connection.send(browser.as_bytes()).unwrap();
    let head = connection.read_head(LONG).unwrap();
    let mut body = connection.into_body(&head, "GET").unwrap();
    assert!(matches!(body.next(LONG).unwrap(), Chunk::Data(_)), "the opening block");
    assert_eq!(server.terminate(LONG).unwrap().code(), Some(0));
    let (last, end) = body.read_to_end(Duration::from_secs(5)).unwrap();
    assert!(last.starts_with(b"retry: "), "{}", String::from_utf8_lossy(&last));
    assert_eq!(end, End::CutOff);
}
