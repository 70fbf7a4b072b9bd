use proptest::prelude::*;

use super::*;
use fanfare_event::{NamePatterns, Profile};

fn registry() -> Registry {
    Registry::new(12_345, None)
}

fn open(
    registry: &Registry,
    sink: &str,
    user: Option<&str>,
    rooms: &[&str],
    end: Option<Moment>,
) -> Arc<OpenStream> {
    let subscription = Subscription {
        sink: SinkName::new(sink),
        types: NamePatterns::any(),
        profile: Profile::Message,
        rooms: rooms.iter().map(|room| RoomName::new(room).unwrap()).collect(),
        user: user.map(|user| UserId::new(user).unwrap()),
    };
    let opened = "2026-11-21T15:00:00Z".parse().unwrap();
    let validity = Validity { opened, at: Moment::ZERO, expires: None };
    let peer = "127.0.0.1:1".parse().unwrap();
    registry.open(subscription.into(), peer, validity, end, Driver::task(None))
}

fn selection(sink: Option<&str>, user: Option<&str>, room: Option<&str>) -> Selection {
    Selection {
        connection: None,
        sink: sink.map(SinkName::new),
        user: user.map(|user| UserId::new(user).unwrap()),
        room: room.map(|room| RoomName::new(room).unwrap()),
    }
}

#[test]
fn an_id_names_one_stream_of_one_life() {
    let registry = registry();
    let streams: Vec<_> = (0..40).map(|_| open(&registry, "s", None, &[], None)).collect();
    let find = |id: &str| {
        let selection = Selection { connection: Some(id.to_owned()), ..Selection::default() };
        registry.find(&selection, 10).0.iter().map(|stream| stream.number).collect::<Vec<_>>()
    };
    for stream in &streams {
        assert_eq!(find(&registry.id(stream)), [stream.number]);
    }
    assert_eq!(registry.id(&streams[34]), "c1p-13");
    for other in
        ["", "13", "-13", "c1p-", "c1p-013", "c1p-+13", "c1p-1V", "c1p--1", "c1p-zz", "d1p-13", "c1p-13 "]
    {
        assert_eq!(find(other), [0; 0], "{other}");
    }
    let both =
        Selection { connection: Some(registry.id(&streams[0])), ..selection(Some("other"), None, None) };
    assert_eq!(registry.find(&both, 10).1, 0, "all that is given must hold");
}

#[test]
fn the_first_reason_holds_and_a_stream_is_cut_once() {
    let registry = registry();
    let second = Duration::from_secs(1);
    let token = open(&registry, "s", Some("a"), &[], Some(second * 100));
    let kicked = open(&registry, "s", Some("b"), &[], Some(second * 100));
    let due = |now: Moment| registry.due(now).iter().map(|stream| stream.number).collect::<Vec<_>>();
    assert_eq!(due(second * 100), [0; 0]);
    assert_eq!(registry.end(&selection(None, Some("b"), None), CloseReason::Kicked, second * 50), 1);
    assert_eq!(registry.end(&selection(None, Some("b"), None), CloseReason::Revoked, second * 60), 1);
    assert_eq!(kicked.ending(), Some(CloseReason::Kicked));
    assert_eq!(due(second * 50), [0; 0]);
    assert_eq!(due(second * 50 + GRACE), [kicked.number]);
    assert_eq!(due(second * 100 + GRACE), [token.number]);
    assert_eq!(token.ending(), None);
    assert_eq!(due(Moment::MAX), [0; 0]);
    registry.close(&token);
    registry.close(&kicked);
    assert!(registry.lock().all.is_empty());
}

