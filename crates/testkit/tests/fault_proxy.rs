//! The proxy between a client and a scripted server: what each fault leaves of a stream.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test, in helpers too")]

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use fanfare_testkit::fault_proxy::{Answer, Fault, FaultProxy, Harm, Place, Plan};
use fanfare_testkit::http::{self, Connection, End};
use fanfare_testkit::sse::{Client, Item, Message};
use proptest::prelude::*;

const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(20);

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A server that answers every request with the same three events, each a chunk, and ends behind them.
fn server() -> SocketAddr {
    server_of(&["a", "b", "c"])
}

fn server_of(ids: &[&str]) -> SocketAddr {
    let ids: Vec<_> = ids.iter().copied().map(str::to_owned).collect();
    serve(move |mut stream| {
        stream.write_all(HEAD.as_bytes())?;
        for id in &ids {
            write_event(&mut stream, id)?;
        }
        stream.write_all(b"0\r\n\r\n")
    })
}

/// Whoever has asked, one after the other.
fn serve(mut answer: impl FnMut(TcpStream) -> io::Result<()> + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream?;
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                stream.read_exact(&mut byte)?;
                request.extend(byte);
            }
            // A client that leaves is no reason to serve no other.
            let _ = answer(stream);
        }
        io::Result::Ok(())
    });
    addr
}

fn write_event(stream: &mut TcpStream, id: &str) -> io::Result<()> {
    let event = format!("id: {id}\ndata: this is the event {id}\n\n");
    stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())
}

fn proxy(faults: impl IntoIterator<Item = Fault>) -> FaultProxy {
    let proxy = FaultProxy::start(server()).unwrap();
    proxy.order(faults);
    proxy
}

/// The ids of the events of one connection, and whether it ended in order.
fn ids(addr: SocketAddr) -> io::Result<(Vec<String>, End)> {
    let (items, end) = Client::open(addr, "/", &[])?.read_to_end(LONG)?;
    let ids = items.into_iter().map(|item| match item {
        Item::Event(event) => {
            let id = event.id.unwrap();
            assert_eq!(event.data, format!("this is the event {id}"));
            id
        }
        item => panic!("{item:?}"),
    });
    Ok((ids.collect(), end))
}

fn harm(events: usize, harm: Harm) -> Fault {
    Fault::Stream { events, harm }
}

#[test]
fn without_a_fault_all_passes() {
    let proxy = proxy([]);
    let all = || (["a", "b", "c"].map(str::to_owned).to_vec(), End::Complete);
    assert_eq!(ids(proxy.addr()).unwrap(), all());
    assert_eq!(ids(proxy.addr()).unwrap(), all());
    assert_eq!(proxy.struck(), []);
    proxy.wait_for_requests(2, LONG).unwrap();
    assert!(proxy.requests()[0].starts_with("GET / HTTP/1.1\r\n"));
    assert_eq!(proxy.wait_for_struck(1, SHORT).unwrap_err().kind(), io::ErrorKind::TimedOut);
}

#[test]
fn harm_comes_at_its_place() {
    let check = |fault: Fault, expected: &str| {
        let proxy = proxy([fault.clone()]);
        let mut client = Client::open(proxy.addr(), "/", &[]).unwrap();
        assert_eq!(client.read_to_end(LONG).unwrap().1, End::CutOff, "{fault:?}");
        assert_eq!(String::from_utf8_lossy(client.raw()), expected, "{fault:?}");
        assert_eq!(proxy.struck(), [fault]);
        assert_eq!(ids(proxy.addr()).unwrap().1, End::Complete, "once is enough");
    };
    let a = "id: a\ndata: this is the event a\n\n";
    for close in [Harm::Close, Harm::Reset] {
        check(harm(0, close(Place::InChunkSize)), "");
        check(harm(1, close(Place::InChunkSize)), a);
        check(harm(0, close(Place::InChunk(4))), "id: ");
        check(harm(1, close(Place::InChunk(usize::MAX))), &format!("{a}id: b\ndata: this is the event b\n"));
        check(harm(0, close(Place::InEvent(5))), "id: a\ndata: this");
        check(harm(1, close(Place::InEvent(usize::MAX))), &format!("{a}id: b\ndata: this is the event b"));
    }
}

#[test]
fn garbage_is_no_event() {
    for seed in 0..50 {
        for fault in [harm(1, Harm::Garbage(seed)), harm(1, Harm::BadSize)] {
            let proxy = proxy([fault.clone()]);
            let mut client = Client::open(proxy.addr(), "/", &[]).unwrap();
            assert_eq!(client.next_event(LONG).unwrap().id.unwrap(), "a");
            assert_eq!(client.next(LONG).unwrap_err().kind(), io::ErrorKind::InvalidData, "{fault:?}");
            assert_eq!(proxy.struck(), [fault]);
        }
    }
}

#[test]
fn a_delay_only_delays() {
    let delay = |place| harm(0, Harm::Delay(place, SHORT));
    let proxy = proxy([
        delay(Place::InEvent(3)),
        delay(Place::InChunkSize),
        delay(Place::InChunk(4)),
        harm(1, Harm::Close(Place::InChunkSize)),
    ]);
    assert_eq!(ids(proxy.addr()).unwrap(), (["a", "b"].map(str::to_owned).to_vec(), End::CutOff));
    assert_eq!(proxy.struck().len(), 4);
}

