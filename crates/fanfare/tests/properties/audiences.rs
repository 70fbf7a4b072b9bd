//! Nobody replays what they could not have seen live: whatever is published, a client gets what is for it, once and in
//! order, and the same when it comes back from anywhere.

use proptest::sample::subsequence;

use super::*;

const CONFIG: &str = r#"
[sources.ci.extractor]
type = "webhook"
id = "ci"

[sinks.events]
type = "sse"
id = "events"
profile = "message"
identity = "query"

[[routes]]
from = "ci"
to = "events"
match = ["all", "end"]

[[routes]]
from = "ci"
to = "events"
match = ["rooms", "both"]
audience = { room = ".body.rooms" }

[[routes]]
from = "ci"
to = "events"
match = ["users", "both"]
audience = { user = ".body.users" }
"#;

const NAMES: [&str; 3] = ["a", "b", "c"];

#[derive(Clone, Debug)]
struct Published {
    kind: &'static str,
    rooms: Vec<&'static str>,
    users: Vec<&'static str>,
}

#[derive(Clone, Debug)]
struct Joined {
    rooms: Vec<&'static str>,
    user: Option<&'static str>,
    /// The only type that it wants, if it does.
    kind: Option<&'static str>,
}

impl Joined {
    fn query(&self) -> String {
        let kinds = self.kind.iter().flat_map(|kind| ["end", kind]);
        let kinds: Vec<_> = kinds.map(|kind| format!("&event_type={kind}")).collect();
        let user = self.user.unwrap_or_default();
        format!("/sse/events?rooms={}&user_id={user}{}", self.rooms.join(","), kinds.concat())
    }

    fn sees(&self, event: &Published) -> bool {
        let in_room = event.rooms.iter().any(|room| self.rooms.contains(room));
        let is_user = self.user.is_some_and(|user| event.users.contains(&user));
        let is_for = match event.kind {
            "rooms" => in_room,
            "users" => is_user,
            "both" => in_room || is_user,
            _ => true,
        };
        is_for && self.kind.is_none_or(|kind| kind == event.kind)
    }
}

fn published() -> impl Strategy<Value = Vec<Published>> {
    let kind = prop_oneof![Just("all"), Just("rooms"), Just("users"), Just("both")];
    let some = || subsequence(NAMES.to_vec(), 1..=3);
    let event = (kind, some(), some()).prop_map(|(kind, rooms, users)| Published { kind, rooms, users });
    proptest::collection::vec(event, 1..12)
}

fn joined() -> impl Strategy<Value = Joined> {
    let name = proptest::sample::select(NAMES.to_vec());
    let kind = prop_oneof![Just("all"), Just("both")];
    (subsequence(NAMES.to_vec(), 0..=3), proptest::option::of(name), proptest::option::weighted(0.3, kind))
        .prop_map(|(rooms, user, kind)| Joined { rooms, user, kind })
}

/// The numbers and ids of all events before the last one of a case, which is for everyone.
fn read(client: &mut Client, end: usize) -> Vec<(usize, String)> {
    let mut seen = Vec::new();
    loop {
        let event = client.next_event(LONG).unwrap();
        let data: Value = serde_json::from_str(&event.data).unwrap();
        let number = usize::try_from(data["n"].as_u64().unwrap()).unwrap();
        if number == end {
            return seen;
        }
        seen.push((number, event.last_event_id));
    }
}

#[test]
fn nobody_replays_what_they_could_not_have_seen_live() {
    let server = Server::builder(env!("CARGO_BIN_EXE_fanfare")).config(CONFIG).start().unwrap();
    let inputs = (published(), proptest::collection::vec(joined(), 1..4), any::<proptest::sample::Index>());
    TestRunner::new(Config { cases: 32, failure_persistence: None, ..Config::default() })
        .run(&inputs, |(events, clients, back)| {
            let open = |joined: &Joined, after: &str| {
                Client::open(server.addr(), &joined.query(), &[("Last-Event-ID", after)]).unwrap()
            };
            let mut live: Vec<_> = clients.iter().map(|joined| open(joined, "")).collect();
            let position = live[0].head().header("last-event-id").unwrap().to_owned();
            for (number, Published { kind, rooms, users }) in events.iter().enumerate() {
                let event = json!({"type": kind, "rooms": rooms, "users": users, "n": number});
                prop_assert_eq!(post(&server, &event), 201);
            }
            let end = events.len();
            prop_assert_eq!(post(&server, &json!({"type": "end", "n": end})), 201);
            for (live, joined) in live.iter_mut().zip(&clients) {
                let expected: Vec<_> = events
                    .iter()
                    .enumerate()
                    .filter(|(_, event)| joined.sees(event))
                    .map(|(n, _)| n)
                    .collect();
                let seen = read(live, end);
                prop_assert!(
                    seen.iter().map(|(number, _)| number).eq(&expected),
                    "live: {seen:?} {expected:?}"
                );
                let again = read(&mut open(joined, &position), end);
                prop_assert_eq!(&again, &seen, "from the beginning");
                if !seen.is_empty() {
                    let from = back.index(seen.len());
                    let rest = read(&mut open(joined, &seen[from].1), end);
                    prop_assert_eq!(&rest[..], &seen[from + 1..], "from {}", from);
                }
            }
            Ok(())
        })
        .unwrap();
}
