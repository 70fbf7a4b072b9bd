//! Which streams are open: by number, and by what an operator ends them by. Opening and closing one takes a few steps
//! for each of its rooms, and finding those of a user or a room takes as many as there are.
//!
//! Beside [`OpenStream`], a stream costs about 20 bytes in the set of all, 40 in that of its user where it has one and in
//! that of each of its rooms, and 100 where it is cut at a given time.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fanfare_event::{RoomName, SinkName, UserId};
use fanfare_stream::{CloseReason, Moment, Subscription};
use tokio::sync::Notify;

use super::open_stream::{Driver, OpenStream, Validity};
use super::taken::Reactor;
use crate::ids::base32;

/// How long a stream that has to end may take to say so to its client. One whose client takes nothing does not end by
/// itself, so it is cut then.
const GRACE: Duration = Duration::from_secs(1);

/// The streams that are open.
#[derive(Debug)]
pub(crate) struct Registry {
    /// What ids begin with: this life of the process.
    life: Box<str>,
    streams: Mutex<Streams>,
    /// Told when a stream is to be cut.
    cuts: Notify,
    /// Has those streams that no task has.
    reactor: Option<Reactor>,
}

/// Which streams are meant: those for which all holds that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Selection {
    pub(crate) connection: Option<String>,
    pub(crate) sink: Option<SinkName>,
    pub(crate) user: Option<UserId>,
    pub(crate) room: Option<RoomName>,
}

impl Selection {
    /// All streams of a user.
    pub(crate) fn of_user(user: UserId) -> Self {
        Self { user: Some(user), ..Self::default() }
    }
}

impl Registry {
    /// None is open. `life` is unlike that of any process before.
    pub(super) fn new(life: u64, reactor: Option<Reactor>) -> Self {
        Self { life: base32(life).into(), streams: Mutex::default(), cuts: Notify::new(), reactor }
    }

    /// A stream opens. It is cut where it has not ended by itself soon after its `end`.
    pub(super) fn open(
        &self,
        subscription: Arc<Subscription>,
        peer: SocketAddr,
        validity: Validity,
        end: Option<Moment>,
        driver: Driver,
    ) -> Arc<OpenStream> {
        let mut streams = self.lock();
        streams.last += 1;
        let stream = Arc::new(OpenStream::new(streams.last, subscription, peer, validity, driver));
        let is_first = streams.insert(Arc::clone(&stream), end.map(|end| end + GRACE));
        drop(streams);
        if is_first {
            self.cuts.notify_one();
        }
        stream
    }

    /// It has ended.
    pub(super) fn close(&self, stream: &OpenStream) {
        self.lock().remove(stream);
    }

    /// What a stream is called.
    pub(crate) fn id(&self, stream: &OpenStream) -> String {
        format!("{}-{}", self.life, base32(stream.number))
    }

    /// The oldest of the streams that are meant, and how many there are.
    pub(crate) fn find(&self, selection: &Selection, max: usize) -> (Vec<Arc<OpenStream>>, usize) {
        let streams = self.lock();
        let mut total = 0;
        let mut found = Vec::new();
        for stream in streams.meant(selection, self.number(selection)) {
            if found.len() < max {
                found.push(Arc::clone(stream));
            }
            total += 1;
        }
        (found, total)
    }

    /// Ends the streams that are meant, and says how many there were.
    pub(crate) fn end(&self, selection: &Selection, reason: CloseReason, now: Moment) -> usize {
        let mut streams = self.lock();
        let meant: Vec<_> = streams.meant(selection, self.number(selection)).cloned().collect();
        for stream in &meant {
            streams.cut_by(stream.number, now + GRACE);
        }
        // Woken streams look for themselves here, so this is let go first.
        drop(streams);
        self.cuts.notify_one();
        meant.into_iter().map(|stream| stream.end(reason, self.reactor.as_ref())).count()
    }

