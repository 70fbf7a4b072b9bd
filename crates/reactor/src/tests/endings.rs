//! How connections end, and what their clients get before.

use super::*;

const RETRY: Option<Duration> = Some(Duration::from_millis(2500));

/// What a client that is to come back gets first and last here.
const OPENING: &str = "id: @e1.0\nretry: 2500\n\n";
const FAREWELL: &str = "retry: 2500\n\n";

fn browser() -> Wanted {
    Wanted { retry: RETRY, ..Wanted::default() }
}

/// Fills the socket of a peer that reads nothing. Returns the number of the last event.
fn fill(world: &mut World, peer: &Peer) -> u64 {
    // What the kernel still moves to the peer's side makes room for more, so that full is what has stayed so.
    let mut full_turns = 0;
    while full_turns < 50 {
        if world.worker.connections.get(peer.place()).unwrap().flags.is_full {
            full_turns += 1;
        } else {
            full_turns = 0;
            world.publish_bytes(64 * 1024);
        }
        world.turn();
    }
    world.log.len() as u64
}

#[test]
fn who_goes_is_noticed_however_it_goes() {
    type Leave = fn(Peer) -> Option<TcpStream>;
    let ways: [Leave; 3] = [
        |peer| {
            drop(peer.socket);
            None
        },
        |peer| {
            peer.socket.shutdown(std::net::Shutdown::Write).unwrap();
            Some(peer.socket)
        },
        |peer| {
            socket2::SockRef::from(&peer.socket).set_linger(Some(Duration::ZERO)).unwrap();
            None
        },
    ];
    for leave in ways {
        let mut world = World::new(100);
        let (peer, mut other) = (world.join(&Wanted::default()), world.join(&Wanted::default()));
        let record = Arc::clone(&peer.record);
        let _half = leave(peer);
        world.until("the end", |_| record.ended.lock().unwrap().is_some());
        assert_eq!(*record.ended.lock().unwrap(), Some((CloseReason::ClientGone, 0)));
        assert_eq!(world.worker.count.load(Ordering::Relaxed), 1);
        world.publish(None);
        world.expect(&mut other, &numbers([1]));
    }
}

#[test]
fn a_kicked_one_gets_a_farewell() {
    let mut world = World::new(100);
    let (mut peer, mut other) = (world.join(&browser()), world.join(&browser()));
    world.publish(None);
    world.expect(&mut peer, &format!("{OPENING}1 "));
    peer.record.ending.set(CloseReason::Kicked).unwrap();
    world.tell(Command::Look(peer.place()));
    world.expect_end(&mut peer, CloseReason::Kicked);
    assert_eq!((peer.content(), peer.is_cut()), (&*format!("{OPENING}1 {FAREWELL}"), false));
    world.publish(None);
    world.expect(&mut other, &format!("{OPENING}1 2 "));
}

#[test]
fn what_begins_when_all_end_gets_its_head_and_a_farewell() {
    let mut world = World::new(100);
    let mut before = world.join(&browser());
    world.tell(Command::EndAll(CloseReason::Shutdown));
    world.tell(Command::EndAll(CloseReason::LogReset));
    let mut behind = world.add(&browser());
    for (peer, content) in [(&mut before, format!("{OPENING}{FAREWELL}")), (&mut behind, FAREWELL.to_owned())]
    {
        world.expect_end(peer, CloseReason::Shutdown);
        assert_eq!((peer.content(), peer.is_cut()), (&*content, false));
    }
    assert!(world.worker.groups.is_empty());
}

#[test]
fn one_whose_owner_wants_no_more_ends_at_once() {
    let mut world = World::new(100);
    let mut peer = world.add(&Wanted::default());
    peer.record.ending.set(CloseReason::Revoked).unwrap();
    world.expect_end(&mut peer, CloseReason::Revoked);
    assert_eq!((peer.raw.len(), peer.is_cut()), (HEAD.len(), false));
}

