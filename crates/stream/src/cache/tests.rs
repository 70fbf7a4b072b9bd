use super::*;
use crate::fanout::tests::{entry, entry_for, joined, seq, subscription, user};
use crate::{PAGE_BYTES, PAGE_EVENTS};
use fanfare_event::{Audience, Profile, Target};
use proptest::prelude::*;

/// What a client that sees everything gets from here on, out of consecutive pages.
fn read(cache: &mut PageCache, from: u64) -> String {
    let mut seen = String::new();
    let mut at = seq(from);
    while let Some(view) = cache.find(at, &subscription("events", "*")) {
        assert!(view.from() <= at && at < view.next());
        let (_, bytes) = view.behind(at.previous());
        seen.push_str(std::str::from_utf8(&bytes).unwrap());
        at = view.next();
    }
    seen
}

fn entries(numbers: impl IntoIterator<Item = u64>) -> Vec<Entry> {
    numbers.into_iter().map(|number| entry(number, if number % 3 == 0 { "test" } else { "build" })).collect()
}

#[test]
fn what_was_read_is_found_from_any_place_in_it() {
    let mut cache = PageCache::new(1 << 20);
    cache.insert(seq(3), seq(9), entries([4, 6, 7]));
    for (from, expected) in
        [(1, ""), (2, ""), (3, "4 6 7 "), (4, "4 6 7 "), (5, "6 7 "), (7, "7 "), (8, ""), (9, "")]
    {
        assert_eq!(read(&mut cache, from), expected, "{from}");
    }
    let hidden = cache.find(seq(8), &subscription("events", "*")).unwrap();
    assert_eq!(hidden.next(), seq(9), "that nothing is there is known too");
    let builds = cache.find(seq(3), &subscription("events", "build")).unwrap();
    assert_eq!(builds.behind(None), (2, "4 7 ".into()));
    assert_eq!(cache.find(seq(3), &subscription("other", "*")).unwrap().behind(None), (0, "".into()));
}

#[test]
fn pages_never_overlap() {
    let mut cache = PageCache::new(1 << 20);
    cache.insert(seq(10), seq(15), entries(10..15));
    assert_eq!((cache.next_page(seq(5)), cache.next_page(seq(10))), (Some(seq(10)), None));
    cache.insert(seq(5), seq(12), entries(5..12));
    cache.insert(seq(13), seq(18), entries(13..18));
    cache.insert(seq(11), seq(14), entries(11..14));
    cache.insert(seq(20), seq(20), vec![]);
    let starts: Vec<_> = cache.pages.iter().map(|(start, c)| (start.get(), c.page.next.get())).collect();
    assert_eq!(starts, [(5, 10), (10, 15), (15, 18)]);
    assert_eq!(read(&mut cache, 5), "5 6 7 8 9 10 11 12 13 14 15 16 17 ");
}

#[test]
fn pages_are_bounded_by_events_and_by_bytes() {
    let large = |number, bytes: usize| {
        let mut entry = entry(number, "build");
        entry.frames.set(Profile::Cdevent, "x".repeat(bytes).into());
        entry
    };
    let check = |entries: Vec<Entry>, expected: &[usize]| {
        let next = entries.last().unwrap().seq.next();
        let mut cache = PageCache::new(1 << 30);
        cache.insert(seq(1), next, entries);
        let sizes: Vec<_> =
            cache.pages.values().map(|c| c.page.seen(&subscription("events", "*")).len()).collect();
        assert_eq!(sizes, expected);
        let ends = cache.pages.values().map(|cached| cached.page.next);
        let starts = cache.pages.keys().skip(1).copied().chain([next]);
        assert!(ends.eq(starts), "one behind the other");
    };
    check(entries(1..=300), &[PAGE_EVENTS, PAGE_EVENTS, 300 - 2 * PAGE_EVENTS]);
    check((1..=4).map(|number| large(number, PAGE_BYTES / 2)).collect(), &[2, 2]);
    check(vec![large(1, 10), large(2, PAGE_BYTES * 3), large(3, 10), large(4, 10)], &[1, 1, 2]);
}

#[test]
fn what_was_not_used_for_longest_goes_first() {
    let mut cache = PageCache::new(usize::MAX);
    cache.insert(seq(1), seq(2), entries([1]));
    // Of three pages and a few views.
    let limit = cache.bytes * 4 + 1000;
    cache.limit = limit;
    for number in [2, 3] {
        cache.insert(seq(number), seq(number + 1), entries([number]));
    }
    assert!(cache.find(seq(1), &subscription("events", "*")).is_some());
    for number in 4..50 {
        cache.insert(seq(number), seq(number + 1), entries([number]));
        assert!(cache.bytes + cache.view_bytes <= limit);
        assert!(cache.find(seq(number), &subscription("events", "*")).is_some(), "the newest is there");
        assert!(cache.find(seq(1), &subscription("events", "*")).is_some(), "what is used stays");
    }
    assert!(cache.find(seq(2), &subscription("events", "*")).is_none());
    cache.limit = 0;
    cache.insert(seq(50), seq(51), entries([50]));
    assert_eq!(cache.pages.len(), 1, "the newest stays, whatever its size");
}

