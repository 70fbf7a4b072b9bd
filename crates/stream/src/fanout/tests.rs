use super::*;
use crate::Frames;
use fanfare_event::{
    Audience, Delivery, EventType, NamePattern, NamePatterns, Profile, RoomName, SinkName, Target, UserId,
};

pub(crate) fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

pub(crate) fn subscription(sink: &str, types: &str) -> Subscription {
    Subscription {
        sink: SinkName::new(sink),
        types: NamePatterns::new([NamePattern::parse(types).unwrap()]),
        profile: Profile::Cdevent,
        rooms: [].into(),
        user: None,
    }
}

pub(crate) fn room(name: &str) -> RoomName {
    RoomName::new(name).unwrap()
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::new(name).unwrap()
}

/// The same of a client who joined these rooms as this user.
pub(crate) fn joined(types: &str, rooms: &[&str], user_id: Option<&str>) -> Subscription {
    let rooms = rooms.iter().map(|name| room(name)).collect();
    Subscription { rooms, user: user_id.map(user), ..subscription("events", types) }
}

/// An event of this type for everyone on the sink `events`; its frame is its seq as text, followed by a space.
pub(crate) fn entry(number: u64, kind: &str) -> Entry {
    entry_for(number, kind, Audience::Everyone)
}

/// The same for others.
pub(crate) fn entry_for(number: u64, kind: &str, audience: Audience) -> Entry {
    let mut frames = Frames::default();
    frames.set(Profile::Cdevent, format!("{number} ").into());
    let delivery = Delivery { sink: SinkName::new("events"), audience };
    Entry { seq: seq(number), kind: EventType::new(kind).unwrap(), deliveries: [delivery].into(), frames }
}

fn window(events: usize) -> Fanout {
    Fanout::new(WindowLimits { events, bytes: 1 << 20 }, None)
}

fn push(fanout: &mut Fanout, entry: Entry) -> Vec<GroupId> {
    let mut saw = vec![];
    fanout.push(entry, |group| saw.push(group));
    saw.sort();
    saw
}

/// The seqs that a group sees of the window behind a place.
fn behind(fanout: &Fanout, group: GroupId, after: u64) -> Vec<u64> {
    fanout.behind(group, Seq::new(after)).map(|(at, _)| at.get()).collect()
}

#[test]
fn a_group_sees_its_sink_and_its_types_only() {
    let mut fanout = window(10);
    let all = fanout.join(subscription("events", "*"), None);
    let builds = fanout.join(subscription("events", "build.*"), None);
    let elsewhere = fanout.join(subscription("other", "*"), None);
    assert_eq!(push(&mut fanout, entry(1, "build.started")), [all, builds]);
    assert_eq!(push(&mut fanout, entry(2, "test.started")), [all]);
    assert_eq!(fanout.end(elsewhere), 0);
    assert_eq!((behind(&fanout, all, 0), behind(&fanout, builds, 0)), (vec![1, 2], vec![1]));
    assert_eq!((behind(&fanout, all, 1), behind(&fanout, builds, 1)), (vec![2], vec![]));
}

#[test]
fn what_clients_choose_is_bounded() {
    let mut fanout = window(10);
    let chosen = |number: usize| {
        let name = |part: usize| NamePattern::parse(&format!("t{number}.{part}")).unwrap();
        Subscription { types: NamePatterns::new((0..64).map(name)), ..subscription("events", "*") }
    };
    let groups: Vec<_> =
        (0..MAX_PATTERNS / 64).map(|number| fanout.try_join(chosen(number), None).unwrap()).collect();
    let nothing = Subscription { types: NamePatterns::new([]), ..subscription("events", "*") };
    assert_eq!(fanout.try_join(chosen(MAX_PATTERNS), None), None);
    assert_eq!(fanout.try_join(nothing.clone(), None), None, "what sees nothing is a group too");
    assert_eq!(fanout.try_join(chosen(3), None), Some(groups[3]), "who asks for the same is one of them");
    let own = fanout.join(subscription("events", "*"), None);
    assert_eq!(
        fanout.try_join(subscription("events", "*"), None),
        Some(own),
        "what a sink shows itself is always there"
    );
    for (group, is_last) in [(groups[3], false), (own, false), (own, true), (groups[3], true)] {
        assert_eq!(fanout.leave(group), is_last);
    }
    assert!(fanout.try_join(nothing, None).is_some());
    assert_eq!(fanout.try_join(chosen(MAX_PATTERNS), None), None);
}

#[test]
fn equal_subscriptions_are_one_group_and_a_new_one_sees_what_is_there() {
    let mut fanout = window(10);
    push(&mut fanout, entry(5, "a"));
    let one = fanout.join(subscription("events", "*"), None);
    assert_eq!(fanout.join(subscription("events", "*"), None), one);
    assert_eq!(
        (fanout.index_behind(one, None), fanout.index_behind(one, Some(seq(5))), fanout.end(one)),
        (0, 1, 1)
    );
    assert!(!fanout.leave(one), "one is left");
    assert!(fanout.leave(one));
    assert!(!fanout.leave(one), "it is gone");
    let next = fanout.join(subscription("events", "b"), None);
    assert_eq!(next, one, "its place is free again");
}

