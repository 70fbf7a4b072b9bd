//! Kills, a failing network, and both: the last instance's clients see what the first one has acknowledged, once and in
//! its order.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::str::FromStr;
use std::thread;
use std::time::Instant;

use fanfare_testkit::fault_proxy::Plan;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng as _, SeedableRng as _};

use crate::LONG;
use crate::chain::{Chain, OUT, position};
use crate::follower::{self, Seen, Shown};
use crate::publisher::{self, Acknowledged, KINDS, Published};
use crate::run::Run;

/// Streams of the last instance that are followed: one with the ids of events, one with ids of its own.
const FOLLOWED: [&str; 2] = [OUT, "/sse/envelopes"];

/// What is published behind the last kill or fault.
const REST: u64 = 200;

#[test]
fn kills_lose_and_double_nothing() {
    let (kills, seed) = (kills(), seed());
    check("kills", Chain::start(), seed, |chain, run| kill(chain, run, kills, seed));
}

#[test]
fn a_failing_network_loses_and_doubles_nothing() {
    let seed = seed();
    check("faults", Chain::start_with_proxies(), seed, |chain, _| {
        follow_plans(chain, seed);
        see_every_fault(chain);
        0
    });
}

#[test]
fn kills_in_a_failing_network_lose_and_double_nothing() {
    let (kills, seed) = (kills(), seed());
    check("kills and faults", Chain::start_with_proxies(), seed, |chain, run| {
        follow_plans(chain, seed);
        let kills = kill(chain, run, kills, seed);
        see_every_fault(chain);
        kills
    });
}

fn follow_plans(chain: &Chain, seed: u64) {
    for (proxy, seed) in chain.proxies.iter().zip(seed..) {
        proxy.follow(Plan::new(seed, OUT));
    }
}

fn see_every_fault(chain: &Chain) {
    for proxy in &chain.proxies {
        proxy.wait_for_kinds(Plan::KINDS, LONG).unwrap();
    }
}

/// Kills one instance, or some of them at once, as soon as a random number of events was acknowledged at one end or shown
/// at the other, since it last did so; now and then at once.
fn kill(chain: &mut Chain, run: &Run, kills: usize, seed: u64) -> usize {
    let mut random = StdRng::seed_from_u64(seed + 2000);
    let mut killed = 0;
    while killed < kills {
        let most = *[0, 10, 100, 1000].get(random.random_range(0..4)).unwrap();
        let events = random.random_range(0..=most);
        if random.random_bool(0.5) {
            run.wait_for_acknowledged(events);
        } else {
            run.wait_for_shown(events);
        }
        let mut victims: Vec<_> = (0..chain.len()).collect();
        victims.shuffle(&mut random);
        victims.truncate(if random.random_bool(0.7) { 1 } else { random.random_range(2..=chain.len()) });
        run.set_is_down(true);
        chain.kill_and_restart(&victims);
        run.set_is_down(false);
        killed += victims.len();
    }
    killed
}

/// Publishes and follows while this harm is done, which says how often it has killed.
fn check(name: &str, mut chain: Chain, seed: u64, harm: impl FnOnce(&mut Chain, &Run) -> usize) {
    let start = Instant::now();
    let run = Run::new(chain.first(), chain.last());
    let origin = position(run.first, OUT);
    let origins = FOLLOWED.map(|target| position(run.last, target));
    let (kills, published, all_seen) = thread::scope(|scope| {
        let run = &run;
        let publishing = run.publishing();
        let followers: Vec<_> = (FOLLOWED.iter().zip(&origins).zip(seed..))
            .map(|((target, origin), seed)| {
                let (origin, random) = (origin.clone(), StdRng::seed_from_u64(seed));
                let shown = move || {
                    if *target == OUT {
                        run.shown();
                    }
                };
                scope.spawn(move || follower::follow(run, target, origin, random, shown))
            })
            .collect();
        let publishers: Vec<_> = (KINDS.into_iter().zip(seed + 1000..))
            .map(|(kind, seed)| {
                scope.spawn(move || publisher::publish(run, kind, StdRng::seed_from_u64(seed)))
            })
            .collect();
        let kills = harm(&mut chain, run);
        for proxy in &chain.proxies {
            proxy.calm();
        }
        run.wait_for_acknowledged(REST);
        drop(publishing);
        let published: Vec<_> = publishers.into_iter().map(|thread| thread.join().unwrap()).collect();
        publisher::publish_end(run);
        let all_seen: Vec<_> = followers.into_iter().map(|thread| thread.join().unwrap()).collect();
        (kills, published, all_seen)
    });

    let expected = in_order(&published);
    for (target, seen) in FOLLOWED.iter().zip(&all_seen) {
        compare(target, &seen.events, &expected);
    }
    // Whoever comes late, and after yet another kill, gets the same from the files alone, byte for byte.
    chain.kill_and_restart(&[2, 0]);
    let (at_first, at_last) = (read_all(run.first, &origin), read_all(run.last, &origins[0]));
    compare("the first, late", &at_first, &expected);
    compare("the last, late", &at_last, &expected);
    assert!(at_first == at_last, "a body has changed on its way");
    let faults: usize = chain.proxies.iter().map(|proxy| proxy.struck().len()).sum();
    report(&format!("{name}: {kills} kills, {faults} faults, seed {seed}"), &published, &all_seen, start);
}

fn read_all(addr: SocketAddr, position: &str) -> Vec<Shown> {
    follower::read_all(addr, OUT, position)
}

/// Everything that was acknowledged, in the order of the first instance's log, which is that of each publisher.
fn in_order(published: &[Published]) -> Vec<Acknowledged> {
    for published in published {
        assert!(published.events.is_sorted_by(|a, b| a.seq < b.seq));
    }
    let mut all: Vec<_> = published.iter().flat_map(|published| published.events.clone()).collect();
    all.sort_by_key(|event| event.seq);
    all
}

#[track_caller]
fn compare(name: &str, shown: &[Shown], expected: &[Acknowledged]) {
    for (index, (shown, expected)) in shown.iter().zip(expected).enumerate() {
        let (shown, expected) = ((&shown.id, &shown.mark), (&expected.id, &expected.mark));
        assert_eq!(shown, expected, "{name}: event {index}");
    }
    assert_eq!(shown.len(), expected.len(), "{name}: events");
}

fn report(what: &str, published: &[Published], all_seen: &[Seen], start: Instant) {
    let sum = |count: fn(&Published) -> usize| published.iter().map(count).sum::<usize>();
    let resumed: usize = all_seen.iter().map(|seen| seen.resumed).sum();
    let mut out = io::stdout();
    writeln!(
        out,
        "chain, {what}, {:.1} s: {} events acknowledged, {} requests sent again ({} events were known); {} followers of the \
         last instance resumed {resumed} times: lost 0, doubled 0, out of order 0",
        start.elapsed().as_secs_f64(),
        sum(|published| published.events.len()),
        sum(|published| published.sent_again),
        sum(|published| published.known),
        all_seen.len(),
    )
    .unwrap();
}

fn kills() -> usize {
    variable("FANFARE_CHAIN_KILLS", 16)
}

fn seed() -> u64 {
    variable("FANFARE_CHAIN_SEED", 7)
}

fn variable<T: FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text.parse().ok().unwrap_or_else(|| panic!("{name} is not a number: {text}")),
        Err(_) => default,
    }
}
