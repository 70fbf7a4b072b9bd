//! What happens while the members of a group are served.

use super::*;

impl World {
    /// Serves the group that has news, with a budget of so many writes. Returns how many it took.
    fn pass(&mut self, budget: usize) -> usize {
        self.worker.take_mail();
        let group = self.worker.news.pop_front().unwrap();
        self.worker.budget = budget;
        self.worker.pass(group);
        budget - self.worker.budget
    }

    /// Lets this happen when the cursor of a peer moves.
    fn meanwhile(&self, peer: &Peer, act: impl FnOnce(&Shared, &Inbox<Mail<Recorder>>) + Send + 'static) {
        let (window, inbox) = (Arc::clone(&self.window), Arc::clone(&self.inbox));
        *peer.record.meanwhile.lock().unwrap() = Some(Box::new(move || act(&window, &inbox)));
    }
}

fn publish(window: &Shared, inbox: &Inbox<Mail<Recorder>>, number: u64) {
    let groups = window.push(entry(number, &format!("{number} "), None));
    let _ = inbox.leave(|mail| groups.into_iter().for_each(|group| mail.put_group(group)));
}

#[test]
fn what_is_published_meanwhile_goes_out_with_it() {
    let mut world = World::new(100);
    let mut peers: Vec<_> = (0..10).map(|_| world.join(&Wanted::default())).collect();
    world.meanwhile(&peers[0], |window, inbox| {
        publish(window, inbox, 2);
        publish(window, inbox, 3);
    });
    world.publish(None);
    // The first has its event before there are others; it gets those when the others have theirs.
    assert_eq!(world.pass(100), 11);
    for peer in &mut peers {
        world.expect(peer, &numbers(1..=3));
    }
}

#[test]
fn those_come_first_in_the_next_turn_that_were_left_out_in_this_one() {
    let mut world = World::new(100);
    let mut peers: Vec<_> = (0..10).map(|_| world.join(&Wanted::default())).collect();
    world.publish(None);
    assert_eq!(world.pass(4), 4);
    world.publish(None);
    assert_eq!(world.pass(6), 6);
    for (index, peer) in peers.iter_mut().enumerate() {
        peer.expect(if index < 4 { 1 } else { 2 });
    }
    for peer in &mut peers {
        world.expect(peer, &numbers(1..=2));
    }
}

#[test]
fn who_goes_in_the_middle_changes_nothing_for_others() {
    for (cutting, cut) in [(0, 0), (0, 3), (3, 0), (2, 7), (7, 2), (9, 8), (4, 5), (9, 9), (0, 9)] {
        let mut world = World::new(100);
        let mut peers: Vec<_> = (0..10).map(|_| world.join(&Wanted::default())).collect();
        let place = peers[cut].place();
        world.meanwhile(&peers[cutting], move |_, inbox| {
            let _ = inbox.leave(|mail| mail.commands.push(Command::Cut(place)));
        });
        world.publish(None);
        let gone = usize::from(cut > cutting);
        assert_eq!(world.pass(100), 10 - gone, "{cut} is cut by {cutting}");
        world.until("the cut", |_| peers[cut].ended().is_some());
        for (_, peer) in peers.iter_mut().enumerate().filter(|(index, _)| *index != cut) {
            world.expect(peer, &numbers([1]));
        }
    }
}

#[test]
fn who_comes_in_the_middle_gets_it_once() {
    let mut world = World::new(100);
    let mut peers: Vec<_> = (0..3).map(|_| world.join(&Wanted::default())).collect();
    world.publish(None);
    assert_eq!(world.pass(1), 1);
    peers.push(world.add(&Wanted::default()));
    peers.push(world.add(&Wanted { after: 1, ..Wanted::default() }));
    world.publish(None);
    for peer in &mut peers[..4] {
        world.expect(peer, &numbers(1..=2));
    }
    world.expect(&mut peers[4], &numbers([2]));
}

/// Its id is another's then, who must see nothing of what was meant for it.
#[test]
fn a_group_that_goes_in_the_middle_leaves_nothing_to_the_next() {
    let mut world = World::new(100);
    let room = |room| Wanted { room: Some(room), ..Wanted::default() };
    let first = world.join(&room("a"));
    let second = world.join(&room("a"));
    let group = world.worker.connections.get(first.place()).unwrap().session.group();
    world.publish(Some("a"));
    assert_eq!(world.pass(1), 1);
    for peer in [&first, &second] {
        world.tell(Command::Cut(peer.place()));
    }
    world.turn();
    let mut other = world.join(&room("b"));
    assert_eq!(world.worker.connections.get(other.place()).unwrap().session.group(), group);
    world.publish(Some("b"));
    world.expect(&mut other, &numbers([2]));
}

#[test]
fn new_ones_and_the_silent_are_not_held_up_by_a_large_group() {
    let mut world = World::new(100);
    let _peers: Vec<_> = (0..300).map(|_| world.join(&Wanted::default())).collect();
    world.publish(None);
    let new = world.add(&Wanted { room: Some("a"), ..Wanted::default() });
    world.turn();
    assert!(new.record.id.get().is_some(), "it is taken on");
    assert!(!world.worker.connections.get(new.place()).unwrap().flags.is_new, "and answered");
    assert!(!world.worker.news.is_empty(), "before the group is done");
}

#[test]
fn many_that_end_at_once_hold_up_nobody() {
    let ways: [fn(&mut World, Peer) -> Option<Peer>; 3] = [
        |world, peer| {
            // As if epoll had told of all of them.
            world.worker.connections.get(peer.place()).unwrap().flags.has_input = true;
            world.worker.queue(peer.place().index);
            None
        },
        |world, peer| {
            peer.record.ending.set(CloseReason::Kicked).unwrap();
            world.tell(Command::Look(peer.place()));
            Some(peer)
        },
        |world, peer| {
            world.tell(Command::Cut(peer.place()));
            Some(peer)
        },
    ];
    for end in ways {
        let mut world = World::new(100);
        let peers: Vec<_> = (0..300).map(|_| world.join(&Wanted::default())).collect();
        let _open: Vec<_> = peers.into_iter().filter_map(|peer| end(&mut world, peer)).collect();
        world.turn();
        assert!(world.worker.connections.taken().len() >= 300 - 64, "they end in turns");
        world.until("the end of all", |world| world.worker.connections.taken().is_empty());
    }
}
