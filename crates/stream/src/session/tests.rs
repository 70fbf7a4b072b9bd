mod expiry;

use std::cell::RefCell;

use super::reading::READ_AGAIN;
use super::*;
use crate::fanout::tests::{entry, seq, subscription};
use crate::{Entry, PageCache, Subscription, View, WindowLimits};
use fanfare_event::{Epoch, Profile};
use jiff::Timestamp;
use proptest::prelude::*;

mod audiences;
mod awaiting;

const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A sink with one subscription, a log, and a clock that tests move.
struct World {
    fanout: Fanout,
    /// All that there ever was.
    published: Vec<Entry>,
    /// What the log still has of it.
    log: Vec<Entry>,
    /// The oldest that the log still has.
    oldest: Seq,
    /// What all clients share of what was read.
    pages: RefCell<PageCache>,
    now: Moment,
}

/// Events that are read from the log at a time.
const READ: usize = 2;

/// What the log says to a client that asked for a page.
enum Answer {
    Page(View),
    Trimmed(Seq),
    Nothing,
}

/// What a sink says and what is known of a client, for tests to change.
struct Options {
    keep_alive: Duration,
    buffer: u64,
    on_lag: OnLag,
    retry: Option<Duration>,
    expires: Option<Expiry>,
}

/// A client: its session and what it was sent.
struct Client {
    session: Session,
    subscription: Subscription,
    received: String,
}

impl World {
    fn new(window: usize) -> Self {
        let limits = WindowLimits { events: window, bytes: 1 << 20 };
        Self {
            fanout: Fanout::new(limits, None),
            published: vec![],
            log: vec![],
            oldest: Seq::FIRST,
            // A few pages.
            pages: PageCache::new(4000).into(),
            now: Moment::ZERO,
        }
    }

    /// As the server does it: from the cache, or else from the window, or else from the log.
    fn read(&self, from: Seq, subscription: &Subscription) -> Answer {
        let mut pages = self.pages.borrow_mut();
        if let Some(page) = pages.find(from, subscription) {
            return Answer::Page(page);
        }
        let (entries, next) = self.fanout.read(from, READ).unwrap_or_else(|| {
            let entries: Vec<_> =
                self.log.iter().filter(|entry| entry.seq >= from).take(READ).cloned().collect();
            let next = entries.last().map_or(from, |entry| entry.seq.next());
            (entries, next)
        });
        if self.oldest > from && !self.fanout.covers(from.previous()) {
            return Answer::Trimmed(self.oldest);
        }
        pages.insert(from, next, entries);
        pages.find(from, subscription).map_or(Answer::Nothing, Answer::Page)
    }

    fn publish(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            // Every third is of a type that `build` subscriptions do not see.
            self.tell(entry(number, if number % 3 == 0 { "test" } else { "build" }));
        }
    }

    fn tell(&mut self, entry: Entry) {
        self.published.push(entry.clone());
        self.log.push(entry.clone());
        self.fanout.push(entry, |_| {});
    }

    /// Events that the tail never tells, because retention takes them first; `kept` of them are still there.
    fn overtake(&mut self, numbers: impl Iterator<Item = u64> + Clone, kept: usize) {
        let lost = numbers.clone().count().saturating_sub(kept);
        self.log.clear();
        self.oldest = numbers.clone().nth(lost).map_or(self.oldest, seq);
        self.fanout.skip_to(self.oldest);
        self.publish(numbers.skip(lost));
    }

    fn forget_before(&mut self, oldest: u64) {
        self.oldest = seq(oldest);
        self.log.retain(|entry| entry.seq >= self.oldest);
    }

    fn connect(&mut self, types: &str, after: u64, change: impl FnOnce(&mut Start, &mut Options)) -> Client {
        self.join(subscription("events", types), after, change)
    }

    fn join(
        &mut self,
        subscription: Subscription,
        after: u64,
        change: impl FnOnce(&mut Start, &mut Options),
    ) -> Client {
        let mut start = Start { after: Seq::new(after), gap: None };
        let group = self.fanout.join(subscription.clone(), start.after);
        let mut options =
            Options { keep_alive: KEEP_ALIVE, buffer: 3, on_lag: OnLag::CatchUp, retry: None, expires: None };
        change(&mut start, &mut options);
        let Options { keep_alive, buffer, on_lag, retry, expires } = options;
        let epoch = Epoch::new("e").unwrap();
        let options = SessionOptions { epoch, profile: Profile::Cdevent, keep_alive, buffer, on_lag };
        let known = crate::Client { retry, expires };
        Client {
            session: Session::new(group, start, options.into(), known, self.now),
            subscription,
            received: String::new(),
        }
    }
}

