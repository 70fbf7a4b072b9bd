//! What becomes of batches and confirmations where the log fails.

use fanfare_event::{NamePattern, SinkName};
use fanfare_log::RecordChange;

use super::*;
use crate::faulty_log::{Fault, FaultyLog, event};

const KEEP: Option<fanfare_config::Ttl> = None;

fn sink() -> PullSink {
    let offer = Offer { sink: SinkName::new("s"), matches: NamePatterns::any(), ttl: KEEP };
    PullSink::new(offer, Arc::default())
}

async fn extract(sink: &PullSink, log: &FaultyLog) -> Result<Extracted, Unavailable> {
    sink.extract(sink.turn().await, log, &NamePatterns::any(), 2, Timestamp::now()).await
}

async fn confirm(sink: &PullSink, log: &FaultyLog, id: u64) -> Result<Option<usize>, Unavailable> {
    sink.confirm(sink.turn().await, log, id, Timestamp::now()).await
}

#[tokio::test]
async fn nothing_is_given_out_or_confirmed_that_the_log_does_not_have() {
    let (log, sink) = (FaultyLog::new(), sink());
    for id in ["a", "b", "c"] {
        log.store(event(id, "s")).await;
    }
    log.fail_next(Fault::Unavailable);
    assert!(matches!(extract(&sink, &log).await, Err(Unavailable::Write(AppendError::Unavailable(_)))));
    let batch = extract(&sink, &log).await.unwrap();
    assert_eq!((batch.events.len(), batch.remaining), (2, 1));
    let id = batch.id.unwrap();

    log.fail_next(Fault::Unavailable);
    assert!(confirm(&sink, &log, id).await.is_err());
    assert_eq!(extract(&sink, &log).await.unwrap().events, batch.events, "it was not confirmed");
    // The log stored it and could not say so: what it has holds.
    log.fail_next(Fault::Unknown);
    assert!(confirm(&sink, &log, id).await.is_err());
    assert_eq!(confirm(&sink, &log, id).await, Ok(Some(0)));
    assert_eq!(extract(&sink, &log).await.unwrap().events.len(), 1);
}

#[tokio::test]
async fn another_sinks_events_are_not_given_out() {
    let (log, sink) = (FaultyLog::new(), sink());
    log.store(event("a", "other")).await;
    assert_eq!(extract(&sink, &log).await, Ok(Extracted { id: None, events: Vec::new(), remaining: 0 }));
}

#[tokio::test]
async fn what_nobody_can_read_is_said() {
    let (log, sink) = (FaultyLog::new(), sink());
    let newer = RecordChange { key: "state".into(), value: Some(br#"{"version":2}"#[..].into()) };
    log.write_records(&SinkName::new("s"), vec![newer]).await.unwrap();
    assert_eq!(extract(&sink, &log).await, Err(Unreadable::Newer(2).into()));
}

#[tokio::test]
async fn narrowing_reads_over_what_is_not_meant() {
    let (log, sink) = (FaultyLog::new(), sink());
    for number in 0..3000 {
        let mut event = event(&number.to_string(), "s");
        if number % 1000 == 999 {
            event.kind = fanfare_event::EventType::new("rare").unwrap();
        }
        log.store(event).await;
    }
    let rare = NamePatterns::new(NamePattern::parse("rare"));
    let batch = sink.extract(sink.turn().await, &log, &rare, 10, Timestamp::now()).await.unwrap();
    assert_eq!((batch.events.len(), batch.remaining), (3, 0));
}

#[test]
fn ids_only_grow_whatever_the_clock_says() {
    let ids = BatchIds::default();
    let at = |micros: i64| Timestamp::from_microsecond(micros).unwrap();
    assert_eq!(ids.next(0, at(1000)), 1000);
    assert_eq!(ids.next(0, at(1000)), 1001);
    assert_eq!(ids.next(5000, at(2000)), 5001);
    assert_eq!(ids.next(0, at(-7)), 5002);
}
