//! The clients against scripted peers: each test says what the peer sends, and what the client must make of it.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test, in helpers too")]

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use fanfare_testkit::http::{self, Chunk, Connection, End};
use fanfare_testkit::sse::{Client, Message, Silent};

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(20);

const STREAM: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A server that takes one request and answers with these bytes, whatever was asked; gives all that it was sent.
fn peer(answer: &str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let answer = answer.to_owned();
    let request = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            request.extend(byte);
        }
        stream.write_all(answer.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        // Closing with unread bytes would reset the connection.
        stream.read_to_end(&mut request).unwrap();
        String::from_utf8(request).unwrap()
    });
    (addr, request)
}

#[test]
fn a_request_is_sent_as_given() {
    let (addr, request) = peer("HTTP/1.1 204 No Content\r\n\r\n");
    http::post(addr, "/a?b", &[("X-Y", "z")], "hello").unwrap();
    let expected = format!("POST /a?b HTTP/1.1\r\nhost: {addr}\r\ncontent-length: 5\r\nX-Y: z\r\n\r\nhello");
    assert_eq!(request.join().unwrap(), expected);

    let (addr, request) = peer("HTTP/1.1 204 No Content\r\n\r\n");
    http::get(addr, "/", &[("Host", "example")]).unwrap();
    assert_eq!(request.join().unwrap(), "GET / HTTP/1.1\r\nHost: example\r\n\r\n");
}

#[test]
fn a_response_says_how_its_body_ended() {
    let check = |method: &str, answer: &str, expected: (u16, &str, End)| {
        let (addr, _request) = peer(answer);
        let response = http::request(addr, method, "/", &[], b"").unwrap();
        assert_eq!((response.status(), response.text().as_str(), response.end), expected, "{answer:?}");
    };
    check("GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabc", (200, "ab", End::Complete));
    check("GET", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", (200, "abc", End::CutOff));
    check("GET", "HTTP/1.1 200 OK\r\n\r\nabc", (200, "abc", End::Closed));
    check("GET", &format!("{STREAM}1\r\na\r\n0\r\n\r\n"), (200, "a", End::Complete));
    check("GET", &format!("{STREAM}1\r\na\r\n"), (200, "a", End::CutOff));
    check("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", (200, "", End::Complete));
    check("GET", "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", (204, "", End::Complete));
}

#[test]
fn what_is_not_http_is_an_error() {
    let check = |answer: &str, expected: io::ErrorKind| {
        let (addr, _request) = peer(answer);
        assert_eq!(http::get(addr, "/", &[]).unwrap_err().kind(), expected, "{answer:?}");
    };
    check("", io::ErrorKind::UnexpectedEof);
    check("HTTP/1.1 200 OK\r\n", io::ErrorKind::UnexpectedEof);
    check("event: a\r\n\r\n", io::ErrorKind::InvalidData);
    check(&format!("{STREAM}event\r\n"), io::ErrorKind::InvalidData);
    check("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", io::ErrorKind::InvalidData);
}

#[test]
fn a_wait_is_bounded() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut connection = Connection::open(listener.local_addr().unwrap()).unwrap();
    assert_eq!(connection.read_head(SHORT).unwrap_err().kind(), io::ErrorKind::TimedOut);

    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(STREAM.as_bytes()).unwrap();
    let head = connection.read_head(LONG).unwrap();
    let mut body = connection.into_body(&head, "GET").unwrap();
    assert_eq!(body.next(SHORT).unwrap_err().kind(), io::ErrorKind::TimedOut);
    peer.write_all(b"3\r\nabc\r\n").unwrap();
    assert_eq!(body.read_until(b"bc", LONG).unwrap(), b"abc");
    drop(peer);
    assert_eq!(body.next(LONG).unwrap(), Chunk::End(End::CutOff));
    assert_eq!(body.next(LONG).unwrap(), Chunk::End(End::CutOff));
}

#[test]
fn a_reset_ends_a_body() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut connection = Connection::open(listener.local_addr().unwrap()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    connection.send(b"unread").unwrap();
    peer.write_all(STREAM.as_bytes()).unwrap();
    let head = connection.read_head(LONG).unwrap();
    peer.peek(&mut [0]).unwrap();
    drop(peer);
    let mut body = connection.into_body(&head, "GET").unwrap();
    assert_eq!(body.next(LONG).unwrap(), Chunk::End(End::CutOff));
}

#[test]
fn an_aborted_connection_is_reset() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = Connection::open(listener.local_addr().unwrap()).unwrap();
    let (mut peer, _) = listener.accept().unwrap();
    connection.abort().unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::ConnectionReset);
}

#[test]
fn a_stream_is_read_message_by_message() {
    let events = "id: @e.1\nretry: 5\n\n: hi\n\nevent: cdevent\nid: a\ndata: {}\n\ndata: cut";
    let (addr, request) = peer(&format!("{STREAM}{:x}\r\n{events}\r\n", events.len()));
    let mut client = Client::open(addr, "/sse/events", &[("Last-Event-ID", "7")]).unwrap();
    assert_eq!(client.head().header("transfer-encoding"), Some("chunked"));

    let silent = Silent { kind: None, id: Some("@e.1".into()), retry: Some(5) };
    assert_eq!(client.next(LONG).unwrap(), Message::Silent(silent));
    let event = client.next_event(LONG).unwrap();
    assert_eq!((event.kind.as_str(), event.id.as_deref(), event.data.as_str()), ("cdevent", Some("a"), "{}"));
    assert_eq!(client.read_to_end(LONG).unwrap(), (Vec::new(), End::CutOff));
    assert_eq!(client.next_event(LONG).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(client.last_event_id(), "a");
    assert_eq!(client.raw(), events.as_bytes());

    drop(client);
    let request = request.join().unwrap();
    assert!(request.contains("accept: text/event-stream\r\nLast-Event-ID: 7\r\n"), "{request}");
}

#[test]
fn what_is_no_stream_is_an_error_that_shows_it() {
    let check = |answer: &str, shown: &str| {
        let (addr, _request) = peer(answer);
        let error = Client::open(addr, "/sse/x", &[]).unwrap_err().to_string();
        assert!(error.contains(shown), "{error}");
    };
    check("HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nnope", "nope");
    check("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n", "text/html");
}
