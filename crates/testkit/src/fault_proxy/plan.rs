//! Faults drawn at random, from a seed: all kinds of them, again and again, in an order and with numbers that nobody chose.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};

use super::fault::{Answer, Fault, Harm, Place};

/// The longest pause, and the longest time for which nobody listens. Unit: milliseconds; a run draws some dozens of them.
const MAX_PAUSE: u64 = 300;

/// Events that pass at most before the harm.
const MAX_EVENTS: usize = 60;

/// Bytes of an event or a chunk that pass at most before the harm.
const MAX_BYTES: usize = 400;

/// An endless series of faults.
#[derive(Clone, Debug)]
pub struct Plan {
    random: StdRng,
    /// Kinds that are still to come before all are shuffled again.
    kinds: Vec<Kind>,
    /// Where redirects point.
    location: String,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Refuse,
    BadGateway,
    Unavailable,
    Page,
    Redirect,
    GarbageAnswer,
    Delay,
    CloseInEvent,
    CloseInChunkSize,
    CloseInChunk,
    Reset,
    HalfOpen,
    Garbage,
    BadSize,
}

/// Kinds that end a connection before there is a stream.
const CONNECTING: [Kind; 6] =
    [Kind::Refuse, Kind::BadGateway, Kind::Unavailable, Kind::Page, Kind::Redirect, Kind::GarbageAnswer];

const STREAMING: [Kind; 8] = [
    Kind::Delay,
    Kind::CloseInEvent,
    Kind::CloseInChunkSize,
    Kind::CloseInChunk,
    Kind::Reset,
    Kind::HalfOpen,
    Kind::Garbage,
    Kind::BadSize,
];

impl Plan {
    /// How many kinds there are. So many faults of a plan, from its start on, are one of each.
    pub const KINDS: usize = CONNECTING.len() + STREAMING.len();

    /// The plan of this seed, whose redirects point to this URL.
    pub fn new(seed: u64, location: impl Into<String>) -> Self {
        Self { random: StdRng::seed_from_u64(seed), kinds: Vec::new(), location: location.into() }
    }

    /// The next fault.
    pub fn draw(&mut self) -> Fault {
        if self.kinds.is_empty() {
            self.shuffle();
        }
        match self.kinds.pop().unwrap_or(Kind::Reset) {
            Kind::Refuse => Fault::Refuse(self.pause()),
            Kind::BadGateway => Fault::Answer(Answer::Status(502, None)),
            Kind::Unavailable => Fault::Answer(Answer::Status(503, Some(self.random.random_range(0..=1)))),
            Kind::Page => Fault::Answer(Answer::Page),
            Kind::Redirect => Fault::Answer(Answer::Redirect(307, self.location.clone())),
            Kind::GarbageAnswer => Fault::Answer(Answer::Garbage(self.random.random())),
            Kind::Delay => {
                let place = self.place();
                let pause = self.pause();
                self.stream(Harm::Delay(place, pause))
            }
            Kind::CloseInEvent => {
                let bytes = self.bytes();
                self.stream(Harm::Close(Place::InEvent(bytes)))
            }
            Kind::CloseInChunkSize => self.stream(Harm::Close(Place::InChunkSize)),
            Kind::CloseInChunk => {
                let bytes = self.bytes();
                self.stream(Harm::Close(Place::InChunk(bytes)))
            }
            Kind::Reset => {
                let place = self.place();
                self.stream(Harm::Reset(place))
            }
            Kind::HalfOpen => {
                let place = self.place();
                self.stream(Harm::HalfOpen(place))
            }
            Kind::Garbage => {
                let seed = self.random.random();
                self.stream(Harm::Garbage(seed))
            }
            Kind::BadSize => self.stream(Harm::BadSize),
        }
    }

    /// A stream comes between any two failures to connect, or who waits longer after each would spend a run with that.
    fn shuffle(&mut self) {
        let (mut connecting, mut streaming) = (CONNECTING, STREAMING);
        connecting.shuffle(&mut self.random);
        streaming.shuffle(&mut self.random);
        let mut connecting = connecting.into_iter();
        self.kinds =
            streaming.into_iter().flat_map(|kind| [Some(kind), connecting.next()]).flatten().collect();
    }

    fn stream(&mut self, harm: Harm) -> Fault {
        Fault::Stream { events: self.random.random_range(0..=MAX_EVENTS), harm }
    }

    fn place(&mut self) -> Place {
        match self.random.random_range(0..3) {
            0 => Place::InEvent(self.bytes()),
            1 => Place::InChunkSize,
            _ => Place::InChunk(self.bytes()),
        }
    }

    fn bytes(&mut self) -> usize {
        self.random.random_range(0..=MAX_BYTES)
    }

    fn pause(&mut self) -> Duration {
        Duration::from_millis(self.random.random_range(1..=MAX_PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_plan_is_its_seed_and_has_one_of_each_kind() {
        let draw = |seed| {
            let mut plan = Plan::new(seed, "/");
            (0..Plan::KINDS).map(|_| plan.draw()).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
        let kinds: BTreeSet<_> = draw(3).iter().map(Fault::kind).collect();
        assert_eq!(kinds.len(), Plan::KINDS, "{kinds:?}");
    }
}