impl Client {
    /// Does what the session says until it waits or closes.
    fn run(&mut self, world: &World) -> Step {
        loop {
            if let Some(end) = self.step(world) {
                return end;
            }
        }
    }

    fn step(&mut self, world: &World) -> Option<Step> {
        let step = self.session.poll(world.now, &world.fanout);
        if self.session.flags.is_met && world.fanout.covers(self.session.after) {
            let counted = world.fanout.index_behind(self.session.group, self.session.after);
            assert!(self.session.flags.is_counted);
            assert_eq!(self.session.index, counted, "in the window nothing is missed");
        }
        match &step {
            Step::Write(frame) => self.receive(frame),
            Step::Batch(batch) => {
                assert!(self.session.follows(batch, world.now), "who was given it follows it");
                for frame in batch.frames() {
                    self.receive(frame);
                }
                self.session.sent(batch, batch.frames().len(), world.now);
                assert!(!self.session.follows(batch, world.now), "and only once");
            }
            Step::Read { from, .. } => match world.read(*from, &self.subscription) {
                Answer::Page(page) => {
                    if let Some(bytes) = self.session.page(world.now, &page) {
                        self.receive(&bytes);
                    }
                }
                Answer::Trimmed(oldest) => self.session.trimmed(oldest),
                Answer::Nothing => self.session.nothing_new(world.now),
            },
            Step::Wait { .. } | Step::Close(_) => return Some(step),
        }
        None
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.received.push_str(std::str::from_utf8(bytes).unwrap());
    }

    fn take(&mut self, world: &World) -> String {
        self.run(world);
        std::mem::take(&mut self.received)
    }
}

/// What a client receives for these events.
fn numbers(numbers: impl Iterator<Item = u64>) -> String {
    numbers.flat_map(|number| [number.to_string(), " ".to_owned()]).collect()
}

/// One for each client: what is in it counts ten thousand times.
#[test]
#[cfg(target_pointer_width = "64")]
fn a_session_is_small() {
    assert!(size_of::<Session>() <= 80, "{}", size_of::<Session>());
}

#[test]
fn live_events_come_in_order_and_only_those_that_are_seen() {
    let mut world = World::new(10);
    world.publish(1..=2);
    let mut all = world.connect("*", 2, |_, _| {});
    let mut builds = world.connect("build", 2, |_, _| {});
    assert_eq!(all.take(&world), "", "without an id a stream starts with what comes next");
    world.publish(3..=6);
    assert_eq!(all.take(&world), "3 4 5 6 ");
    assert_eq!(builds.take(&world), "4 5 ");
    assert_eq!(builds.session.position().after, Some(seq(6)), "hidden events move the position");
}

#[test]
fn a_stream_may_begin_ahead_of_the_tail() {
    let mut world = World::new(10);
    let mut client = world.connect("*", 2, |_, _| {});
    assert_eq!(client.take(&world), "");
    world.publish(1..=4);
    assert_eq!(client.take(&world), "3 4 ");
}