#[test]
fn who_takes_nothing_is_stalled_and_who_takes_something_is_not() {
    let mut world = World::new(100);
    let (mut stalled, mut slow) = (world.join(&Wanted::default()), world.join(&Wanted::default()));
    fill(&mut world, &stalled);
    fill(&mut world, &slow);
    for _ in 0..3 {
        world.window.pass_time(SEND_TIMEOUT * 2 / 3);
        // Who reads a little makes no room yet that the kernel would tell of.
        world.until("room", |world| {
            slow.read();
            let connection = world.worker.connections.get(slow.place()).unwrap();
            connection.pending.as_ref().is_none_or(|pending| {
                let (deadline, _) = pending.deadline(SEND_TIMEOUT);
                deadline >= world.worker.now + SEND_TIMEOUT
            })
        });
        fill(&mut world, &slow);
    }
    world.until("the end", |_| stalled.ended().is_some());
    world.expect_end(&mut stalled, CloseReason::Stalled);
    assert_eq!(slow.ended(), None);
}

#[test]
fn a_full_one_has_a_second_to_take_what_has_begun_and_the_farewell() {
    for takes in [true, false] {
        let mut world = World::new(100);
        let mut peer = world.join(&browser());
        let newest = fill(&mut world, &peer);
        world.publish(None);
        peer.record.ending.set(CloseReason::Kicked).unwrap();
        world.tell(Command::Look(peer.place()));
        world.turn();
        assert_eq!(peer.ended(), None);
        if takes {
            world.expect_end(&mut peer, CloseReason::Kicked);
            assert!(peer.content().ends_with(FAREWELL) && !peer.is_cut());
            assert!(!peer.content().contains(&numbers([newest + 1])), "what had not begun is not sent");
        } else {
            world.window.pass_time(Duration::from_secs(2));
            world.until("the end", |_| peer.ended().is_some());
            world.expect_end(&mut peer, CloseReason::Kicked);
            assert!(peer.is_cut());
        }
    }
}

#[test]
fn one_that_is_cut_ends_whatever_it_waits_for() {
    let mut world = World::new(100);
    let peer = world.join(&browser());
    fill(&mut world, &peer);
    let place = peer.place();
    world.tell(Command::Cut(place));
    // It is gone: nothing of this means anybody.
    world.tell(Command::Cut(place));
    world.tell(Command::Look(place));
    world.tell(Command::Answer(place, Found::Nothing));
    world.turn();
    assert_eq!(peer.ended(), Some(CloseReason::ClientGone));
}

#[test]
fn what_a_client_sends_means_nothing_unless_it_is_too_much() {
    let mut world = World::new(100);
    let mut peer = world.join(&Wanted::default());
    peer.send(&vec![b'x'; 60_000]);
    world.publish(None);
    world.expect(&mut peer, &numbers([1]));
    world.until("the garbage", |world| {
        world.worker.connections.get(peer.place()).unwrap().garbage() == 60_000
    });
    peer.send(&[b'x'; 6_000]);
    world.expect_end(&mut peer, CloseReason::ClientGone);
}

#[test]
fn a_silent_stream_is_kept_alive() {
    let mut world = World::new(100);
    let mut peer = world.join(&Wanted::default());
    for times in 1..=3 {
        world.window.pass_time(KEEP_ALIVE);
        world.expect(&mut peer, &": keep-alive\n\n".repeat(times));
    }
    // An event puts it off.
    world.window.pass_time(KEEP_ALIVE / 2);
    world.publish(None);
    let sent = format!("{}1 ", ": keep-alive\n\n".repeat(3));
    world.expect(&mut peer, &sent);
    world.window.pass_time(KEEP_ALIVE * 2 / 3);
    (0..10).for_each(|_| world.turn());
    world.expect(&mut peer, &sent);
    world.window.pass_time(KEEP_ALIVE);
    world.expect(&mut peer, &format!("{sent}: keep-alive\n\n"));
}
