//! Clients with open streams, and a connection that publishes at a steady rate. One thread does all of it, and one
//! `epoll` serves all of its sockets.

use std::io;
use std::time::{Duration, Instant};

use crate::poller::{Interest, Poller};
use crate::publisher::{Publisher, Series};
use crate::subscriber::{Subscriber, Tally, Wish};
use crate::target::Site;

/// Tokens of clients begin with 0, and one is the publisher's.
const PUBLISHER: usize = usize::MAX;

/// Without any progress for so long, what has not been delivered is lost.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(10);

/// Clients of a crowd that connect before what has come is read: about a millisecond's worth.
const CONNECTS_A_TURN: u32 = 32;

/// Clients that connect at once where nothing is measured but what each costs: fewer than any server's backlog.
const MOST_OPENING: usize = 100;

/// How events are published.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Events a second.
    pub(crate) rate: u32,
    /// Events that are published at once; each burst has the time of so many events at this rate.
    pub(crate) burst: u32,
    /// Bytes of an event's JSON.
    pub(crate) bytes: usize,
}

pub(crate) struct Load {
    site: Site,
    poller: Poller,
    publisher: Publisher,
    subscribers: Vec<Subscriber>,
    pub(crate) tally: Tally,
    ready: Vec<usize>,
    buffer: Box<[u8]>,
}

impl Load {
    /// A connection that publishes, without clients. The first event will have this number.
    pub(crate) fn new(site: Site, series: Series, first: u32) -> io::Result<Self> {
        let load = Self {
            site,
            poller: Poller::new()?,
            publisher: Publisher::connect(site)?,
            subscribers: Vec::new(),
            tally: Tally::new(series, first),
            ready: Vec::new(),
            buffer: vec![0; 64 * 1024].into(),
        };
        load.poller.add(&load.publisher.stream, PUBLISHER, Interest::Read)?;
        Ok(load)
    }

    /// Opens so many streams of all events, and waits until all are open.
    pub(crate) fn open(&mut self, clients: u32) -> io::Result<()> {
        self.open_some_stalled(clients, 0)
    }

    /// The same; so many of them read nothing from there on. They stand evenly among the others.
    pub(crate) fn open_some_stalled(&mut self, clients: u32, stalled: u32) -> io::Result<()> {
        let path = self.site.paths.stream;
        for client in 0..clients {
            self.connect(path, is_one_of(stalled, clients, client))?;
        }
        self.wait_until_open(0)
    }

    /// The same with a path for each of them.
    pub(crate) fn open_at(&mut self, paths: &[String]) -> io::Result<()> {
        for path in paths {
            self.connect(path, false)?;
        }
        self.wait_until_open(0)
    }

    /// Opens so many streams as fast as they can be connected, and waits until all are open.
    pub(crate) fn open_at_once(&mut self, path: &str, clients: u32) -> io::Result<()> {
        for client in 0..clients {
            self.start(path, false)?;
            if client % CONNECTS_A_TURN == 0 {
                self.turn(Duration::ZERO)?;
            }
        }
        self.wait_until_open(0)
    }

    fn connect(&mut self, path: &str, stalls: bool) -> io::Result<()> {
        self.start(path, stalls)?;
        self.wait_until_open(MOST_OPENING)
    }

    fn start(&mut self, path: &str, stalls: bool) -> io::Result<()> {
        let wish = Wish { path, last_event_id: None, expected: self.tally.end(), stalls };
        let token = self.subscribers.len();
        self.subscribers.push(Subscriber::connect(self.site, wish, &self.poller, token)?);
        Ok(())
    }

    /// Waits until all streams but so many are open.
    fn wait_until_open(&mut self, but: usize) -> io::Result<()> {
        while self.tally.opened + but < self.subscribers.len() {
            if !self.turn(GIVE_UP)? {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "not all streams could be opened"));
            }
        }
        Ok(())
    }

    /// Where the server is.
    pub(crate) fn site(&self) -> Site {
        self.site
    }

    /// Reads what has come and nobody waited for.
    pub(crate) fn read_what_came(&mut self) -> io::Result<()> {
        while self.turn(Duration::ZERO)? {}
        Ok(())
    }

    /// Reads what comes for so long.
    pub(crate) fn listen(&mut self, time: Duration) -> io::Result<()> {
        let end = Instant::now() + time;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.turn(left)?;
        }
    }

    /// Publishes while there is to be more than has been published by this call, waits for the delivery of all, and gives the
    /// rate that came of it.
    pub(crate) fn publish(&mut self, pace: Pace, mut more: impl FnMut(u32) -> bool) -> io::Result<f64> {
        let Pace { rate, burst, bytes } = pace;
        let interval = Duration::from_secs(1) * burst / rate;
        let start = Instant::now();
        let (mut bursts, mut published) = (0, 0);
        let mut is_over = false;
        let mut last_progress = start;
        loop {
            let now = Instant::now();
            let due = start + interval * bursts;
            let is_open = !is_over && self.publisher.is_ready();
            if is_open && due <= now {
                is_over = !more(published);
                if !is_over {
                    // An event that had to wait for the answer to the one before it is late since it was due.
                    let from = if self.publisher.ready_since() > due { due } else { now };
                    let first = self.tally.end();
                    for _ in 0..burst {
                        self.tally.publish(from);
                    }
                    self.publisher.publish(&self.tally.series, first, burst, bytes)?;
                    bursts += 1;
                    published += burst;
                }
                continue;
            }
            if is_over && self.is_done() {
                break;
            }
            let wait = if is_open { due.saturating_duration_since(now) } else { GIVE_UP };
            if self.turn(wait)? {
                last_progress = now;
            } else if last_progress.elapsed() >= GIVE_UP {
                break;
            }
        }
        let last = start + interval * bursts.saturating_sub(1);
        let taken = self.tally.last_published().unwrap_or(last) - start + interval;
        Ok(f64::from(published) / taken.as_secs_f64())
    }

    fn is_done(&self) -> bool {
        let end = self.tally.end();
        self.publisher.is_ready() && self.subscribers.iter().all(|client| client.is_done(end))
    }

    /// The account, with what clients have not seen as lost.
    pub(crate) fn into_tally(mut self) -> Tally {
        let end = self.tally.end();
        for subscriber in &self.subscribers {
            subscriber.finish(end, &mut self.tally);
        }
        self.tally
    }

    /// Waits once, and reads from whatever has something. Whether anything was to do.
    fn turn(&mut self, wait: Duration) -> io::Result<bool> {
        self.poller.wait(Some(wait), &mut self.ready)?;
        let came = !self.ready.is_empty();
        for token in self.ready.drain(..) {
            if token == PUBLISHER {
                self.publisher.read(&mut self.buffer)?;
            } else if let Some(client) = self.subscribers.get_mut(token) {
                client.handle(&self.poller, token, &mut self.buffer, &mut self.tally)?;
            }
        }
        Ok(came)
    }
}

/// Whether the one of this number is one of so many that stand evenly among all.
fn is_one_of(some: u32, all: u32, number: u32) -> bool {
    let before = |number: u32| u64::from(number) * u64::from(some) / u64::from(all.max(1));
    before(number + 1) > before(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_stand_evenly_among_all() {
        let check = |some: u32, all: u32, expected: &[u32]| {
            let ones: Vec<_> = (0..all).filter(|number| is_one_of(some, all, *number)).collect();
            assert_eq!(ones, expected, "{some} of {all}");
        };
        check(0, 3, &[]);
        check(3, 3, &[0, 1, 2]);
        check(2, 10, &[4, 9]);
        check(3, 10, &[3, 6, 9]);
        check(0, 0, &[]);
    }
}