#[test]
fn what_clients_ask_to_see_is_bounded_too() {
    let mut cache = PageCache::new(100_000);
    cache.insert(seq(1), seq(100), entries(1..100));
    cache.insert(seq(100), seq(200), entries(100..200));
    for number in 0..2000 {
        let asked = subscription("events", &format!("{}{number}", "x".repeat(200)));
        assert_eq!(cache.find(seq(1), &asked).unwrap().behind(None), (0, "".into()));
        assert!(cache.view_bytes <= cache.limit / VIEW_SHARE);
        let names: usize = cache.pages.values().map(|c| c.views.by_subscription.len() * 200).sum();
        assert!(cache.view_bytes >= names, "what was asked for counts as well");
    }
    assert_eq!(cache.pages.len(), 2, "and drives out no page");
}

#[test]
fn users_who_see_the_same_share_it() {
    let to = |name| Audience::only([Target::User(user(name))]);
    let everyone = (1..50).map(|number| entry(number, "build"));
    let events = everyone.chain([entry_for(50, "build", to("1")), entry_for(51, "build", to("2"))]);
    let mut cache = PageCache::new(1 << 20);
    cache.insert(seq(1), seq(52), events.collect());
    let find = |cache: &mut PageCache, name: usize| {
        cache.find(seq(48), &joined("*", &[], Some(&name.to_string()))).unwrap().behind(Seq::new(48))
    };
    for (name, expected) in [(1, "49 50 "), (2, "49 51 ")] {
        assert_eq!(find(&mut cache, name), (2, expected.into()));
    }
    for name in 3..200 {
        assert_eq!(find(&mut cache, name), (1, "49 ".into()));
    }
    let cached = cache.pages.values().next().unwrap();
    assert_eq!((cached.views.by_subscription.len(), cached.views.by_events.len()), (199, 3));
}

#[test]
fn what_nobody_uses_is_given_back() {
    let mut cache = PageCache::new(1 << 20);
    cache.insert(seq(1), seq(2), entries([1]));
    cache.insert(seq(2), seq(3), entries([2]));
    cache.age();
    assert_eq!(read(&mut cache, 2), "2 ");
    cache.age();
    assert_eq!((read(&mut cache, 1), read(&mut cache, 2)), (String::new(), "2 ".to_owned()));
    cache.age();
    cache.age();
    assert_eq!((cache.bytes, cache.view_bytes, cache.pages.len(), cache.uses.len()), (0, 0, 0, 0));
}

#[derive(Clone, Debug)]
enum Act {
    Insert(u64, u64),
    Find(u64, bool),
    Age,
}

proptest! {
    /// Whatever is read, evicted and read again: a page shows all there is in its part of the log, once and in order,
    /// and the bounds hold.
    #[test]
    fn a_page_is_always_right(
        acts in proptest::collection::vec(prop_oneof![
            3 => (1..60u64, 1..20u64).prop_map(|(from, count)| Act::Insert(from, count)),
            3 => (1..80u64, any::<bool>()).prop_map(|(from, all)| Act::Find(from, all)),
            1 => Just(Act::Age),
        ], 0..60),
        limit in 0..6000usize,
    ) {
        // A log with holes.
        let there = |number: u64| !number.is_multiple_of(5);
        let mut cache = PageCache::new(limit);
        for act in acts {
            match act {
                Act::Insert(from, count) => {
                    let next = from + count;
                    cache.insert(seq(from), seq(next), entries((from..next).filter(|n| there(*n))));
                }
                Act::Find(from, all) => {
                    let types = if all { "*" } else { "build" };
                    if let Some(view) = cache.find(seq(from), &subscription("events", types)) {
                        let (_, bytes) = view.behind(seq(from).previous());
                        let expected: Vec<_> = (from..view.next().get())
                            .filter(|n| there(*n) && (all || n % 3 != 0))
                            .map(|n| format!("{n} "))
                            .collect();
                        prop_assert_eq!(bytes, expected.concat());
                    }
                }
                Act::Age => cache.age(),
            }
            prop_assert!(cache.bytes <= limit - limit / VIEW_SHARE || cache.pages.len() == 1);
            prop_assert!(cache.view_bytes <= limit / VIEW_SHARE);
            prop_assert_eq!(cache.bytes, cache.pages.values().map(|cached| cached.weight).sum::<usize>());
            prop_assert_eq!(
                cache.view_bytes,
                cache.pages.values().map(|cached| cached.views.weight).sum::<usize>()
            );
            prop_assert_eq!(cache.uses.len(), cache.pages.len());
            let ends = cache.pages.values().map(|cached| cached.page.next);
            prop_assert!(ends.zip(cache.pages.keys().skip(1)).all(|(end, start)| end <= *start));
        }
    }
}