#[test]
fn resume_reads_the_log_until_it_meets_the_window() {
    let mut world = World::new(3);
    world.publish(1..=20);
    let mut all = world.connect("*", 4, |_, _| {});
    let mut builds = world.connect("build", 4, |_, _| {});
    for _ in 0..3 {
        all.step(&world);
    }
    world.publish(21..=22);
    assert_eq!(all.take(&world), numbers(5..=22));
    assert_eq!(builds.take(&world), numbers((5..=22).filter(|n| n % 3 != 0)));
}

#[test]
fn silence_is_kept_alive_and_hidden_traffic_is_silence() {
    let mut world = World::new(10);
    let mut plain = world.connect("build", 0, |_, _| {});
    let mut browser = world.connect("build", 0, |_, options| options.retry = Some(Duration::from_secs(3)));
    assert_eq!(browser.take(&world), "id: @e.0\nretry: 3000\n\n");
    assert_eq!(plain.run(&world), Step::Wait { until: KEEP_ALIVE });
    world.now = KEEP_ALIVE / 2;
    world.publish([1]);
    assert_eq!(plain.take(&world), "1 ");
    world.publish([3]);
    world.now = KEEP_ALIVE;
    assert_eq!(
        plain.run(&world),
        Step::Wait { until: KEEP_ALIVE / 2 + KEEP_ALIVE },
        "sound moves the next keep-alive"
    );
    assert_eq!(browser.take(&world), "1 ");
    world.now = KEEP_ALIVE / 2 + KEEP_ALIVE;
    assert_eq!(plain.take(&world), ": keep-alive\n\n");
    world.now += KEEP_ALIVE;
    assert_eq!(browser.take(&world), ": keep-alive\nid: @e.3\n\n");
    assert_eq!(browser.session.farewell().as_deref(), Some(&b"retry: 3000\n\n"[..]));
    assert_eq!(plain.session.farewell(), None);
}

#[test]
fn a_gap_is_told_once_behind_the_opening() {
    let mut world = World::new(10);
    world.publish(1..=3);
    let mut client = world.connect("*", 3, |start, options| {
        start.gap = Some(Gap::Unknown);
        options.retry = Some(Duration::from_secs(1));
    });
    let told = client.take(&world);
    assert!(told.starts_with("id: @e.3\nretry: 1000\n\nevent: gap\nid: @e.3\ndata: unknown: "), "{told}");
    assert_eq!(client.take(&world), "");
}

#[test]
fn retention_that_overtakes_a_resuming_client_is_a_gap() {
    let mut world = World::new(2);
    world.publish(1..=10);
    let mut client = world.connect("*", 1, |_, _| {});
    client.step(&world);
    assert_eq!(client.received, "2 3 ");
    world.forget_before(6);
    let told = client.take(&world);
    let (gap, rest) = told.split_once("\n\n").unwrap();
    assert!(gap.starts_with("2 3 event: gap\nid: @e.5\ndata: expired: "), "{gap}");
    assert_eq!(rest, "6 7 8 9 10 ");
}

#[test]
fn what_the_tail_was_not_told_is_a_gap_because_nobody_counted_it() {
    let check = |on_lag: OnLag, kept: usize, expected: &str| {
        let mut world = World::new(5);
        let mut client = world.connect("*", 0, |_, options| options.on_lag = on_lag);
        client.run(&world);
        world.publish(1..=2);
        assert_eq!(client.take(&world), "1 2 ");
        world.publish(3..=4);
        world.overtake(5..=20, kept);
        let told = client.take(&world);
        let told = told.strip_prefix("event: gap\nid: @e.").unwrap();
        let (position, rest) = told.split_once("\ndata: expired: ").unwrap();
        assert_eq!(format!("{position} {}", rest.split_once("\n\n").unwrap().1), expected, "{on_lag:?}");
        world.publish(21..=22);
        assert_eq!(client.take(&world), "21 22 ", "{on_lag:?}");
    };
    for on_lag in [OnLag::CatchUp, OnLag::Notice] {
        check(on_lag, 2, "18 19 20 ");
    }
    check(OnLag::CatchUp, 5, "15 16 17 18 19 20 ");
    check(OnLag::Notice, 5, "17 18 19 20 ");
}

