//! The scripted server, seen by the raw client.

use std::io;
use std::thread;
use std::time::Duration;

use fanfare_testkit::http::{self, Connection, End};
use fanfare_testkit::sse::{Client, Message};
use fanfare_testkit::upstream::{Exchange, Upstream};

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(20);

#[test]
fn a_request_is_shown_and_answered() {
    let upstream = Upstream::start().unwrap();
    assert_eq!(upstream.accept(SHORT).unwrap_err().kind(), io::ErrorKind::TimedOut);
    drop(Connection::open(upstream.addr()).unwrap());
    let addr = upstream.addr();
    let asked = thread::spawn(move || http::post(addr, "/a?b", &[("X-Y", "z")], "hello").unwrap());
    let exchange = upstream.accept(LONG).unwrap();
    let Exchange { method, target, body, .. } = &exchange;
    assert_eq!((method.as_str(), target.as_str(), body.as_slice()), ("POST", "/a?b", &b"hello"[..]));
    assert_eq!(exchange.header("x-y"), Some("z"));
    exchange.answer(503, &[("retry-after", "7")], "full").unwrap();
    let response = asked.join().unwrap();
    assert_eq!((response.status(), response.text().as_str()), (503, "full"));
    assert_eq!((response.header("retry-after"), response.end), (Some("7"), End::Complete));
}

#[test]
fn a_stream_ends_as_the_test_says() {
    let check = |end: fn(Exchange), expected: End| {
        let upstream = Upstream::start().unwrap();
        let addr = upstream.addr();
        let client = thread::spawn(move || Client::open(addr, "/", &[]).unwrap());
        let mut exchange = upstream.accept(LONG).unwrap();
        exchange.stream().unwrap();
        let mut client = client.join().unwrap();
        exchange.send("data: a\n").unwrap();
        exchange.send("\n").unwrap();
        assert_eq!(client.next_event(LONG).unwrap().data, "a");
        end(exchange);
        assert_eq!(client.next(LONG).unwrap(), Message::End(expected));
    };
    check(|exchange| exchange.end().unwrap(), End::Complete);
    check(Exchange::cut, End::CutOff);
    check(|exchange| exchange.reset().unwrap(), End::CutOff);
}

#[test]
fn a_client_that_goes_is_noticed_and_the_port_can_be_taken_again() {
    let upstream = Upstream::start().unwrap();
    let addr = upstream.addr();
    let mut client = Connection::open(addr).unwrap();
    client.send_request("GET", "/", &[], b"").unwrap();
    let exchange = upstream.accept(LONG).unwrap();
    drop(client);
    exchange.wait_for_close(LONG).unwrap();
    drop(upstream);
    assert!(Connection::open(addr).is_err());
    assert_eq!(Upstream::start_at(addr).unwrap().addr(), addr);
}
