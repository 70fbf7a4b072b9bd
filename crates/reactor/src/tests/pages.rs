//! Streams that are behind, and read the log.

use super::*;

#[test]
fn who_is_behind_asks_for_one_page_after_the_other() {
    let mut world = World::new(8);
    (0..55).for_each(|_| world.publish(None));
    let mut peer = world.add(&Wanted::default());
    let mut asked = Vec::new();
    world.until("all of it", |world| {
        asked.extend(peer.record.reads.lock().unwrap().iter().map(|from| from.get()));
        world.give_pages(&peer);
        peer.read();
        peer.content() == numbers(1..=55)
    });
    assert_eq!(asked, [1, 11, 21, 31, 41]);
    world.publish(None);
    world.expect(&mut peer, &numbers(1..=56));
    assert_eq!(*peer.record.after.lock().unwrap(), Seq::new(56));
}

#[test]
fn while_a_page_is_read_it_is_not_asked_for_again_and_the_stream_is_kept_alive() {
    let mut world = World::new(8);
    (0..20).for_each(|_| world.publish(None));
    let mut peer = world.join(&Wanted::default());
    for times in 1..=2 {
        world.window.pass_time(KEEP_ALIVE);
        world.publish(None);
        world.expect(&mut peer, &": keep-alive\n\n".repeat(times));
    }
    assert_eq!(peer.record.reads.lock().unwrap().len(), 1);
    world.until("all of it", |world| {
        world.give_pages(&peer);
        peer.read();
        peer.content() == ": keep-alive\n\n".repeat(2) + &numbers(1..=22)
    });
}

#[test]
fn what_the_log_says_is_told_and_asked_again() {
    let mut world = World::new(8);
    (0..20).for_each(|_| world.publish(None));
    let mut peer = world.join(&Wanted::default());
    for (found, times) in [(Found::Nothing, 2), (Found::Failed, 3), (Found::Failed, 4)] {
        world.tell(Command::Answer(peer.place(), found));
        world.turn();
        world.window.pass_time(Duration::from_secs(2));
        world.until("another read", |_| peer.record.reads.lock().unwrap().len() == times);
    }
    world.tell(Command::Answer(peer.place(), Found::Trimmed(Seq::new(15).unwrap())));
    world.until("the rest", |_| {
        peer.read();
        peer.content().ends_with(&numbers(15..=20))
    });
    assert!(peer.content().starts_with("event: gap\n"), "{}", peer.content());
}

/// A page is behind what is pending, and goes out when that does.
#[test]
fn a_page_that_comes_to_a_full_socket_waits() {
    let mut world = World::new(8);
    for _ in 0..20 {
        world.publish_bytes(20_000);
    }
    let mut peer = world.add(&Wanted { send_buffer: Some(4096), ..Wanted::default() });
    world.until("a full socket", |world| {
        if peer.record.id.get().is_some() {
            world.give_pages(&peer);
        }
        world.worker.connections.at(0).is_some_and(|connection| connection.flags.is_full)
    });
    let all: String = world
        .log
        .iter()
        .filter_map(|entry| entry.frames.get(Profile::Cdevent))
        .map(|frame| String::from_utf8_lossy(frame).into_owned())
        .collect();
    world.until("all of it", |world| {
        world.give_pages(&peer);
        peer.read();
        peer.content().len() >= all.len()
    });
    assert!(peer.content() == all);
}
