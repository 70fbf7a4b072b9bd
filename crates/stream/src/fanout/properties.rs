//! The lists against a plain model: every event that the tail told, and for each group what [`Subscription::frame`] says
//! of it, which is also what pages say.

use super::tests::{entry_for, joined, room, seq, user};
use super::*;
use fanfare_event::{Audience, Target};
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Act {
    Push(&'static str, Audience),
    /// With a place that a stream begins behind, as a share of what there is; none for one that begins now.
    Join(usize, Option<u64>),
    Leave(usize),
    Overtake,
}

fn subscriptions() -> Vec<Subscription> {
    let elsewhere = Subscription { sink: fanfare_event::SinkName::new("other"), ..joined("*", &["a"], None) };
    vec![
        joined("*", &[], None),
        joined("build", &[], None),
        joined("*", &["a"], None),
        joined("*", &["a", "b", "c"], Some("a")),
        joined("build", &["b", "c"], Some("b")),
        joined("*", &["b"], Some("a")),
        joined("*", &[], Some("b")),
        elsewhere,
    ]
}

pub(crate) fn audiences() -> impl Strategy<Value = Audience> {
    let target = prop_oneof![
        "[a-d]".prop_map(|name| Target::Room(room(&name))),
        "[a-c]".prop_map(|name| Target::User(user(&name)))
    ];
    prop_oneof![
        2 => Just(Audience::Everyone),
        2 => target.clone().prop_map(|target| Audience::only([target])),
        2 => proptest::collection::vec(target, 0..5).prop_map(Audience::only),
    ]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let kind = prop_oneof![Just("build"), Just("test")];
    let act = prop_oneof![
        8 => (kind, audiences()).prop_map(|(kind, audience)| Act::Push(kind, audience)),
        3 => (0..8usize, proptest::option::of(0..100u64)).prop_map(|(who, after)| Act::Join(who, after)),
        2 => (0..20usize).prop_map(Act::Leave),
        1 => Just(Act::Overtake),
    ];
    proptest::collection::vec(act, 1..80)
}

/// A stream of a group: where it began, and how many events the group had seen there.
struct Stream {
    group: GroupId,
    subscription: Subscription,
    after: Option<Seq>,
    /// How many events the model had then, and how far the group had counted.
    since: (usize, GroupIndex),
}

proptest! {
    #[test]
    fn a_group_sees_and_counts_what_its_subscription_sees(acts in acts(), window in 1..12usize) {
        let limits = WindowLimits { events: window, bytes: 1 << 20 };
        let mut fanout = Fanout::new(limits, None);
        let mut told: Vec<Entry> = Vec::new();
        let mut streams: Vec<Stream> = Vec::new();
        let mut next = 1;
        for act in acts {
            match act {
                Act::Push(kind, audience) => {
                    let entry = entry_for(next, kind, audience);
                    // Seqs have holes.
                    next += 2;
                    let mut saw = Vec::new();
                    fanout.push(entry.clone(), |group| saw.push(group));
                    saw.sort();
                    let sees = |stream: &&Stream| stream.subscription.frame(&entry).is_some();
                    let mut expected: Vec<_> = streams.iter().filter(sees).map(|stream| stream.group).collect();
                    expected.sort();
                    expected.dedup();
                    prop_assert_eq!(saw, expected);
                    told.push(entry);
                }
                Act::Join(who, after) => {
                    let subscription = subscriptions().swap_remove(who);
                    let after = after.map_or(fanout.newest(), |share| Seq::new(share * next / 100));
                    let group = fanout.join(subscription.clone(), after);
                    streams.push(Stream { group, subscription, after, since: (told.len(), fanout.end(group)) });
                }
                Act::Leave(who) if !streams.is_empty() => {
                    let left = streams.swap_remove(who % streams.len());
                    let is_last = streams.iter().all(|stream| stream.group != left.group);
                    prop_assert_eq!(fanout.leave(left.group), is_last);
                }
                Act::Leave(_) => {}
                Act::Overtake => {
                    next += 10;
                    fanout.skip_to(seq(next));
                }
            }
            for stream in &streams {
                let Stream { group, subscription, after, since } = stream;
                let seen = |entry: &&Entry| subscription.frame(entry).is_some();
                let counted = told[since.0..].iter().filter(seen).count() as u64;
                prop_assert_eq!(fanout.end(*group) - since.1, counted, "each event that it sees counts once");
                let first = told.partition_point(|entry| Some(entry.seq) <= *after || entry.seq < fanout.floor);
                for at in first..=told.len() {
                    let behind = at.checked_sub(1).map(|last| told[last].seq).max(*after);
                    let expected: Vec<_> = told[at..].iter().filter(seen).map(|entry| entry.seq).collect();
                    prop_assert!(fanout.behind(*group, behind).map(|(seq, _)| seq).eq(expected.iter().copied()));
                    let index = fanout.index_behind(*group, behind);
                    prop_assert_eq!(fanout.end(*group) - index, expected.len() as u64);
                    prop_assert_eq!(fanout.event_at(*group, index), expected.first().copied());
                }
            }
        }
        let all = streams.len();
        for (left, stream) in streams.iter().enumerate() {
            prop_assert!(left < all);
            fanout.leave(stream.group);
        }
        prop_assert_eq!((fanout.groups.len(), fanout.places, fanout.lists.sizes()), (0, 0, [0; 5]));
    }

    /// A window of any size never has more in its lists than it has entries.
    #[test]
    fn what_leaves_the_window_leaves_the_lists(
        events in proptest::collection::vec(audiences(), 1..60),
        window in 1..8usize,
    ) {
        let mut fanout = Fanout::new(WindowLimits { events: window, bytes: 1 << 20 }, None);
        for subscription in subscriptions() {
            fanout.join(subscription, None);
        }
        for (number, audience) in (1..).zip(events) {
            fanout.push(entry_for(number, "build", audience), |_| {});
            prop_assert!(fanout.lists.longest() <= window);
        }
        fanout.skip_to(seq(1000));
        prop_assert_eq!(fanout.lists.longest(), 0);
    }
}
