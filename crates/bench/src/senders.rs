//! Connections that publish as fast as they are answered, each one request after another. One thread for all of them,
//! and requests that are made beforehand, so that little of the machine is taken from the server.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::ops::Range;
use std::time::{Duration, Instant};

use crate::load::GIVE_UP;
use crate::poller::{Interest, Poller};
use crate::publisher::{Requests, Series};
use crate::target::Site;
use crate::wire;

pub(crate) struct Senders {
    poller: Poller,
    connections: Vec<Sender>,
    requests: Requests,
    /// Behind the last number that was taken.
    next: u32,
}

/// What came of publishing for a while.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The numbers of the events, all of them acknowledged.
    pub(crate) numbers: Range<u32>,
    pub(crate) time: Duration,
    /// From handing a request to the kernel to having read its answer.
    pub(crate) latencies: Vec<Duration>,
}

struct Sender {
    stream: TcpStream,
    request: Vec<u8>,
    /// The part of an answer that has come.
    answer: Vec<u8>,
    sent: Instant,
    is_waiting: bool,
}

impl Senders {
    /// So many connections, with so many events in each request, of so many bytes.
    pub(crate) fn connect(
        site: Site,
        count: usize,
        series: &Series,
        batch: u32,
        bytes: usize,
    ) -> io::Result<Self> {
        let requests = Requests::new(site.paths.publish, series, batch, bytes);
        let poller = Poller::new()?;
        let mut connections = Vec::new();
        for token in 0..count {
            let stream = TcpStream::connect(site.addr)?;
            stream.set_nodelay(true)?;
            poller.add(&stream, token, Interest::Read)?;
            let request = requests.template().to_vec();
            let sent = Instant::now();
            connections.push(Sender { stream, request, answer: Vec::new(), sent, is_waiting: false });
        }
        Ok(Self { poller, connections, requests, next: 0 })
    }

    /// Publishes while `more` says so of the time that has passed and the events sent, then waits for all answers.
    pub(crate) fn publish(&mut self, more: impl Fn(Duration, u32) -> bool) -> io::Result<Sent> {
        let first = self.next;
        let start = Instant::now();
        let mut latencies = Vec::new();
        let mut ready: Vec<usize> = (0..self.connections.len()).collect();
        let mut buffer = vec![0; 64 * 1024];
        loop {
            for token in ready.drain(..) {
                let Some(sender) = self.connections.get_mut(token) else { continue };
                if sender.is_waiting {
                    if !sender.read(&mut buffer)? {
                        continue;
                    }
                    latencies.push(sender.sent.elapsed());
                }
                if more(start.elapsed(), self.next - first) {
                    self.next = self.requests.number(&mut sender.request, self.next);
                    sender.send()?;
                }
            }
            if !self.connections.iter().any(|sender| sender.is_waiting) {
                break;
            }
            self.poller.wait(Some(GIVE_UP), &mut ready)?;
            if ready.is_empty() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "a publication was not answered"));
            }
        }
        Ok(Sent { numbers: first..self.next, time: start.elapsed(), latencies })
    }
}

impl Sender {
    fn send(&mut self) -> io::Result<()> {
        self.sent = Instant::now();
        self.is_waiting = true;
        self.stream.write_all(&self.request)
    }

    /// Reads once; whether the answer is complete.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<bool> {
        let length = self.stream.read(buffer)?;
        if length == 0 {
            return Err(wire::invalid("the server closed a publisher's connection"));
        }
        self.answer.extend_from_slice(buffer.get(..length).unwrap_or_default());
        let Some(answer) = wire::message(&self.answer)? else { return Ok(false) };
        if !answer.head.starts_with("HTTP/1.1 201") {
            let body = String::from_utf8_lossy(answer.body);
            return Err(io::Error::other(format!("not stored: {}\n{body}", answer.head)));
        }
        self.answer.clear();
        self.is_waiting = false;
        Ok(true)
    }
}
