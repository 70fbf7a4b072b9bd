//! Whatever clients, sockets and publishers do: each client gets what it sees, whole, once and in order.

use super::*;
use proptest::prelude::*;

#[derive(Clone, Debug)]
enum Act {
    Join {
        room: Option<&'static str>,
        resumes: bool,
        is_tight: bool,
    },
    Publish {
        room: Option<&'static str>,
        bytes: usize,
        times: usize,
    },
    /// This client takes so many bytes.
    Read(usize, usize),
    /// This client closes its connection.
    Leave(usize),
    /// This one is ended.
    Kick(usize),
    /// Reads are answered.
    Answer,
    Turn,
}

fn room() -> impl Strategy<Value = Option<&'static str>> {
    prop_oneof![Just(None), Just(Some("a")), Just(Some("b"))]
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => (room(), any::<bool>(), any::<bool>())
            .prop_map(|(room, resumes, is_tight)| Act::Join { room, resumes, is_tight }),
        6 => (room(), prop_oneof![0..50_usize, 0..30_000_usize], prop_oneof![4 => 1..5_usize, 1 => 60..80_usize])
            .prop_map(|(room, bytes, times)| Act::Publish { room, bytes, times }),
        6 => (any::<usize>(), 1..60_000_usize).prop_map(|(which, bytes)| Act::Read(which, bytes)),
        1 => any::<usize>().prop_map(Act::Leave),
        1 => any::<usize>().prop_map(Act::Kick),
        2 => Just(Act::Answer),
        8 => Just(Act::Turn),
    ]
}

/// A client, and behind which event it began.
struct Client {
    peer: Peer,
    after: usize,
}

impl Client {
    /// What it is to get of the log.
    fn expected(&self, world: &World) -> String {
        let entries = world.log.iter().skip(self.after);
        let frames = entries.filter_map(|entry| self.peer.subscription.frame(entry));
        frames.map(|frame| String::from_utf8_lossy(frame).into_owned()).collect()
    }
}

fn run(acts: Vec<Act>) {
    let mut world = World::new(30);
    let (mut clients, mut kicked) = (Vec::<Client>::new(), Vec::<Client>::new());
    for act in acts {
        let count = clients.len().max(1);
        let which = |which: usize| which % count;
        match act {
            Act::Join { room, resumes, is_tight } => {
                let after = if resumes { 0 } else { world.log.len() };
                let send_buffer = is_tight.then_some(4096);
                let peer = world.add(&Wanted { room, after: after as u64, send_buffer, retry: None });
                clients.push(Client { peer, after });
            }
            Act::Publish { room, bytes, times } => {
                for _ in 0..times {
                    let frame = format!("{}{} ", "x".repeat(bytes), world.log.len() + 1);
                    world.publish_frame(&frame, room);
                }
            }
            Act::Read(index, bytes) => {
                if let Some(client) = clients.get_mut(which(index)) {
                    client.peer.read_some(bytes);
                }
            }
            Act::Leave(index) => {
                if !clients.is_empty() {
                    clients.swap_remove(which(index));
                }
            }
            Act::Kick(index) => {
                if clients.get(which(index)).is_some_and(|client| client.peer.record.id.get().is_some()) {
                    let client = clients.swap_remove(which(index));
                    client.peer.record.ending.set(CloseReason::Kicked).unwrap();
                    world.tell(Command::Look(client.peer.place()));
                    kicked.push(client);
                }
            }
            Act::Answer => answer(&world, &clients),
            Act::Turn => world.turn(),
        }
    }
    let expected: Vec<_> = clients.iter().map(|client| client.expected(&world)).collect();
    world.until("what all are to get", |world| {
        answer(world, &clients);
        clients.iter_mut().zip(&expected).all(|(client, expected)| {
            client.peer.read();
            client.peer.raw.len() > expected.len() && client.peer.content().len() == expected.len()
        })
    });
    for (client, expected) in clients.iter().zip(&expected) {
        assert!(client.peer.content() == *expected);
    }
    for client in &mut kicked {
        world.expect_end(&mut client.peer, CloseReason::Kicked);
        assert!(client.expected(&world).starts_with(client.peer.content()));
    }
    drop(clients);
    world.until("the end of all", |world| world.worker.count.load(Ordering::Relaxed) == 0);
    assert!(world.worker.groups.is_empty());
}

fn answer(world: &World, clients: &[Client]) {
    for client in clients.iter().filter(|client| client.peer.record.id.get().is_some()) {
        world.give_pages(&client.peer);
    }
}

proptest! {
    // Each case opens sockets, and waits for what they hold.
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.div_ceil(4), ..ProptestConfig::default() })]

    #[test]
    fn each_gets_what_it_sees_once_and_in_order(acts in proptest::collection::vec(act(), 1..80)) {
        run(acts);
    }
}
