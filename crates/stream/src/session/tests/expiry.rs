//! Streams that end with their tokens.

use super::*;

const TIME: &str = "2026-11-21T15:00:00Z";
const TOLD: &str = "event: expiring\ndata: the token expires at 2026-11-21T15:00:00Z\n\n";

fn expires(at: u64) -> Expiry {
    Expiry { at: Duration::from_secs(at), time: TIME.parse().unwrap() }
}

impl World {
    fn at(&mut self, seconds: u64) -> &mut Self {
        self.now = Duration::from_secs(seconds);
        self
    }
}

#[test]
fn a_client_is_told_in_time_and_its_stream_ends_with_its_token() {
    let mut world = World::new(10);
    let mut client = world.connect("*", 0, |_, options| {
        options.keep_alive = Duration::from_hours(1);
        options.retry = Some(Duration::from_secs(1));
        options.expires = Some(expires(100));
    });
    assert_eq!(client.take(&world), "id: @e.0\nretry: 1000\n\n");
    assert_eq!(client.run(&world), Step::Wait { until: Duration::from_secs(70) });
    assert_eq!(client.take(world.at(69)), "");
    assert_eq!(client.take(world.at(70)), TOLD);
    world.publish(1..=2);
    assert_eq!(client.take(world.at(99)), "1 2 ", "it is told once, and goes on meanwhile");
    assert_eq!(client.run(&world), Step::Wait { until: Duration::from_secs(100) });
    world.publish(3..=4);
    assert_eq!(client.run(world.at(100)), Step::Close(CloseReason::TokenExpired));
    assert_eq!(client.received, "", "what comes with the end is no longer this client's");
    assert_eq!(client.session.farewell().as_deref(), Some(&b"retry: 1000\n\n"[..]));
}

#[test]
fn a_client_whose_token_has_little_left_is_told_at_once() {
    let check = |at: u64, expected: &str, step: Step| {
        let mut world = World::new(10);
        world.at(5);
        let mut client = world.connect("*", 0, |start, options| {
            start.gap = Some(Gap::Unknown);
            options.expires = Some(expires(at));
        });
        assert_eq!(client.run(&world), step, "{at}");
        let told = client.received.split_once("event: gap").map_or("", |(_, told)| told);
        assert!(told.ends_with(expected), "{at}: {told}");
    };
    let wait = |at| Step::Wait { until: Duration::from_secs(at) };
    check(36, "\n\n", wait(6));
    check(35, TOLD, wait(35));
    check(6, TOLD, wait(6));
    check(5, "", Step::Close(CloseReason::TokenExpired));
    check(0, "", Step::Close(CloseReason::TokenExpired));
}

#[test]
fn a_client_that_catches_up_is_told_and_ended_too() {
    let mut world = World::new(2);
    world.publish(1..=20);
    let mut client = world.connect("*", 0, |_, options| options.expires = Some(expires(40)));
    let poll =
        |client: &mut Client, seconds| client.session.poll(Duration::from_secs(seconds), &world.fanout);
    let read = |until| Step::Read { from: seq(1), in_turn: true, until: Duration::from_secs(until) };
    assert_eq!(poll(&mut client, 0), read(10));
    assert_eq!(poll(&mut client, 10), Step::Write(TOLD.to_owned().into()));
    assert_eq!(poll(&mut client, 11), read(40), "before the next keep-alive");
    client.session.log_failed(Duration::from_millis(39_900));
    assert_eq!(poll(&mut client, 39), Step::Wait { until: Duration::from_secs(40) });
    assert_eq!(poll(&mut client, 40), Step::Close(CloseReason::TokenExpired));
}