#[test]
fn the_window_is_bounded_by_events_and_by_bytes() {
    let check = |limits: WindowLimits, kept: &[u64]| {
        let mut fanout = Fanout::new(limits, None);
        let group = fanout.join(subscription("events", "*"), None);
        for number in 1..=5 {
            push(&mut fanout, entry(number, "a"));
        }
        assert_eq!(behind(&fanout, group, 0), kept);
        let at: Vec<_> = (0..6).filter_map(|index| fanout.event_at(group, index)).map(Seq::get).collect();
        assert_eq!(at, kept);
        assert_eq!(fanout.end(group), 5, "indexes do not move");
        let first = kept[0];
        assert!(
            fanout.covers(seq(first).previous()) && (first == 1 || !fanout.covers(seq(first - 1).previous()))
        );
        assert_eq!(fanout.index_behind(group, seq(first).previous()), first - 1);
    };
    check(WindowLimits { events: 10, bytes: 1000 }, &[1, 2, 3, 4, 5]);
    check(WindowLimits { events: 3, bytes: 1000 }, &[3, 4, 5]);
    check(WindowLimits { events: 10, bytes: 4 }, &[4, 5]);
}

#[test]
fn a_window_begins_where_the_tail_does_and_skips_where_the_tail_was_overtaken() {
    let mut fanout = Fanout::new(WindowLimits { events: 3, bytes: 1000 }, Some(seq(7)));
    assert!(fanout.covers(Some(seq(7))) && !fanout.covers(Some(seq(6))));
    let group = fanout.join(subscription("events", "*"), None);
    assert_eq!(push(&mut fanout, entry(7, "a")), [], "what was told before is passed over");
    push(&mut fanout, entry(8, "a"));
    fanout.skip_to(seq(20));
    assert_eq!(
        (fanout.newest(), fanout.covers(Some(seq(8))), fanout.covers(Some(seq(19)))),
        (Some(seq(19)), false, true)
    );
    push(&mut fanout, entry(20, "a"));
    assert_eq!(behind(&fanout, group, 0), [20]);
}

#[test]
fn an_event_with_several_targets_is_one_event() {
    let mut fanout = window(3);
    let both = fanout.join(joined("*", &["a", "b"], Some("u")), None);
    let one = fanout.join(joined("*", &["b"], None), None);
    let none = fanout.join(joined("*", &[], Some("v")), None);
    let (a, b, u) = (Target::Room(room("a")), Target::Room(room("b")), Target::User(user("u")));
    let to = |targets: &[&Target]| Audience::only(targets.iter().copied().cloned());
    assert_eq!(push(&mut fanout, entry_for(1, "t", to(&[&a, &b, &u]))), [both, one]);
    assert_eq!(push(&mut fanout, entry_for(2, "t", to(&[&a]))), [both]);
    assert_eq!(push(&mut fanout, entry_for(3, "t", to(&[]))), []);
    assert_eq!(push(&mut fanout, entry(4, "t")), [both, one, none]);
    assert_eq!(push(&mut fanout, entry_for(5, "t", to(&[&b, &u]))), [both, one]);
    assert_eq!((fanout.end(both), fanout.end(one), fanout.end(none)), (4, 3, 1));
    assert_eq!(behind(&fanout, both, 0), [4, 5]);
    assert_eq!(fanout.index_behind(both, Some(seq(2))), 2);
    assert_eq!((fanout.event_at(both, 1), fanout.event_at(both, 2)), (None, Some(seq(4))));
}

/// What clients choose is rooms and users, too; who shares the types of a sink adds none.
#[test]
fn rooms_and_users_are_bounded_and_are_no_patterns() {
    let mut fanout = window(10);
    let names: Vec<_> = (0..1023).map(|number| room(&format!("room {number:04}"))).collect();
    let crowd = |number: usize| Subscription {
        rooms: names.as_slice().into(),
        user: Some(user(&number.to_string())),
        ..subscription("events", "*")
    };
    let alone = |number: usize| joined("*", &[], Some(&format!("alone {number}")));
    for number in 0..MAX_PATTERNS * 2 {
        assert!(fanout.try_join(alone(number), None).is_some(), "{number}");
    }
    for number in 0..MAX_PATTERNS * 2 {
        let id = *fanout.by_subscription.get(&alone(number)).unwrap();
        assert!(fanout.leave(id));
    }
    let full: Vec<_> =
        (0..MAX_PLACES / 1024).map(|number| fanout.try_join(crowd(number), None).unwrap()).collect();
    assert_eq!(fanout.places, MAX_PLACES);
    assert_eq!(fanout.try_join(alone(0), None), None);
    assert_eq!(fanout.try_join(crowd(0), None), Some(full[0]), "who joins the same is one of them");
    assert!(fanout.try_join(subscription("events", "*"), None).is_some(), "who joins nothing takes no place");
    assert!(fanout.leave(full[1]));
    assert!(fanout.try_join(alone(0), None).is_some());
}
