//! Whatever the network does, each event comes once and in its order: the client through a proxy that has every kind of
//! fault, to a server that resumes.
#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test, in helpers too")]

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use fanfare_client::{Client, Occasion, Settings, Url};
use fanfare_testkit::fault_proxy::{FaultProxy, Plan};
use tokio::time::timeout;

const LONG: Duration = Duration::from_mins(1);

/// Events by which every kind of fault has struck, however many pass between two of them.
const EVENTS: usize = 500;

const SEED: u64 = 4;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn each_event_comes_once() {
    let proxy = FaultProxy::start(server()).unwrap();
    proxy.follow(Plan::new(SEED, "/"));
    let mut settings = Settings::new(Url::parse(&format!("http://{}/", proxy.addr())).unwrap());
    settings.reconnect_delay = Duration::from_millis(1);
    settings.read_timeout = Duration::from_millis(200);
    settings.last_event_id = Some("0".into());
    let mut client = Client::new(settings);
    let mut next = 1;
    while next <= EVENTS {
        match timeout(LONG, client.next()).await.unwrap() {
            Occasion::Message(message) => {
                assert_eq!(message.last_event_id.as_deref(), Some(&*next.to_string()));
                assert_eq!(message.data, data(next));
                next += 1;
            }
            Occasion::Opened(_) | Occasion::Lost { .. } => {}
            occasion => panic!("{occasion:?}"),
        }
    }
    proxy.wait_for_kinds(Plan::KINDS, Duration::ZERO).unwrap();
}

/// A server that says all numbers behind the one that it is asked for.
fn server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || serve(stream));
        }
    });
    addr
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    let mut last = 0;
    for line in BufReader::new(&stream).lines() {
        let line = line?;
        if let Some(id) = line.strip_prefix("last-event-id: ") {
            last = id.parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    stream.write_all(HEAD.as_bytes())?;
    for number in last + 1..=EVENTS {
        let event = format!("id: {number}\ndata: {}\n\n", data(number));
        stream.write_all(format!("{:x}\r\n{event}\r\n", event.len()).as_bytes())?;
    }
    stream.write_all(b"0\r\n\r\n")
}

fn data(number: usize) -> String {
    format!("{number} {}", "x".repeat(number % 300))
}
