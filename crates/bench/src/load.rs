//! Clients with open streams, and a connection that publishes at a steady rate. One thread does all of it.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::poller::{Interest, Poller};
use crate::publisher::{Publisher, Series};
use crate::subscriber::{Subscriber, Tally};

const PUBLISHER: usize = usize::MAX;

/// Without any progress for so long, what has not been delivered is lost.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(10);

/// Where streams are that ask for nothing.
const PATH: &str = "/sse/events";

pub(crate) struct Load {
    addr: SocketAddr,
    poller: Poller,
    publisher: Publisher,
    subscribers: Vec<Subscriber>,
    pub(crate) tally: Tally,
    ready: Vec<usize>,
    buffer: Box<[u8]>,
}

impl Load {
    /// Opens the streams, and waits until all are open. The first event will have this number.
    pub(crate) fn open(addr: SocketAddr, clients: u32, series: Series, first: u32) -> io::Result<Self> {
        Self::open_at(addr, &vec![PATH.to_owned(); clients as usize], series, first)
    }

    /// The same with a path for each of them.
    pub(crate) fn open_at(
        addr: SocketAddr,
        paths: &[String],
        series: Series,
        first: u32,
    ) -> io::Result<Self> {
        let mut load = Self {
            addr,
            poller: Poller::new()?,
            publisher: Publisher::connect(addr)?,
            subscribers: Vec::new(),
            tally: Tally::new(series, first),
            ready: Vec::new(),
            buffer: vec![0; 64 * 1024].into(),
        };
        load.poller.add(&load.publisher.stream, PUBLISHER, Interest::Read)?;
        for (token, path) in paths.iter().enumerate() {
            let subscriber = Subscriber::connect(addr, path, first)?;
            load.poller.add(&subscriber.stream, token, Interest::Read)?;
            load.subscribers.push(subscriber);
        }
        while !load.subscribers.iter().all(Subscriber::is_open) {
            if !load.turn(GIVE_UP)? {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "not all streams could be opened"));
            }
        }
        Ok(load)
    }

    /// Where the server listens.
    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Reads what has come and nobody waited for.
    pub(crate) fn read_what_came(&mut self) -> io::Result<()> {
        while self.turn(Duration::ZERO)? {}
        Ok(())
    }

    /// Publishes at this rate while there is to be more than has been published by this call, waits for the
    /// delivery of all, and gives the rate that came of it.
    pub(crate) fn publish(
        &mut self,
        rate: u32,
        bytes: usize,
        mut more: impl FnMut(u32) -> bool,
    ) -> io::Result<f64> {
        let interval = Duration::from_secs(1) / rate;
        let start = Instant::now();
        let mut published = 0;
        let mut is_over = false;
        let mut last_progress = start;
        loop {
            let now = Instant::now();
            let due = start + interval * published;
            let is_open = !is_over && self.publisher.is_ready();
            if is_open && due <= now {
                is_over = !more(published);
                if !is_over {
                    // An event that had to wait for the answer to the one before it is late since it was due.
                    let from = if self.publisher.ready_since() > due { due } else { now };
                    let number = self.tally.publish(from);
                    self.publisher.publish(&self.tally.series, number, bytes)?;
                    published += 1;
                }
                continue;
            }
            let end = self.tally.end();
            if is_over
                && self.publisher.is_ready()
                && self.subscribers.iter().all(|client| client.is_done(end))
            {
                break;
            }
            let wait = if is_open { due.saturating_duration_since(now) } else { GIVE_UP };
            if self.turn(wait)? {
                last_progress = now;
            } else if last_progress.elapsed() >= GIVE_UP {
                break;
            }
        }
        let last = start + interval * published.saturating_sub(1);
        let taken = self.tally.last_published().unwrap_or(last) - start + interval;
        Ok(f64::from(published) / taken.as_secs_f64())
    }

    /// The account, with what clients have not seen as lost.
    pub(crate) fn into_tally(mut self) -> Tally {
        for subscriber in &self.subscribers {
            subscriber.finish(&mut self.tally);
        }
        self.tally
    }

    /// Waits for something to read, and reads it; `false` where nothing came.
    fn turn(&mut self, wait: Duration) -> io::Result<bool> {
        self.poller.wait(Some(wait), &mut self.ready)?;
        let came = !self.ready.is_empty();
        for token in self.ready.drain(..) {
            if token == PUBLISHER {
                self.publisher.read()?;
            } else if let Some(subscriber) = self.subscribers.get_mut(token) {
                subscriber.read(&mut self.buffer, &mut self.tally)?;
            }
        }
        Ok(came)
    }
}
