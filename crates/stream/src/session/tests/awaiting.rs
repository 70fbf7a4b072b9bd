//! What happens to the window and the log while a session awaits the page that it asked for.

use super::*;

/// A client that was in the window, and asks for a page of it because it is far behind.
fn awaits(world: &mut World) -> Client {
    let mut client = world.connect("*", 0, |_, options| options.buffer = 1000);
    client.run(world);
    world.publish(1..=70);
    let step = client.session.poll(world.now, &world.fanout);
    assert_eq!(step, Step::Read { from: seq(1), in_turn: false, until: KEEP_ALIVE });
    client
}

#[test]
fn what_retention_takes_meanwhile_is_told() {
    let mut world = World::new(100);
    let mut client = awaits(&mut world);
    world.publish(71..=200);
    client.session.trimmed(seq(150));
    let told = format!("event: error\ndata: lagged: 149 messages skipped\n\n{}", numbers(150..=200));
    assert_eq!(client.take(&world), told);
}

#[test]
fn a_page_that_is_ahead_of_a_tail_that_is_overtaken_counts_for_nothing() {
    let mut world = World::new(100);
    let mut client = awaits(&mut world);
    let entries = (1..=80).map(|number| entry(number, "build")).collect();
    let mut pages = PageCache::new(usize::MAX);
    pages.insert(seq(1), seq(81), entries);
    let sent = client.session.page(world.now, &pages.find(seq(1), &client.subscription).unwrap());
    assert_eq!(sent, Some(numbers(1..=80).into()));
    world.fanout.skip_to(seq(81));
    assert_eq!(client.take(&world), "");
    world.publish(81..=82);
    assert_eq!(client.take(&world), "81 82 ");
}