#[test]
fn a_slow_client_is_treated_as_its_sink_says() {
    let check = |on_lag: OnLag, forget_before: u64, expected: &str, end: Option<CloseReason>| {
        let mut world = World::new(5);
        let mut client = world.connect("*", 0, |_, options| options.on_lag = on_lag);
        client.run(&world);
        world.publish(1..=12);
        world.forget_before(forget_before);
        let step = client.run(&world);
        assert_eq!(client.received, expected, "{on_lag:?}");
        assert_eq!(matches!(step, Step::Close(reason) if Some(reason) == end), end.is_some(), "{step:?}");
    };
    let all = "1 2 3 4 5 6 7 8 9 10 11 12 ";
    check(OnLag::CatchUp, 1, all, None);
    check(OnLag::CatchUp, 9, "event: error\ndata: lagged: 8 messages skipped\n\n9 10 11 12 ", None);
    // Where the log goes on before the window does, nobody has counted what is missing there.
    let gap = format!("event: gap\nid: @e.4\ndata: {}\n\n", Gap::Expired.sentence());
    check(OnLag::CatchUp, 5, &format!("{gap}5 6 7 8 9 10 11 12 "), None);
    check(OnLag::Notice, 1, "event: error\ndata: lagged: 9 messages skipped\n\n10 11 12 ", None);
    check(OnLag::Disconnect, 1, "", Some(CloseReason::Lagged));
}

#[test]
fn a_client_within_its_buffer_is_not_lagging_and_a_resuming_one_neither() {
    for on_lag in [OnLag::CatchUp, OnLag::Notice, OnLag::Disconnect] {
        let mut world = World::new(5);
        let mut client = world.connect("*", 0, |_, options| options.on_lag = on_lag);
        client.run(&world);
        world.publish(1..=3);
        assert_eq!(client.take(&world), "1 2 3 ");
        world.publish(4..=12);
        let mut resuming = world.connect("*", 2, |_, options| options.on_lag = on_lag);
        assert_eq!(resuming.take(&world), "3 4 5 6 7 8 9 10 11 12 ", "{on_lag:?}");
    }
}

#[test]
fn what_the_log_lost_in_its_middle_is_told_in_its_place() {
    for kept_up in [false, true] {
        let mut world = World::new(3);
        let mut client = world.connect("*", 0, |_, _| {});
        if kept_up {
            client.run(&world);
        }
        world.publish(1..=20);
        while !client.received.ends_with("5 6 ") {
            client.step(&world);
        }
        // 7 to 11 are damaged; the oldest that this reader can have is behind them.
        world.oldest = seq(12);
        let gap = format!("event: gap\nid: @e.11\ndata: {}\n\n", Gap::Expired.sentence());
        let expected = format!("{}{gap}{}", numbers(1..=6), numbers(12..=20));
        assert_eq!(client.take(&world), expected, "kept up: {kept_up}");
        world.publish(21..=22);
        assert_eq!(client.take(&world), "21 22 ");
    }
}

#[test]
fn a_gap_ahead_of_the_tail_is_told_before_anything_moves_the_position() {
    let mut world = World::new(3);
    let mut client = world.connect("*", 2, |_, options| options.retry = Some(Duration::from_secs(1)));
    client.take(&world);
    client.session.trimmed(seq(9));
    world.now = KEEP_ALIVE;
    let told = client.take(&world);
    assert!(told.starts_with("event: gap\nid: @e.8\ndata: expired: "), "{told}");
}

