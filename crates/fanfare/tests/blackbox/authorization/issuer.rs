//! An issuer of tokens that publishes its keys over HTTP.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

/// It answers whatever is asked with what it was last told to answer, and counts.
pub(super) struct Issuer {
    addr: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    answer: String,
    asked: usize,
}

impl Issuer {
    /// An address at which nobody answers yet.
    pub(super) fn reserve() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    pub(super) fn start(keys: &[Value]) -> Self {
        Self::start_on(Self::reserve(), keys)
    }

    pub(super) fn start_on(listener: TcpListener, keys: &[Value]) -> Self {
        let addr = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared { answer: set(keys), asked: 0 }));
        let served = Arc::clone(&shared);
        // It ends with the test's process.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = serve(&stream.unwrap(), &served);
            }
        });
        Self { addr, shared }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/keys", self.addr)
    }

    /// From now on these are its keys.
    pub(super) fn publish(&self, keys: &[Value]) {
        self.answer(set(keys));
    }

    /// From now on this is its answer, with its head.
    pub(super) fn answer(&self, answer: String) {
        self.shared.lock().unwrap().answer = answer;
    }

    /// How often it was asked.
    pub(super) fn asked(&self) -> usize {
        self.shared.lock().unwrap().asked
    }
}

fn serve(stream: &TcpStream, shared: &Mutex<Shared>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 2 {
        line.clear();
    }
    let answer = {
        let mut shared = shared.lock().unwrap();
        shared.asked += 1;
        shared.answer.clone()
    };
    (&mut &*stream).write_all(answer.as_bytes())
}

fn set(keys: &[Value]) -> String {
    answer("200 OK", "", &json!({ "keys": keys }).to_string())
}

/// An answer as it is sent; `headers` end in a line break.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}")
}
