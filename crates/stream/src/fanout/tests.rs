use super::*;
use fanfare_event::{Audience, NamePattern};

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

/// An event of this type for the sink `events`; its frame is its seq as text, followed by a space.
pub(crate) fn entry(number: u64, kind: &str) -> Entry {
    let mut frames = Frames::default();
    frames.set(Profile::Cdevent, format!("{number} ").into());
    let delivery = Delivery { sink: SinkName::new("events"), audience: Audience::Everyone };
    Entry { seq: seq(number), kind: EventType::new(kind).unwrap(), deliveries: [delivery].into(), frames }
}

fn window(events: usize) -> Fanout {
    Fanout::new(WindowLimits { events, bytes: 1 << 20 }, None)
}

fn push(fanout: &mut Fanout, entry: Entry) -> Vec<GroupId> {
    let mut saw = vec![];
    fanout.push(entry, |group| saw.push(group));
    saw
}

#[test]
fn a_group_sees_its_sink_and_its_types_only() {
    let mut fanout = window(10);
    let all = fanout.join(subscription("events", "*"));
    let builds = fanout.join(subscription("events", "build.*"));
    let elsewhere = fanout.join(subscription("other", "*"));
    assert_eq!(push(&mut fanout, entry(1, "build.started")), [all, builds]);
    assert_eq!(push(&mut fanout, entry(2, "test.started")), [all]);
    assert_eq!(fanout.end(elsewhere), 0);
    assert_eq!(fanout.frame_at(builds, 0).map(|(at, _)| at), Some(seq(1)));
    assert_eq!(fanout.frame_at(builds, 1), None);
}

#[test]
fn what_clients_choose_is_bounded() {
    let mut fanout = window(10);
    let chosen = |number: usize| {
        let name = |part: usize| NamePattern::parse(&format!("t{number}.{part}")).unwrap();
        Subscription { types: NamePatterns::new((0..64).map(name)), ..subscription("events", "*") }
    };
    let groups: Vec<_> =
        (0..MAX_PATTERNS / 64).map(|number| fanout.try_join(chosen(number)).unwrap()).collect();
    let nothing = Subscription { types: NamePatterns::new([]), ..subscription("events", "*") };
    assert_eq!(fanout.try_join(chosen(MAX_PATTERNS)), None);
    assert_eq!(fanout.try_join(nothing.clone()), None, "what sees nothing is a group too");
    assert_eq!(fanout.try_join(chosen(3)), Some(groups[3]), "who asks for the same is one of them");
    let own = fanout.join(subscription("events", "*"));
    assert_eq!(
        fanout.try_join(subscription("events", "*")),
        Some(own),
        "what a sink shows itself is always there"
    );
    for (group, is_last) in [(groups[3], false), (own, false), (own, true), (groups[3], true)] {
        assert_eq!(fanout.leave(group), is_last);
    }
    assert!(fanout.try_join(nothing).is_some());
    assert_eq!(fanout.try_join(chosen(MAX_PATTERNS)), None);
}

#[test]
fn equal_subscriptions_are_one_group_and_a_new_one_sees_what_is_there() {
    let mut fanout = window(10);
    push(&mut fanout, entry(5, "a"));
    let one = fanout.join(subscription("events", "*"));
    assert_eq!(fanout.join(subscription("events", "*")), one);
    assert_eq!(
        (fanout.index_behind(one, None), fanout.index_behind(one, Some(seq(5))), fanout.end(one)),
        (0, 1, 1)
    );
    assert!(!fanout.leave(one), "one is left");
    assert!(fanout.leave(one));
    assert!(!fanout.leave(one), "it is gone");
    let next = fanout.join(subscription("events", "b"));
    assert_eq!(next, one, "its place is free again");
}

#[test]
fn the_window_is_bounded_by_events_and_by_bytes() {
    let check = |limits: WindowLimits, kept: &[u64]| {
        let mut fanout = Fanout::new(limits, None);
        let group = fanout.join(subscription("events", "*"));
        for number in 1..=5 {
            push(&mut fanout, entry(number, "a"));
        }
        let seen: Vec<_> =
            (0..5).filter_map(|index| fanout.frame_at(group, index)).map(|(at, _)| at.get()).collect();
        assert_eq!(seen, kept);
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
    let group = fanout.join(subscription("events", "*"));
    assert_eq!(push(&mut fanout, entry(7, "a")), [], "what was told before is passed over");
    push(&mut fanout, entry(8, "a"));
    fanout.skip_to(seq(20));
    assert_eq!(
        (fanout.newest(), fanout.covers(Some(seq(8))), fanout.covers(Some(seq(19)))),
        (Some(seq(19)), false, true)
    );
    push(&mut fanout, entry(20, "a"));
    assert_eq!(fanout.frame_at(group, 1).map(|(at, _)| at), Some(seq(20)));
}