#[test]
fn a_log_that_fails_or_lags_is_asked_again_later_and_silence_is_kept_alive() {
    let mut world = World::new(1);
    world.publish(1..=5);
    let mut client = world.connect("*", 1, |_, _| {});
    let read = Step::Read { from: seq(2), in_turn: true, until: KEEP_ALIVE };
    let poll = |client: &mut Client, now| client.session.poll(now, &world.fanout);
    let mut now = Moment::ZERO;
    for doubled in [1, 2, 4] {
        assert_eq!(poll(&mut client, now), read);
        client.session.log_failed(now);
        let until = now + READ_AGAIN * doubled;
        assert_eq!(poll(&mut client, now), Step::Wait { until });
        now = until;
    }
    assert_eq!(poll(&mut client, now), read);
    client.session.nothing_new(now);
    assert_eq!(poll(&mut client, now), Step::Wait { until: now + READ_AGAIN }, "an answer is no failure");
    client.session.log_failed(KEEP_ALIVE);
    assert_eq!(poll(&mut client, KEEP_ALIVE), Step::Write(": keep-alive\n\n".to_owned().into()));
    assert_eq!(client.take(&world), "", "it waits");
    world.now = KEEP_ALIVE + READ_AGAIN;
    assert_eq!(client.take(&world), "2 3 4 5 ", "and nothing is lost");
}

#[test]
fn one_turn_writes_a_bounded_amount() {
    let mut world = World::new(1000);
    let mut client = world.connect("*", 0, |_, options| options.buffer = 1000);
    client.run(&world);
    world.publish(1..=crate::WRITE_BATCH_FRAMES as u64);
    let step = client.session.poll(world.now, &world.fanout);
    let Step::Batch(batch) = step else { panic!("{step:?}") };
    assert_eq!(batch.frames().len(), crate::WRITE_BATCH_FRAMES);
}

#[test]
fn what_one_is_given_all_send_that_are_where_it_is() {
    let mut world = World::new(100);
    let mut clients: Vec<_> =
        (0..5).map(|_| world.connect("*", 0, |_, options| options.buffer = 10)).collect();
    let mut picky = world.connect("*", 0, |_, options| {
        options.on_lag = OnLag::Notice;
        options.buffer = 1;
    });
    let mut expiring = world.connect("*", 0, |_, options| {
        options.expires = Some(Expiry { at: Duration::from_secs(100), time: Timestamp::UNIX_EPOCH });
    });
    for client in clients.iter_mut().chain([&mut picky, &mut expiring]) {
        client.run(&world);
    }
    world.publish(1..=2);
    clients[1].run(&world);
    let step = clients[0].session.poll(world.now, &world.fanout);
    let Step::Batch(batch) = step else { panic!("{step:?}") };
    assert!(clients[2].session.follows(&batch, world.now));
    assert!(!clients[1].session.follows(&batch, world.now), "who has it already does not");
    assert!(!picky.session.follows(&batch, world.now), "nor does who is to skip it");
    let notice = Duration::from_secs(70);
    assert!(expiring.session.follows(&batch, notice.saturating_sub(Duration::from_millis(1))));
    assert!(!expiring.session.follows(&batch, notice), "nor who has to be told something first");

    // A socket took one frame of two.
    clients[3].session.sent(&batch, 1, world.now);
    assert!(!clients[3].session.follows(&batch, world.now));
    assert_eq!(clients[3].take(&world), "2 ");
    clients[2].session.sent(&batch, 2, world.now);
    assert_eq!(clients[2].take(&world), "");
}

#[test]
fn who_is_far_behind_reads_pages_and_who_comes_back_waits_for_its_turn() {
    let mut world = World::new(1000);
    let mut live = world.connect("*", 0, |_, _| {});
    live.run(&world);
    world.publish(1..=200);
    let mut resuming = world.connect("*", 0, |_, _| {});
    for (client, in_turn) in [(&mut live, false), (&mut resuming, true)] {
        let step = client.session.poll(world.now, &world.fanout);
        assert_eq!(step, Step::Read { from: seq(1), in_turn, until: KEEP_ALIVE });
        assert_eq!(client.take(&world), numbers(1..=200));
    }
}

