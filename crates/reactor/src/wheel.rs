//! When a connection is to be looked at in any case: a hashed wheel of ticks. It has no clock; `now` is given.
//!
//! A deadline that moves further away, as that of a keep-alive does with every write, leaves its entry where it is: who is
//! looked at too early is put further. One that comes nearer gets another entry, and the one before it is known to be stale by
//! its tick. So arming is one push, and what ends needs to remove nothing. Of a connection whose log has nothing for it, and
//! which asks twice a second, a hundred stale entries may be waiting for their ticks; of any other hardly one.

use std::time::Duration;

use fanfare_stream::Moment;

use crate::id::Place;

/// How exact deadlines are: one is never early, and late by so much at most.
pub(crate) const TICK: Duration = Duration::from_millis(100);

/// Ticks that the wheel has, 51 seconds. What is due later is looked at once a turn of it, which costs nothing; a
/// keep-alive's usual 30 seconds are within.
const SLOTS: u32 = 512;

const WORDS: usize = SLOTS as usize / 64;

/// A moment when the wheel turns, counted from the clock's origin: 13 years of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Tick(u32);

impl Tick {
    /// Later than any that comes up.
    pub(crate) const NEVER: Self = Self(u32::MAX);

    fn moment(self) -> Moment {
        TICK * self.0
    }
}

pub(crate) struct Wheel {
    /// Those of a tick are all in one slot, and none of another tick with them.
    slots: Box<[Vec<Place>]>,
    /// Which have any, a bit for each.
    occupied: [u64; WORDS],
    /// The first tick that has not come up yet.
    next: u32,
}

impl Wheel {
    pub(crate) fn new(now: Moment) -> Self {
        Self { slots: (0..SLOTS).map(|_| Vec::new()).collect(), occupied: [0; WORDS], next: behind(now) }
    }

    /// Lets `place` come up at this moment or soon behind it, or earlier, where that is further than the wheel reaches;
    /// unless it comes up by `armed` in any case. Returns when it does.
    pub(crate) fn arm(&mut self, place: Place, at: Moment, armed: Tick) -> Tick {
        let tick = behind(at.saturating_sub(Duration::from_nanos(1))).clamp(self.next, self.next + SLOTS - 1);
        if Tick(tick) >= armed {
            return armed;
        }
        let slot = tick % SLOTS;
        self.slots[slot as usize].push(place);
        self.occupied[slot as usize / 64] |= 1 << (slot % 64);
        Tick(tick)
    }

    /// Turns it to `now`, and calls `due` with all that comes up, and when it was to.
    pub(crate) fn turn(&mut self, now: Moment, mut due: impl FnMut(Place, Tick)) {
        let end = behind(now);
        // Behind a whole turn there is nothing more in it.
        for tick in self.next..end.min(self.next + SLOTS) {
            let slot = tick % SLOTS;
            let (word, bit) = (slot as usize / 64, 1 << (slot % 64));
            if self.occupied[word] & bit != 0 {
                self.occupied[word] &= !bit;
                // Its memory goes with it, because the next time another slot may be the full one.
                for place in std::mem::take(&mut self.slots[slot as usize]) {
                    due(place, Tick(tick));
                }
            }
        }
        self.next = self.next.max(end);
    }

    /// When something comes up next.
    pub(crate) fn next(&self) -> Option<Moment> {
        let tick = (self.next..self.next + SLOTS).find(|tick| {
            let slot = tick % SLOTS;
            self.occupied[slot as usize / 64] & 1 << (slot % 64) != 0
        });
        tick.map(|tick| Tick(tick).moment())
    }
}

/// The first tick behind a moment, none of which is so late that another turn would not fit behind it.
fn behind(moment: Moment) -> u32 {
    let ticks = moment.as_millis() / TICK.as_millis();
    u32::try_from(ticks).unwrap_or(u32::MAX).min(u32::MAX - 2 * SLOTS) + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::num::NonZeroU32;

    fn place(index: u32) -> Place {
        Place { index, generation: NonZeroU32::MIN }
    }

    fn due(wheel: &mut Wheel, now: Moment) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.turn(now, |place, _| due.push(place.index));
        due
    }

    const fn ms(number: u64) -> Moment {
        Moment::from_millis(number)
    }

    #[test]
    fn a_deadline_is_not_early_and_at_most_a_tick_late() {
        let mut wheel = Wheel::new(ms(1_050));
        for (index, at) in [(0, 2_000), (1, 2_001), (2, 2_100), (3, 1_000), (4, 1_060)] {
            wheel.arm(place(index), ms(at), Tick::NEVER);
        }
        for (now, expected) in
            [(1_099, &[][..]), (1_100, &[3, 4]), (1_999, &[]), (2_000, &[0]), (2_050, &[]), (9_000, &[1, 2])]
        {
            assert_eq!(due(&mut wheel, ms(now)), expected, "{now}");
        }
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn what_is_armed_earlier_is_not_armed_again() {
        let mut wheel = Wheel::new(ms(0));
        let armed = wheel.arm(place(0), ms(1_000), Tick::NEVER);
        assert_eq!(wheel.arm(place(0), ms(5_000), armed), armed);
        let earlier = wheel.arm(place(0), ms(500), armed);
        assert!(earlier < armed);
        assert_eq!(wheel.next(), Some(ms(500)));
        let mut ticks = Vec::new();
        wheel.turn(ms(10_000), |_, tick| ticks.push(tick));
        assert_eq!(ticks, [earlier, armed]);
    }

    #[test]
    fn what_is_further_than_it_reaches_comes_up_on_the_way() {
        let mut wheel = Wheel::new(ms(0));
        wheel.arm(place(0), Moment::MAX, Tick::NEVER);
        assert_eq!(due(&mut wheel, TICK * (SLOTS - 1)), Vec::<u32>::new());
        assert_eq!(due(&mut wheel, TICK * SLOTS), [0]);
        // A clock that has gone on for long is no more than one turn.
        wheel.arm(place(1), ms(100_000), Tick::NEVER);
        assert_eq!(due(&mut wheel, ms(1_000_000_000)), [1]);
        assert_eq!(due(&mut wheel, Moment::MAX), Vec::<u32>::new());
    }

    proptest! {
        /// It does what looking at all of them does.
        #[test]
        fn each_comes_up_once_and_in_time(steps in proptest::collection::vec((0..80_000_u64, 0..9_000_u64), 1..200)) {
            let mut wheel = Wheel::new(ms(0));
            let (mut now, mut waiting) = (0, Vec::<(u32, u64)>::new());
            for (index, (wait, pass)) in (0..).zip(steps) {
                wheel.arm(place(index), ms(now + wait), Tick::NEVER);
                // Whoever waits for longer is looked at on the way.
                waiting.push((index, now + wait.min(51_000)));
                let next = wheel.next().unwrap().as_millis();
                let first = waiting.iter().map(|(_, at)| *at).min().unwrap();
                prop_assert!(next <= u128::from(first) + 200, "{next} is more than a tick behind {first}");
                now += pass;
                for index in due(&mut wheel, ms(now)) {
                    let found = waiting.iter().position(|(waits, _)| *waits == index).unwrap();
                    let (_, at) = waiting.swap_remove(found);
                    prop_assert!(at <= now + 200, "due at {at}, not at {now}");
                }
                prop_assert!(waiting.iter().all(|(_, at)| *at + 200 > now), "{waiting:?} at {now}");
            }
        }
    }
}