    /// Cuts the streams that have not ended by themselves, for ever.
    pub(super) async fn cut(&self, now: impl Fn() -> Moment) {
        loop {
            let next = self.lock().cuts.first().map(|(at, _)| *at);
            let due = async {
                match next {
                    Some(at) => tokio::time::sleep(at.saturating_sub(now())).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => {}
                () = self.cuts.notified() => continue,
            }
            for stream in self.due(now()) {
                // One that nobody ended has come to the end of its token.
                stream.end(CloseReason::TokenExpired, self.reactor.as_ref());
                stream.cut(self.reactor.as_ref());
            }
        }
    }

    /// The streams that are to be cut by now, each once.
    fn due(&self, now: Moment) -> Vec<Arc<OpenStream>> {
        let mut streams = self.lock();
        let mut due = Vec::new();
        while streams.cuts.first().is_some_and(|(at, _)| *at <= now)
            && let Some((_, number)) = streams.cuts.pop_first()
        {
            streams.cut_at.remove(&number);
            due.extend(streams.all.get(&number).map(|known| Arc::clone(&known.0)));
        }
        due
    }

    /// The number of the connection that is meant; 0, which none has, where the id is none of this process.
    fn number(&self, selection: &Selection) -> Option<u64> {
        let id = selection.connection.as_deref()?;
        let number = || {
            let number = id.strip_prefix(&*self.life)?.strip_prefix('-')?;
            let read = u64::from_str_radix(number, 32).ok()?;
            // Other spellings of a number are no ids.
            (base32(read) == number).then_some(read)
        };
        Some(number().unwrap_or(0))
    }

    /// No code that holds the lock leaves the sets half changed when it panics: nothing in it does but running out of
    /// memory.
    fn lock(&self) -> MutexGuard<'_, Streams> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Every stream is in all sets that it belongs to, or in none.
#[derive(Debug, Default)]
struct Streams {
    /// The number of the newest.
    last: u64,
    all: BTreeSet<ByNumber>,
    of_user: BTreeSet<(UserId, u64)>,
    of_room: BTreeSet<(RoomName, u64)>,
    /// Those that are cut at a given time, by that and by number.
    cuts: BTreeSet<(Moment, u64)>,
    cut_at: BTreeMap<u64, Moment>,
}

/// A stream that is found by its number.
#[derive(Debug)]
struct ByNumber(Arc<OpenStream>);

impl Borrow<u64> for ByNumber {
    fn borrow(&self) -> &u64 {
        &self.0.number
    }
}

impl Ord for ByNumber {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.number.cmp(&other.0.number)
    }
}

impl PartialOrd for ByNumber {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Eq for ByNumber {}

impl PartialEq for ByNumber {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Streams {
    /// Says whether it is the next one that is cut.
    fn insert(&mut self, stream: Arc<OpenStream>, cut_at: Option<Moment>) -> bool {
        let number = stream.number;
        let Subscription { rooms, user, .. } = &*stream.subscription;
        self.of_user.extend(user.clone().map(|user| (user, number)));
        self.of_room.extend(rooms.iter().map(|room| (room.clone(), number)));
        self.cuts.extend(cut_at.map(|at| (at, number)));
        self.cut_at.extend(cut_at.map(|at| (number, at)));
        self.all.insert(ByNumber(stream));
        self.cuts.first().is_some_and(|(_, first)| *first == number)
    }

    fn remove(&mut self, stream: &OpenStream) {
        let number = stream.number;
        let Subscription { rooms, user, .. } = &*stream.subscription;
        if let Some(user) = user {
            self.of_user.remove(&(user.clone(), number));
        }
        for room in rooms.iter() {
            self.of_room.remove(&(room.clone(), number));
        }
        if let Some(at) = self.cut_at.remove(&number) {
            self.cuts.remove(&(at, number));
        }
        self.all.remove(&number);
    }

    /// A stream is cut then at the latest.
    fn cut_by(&mut self, number: u64, at: Moment) {
        let before = self.cut_at.get(&number).copied();
        if before.is_some_and(|before| before <= at) {
            return;
        }
        if let Some(before) = before {
            self.cuts.remove(&(before, number));
        }
        self.cuts.insert((at, number));
        self.cut_at.insert(number, at);
    }

    /// The streams that are meant, the oldest first. Looks through the set that is likely the smallest.
    fn meant<'a>(
        &'a self,
        selection: &'a Selection,
        connection: Option<u64>,
    ) -> impl Iterator<Item = &'a Arc<OpenStream>> {
        let streams: Box<dyn Iterator<Item = &ByNumber>> = match (connection, selection) {
            (Some(number), _) => Box::new(self.all.get(&number).into_iter()),
            (None, Selection { user: Some(user), .. }) => Box::new(self.numbered(of(&self.of_user, user))),
            (None, Selection { room: Some(room), .. }) => Box::new(self.numbered(of(&self.of_room, room))),
            (None, _) => Box::new(self.all.iter()),
        };
        streams.map(|known| &known.0).filter(|stream| {
            let Subscription { sink, rooms, user, .. } = &*stream.subscription;
            selection.sink.as_ref().is_none_or(|wanted| wanted == sink)
                && selection.user.as_ref().is_none_or(|wanted| user.as_ref() == Some(wanted))
                && selection.room.as_ref().is_none_or(|wanted| rooms.binary_search(wanted).is_ok())
        })
    }

    fn numbered(&self, numbers: impl Iterator<Item = u64>) -> impl Iterator<Item = &ByNumber> {
        numbers.filter_map(|number| self.all.get(&number))
    }
}

/// The numbers that are in a set under a name, ascending.
fn of<'a, N: Ord + Clone>(set: &'a BTreeSet<(N, u64)>, name: &N) -> impl Iterator<Item = u64> + use<'a, N> {
    set.range((name.clone(), 0)..=(name.clone(), u64::MAX)).map(|(_, number)| *number)
}

#[cfg(test)]
mod tests;
