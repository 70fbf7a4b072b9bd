//! An event as connections see it, and who sees it. How that is found for many at once lives in `fanout`.

use std::sync::Arc;

use fanfare_event::{
    Audience, Delivery, EventType, NamePattern, NamePatterns, Profile, RoomName, Seq, SinkName, Target,
    UserId,
};

use crate::frame::Frame;

/// An event as connections see it: where it lies, whom it is for, and its bytes.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its place in the log.
    pub seq: Seq,
    /// Its type.
    pub kind: EventType,
    /// Where it goes, sorted by sink.
    pub deliveries: Arc<[Delivery]>,
    /// Its bytes.
    pub frames: Frames,
}

/// The bytes of one event, once for each profile that a sink of it writes.
#[derive(Clone, Debug, Default)]
pub struct Frames([Option<Frame>; Profile::ALL.len()]);

/// What a client may see and asked for. Connections whose subscriptions are equal are one group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Subscription {
    /// The sink that it came to.
    pub sink: SinkName,
    /// The types that the sink shows.
    pub types: NamePatterns,
    /// How the sink writes events.
    pub profile: Profile,
    /// The rooms that the client joined, sorted and each once.
    pub rooms: Arc<[RoomName]>,
    /// Who the client is.
    pub user: Option<UserId>,
}

impl Entry {
    /// Who of a sink's clients gets it; `None` where it does not go there.
    pub(crate) fn audience(&self, sink: &SinkName) -> Option<&Audience> {
        audience(&self.deliveries, sink)
    }
}

fn audience<'a>(deliveries: &'a [Delivery], sink: &SinkName) -> Option<&'a Audience> {
    let index = deliveries.binary_search_by(|delivery| delivery.sink.cmp(sink)).ok()?;
    Some(&deliveries.get(index)?.audience)
}

impl Frames {
    /// Sets the bytes for a profile.
    pub fn set(&mut self, profile: Profile, frame: Frame) {
        self.0[profile as usize] = Some(frame);
    }

    /// The bytes for a profile.
    pub fn get(&self, profile: Profile) -> Option<&Frame> {
        self.0[profile as usize].as_ref()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().flatten().map(|frame| frame.len()).sum()
    }

    /// Bytes in the profile that takes the most.
    pub(crate) fn largest(&self) -> usize {
        self.0.iter().flatten().map(|frame| frame.len()).max().unwrap_or(0)
    }
}

impl Subscription {
    /// The frame of this event, if the subscription sees it.
    pub fn frame<'a>(&self, entry: &'a Entry) -> Option<&'a Frame> {
        if self.sees(&entry.kind, &entry.deliveries) { entry.frames.get(self.profile) } else { None }
    }

    /// Whether it sees an event of this type that goes there.
    pub(crate) fn sees(&self, kind: &EventType, deliveries: &[Delivery]) -> bool {
        audience(deliveries, &self.sink)
            .is_some_and(|audience| audience.includes(&self.rooms, self.user.as_ref()))
            && self.types.matches(kind.as_str())
    }

    /// The rooms and the user, in the order of targets.
    pub(crate) fn targets(&self) -> impl Iterator<Item = Target> {
        let rooms = self.rooms.iter().cloned().map(Target::Room);
        rooms.chain(self.user.iter().cloned().map(Target::User))
    }

    /// How many targets it has.
    pub(crate) fn places(&self) -> usize {
        self.rooms.len() + usize::from(self.user.is_some())
    }

    /// About how many bytes of memory a copy takes.
    pub(crate) fn weight(&self) -> usize {
        let text = |pattern: &NamePattern| match pattern {
            NamePattern::Any => 0,
            NamePattern::Below(text) | NamePattern::Exact(text) => text.len(),
        };
        let patterns = self.types.iter().map(|pattern| size_of::<NamePattern>() + text(pattern));
        let rooms = self.rooms.iter().map(|room| size_of::<RoomName>() + room.as_str().len());
        let user = self.user.as_ref().map_or(0, |user| user.as_str().len());
        size_of::<Self>() + patterns.sum::<usize>() + rooms.sum::<usize>() + user
    }
}
