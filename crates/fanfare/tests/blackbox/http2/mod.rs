//! HTTP/2 without TLS, by prior knowledge: streams beside each other on one connection.

pub(crate) mod client;

use std::fs;

use bytes::Bytes;
use fanfare_testkit::Server;
use fanfare_testkit::http::Connection as Raw;
use fanfare_testkit::sse::{Item, Silent};
use h2::Reason;
use serde_json::json;

use crate::admin;
use crate::kit::{self, BASIC, BROWSER, LONG, STREAM, WEBHOOK, cdevent, serve, serve_sink};
use client::{Connection, Stream, WINDOW};

/// Publishes an event, and takes it from each of these streams.
pub(crate) async fn reach(server: &Server, streams: &mut [Stream], id: &str) {
    kit::publish(server, &json!({"type": "t", "id": id, "filling": "x".repeat(20_000)}));
    for stream in streams {
        assert_eq!(stream.next_event().await.id.as_deref(), Some(id));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_hundred_streams_share_a_connection() {
    let server = serve(BASIC);
    let connection = Connection::tcp(server.addr()).await;
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(connection.stream(STREAM, &[]).await);
    }
    assert_eq!(streams[0].headers["content-type"], "text/event-stream");
    assert_eq!(streams[0].headers["cache-control"], "no-cache, no-transform");
    for id in ["e-1", "e-2", "e-3"] {
        reach(&server, &mut streams, id).await;
    }
    connection.publish(WEBHOOK, &cdevent("e-4")).await;
    for stream in &mut streams {
        assert_eq!(stream.next_event().await.id.as_deref(), Some("e-4"));
    }
    drop((streams, connection));
    kit::eventually("end of all streams", || {
        let ended = server.log().iter().filter(|line| line.contains("reason=client_gone")).count();
        (ended == 100).then_some(())
    });
}

/// Memory of the server's process, in KiB.
fn resident(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_stream_that_takes_nothing_is_reset_and_the_others_miss_nothing() {
    let server = serve_sink(
        "[http]\nsend_timeout = \"1s\"\n[log]\ntype = \"memory\"\nwindow = { bytes = \"256KiB\" }\n",
    );
    let connection = Connection::tcp(server.addr()).await;
    let mut stalled = connection.stream(STREAM, &[]).await;
    let mut reading = Vec::new();
    for _ in 0..3 {
        reading.push(connection.stream(STREAM, &[]).await);
    }
    reach(&server, &mut reading, "first").await;
    let before = resident(&server);
    let mut published = 0;
    while !server.log().iter().any(|line| line.contains("stream ended")) {
        reach(&server, &mut reading, &published.to_string()).await;
        published += 1;
    }
    let ended = server.wait_for_log("stream ended", LONG).unwrap();
    assert!(ended.contains("reason=stalled"), "{ended}");
    let grown = resident(&server).saturating_sub(before);
    assert!(grown < 16 * 1024, "{grown} KiB more after {published} events of 20 kB");

    reach(&server, &mut reading, "last").await;
    // What had come before is whole.
    let mut expected = (0..).map(|number: u32| number.to_string());
    let (items, reason) = stalled.read_to_end().await;
    assert_eq!(reason, Some(Reason::CANCEL));
    assert!(items.len() <= WINDOW as usize / 20_000, "{} events", items.len());
    let ids: Vec<_> = items
        .iter()
        .map(|item| match item {
            Item::Event(event) => event.id.clone().unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ids.first().map(String::as_str), Some("first"));
    assert!(ids.iter().skip(1).all(|id| Some(id) == expected.next().as_ref()), "{ids:?}");
}

/// On one thread, so that the connection reads nothing while the test waits. Its windows are never full, but its socket is.
#[tokio::test(flavor = "current_thread")]
async fn a_connection_that_reads_nothing_ends_with_all_its_streams() {
    let server = serve_sink("[http]\nsend_timeout = \"1s\"\n");
    let connection = Connection::with_window(server.addr(), 1 << 28).await;
    let streams = [connection.stream(STREAM, &[]).await, connection.stream(STREAM, &[]).await];
    let ended =
        || -> Vec<_> { server.log().into_iter().filter(|line| line.contains("stream ended")).collect() };
    kit::eventually("end of both streams", || {
        kit::publish(&server, &json!({"type": "t", "filling": "x".repeat(500_000)}));
        (ended().len() == 2).then_some(())
    });
    // Where the socket takes long to fill, an unanswered ping is first.
    let reasons = ["reason=stalled", "reason=client_gone"];
    let is_known = |line: &String| reasons.iter().any(|reason| line.contains(reason));
    assert!(ended().iter().all(is_known), "{:#?}", ended());
    drop(streams);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_upload_that_gets_stuck_holds_up_no_other() {
    let server = serve(BASIC);
    let connection = Connection::tcp(server.addr()).await;
    let (mut stuck, _answer) = connection.request("POST", WEBHOOK, &[], true).await;
    stuck.send_data(Bytes::from(vec![b' '; 1024 * 1024]), false).unwrap();
    for number in 0..10 {
        connection.publish(WEBHOOK, &json!({"type": "t", "n": number, "filling": "x".repeat(500_000)})).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn streams_end_one_by_one_or_with_the_server() {
    let mut server = serve_sink("identity = \"query\"\n[admin]\nport = 0\n");
    let connection = Connection::tcp(server.addr()).await;
    let mut ended = connection.stream("/sse/events?user_id=7", &[]).await;
    let mut others = vec![connection.stream(STREAM, &BROWSER).await, connection.stream(STREAM, &[]).await];
    assert_eq!(admin::end(&server, "?user=7"), 1);
    assert_eq!(ended.read_to_end().await, (vec![], Some(Reason::INTERNAL_ERROR)));
    reach(&server, &mut others, "e-1").await;
    let mut plain = others.pop().unwrap();
    let mut browser = others.pop().unwrap();

    server.ask_to_end().unwrap();
    let (items, reason) = browser.read_to_end().await;
    assert!(reason.is_some(), "after an end in order some clients would not come back");
    let is_farewell = |item: &Item| matches!(item, Item::Silent(Silent { retry: Some(_), .. }));
    assert!(items.last().is_some_and(is_farewell), "{items:?}");
    assert!(plain.read_to_end().await.1.is_some());
    connection.ended().await;
    assert_eq!(server.wait(LONG).unwrap().code(), Some(0));
}

#[test]
fn a_connection_without_a_request_is_closed() {
    let server = serve_sink("[http]\nheader_timeout = \"200ms\"\n");
    for first in [
        &b"PRI"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
    ] {
        let mut connection = Raw::open(server.addr()).unwrap();
        connection.send(first).unwrap();
        connection.read_to_close(LONG).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_connection_is_open_for_as_long_as_its_streams() {
    let server = serve_sink("[http]\nheader_timeout = \"200ms\"\n");
    let (mut done, used) = (Connection::tcp(server.addr()).await, Connection::tcp(server.addr()).await);
    let mut streams = [used.stream(STREAM, &[]).await];
    done.publish(WEBHOOK, &json!({"type": "t"})).await;
    streams[0].next_event().await;
    done.closed().await;
    // That took longer than a connection without a stream is kept.
    reach(&server, &mut streams, "e-1").await;
}

#[test]
fn a_connection_that_does_nothing_more_is_closed_however_silent() {
    let server = serve_sink("[http]\nheader_timeout = \"200ms\"\n");
    let mut connection = Raw::open(server.addr()).unwrap();
    connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    // GET / of http://a, in one frame of headers that ends the stream.
    connection.send(b"\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a").unwrap();
    connection.read_to_close(LONG).unwrap();
}
