//! Who gets what, and what that costs.

use super::*;

#[test]
fn an_event_costs_one_look_and_a_write_for_each() {
    let mut world = World::new(100);
    let mut peers: Vec<_> = (0..50).map(|_| world.join(&Wanted::default())).collect();
    for number in 1..=3 {
        world.publish(None);
        let before = world.window.looks.load(Ordering::Relaxed);
        world.until("the event", |_| {
            peers.iter_mut().all(|peer| peer.read() && peer.content() == numbers(1..=number))
        });
        assert_eq!(world.window.looks.load(Ordering::Relaxed) - before, 1);
    }
    for peer in &peers {
        assert_eq!(*peer.record.after.lock().unwrap(), Seq::new(3));
    }
}

#[test]
fn a_burst_goes_out_in_one_write_for_each() {
    let mut world = World::new(100);
    let mut peers: Vec<_> = (0..10).map(|_| world.join(&Wanted::default())).collect();
    (0..20).for_each(|_| world.publish(None));
    world.worker.take_mail();
    let group = world.worker.news.pop_front().unwrap();
    world.worker.budget = 10;
    world.worker.pass(group);
    assert_eq!(world.worker.budget, 0);
    for peer in &mut peers {
        world.expect(peer, &numbers(1..=20));
    }
}

#[test]
fn more_than_a_write_may_have_comes_in_several() {
    let mut world = World::new(1000);
    let mut peers: Vec<_> = (0..10).map(|_| world.join(&Wanted::default())).collect();
    let before = world.window.looks.load(Ordering::Relaxed);
    (0..60).for_each(|_| world.publish(None));
    for peer in &mut peers {
        world.expect(peer, &numbers(1..=60));
    }
    assert_eq!(world.window.looks.load(Ordering::Relaxed) - before, 1);
}

#[test]
fn rooms_see_their_own() {
    let mut world = World::new(100);
    let room = |room| Wanted { room: Some(room), ..Wanted::default() };
    let (mut a, mut b, mut all) =
        (world.join(&room("a")), world.join(&room("b")), world.join(&Wanted::default()));
    for room in [Some("a"), Some("b"), None, Some("b"), Some("a")] {
        world.publish(room);
    }
    world.expect(&mut a, &numbers([1, 3, 5]));
    world.expect(&mut b, &numbers([2, 3, 4]));
    world.expect(&mut all, &numbers([3]));
}
