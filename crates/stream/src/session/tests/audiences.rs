//! Rooms and users against a plain model, a list of events: whatever happens, a client gets what its subscription sees,
//! once and in order, live and on replay, and is told exactly how many of those it missed.

use super::*;
use crate::fanout::properties::audiences;
use crate::fanout::tests::{entry_for, joined};
use fanfare_event::Audience;

#[derive(Clone, Debug)]
enum Act {
    Publish(bool, Audience),
    /// A client who joins as one of the subscriptions, now or behind an event that was published.
    Join(usize, Option<u64>, OnLag),
    Step(usize, usize),
    Leave(usize),
    Forget(usize),
    Overtake(u64),
    Age,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let on_lag = prop_oneof![2 => Just(OnLag::CatchUp), 1 => Just(OnLag::Notice)];
    let act = prop_oneof![
        10 => (any::<bool>(), audiences()).prop_map(|(build, audience)| Act::Publish(build, audience)),
        3 => (0..6usize, proptest::option::of(0..100u64), on_lag)
            .prop_map(|(who, after, on_lag)| Act::Join(who, after, on_lag)),
        6 => (0..20usize, 1..4usize).prop_map(|(client, count)| Act::Step(client, count)),
        1 => (0..20usize).prop_map(Act::Leave),
        1 => (0..6usize).prop_map(Act::Forget),
        1 => (1..4u64).prop_map(Act::Overtake),
        1 => Just(Act::Age),
    ];
    proptest::collection::vec(act, 1..100)
}

fn subscriptions() -> Vec<Subscription> {
    vec![
        joined("*", &[], None),
        joined("*", &["a"], None),
        joined("*", &["a", "b", "c"], Some("a")),
        joined("build", &["b", "c"], Some("b")),
        joined("*", &[], Some("b")),
        joined("build", &[], Some("c")),
    ]
}

/// What it was sent is what it may see of the model's events, less what it was told to have missed.
fn check(client: &mut Client, world: &World, began: u64) -> Result<(), TestCaseError> {
    client.run(world);
    let told = Told::read(&client.received);
    let sees = |entry: &&Entry| entry.seq.get() > began && client.subscription.frame(entry).is_some();
    let visible: Vec<_> = world.published.iter().filter(sees).map(|entry| entry.seq.get()).collect();
    prop_assert!(told.events.is_sorted_by(|a, b| a < b), "{:?}", told.events);
    prop_assert!(told.events.iter().all(|seq| visible.contains(seq)), "{:?} of {visible:?}", told.events);
    let missed = (visible.len() - told.events.len()) as u64;
    if told.gaps == 0 {
        prop_assert_eq!(told.skipped, missed, "{}", client.received);
    } else {
        prop_assert!(told.skipped <= missed, "{}", client.received);
    }
    Ok(())
}

proptest! {
    #[test]
    fn everybody_gets_what_is_for_them_or_is_told(acts in acts(), window in 1..8usize) {
        let mut world = World::new(window);
        let mut clients: Vec<(Client, u64)> = Vec::new();
        let mut next = 1;
        for act in acts {
            match act {
                Act::Publish(build, audience) => {
                    world.tell(entry_for(next, if build { "build" } else { "test" }, audience));
                    // Numbers have holes, as seqs do.
                    next += 2;
                }
                Act::Join(who, after, on_lag) => {
                    let newest = world.fanout.newest().map_or(0, Seq::get);
                    let asked = after.map_or(newest, |share| newest * share / 100);
                    // What is known to be gone is told by the gap with which such a stream begins.
                    let began = asked.max(world.oldest.previous().map_or(0, Seq::get));
                    let subscription = subscriptions().swap_remove(who);
                    let client = world.join(subscription, began, |_, options| {
                        options.on_lag = on_lag;
                        options.buffer = 2;
                    });
                    clients.push((client, began));
                }
                Act::Step(client, count) if !clients.is_empty() => {
                    let all = clients.len();
                    for _ in 0..count {
                        clients[client % all].0.step(&world);
                    }
                }
                Act::Leave(client) if !clients.is_empty() => {
                    let (mut left, began) = clients.swap_remove(client % clients.len());
                    check(&mut left, &world, began)?;
                    world.fanout.leave(left.session.group());
                }
                Act::Step(..) | Act::Leave(_) => {}
                Act::Forget(kept) => {
                    // A log keeps at least what the window does.
                    let first = world.log.len().saturating_sub(kept + window);
                    if let Some(entry) = world.log.get(first) {
                        let oldest = entry.seq.get();
                        world.forget_before(oldest.max(world.oldest.get()));
                    }
                }
                Act::Overtake(count) => {
                    for _ in 0..count {
                        world.published.push(entry_for(next, "build", Audience::Everyone));
                        next += 2;
                    }
                    world.log.clear();
                    world.oldest = seq(next);
                    world.fanout.skip_to(seq(next));
                }
                Act::Age => world.pages.borrow_mut().age(),
            }
        }
        for (client, began) in &mut clients {
            check(client, &world, *began)?;
        }
    }
}