#[test]
fn a_half_open_connection_says_nothing_until_the_client_leaves() {
    let proxy = proxy([harm(1, Harm::HalfOpen(Place::InEvent(2)))]);
    let mut client = Client::open(proxy.addr(), "/", &[]).unwrap();
    client.next_event(LONG).unwrap();
    proxy.wait_for_struck(1, LONG).unwrap();
    assert_eq!(client.next(SHORT).unwrap_err().kind(), io::ErrorKind::TimedOut);
    let mut connection = client.into_connection();
    connection.send(b"nobody hears this").unwrap();
    connection.finish_sending().unwrap();
    assert_eq!(connection.read_to_close(LONG).unwrap(), b"");
}

#[test]
fn a_request_is_answered_by_the_proxy() {
    let proxy = proxy([
        Fault::Answer(Answer::Status(503, Some(7))),
        Fault::Answer(Answer::Page),
        Fault::Answer(Answer::Redirect(307, "/there".to_owned())),
        Fault::Answer(Answer::Garbage(1)),
    ]);
    let get = || http::get(proxy.addr(), "/", &[]);
    let busy = get().unwrap();
    assert_eq!((busy.status(), busy.header("retry-after")), (503, Some("7")));
    assert_eq!(get().unwrap().header("content-type"), Some("text/html"));
    let redirect = get().unwrap();
    assert_eq!((redirect.status(), redirect.header("location")), (307, Some("/there")));
    assert!(get().is_err());
    assert_eq!(ids(proxy.addr()).unwrap().1, End::Complete);
    assert_eq!(proxy.struck().len(), 4);
}

#[test]
fn nobody_listens_for_a_while() {
    let proxy = proxy([Fault::Refuse(LONG)]);
    let error = http::get(proxy.addr(), "/", &[]).unwrap_err();
    assert!(matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof), "{error}");
    proxy.wait_for_struck(1, LONG).unwrap();
    assert_eq!(Connection::open(proxy.addr()).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);

    let proxy = self::proxy([Fault::Refuse(SHORT)]);
    http::get(proxy.addr(), "/", &[]).unwrap_err();
    until(|| Connection::open(proxy.addr()).is_ok());
    assert_eq!(ids(proxy.addr()).unwrap().1, End::Complete);
}

#[test]
fn an_open_stream_takes_what_is_ordered_when_something_comes() {
    let (go_on, may_go_on) = std::sync::mpsc::channel();
    let server = serve(move |mut stream| {
        stream.write_all(HEAD.as_bytes())?;
        for id in &may_go_on {
            write_event(&mut stream, id)?;
        }
        Ok(())
    });
    let proxy = FaultProxy::start(server).unwrap();
    let mut client = Client::open(proxy.addr(), "/", &[]).unwrap();
    go_on.send("a").unwrap();
    assert_eq!(client.next_event(LONG).unwrap().id.unwrap(), "a");
    proxy.order([harm(1, Harm::Delay(Place::InChunkSize, SHORT)), Fault::Answer(Answer::Page)]);
    go_on.send("b").unwrap();
    assert_eq!(client.next_event(LONG).unwrap().id.unwrap(), "b");
    go_on.send("c").unwrap();
    assert_eq!(client.next(LONG).unwrap(), Message::End(End::CutOff), "the answer needs another connection");
    assert_eq!(http::get(proxy.addr(), "/", &[]).unwrap().header("content-type"), Some("text/html"));
    assert_eq!(proxy.struck().len(), 2);
}

#[test]
fn an_unstruck_fault_is_the_next_ones() {
    let fault = harm(0, Harm::Close(Place::InEvent(0)));
    let refusing = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let proxy = FaultProxy::start(refusing).unwrap();
    proxy.order([fault.clone()]);
    for _ in 0..3 {
        assert!(http::get(proxy.addr(), "/", &[]).is_err(), "there is no server");
    }
    assert_eq!(proxy.struck(), []);
    let proxy = FaultProxy::start(server()).unwrap();
    proxy.order([fault.clone()]);
    drop(Connection::open(proxy.addr()).unwrap());
    until(|| ids(proxy.addr()).is_ok_and(|(_, end)| end == End::CutOff));
    assert_eq!(proxy.struck(), [fault]);
}

#[test]
fn a_proxy_that_is_dropped_lets_go() {
    let proxy = proxy([harm(0, Harm::HalfOpen(Place::InChunkSize))]);
    let addr = proxy.addr();
    let mut client = Client::open(addr, "/", &[]).unwrap();
    proxy.wait_for_struck(1, LONG).unwrap();
    drop(proxy);
    assert_eq!(client.next(LONG).unwrap(), Message::End(End::CutOff));
    until(|| Connection::open(addr).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// A client that comes back until it has seen all, and every kind of fault, has seen each event as it was sent.
    #[test]
    fn no_plan_makes_another_event(seed: u64) {
        let proxy = FaultProxy::start(server_of(&["a"; 100])).unwrap();
        proxy.follow(Plan::new(seed, "/"));
        until(|| {
            let _ = Client::open(proxy.addr(), "/", &[]).and_then(|mut client| {
                while let Message::Event(event) = client.next(SHORT)? {
                    assert_eq!(event.data, format!("this is the event {}", event.id.unwrap()));
                }
                Ok(())
            });
            proxy.struck().len() >= 5
        });
        proxy.calm();
        until(|| ids(proxy.addr()).is_ok_and(|(ids, end)| ids.len() == 100 && end == End::Complete));
    }
}

/// Polls, within a bound.
#[track_caller]
fn until(mut is_there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !is_there() {
        assert!(start.elapsed() < LONG);
        thread::yield_now();
    }
}