#[derive(Clone, Debug)]
enum Act {
    Publish(u64),
    Step(usize),
    Forget(u64),
    Overtake(u64, usize),
    /// Comes back, while so many events are published between finding where to begin and joining the group.
    Reconnect(u64),
    /// Pages that nobody used lately are dropped.
    Age,
    /// Another client reads all there is.
    Other(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        4 => (1..4u64).prop_map(Act::Publish),
        4 => (1..5usize).prop_map(Act::Step),
        1 => (1..6u64).prop_map(Act::Forget),
        1 => (1..6u64, 1..3usize).prop_map(|(count, kept)| Act::Overtake(count, kept)),
        1 => (0..3u64).prop_map(Act::Reconnect),
        1 => Just(Act::Age),
        1 => (0..40u64).prop_map(Act::Other),
    ];
    proptest::collection::vec(act, 1..60)
}

proptest! {
    /// Whatever happens, a client gets a run of events without a double or a swap, and every hole in it was told.
    #[test]
    fn nothing_is_lost_in_silence(acts in acts(), window in 1..6usize, notice in any::<bool>()) {
        let mut world = World::new(window);
        let on_lag = if notice { OnLag::Notice } else { OnLag::CatchUp };
        let mut client = world.connect("*", 0, |_, options| options.on_lag = on_lag);
        client.run(&world);
        let mut published = 0;
        for act in acts {
            match act {
                Act::Publish(count) => {
                    // Numbers have holes, as seqs do.
                    world.publish((0..count).map(|n| (published + n) * 2 + 1));
                    published += count;
                }
                Act::Step(count) => {
                    for _ in 0..count {
                        client.step(&world);
                    }
                }
                Act::Forget(kept) => {
                    // A log keeps at least what the window does.
                    let first = published.saturating_sub(kept + window as u64) * 2 + 1;
                    world.forget_before(first.max(world.oldest.get()));
                }
                Act::Overtake(count, kept) => {
                    world.overtake((0..count).map(|n| (published + n) * 2 + 1), kept);
                    published += count;
                }
                Act::Reconnect(between) => {
                    client.run(&world);
                    let after = client.session.position().after.map_or(0, Seq::get);
                    world.publish((0..between).map(|n| (published + n) * 2 + 1));
                    published += between;
                    let received = std::mem::take(&mut client.received);
                    client = world.connect("*", after, |_, options| options.on_lag = on_lag);
                    client.received = received;
                }
                Act::Age => world.pages.borrow_mut().age(),
                Act::Other(after) => {
                    let mut other = world.connect("build", after, |_, _| {});
                    let events = Told::read(&other.take(&world)).events;
                    let seen = (after + 1..published * 2).filter(|n| n % 2 == 1 && n % 3 != 0);
                    prop_assert!(seen.eq(events.iter().copied()) || world.oldest.get() > after + 1, "{events:?}");
                }
            }
        }
        client.run(&world);
        let told = Told::read(&client.received);
        prop_assert!(told.events.is_sorted_by(|a, b| a < b), "{:?}", told.events);
        let accounted = told.events.len() as u64 + told.skipped;
        if told.gaps == 0 {
            prop_assert_eq!(accounted, published, "{}", client.received);
        } else {
            prop_assert!(accounted <= published, "{}", client.received);
        }
    }
}

/// What a client was sent, taken apart.
#[derive(Default)]
struct Told {
    events: Vec<u64>,
    skipped: u64,
    gaps: usize,
}

impl Told {
    fn read(mut received: &str) -> Self {
        let mut told = Self::default();
        while !received.is_empty() {
            if let Some(notice) = received.strip_prefix("event: error\ndata: lagged: ") {
                let (number, rest) = notice.split_once(" messages skipped\n\n").unwrap();
                told.skipped += number.parse::<u64>().unwrap();
                received = rest;
            } else if let Some(gap) = received.strip_prefix("event: gap\n") {
                told.gaps += 1;
                received = gap.split_once("\n\n").unwrap().1;
            } else {
                let (number, rest) = received.split_once(' ').unwrap();
                told.events.push(number.parse().unwrap());
                received = rest;
            }
        }
        told
    }
}
