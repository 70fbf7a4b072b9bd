use std::collections::HashMap;

use fanfare_event::{
    Audience, Delivery, Epoch, Event, EventId, EventType, Headers, NamePatterns, Object, Profile, SinkName,
    SourceName,
};
use fanfare_log::{Batch, EventLog, MemoryLog, NewEvent, Retention};
use fanfare_stream::WindowLimits;
use futures_util::FutureExt as _;
use futures_util::future::join_all;
use jiff::Timestamp;

use super::*;
use crate::faulty_log::FaultyLog;

fn event(number: usize) -> NewEvent {
    let event = Event {
        id: EventId::new(&number.to_string()).unwrap(),
        kind: EventType::new("t").unwrap(),
        source: "s".into(),
        subject: None,
        time: Timestamp::UNIX_EPOCH,
        origin: SourceName::new("s"),
        metadata: Object::new(),
        headers: Headers::new(),
        body: number.into(),
        deliveries: [Delivery { sink: SinkName::new("events"), audience: Audience::Everyone }].into(),
    };
    NewEvent { event: event.into(), dedupe: Vec::new() }
}

fn subscription() -> Subscription {
    Subscription {
        sink: SinkName::new("events"),
        types: NamePatterns::any(),
        profile: Profile::Cdevent,
        rooms: [].into(),
        user: None,
    }
}

fn seq(number: u64) -> Seq {
    Seq::new(number).unwrap()
}

/// A hub whose window is empty, behind a log that was given so many events from 1 on and keeps at most `keeps`.
async fn hub(events: usize, keeps: usize) -> (Arc<Hub>, Arc<FaultyLog>) {
    let retention = Retention { events: keeps, bytes: usize::MAX };
    let log = MemoryLog::new(Epoch::from_number(1), Seq::FIRST, retention, &[]);
    let batch = Batch { events: (1..=events).map(event).collect(), position: None };
    assert!(log.append(batch).await.iter().all(Result::is_ok));
    let log = Arc::new(FaultyLog::over(log));
    let profiles = HashMap::from([(SinkName::new("events"), Profile::Cdevent)]);
    let limits = WindowLimits { events: 1, bytes: 1 };
    let hub = Hub::new(Arc::clone(&log) as Arc<dyn EventLog>, limits, profiles, false, None).await.unwrap();
    (Arc::new(hub), log)
}

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
}

async fn page(hub: &Arc<Hub>, from: u64) -> Found {
    hub.replay().page(hub, seq(from), &subscription(), false).await
}

/// Where the page of this place ends.
async fn end(hub: &Arc<Hub>, from: u64) -> u64 {
    let found = page(hub, from).await;
    let Found::Page(page) = found else { panic!("{found:?}") };
    assert!(page.from() <= seq(from) && seq(from) < page.next());
    page.next().get()
}

#[test]
fn everybody_shares_one_read() {
    run(async {
        let (hub, log) = hub(1000, 1000).await;
        let ends = join_all((0..500).map(|number| end(&hub, 1 + number % 50))).await;
        assert!(ends.iter().all(|end| *end == ends[0]), "{ends:?}");
        assert_eq!(log.reads.load(Ordering::Relaxed), 1);
        // Who comes from another place meets the same pages soon.
        let mut at = 700;
        while at <= 1000 {
            at = end(&hub, at).await;
        }
        let before = log.reads.load(Ordering::Relaxed);
        let mut at = 1;
        while at <= 1000 {
            at = end(&hub, at).await;
        }
        assert!(log.reads.load(Ordering::Relaxed) <= before + 700 / READ_EVENTS + 1);
        assert!(matches!(page(&hub, 1001).await, Found::Nothing));
    });
}

#[test]
fn who_gives_up_does_not_take_the_read_along() {
    run(async {
        let (hub, log) = hub(100, 100).await;
        assert!(page(&hub, 1).now_or_never().is_none());
        assert_eq!(end(&hub, 1).await, 101);
        assert_eq!(log.reads.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn a_log_that_fails_is_asked_once_for_all_and_answers_when_it_can() {
    run(async {
        let (hub, log) = hub(100, 100).await;
        log.is_unreadable.store(true, Ordering::Relaxed);
        let failed = join_all((0..50).map(|_| page(&hub, 1))).await;
        assert!(failed.iter().all(|found| matches!(found, Found::Failed)));
        assert_eq!(log.reads.load(Ordering::Relaxed), 1);
        log.is_unreadable.store(false, Ordering::Relaxed);
        assert_eq!(end(&hub, 1).await, 101);
    });
}

#[test]
fn only_the_log_says_that_something_is_gone() {
    run(async {
        let (hub, log) = hub(50, 50).await;
        assert_eq!(end(&hub, 20).await, 51);
        // Retention takes 1 to 40.
        let batch = Batch { events: (51..=90).map(event).collect(), position: None };
        log.append(batch).await;
        assert_eq!(end(&hub, 20).await, 51, "what is here is right");
        let trimmed = page(&hub, 5).await;
        assert!(matches!(trimmed, Found::Trimmed(oldest) if oldest == seq(41)), "{trimmed:?}");
        let mut at = 51;
        while at < 91 {
            at = end(&hub, at).await;
        }
    });
}
