//! What is left in an inbox: groups that have news, and commands. How it is left and taken lives in `inbox`.

use fanfare_stream::{CloseReason, Found, GroupId};

use crate::id::Place;
use crate::{NewConnection, Seat};

/// What was left for a thread since it last took it. It is bounded by the groups that exist, and by the connections that
/// wait for their thread: each of them has at most one answer to get.
pub(crate) struct Mail<O> {
    /// Each once.
    groups: Vec<GroupId>,
    /// Which those are, a bit for each.
    marks: Vec<u64>,
    /// In the order in which they were given.
    pub(crate) commands: Vec<Command<O>>,
}

pub(crate) enum Command<O> {
    Add(Box<(Seat, NewConnection<O>)>),
    Look(Place),
    Cut(Place),
    Answer(Place, Found),
    EndAll(CloseReason),
    /// Nobody has the reactor any more.
    Stop,
}

impl<O> Default for Mail<O> {
    fn default() -> Self {
        Self { groups: Vec::new(), marks: Vec::new(), commands: Vec::new() }
    }
}

impl<O> Mail<O> {
    pub(crate) fn put_group(&mut self, group: GroupId) {
        let (word, bit) = (group.index() / 64, 1 << (group.index() % 64));
        if self.marks.len() <= word {
            self.marks.resize(word + 1, 0);
        }
        let mark = &mut self.marks[word];
        if *mark & bit == 0 {
            *mark |= bit;
            self.groups.push(group);
        }
    }

    /// Takes the groups out.
    pub(crate) fn take_groups(&mut self) -> impl Iterator<Item = GroupId> {
        self.groups.drain(..).inspect(|group| self.marks[group.index() / 64] = 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fanfare_event::{NamePatterns, Profile, SinkName};
    use fanfare_stream::{Fanout, Subscription, WindowLimits};

    /// Ids of as many groups.
    fn groups(count: usize) -> Vec<GroupId> {
        let mut fanout = Fanout::new(WindowLimits { events: 1, bytes: 1 }, None);
        let subscription = |number| Subscription {
            sink: SinkName::new(&format!("s{number}")),
            types: NamePatterns::any(),
            profile: Profile::Cdevent,
            rooms: [].into(),
            user: None,
        };
        (0..count).map(|number| fanout.join(subscription(number), None)).collect()
    }

    #[test]
    fn a_group_is_in_it_once() {
        let groups = groups(130);
        let mut mail = Mail::<()>::default();
        for _ in 0..2 {
            for index in [3, 129, 3, 64, 129, 65] {
                mail.put_group(groups[index]);
            }
            let taken: Vec<_> = mail.take_groups().map(GroupId::index).collect();
            assert_eq!(taken, [3, 129, 64, 65]);
        }
    }
}