const NAMES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
enum Act {
    Open { sink: usize, user: Option<usize>, rooms: [bool; 3], end: Option<u64> },
    Close(prop::sample::Index),
    End { sink: Option<usize>, user: Option<usize>, room: Option<usize> },
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let name = || 0..NAMES.len();
    let maybe = || prop::option::of(0..NAMES.len());
    let open = (name(), maybe(), any::<[bool; 3]>(), prop::option::of(0..60_u64))
        .prop_map(|(sink, user, rooms, end)| Act::Open { sink, user, rooms, end });
    let act = prop_oneof![
        5 => open,
        2 => any::<prop::sample::Index>().prop_map(Act::Close),
        1 => (maybe(), maybe(), maybe()).prop_map(|(sink, user, room)| Act::End { sink, user, room }),
        2 => (1..20_u64).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 1..60)
}

/// What a walk over all streams would find.
struct Known {
    stream: Arc<OpenStream>,
    sink: usize,
    user: Option<usize>,
    rooms: [bool; 3],
    cut_at: Option<Moment>,
}

proptest! {
    /// However streams come, go and are ended, every selection finds those that a walk over all of them finds, each is cut
    /// when it must be, and nothing is left of those that are gone.
    #[test]
    fn every_selection_finds_what_a_walk_finds(acts in acts()) {
        let registry = registry();
        let mut known: Vec<Known> = Vec::new();
        let mut now = Moment::ZERO;
        for act in acts {
            match act {
                Act::Open { sink, user, rooms, end } => {
                    let named: Vec<_> = NAMES.into_iter().zip(rooms).filter_map(|(room, is_in)| is_in.then_some(room)).collect();
                    let end = end.map(|after| now + Duration::from_secs(after));
                    let stream = open(&registry, NAMES[sink], user.map(|user| NAMES[user]), &named, end);
                    known.push(Known { stream, sink, user, rooms, cut_at: end.map(|end| end + GRACE) });
                }
                Act::Close(index) => {
                    if !known.is_empty() {
                        registry.close(&known.remove(index.index(known.len())).stream);
                    }
                }
                Act::End { sink, user, room } => {
                    let is_meant = |known: &&mut Known| {
                        sink.is_none_or(|sink| known.sink == sink)
                            && user.is_none_or(|user| known.user == Some(user))
                            && room.is_none_or(|room| known.rooms[room])
                    };
                    let name = |index: Option<usize>| index.map(|index| NAMES[index]);
                    let selection = selection(name(sink), name(user), name(room));
                    let (found, total) = registry.find(&selection, 2);
                    let ended = registry.end(&selection, CloseReason::Kicked, now);
                    let meant: Vec<_> = known.iter_mut().filter(is_meant).collect();
                    prop_assert_eq!((total, ended), (meant.len(), meant.len()));
                    let numbers = |streams: &mut dyn Iterator<Item = &Arc<OpenStream>>| {
                        streams.map(|stream| stream.number).take(2).collect::<Vec<_>>()
                    };
                    prop_assert_eq!(numbers(&mut found.iter()), numbers(&mut meant.iter().map(|known| &known.stream)));
                    for known in meant {
                        let at = now + GRACE;
                        known.cut_at = Some(known.cut_at.map_or(at, |before| before.min(at)));
                        prop_assert_eq!(known.stream.ending(), Some(CloseReason::Kicked));
                    }
                }
                Act::Wait(seconds) => {
                    now += Duration::from_secs(seconds);
                    let mut due: Vec<_> = registry.due(now).iter().map(|stream| stream.number).collect();
                    due.sort_unstable();
                    let is_due = |known: &&mut Known| known.cut_at.is_some_and(|at| at <= now);
                    let expected: Vec<_> = known.iter_mut().filter(is_due).map(|known| {
                        known.cut_at = None;
                        known.stream.number
                    }).collect();
                    prop_assert_eq!(due, expected);
                }
            }
        }
        for known in known {
            registry.close(&known.stream);
        }
        let left = registry.lock();
        let Streams { last: _, all, of_user, of_room, cuts, cut_at } = &*left;
        prop_assert_eq!((all.len(), of_user.len(), of_room.len(), cuts.len(), cut_at.len()), (0, 0, 0, 0, 0));
    }
}
