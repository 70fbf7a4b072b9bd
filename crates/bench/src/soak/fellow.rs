//! A client that behaves: it reads what comes. Some of them leave and come back, as browsers do.

use std::io;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use crate::poller::Poller;
use crate::subscriber::{Subscriber, Tally, Wish};
use crate::target::Site;

/// How long one that leaves stays, and is away, at most.
const STAY: Duration = Duration::from_secs(4);
const AWAY: Duration = Duration::from_secs(2);

pub(super) struct Fellow {
    state: State,
    /// Leaves and comes back.
    leaves: bool,
    /// When it does so next.
    next: Instant,
    /// The number of the event that comes next.
    expected: u32,
    token: usize,
}

enum State {
    Here(Subscriber),
    Away,
}

impl Fellow {
    pub(super) fn connect(
        site: Site,
        token: usize,
        expected: u32,
        leaves: bool,
        poller: &Poller,
        rng: &mut StdRng,
    ) -> io::Result<Self> {
        let wish = Wish { path: site.paths.stream, last_event_id: None, expected, stalls: false };
        let state = State::Here(Subscriber::connect(site, wish, poller, token)?);
        let next = Instant::now() + rng.random_range(Duration::ZERO..STAY);
        Ok(Self { state, leaves, next, expected, token })
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(&self.state, State::Here(subscriber) if subscriber.is_open())
    }

    /// The server ended its stream, without a reason.
    pub(super) fn was_ended(&self) -> bool {
        matches!(&self.state, State::Here(subscriber) if subscriber.has_ended())
    }

    /// Events before this number that it has not seen.
    pub(super) fn misses(&self, end: u32) -> u64 {
        end.saturating_sub(self.expected).into()
    }

    /// It has seen all events before this number.
    pub(super) fn has_seen(&self, end: u32) -> bool {
        self.expected >= end
    }

    pub(super) fn handle(&mut self, poller: &Poller, buffer: &mut [u8], tally: &mut Tally) -> io::Result<()> {
        if let State::Here(subscriber) = &mut self.state {
            subscriber.handle(poller, self.token, buffer, tally)?;
            self.expected = subscriber.expected();
        }
        Ok(())
    }

    /// Leaves where it is time to, or comes back. Whether it came back.
    pub(super) fn come_and_go(
        &mut self,
        now: Instant,
        site: Site,
        tally: &Tally,
        poller: &Poller,
        rng: &mut StdRng,
    ) -> io::Result<bool> {
        if !self.leaves || now < self.next {
            return Ok(false);
        }
        match &self.state {
            // One that has not been let in, or has seen nothing, has nothing to come back with.
            State::Here(subscriber) if !subscriber.is_open() || self.expected == 0 => Ok(false),
            State::Here(_) => {
                self.state = State::Away;
                self.next = now + rng.random_range(Duration::ZERO..AWAY);
                Ok(false)
            }
            State::Away => {
                self.come_back(site, tally, poller)?;
                self.next = now + rng.random_range(Duration::ZERO..STAY);
                Ok(true)
            }
        }
    }

    /// It leaves no more, and comes back if it is away.
    pub(super) fn stay(&mut self, site: Site, tally: &Tally, poller: &Poller) -> io::Result<()> {
        self.leaves = false;
        if matches!(self.state, State::Away) { self.come_back(site, tally, poller) } else { Ok(()) }
    }

    pub(super) fn come_back(&mut self, site: Site, tally: &Tally, poller: &Poller) -> io::Result<()> {
        let last = tally.series.id(self.expected.saturating_sub(1));
        let wish = Wish {
            path: site.paths.stream,
            last_event_id: Some(&last),
            expected: self.expected,
            stalls: false,
        };
        self.state = State::Here(Subscriber::connect(site, wish, poller, self.token)?);
        Ok(())
    }
}
