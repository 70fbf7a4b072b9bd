//! Nothing that was acknowledged is lost, nothing is shown twice, and order is kept, while the server is killed again
//! and again (SIGKILL) at moments that nobody chose. Real binary, real sockets, the same files all along.
//!
//! `FANFARE_CRASH_KILLS` says how often, `FANFARE_CRASH_SEED` with which seed. What a killed process wrote outlives it,
//! so that it was on the disk in time is not shown here but in `durability`.

#![cfg(all(feature = "sink_sse", feature = "source_webhook"))]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod follower;
mod publisher;
mod run;

use std::io::{self, Write as _};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use fanfare_testkit::Server;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use follower::{Follower, Seen};
use publisher::Published;
use run::Run;

/// For what must happen; far more than it takes.
const LONG: Duration = Duration::from_mins(1);

const PUBLISHERS: usize = 3;

/// A window and a buffer that are soon left, so that much is read from the files.
const CONFIG: &str = r#"
[log]
type = "sqlite"
path = "events.db"
durability = "full"
[log.window]
events = 64

[sources.in.extractor]
type = "webhook"
id = "in"

[sinks.facts]
type = "sse"
id = "facts"
buffer = 32

[sinks.even]
type = "sse"
id = "even"
match = ["crash.even", "end"]

[sinks.envelopes]
type = "sse"
id = "envelopes"
profile = "envelope"
"#;

const FOLLOWERS: [Follower; 5] = [
    Follower::new("facts", "/sse/facts"),
    Follower { is_slow: true, ..Follower::new("facts, slow", "/sse/facts") },
    Follower { sees_even_only: true, ..Follower::new("facts, even ones", "/sse/even") },
    Follower::new("envelopes", "/sse/envelopes"),
    Follower {
        sees_even_only: true,
        is_slow: true,
        ..Follower::new("envelopes, even ones, slow", "/sse/envelopes?event_type=crash.even&event_type=end")
    },
];

#[test]
fn no_acknowledged_event_is_lost_or_doubled_by_kills() {
    let kills: u64 = variable("FANFARE_CRASH_KILLS", 8);
    let seed: u64 = variable("FANFARE_CRASH_SEED", 4);
    let start = Instant::now();
    let mut server = Server::builder(env!("CARGO_BIN_EXE_fanfare")).config(CONFIG).start().unwrap();
    let run = Run::new(server.addr());
    let origin = run.position("/sse/envelopes");

    let (published, all_seen) = thread::scope(|scope| {
        let run = &run;
        let followers: Vec<_> = FOLLOWERS
            .iter()
            .zip(seed..)
            .map(|(follower, seed)| {
                let origin = origin.clone();
                scope.spawn(move || follower.follow(run, origin, StdRng::seed_from_u64(seed)))
            })
            .collect();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .zip(seed + 1000..)
            .map(|(publisher, seed)| {
                scope.spawn(move || publisher::publish(run, publisher, StdRng::seed_from_u64(seed)))
            })
            .collect();
        kill_and_restart(&mut server, run, kills, StdRng::seed_from_u64(seed + 2000));
        run.stop_publishing();
        let published: Vec<_> = publishers.into_iter().map(|thread| thread.join().unwrap()).collect();
        publisher::publish_end(run);
        let all_seen: Vec<_> = followers.into_iter().map(|thread| thread.join().unwrap()).collect();
        (published, all_seen)
    });

    // Whoever comes late, and after yet another kill, gets the same from the files alone.
    server.restart().unwrap();
    let late = FOLLOWERS.map(|follower| follower.read_all(&run, &origin));
    for (follower, seen) in FOLLOWERS.iter().zip(&all_seen).chain(FOLLOWERS.iter().zip(&late)) {
        check(follower, seen, &published);
    }
    report(kills, seed, &published, &all_seen, start.elapsed());
}

/// Kills the server as soon as a random number of publications was acknowledged, or of events shown, since it
/// was last started; now and then at once.
fn kill_and_restart(server: &mut Server, run: &Run, kills: u64, mut random: StdRng) {
    for _ in 0..kills {
        let most = *[0, 10, 100, 600].get(random.random_range(0..4)).unwrap();
        let steps = random.random_range(0..=most);
        if random.random_bool(0.5) {
            run.wait_for_acknowledgements(steps);
        } else {
            run.wait_for_events_shown(steps);
        }
        run.going_down();
        server.restart().unwrap();
        run.is_up();
    }
    run.wait_for_acknowledgements(200);
}

/// `published` has, for each publisher, where the log put its events, in the order in which it published them.
#[track_caller]
fn check(follower: &Follower, seen: &Seen, published: &[Published]) {
    let name = follower.name;
    let mut newest = 0;
    let mut next = vec![0; published.len()];
    for (publisher, number, shown_seq) in &seen.events {
        let expected = next.get_mut(*publisher).unwrap();
        assert_eq!(number, expected, "{name}: of publisher {publisher}, the other one was expected");
        *expected += follower.step();
        let seqs = &published.get(*publisher).unwrap().seqs;
        let seq = *seqs.get(*number).unwrap_or_else(|| panic!("{name}: {publisher}-{number} was never sent"));
        assert!(seq > newest, "{name}: {publisher}-{number} lies at {seq}, before {newest}");
        assert!(shown_seq.is_none_or(|shown| shown == seq), "{name}: {shown_seq:?} is shown for {seq}");
        newest = seq;
    }
    for (publisher, (next, published)) in next.iter().zip(published).enumerate() {
        let sent = published.seqs.len();
        assert!(*next >= sent, "{name}: of publisher {publisher}, {next} and later of {sent} are lost");
    }
}

fn report(kills: u64, seed: u64, published: &[Published], all_seen: &[Seen], time: Duration) {
    let events: usize = published.iter().map(|published| published.seqs.len()).sum();
    let shown: usize = all_seen.iter().map(|seen| seen.events.len()).sum();
    let sum = |count: fn(&Published) -> usize| published.iter().map(count).sum::<usize>();
    let (again, known) = (sum(|published| published.sent_again), sum(|published| published.known));
    let resumed: usize = all_seen.iter().map(|seen| seen.resumed).sum();
    let mut out = io::stdout();
    writeln!(
        out,
        "crash: {kills} kills (seed {seed}, {:.1} s), {events} events acknowledged to {} publishers, {again} requests \
         sent again ({known} events were known); {} followers resumed {resumed} times and saw {shown} events: lost 0, \
         doubled 0, out of order 0",
        time.as_secs_f64(),
        published.len(),
        all_seen.len(),
    )
    .unwrap();
}

fn variable<T: FromStr>(name: &str, default: T) -> T {
    match std::env::var(name) {
        Ok(text) => text.parse().ok().unwrap_or_else(|| panic!("{name} is not a number: {text}")),
        Err(_) => default,
    }
}
