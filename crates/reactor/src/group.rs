//! The members of a group that a thread has, and who of them has yet to be served. What serving is lives in `pass`.

use fanfare_stream::Batch;

/// Members, and a pass over them. A pass goes on where the last one ended, so that nobody is always last.
///
/// The members from `next` on, `left` of them and round the end, have yet to be served; the others have been, or have
/// joined since. Whoever joins or leaves changes nothing of that for anybody else.
#[derive(Debug, Default)]
pub(crate) struct Group {
    /// Where the connections are; each knows its own place in here.
    members: Vec<u32>,
    next: usize,
    left: usize,
    /// What the window had behind those that have just been served, for those that are where they were. It goes when the
    /// group has news, and with the group, whose id another one may get.
    pub(crate) batch: Option<Box<Batch>>,
    /// It is in the queue of those that are served.
    pub(crate) is_queued: bool,
}

impl Group {
    /// Takes a member. Returns its place among the members.
    pub(crate) fn join(&mut self, index: u32) -> u32 {
        // It comes among those who have yet to be served where these go round the end.
        if self.next + self.left > self.members.len() {
            self.left += 1;
        }
        self.members.push(index);
        // A slab has no more places than a number of 24 bits.
        u32::try_from(self.members.len() - 1).unwrap_or(u32::MAX)
    }

    /// Lets a member go. `moved` is told who has another place now. Of the members that were served, and of those that
    /// were not, one each moves into the hole at most, so that both stay together.
    pub(crate) fn leave(&mut self, seat: u32, mut moved: impl FnMut(u32, u32)) {
        let (length, mut hole) = (self.members.len(), seat as usize);
        if hole >= length {
            return;
        }
        let end = self.next + self.left;
        let borders = if end > length { [end - length, self.next, length] } else { [self.next, end, length] };
        let is_left = if end > length {
            hole >= self.next || hole < end - length
        } else {
            (self.next..end).contains(&hole)
        };
        self.left -= usize::from(is_left);
        self.next -= usize::from(hole < self.next);
        for border in borders {
            if border > hole + 1 {
                let last = self.members[border - 1];
                self.members[hole] = last;
                moved(last, u32::try_from(hole).unwrap_or(u32::MAX));
                hole = border - 1;
            }
        }
        self.members.pop();
        if self.next == self.members.len() {
            self.next = 0;
        }
    }

    /// All have to be served: those first that had to be already.
    pub(crate) fn begin(&mut self) {
        self.left = self.members.len();
        self.batch = None;
    }

    /// Who is served next.
    pub(crate) fn pop(&mut self) -> Option<u32> {
        self.left = self.left.checked_sub(1)?;
        let member = self.members.get(self.next).copied();
        self.next += 1;
        if self.next == self.members.len() {
            self.next = 0;
        }
        member
    }

    pub(crate) fn is_served(&self) -> bool {
        self.left == 0
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    #[derive(Clone, Copy, Debug)]
    enum Act {
        Join,
        Leave(usize),
        Begin,
        Pop,
    }

    fn act() -> impl Strategy<Value = Act> {
        prop_oneof![
            3 => Just(Act::Join),
            2 => any::<usize>().prop_map(Act::Leave),
            1 => Just(Act::Begin),
            4 => Just(Act::Pop),
        ]
    }

    proptest! {
        /// Each that was a member when a pass began, and still is, is served by it; nobody twice, and nobody else but
        /// those that joined since.
        #[test]
        fn a_pass_serves_each_once(acts in proptest::collection::vec(act(), 1..300)) {
            let mut group = Group::default();
            let mut seats = BTreeMap::<u32, u32>::new();
            let (mut wanting, mut joined) = (BTreeSet::<u32>::new(), BTreeSet::<u32>::new());
            for (index, act) in (0..).zip(acts) {
                match act {
                    Act::Join => {
                        seats.insert(index, group.join(index));
                        joined.insert(index);
                    }
                    Act::Leave(which) => {
                        let Some(member) = seats.keys().nth(which % seats.len().max(1)).copied() else { continue };
                        let seat = seats.remove(&member).unwrap();
                        group.leave(seat, |moved, seat| assert!(seats.insert(moved, seat).is_some()));
                        wanting.remove(&member);
                        joined.remove(&member);
                    }
                    Act::Begin => {
                        group.begin();
                        joined.clear();
                        wanting = seats.keys().copied().collect();
                    }
                    Act::Pop => match group.pop() {
                        Some(member) => prop_assert!(wanting.remove(&member) || joined.remove(&member)),
                        None => prop_assert!(wanting.is_empty(), "{wanting:?} are left"),
                    },
                }
                for (member, seat) in &seats {
                    prop_assert_eq!(group.members[*seat as usize], *member);
                }
                prop_assert_eq!(group.is_empty(), seats.is_empty());
                prop_assert_eq!(group.members.len(), seats.len());
                if group.is_served() {
                    prop_assert!(wanting.is_empty(), "{wanting:?} are left");
                }
            }
        }
    }

    #[test]
    fn passes_rotate() {
        let mut group = Group::default();
        (0..4).for_each(|index| assert_eq!(group.join(index), index));
        group.begin();
        assert_eq!([group.pop(), group.pop()], [Some(0), Some(1)]);
        // News in the middle of a pass: those come first that have waited for longest.
        group.begin();
        let served: Vec<_> = std::iter::from_fn(|| group.pop()).collect();
        assert_eq!(served, [2, 3, 0, 1]);
    }
}
