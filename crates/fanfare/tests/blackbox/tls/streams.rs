//! Streams over TLS do what they do without it.

use fanfare_testkit::http::{Connection, End};
use fanfare_testkit::sse::{Client, Item, Silent};
use fanfare_testkit::tls::TlsClient;
use serde_json::json;

use super::kit::{SECURE, Secure, get};
use crate::http2::{self, client};
use crate::kit::{BROWSER, LONG, STREAM, cdevent, eventually, next, next_ids, publish};
use crate::{admin, kit};

#[test]
fn a_stream_resumes_and_ends_as_it_does_over_http() {
    let mut secure = Secure::start("");
    let mut plain = secure.subscribe(&[]);
    let mut browser = secure.subscribe(&BROWSER);
    next(&mut browser);
    for id in ["e-1", "e-2"] {
        publish(&secure.server, &cdevent(id));
    }
    for client in [&mut plain, &mut browser] {
        assert_eq!(next_ids(client, 2), ["e-1", "e-2"]);
    }
    assert_eq!(next_ids(&mut secure.subscribe(&[("last-event-id", "e-1")]), 1), ["e-2"]);

    secure.server.ask_to_end().unwrap();
    assert_eq!(plain.read_to_end(LONG).unwrap(), (vec![], End::CutOff));
    let (items, end) = browser.read_to_end(LONG).unwrap();
    assert!(matches!(items.as_slice(), [Item::Silent(Silent { retry: Some(_), .. })]), "{items:?}");
    assert_eq!(end, End::CutOff);
    assert_eq!(secure.server.wait(LONG).unwrap().code(), Some(0));
    assert!(secure.server.log().join("\n").contains("reason=shutdown"));
}

#[test]
fn the_url_that_is_printed_and_the_one_that_events_get_are_https() {
    let config = SECURE.replace("listener = \"secure\"\n", "");
    let secure = Secure::with(
        &format!("{config}[http.tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n"),
        &[],
    );
    let addr = secure.server.addr();
    let url = format!("https://127.0.0.1:{}", addr.port());
    assert_eq!(secure.server.stdout()[0], format!("listening on {url}"));
    let stream = Connection::open_tls(addr, &secure.client(None)).unwrap();
    let mut stream = Client::open_on(stream, STREAM, &[]).unwrap();
    let publisher = Connection::open_tls(addr, &secure.client(None)).unwrap();
    let event = json!({"context": {"version": "0.4.1", "type": "dev.cdevents.build.queued.0.2.0"},
        "subject": {"id": "x", "type": "build", "content": {}}});
    let (answer, _) =
        publisher.exchange("POST", kit::WEBHOOK, &[], event.to_string().as_bytes(), LONG).unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text());
    assert!(stream.next_event(LONG).unwrap().data.contains(&format!("{url}/?source=ci")));
}

#[test]
fn pages_of_other_origins_and_operators_have_their_way_here_too() {
    let secure = Secure::start(
        "identity = \"query\"\n[sinks.events.cors]\nallowed_origins = [\"https://a.example\"]\n[admin]\nport = 0\n",
    );
    let mut stream = secure.subscribe(&[("origin", "https://a.example")]);
    assert_eq!(stream.head().header("access-control-allow-origin"), Some("https://a.example"));
    let known = Client::open_on(secure.connect(), "/sse/events?user_id=7", &[]);
    assert_eq!(admin::end(&secure.server, "?user=7"), 1);
    assert_eq!(known.unwrap().read_to_end(LONG).unwrap(), (vec![], End::CutOff));
    publish(&secure.server, &cdevent("e-1"));
    assert_eq!(next_ids(&mut stream, 1), ["e-1"]);
}

#[test]
fn a_peer_that_stops_reading_is_closed() {
    let secure = Secure::start("[http]\nsend_timeout = \"200ms\"\n");
    let connection = Connection::open(secure.addr()).unwrap();
    connection.shrink_receive_buffer(16 * 1024).unwrap();
    let connection = connection.with_tls(&secure.client(None)).unwrap();
    let stalled = Client::open_on(connection, STREAM, &[]).unwrap();
    let mut reading = secure.subscribe(&[]);
    let mut published = 0;
    eventually("end of the stalled stream", || {
        let id = published.to_string();
        publish(&secure.server, &json!({"type": "t", "id": id, "filling": "x".repeat(200_000)}));
        assert_eq!(next_ids(&mut reading, 1), [id]);
        published += 1;
        secure.server.log().iter().any(|line| line.contains("reason=stalled")).then_some(())
    });
    drop(stalled);
}

#[test]
fn what_is_no_tls_is_turned_away() {
    let secure = Secure::start("[http]\nheader_timeout = \"500ms\"\n");
    let answer = get(Connection::open(secure.addr()).unwrap(), STREAM, &[]);
    assert_eq!(answer.status(), 400);
    assert_eq!(kit::problem(&answer)["detail"], "this port speaks https, and not http");
    secure.server.wait_for_log("closed: HTTP without TLS", LONG).unwrap();
    // The last begins as a handshake does.
    for (first, said) in [
        (&b"\0\0"[..], "closed: what came first is no TLS"),
        (b"", "closed: no TLS handshake in time"),
        (b"\x16\x03\x01\x00\xff", "closed: no TLS handshake in time"),
    ] {
        let mut connection = Connection::open(secure.addr()).unwrap();
        let peer = connection.local_addr().unwrap();
        connection.send(first).unwrap();
        assert_eq!(connection.read_to_close(LONG).unwrap(), b"");
        secure.server.wait_for_log(&format!("{said} peer={peer}"), LONG).unwrap();
    }
    // A client that offers nothing of ours but does not ask for anything else either.
    let old = TlsClient::new(&secure.authority.pem(), None, &[]).unwrap();
    let old = Connection::open_tls(secure.addr(), &old).unwrap();
    assert_eq!(get(old, "/nothing", &[]).status(), 404);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_browser_s_hundred_streams_share_a_connection() {
    let secure = Secure::start("");
    let client = TlsClient::new(&secure.authority.pem(), None, &["h2", "http/1.1"]).unwrap();
    let connection = client::Connection::tls(secure.addr(), &client).await;
    let mut streams = Vec::new();
    for _ in 0..100 {
        streams.push(connection.stream(STREAM, &BROWSER).await);
    }
    for id in ["e-1", "e-2", "e-3"] {
        http2::reach(&secure.server, &mut streams, id).await;
    }
}
