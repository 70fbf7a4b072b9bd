//! Futures that are dropped before they are done, and what is taken without waiting.

use std::pin::pin;
use std::task::Poll;

use fanfare_client::{Client, Error, Occasion};
use fanfare_testkit::upstream::Upstream;
use proptest::prelude::*;
use tokio::runtime::Runtime;
use tokio::task::yield_now;
use tokio::time::Instant;

use crate::kit::{LONG, done, lost, next, open, opened, serve, settings, told};

/// How many events there are.
const EVENTS: usize = 40;

/// The next occasion, if it is there after so many looks; then the future is dropped.
async fn look(client: &mut Client, times: u8) -> Option<Occasion> {
    let mut next = pin!(client.next());
    let mut left = times;
    std::future::poll_fn(|context| match next.as_mut().poll(context) {
        Poll::Ready(occasion) => Poll::Ready(Some(occasion)),
        Poll::Pending if left == 0 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// A connection: how many events it brings whole, at how many bytes of the next one it is cut, and the size of its chunks.
fn connections() -> impl Strategy<Value = Vec<(usize, usize, usize)>> {
    prop::collection::vec((1..10_usize, 0..12_usize, 1..30_usize), 1..8)
}

/// Serves events that are numbered from 1, behind the id that is asked for, cut as these connections say; the last
/// one brings all that is left.
fn serve_events(upstream: &Upstream, connections: Vec<(usize, usize, usize)>) {
    let event = |number: usize| format!("id: {number}\ndata: {number}\n\n");
    for (whole, rest, size) in connections.into_iter().chain([(EVENTS, 0, 7)]) {
        let mut exchange = open(upstream);
        let seen: usize = exchange.header("last-event-id").map_or(0, |id| id.parse().unwrap());
        let last = (seen + whole).min(EVENTS);
        let mut stream: String = (seen + 1..=last).map(event).collect();
        if last < EVENTS {
            stream.push_str(&event(last + 1)[..rest]);
        }
        for chunk in stream.as_bytes().chunks(size) {
            exchange.send(chunk).unwrap();
        }
        exchange.cut();
        if last == EVENTS {
            return;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// However often its futures are dropped, and wherever connections are cut: every event is told once, in order.
    #[test]
    fn a_dropped_future_loses_nothing(
        connections in connections(),
        looks in prop::collection::vec(0..4_u8, 1..50),
        tries in any::<bool>(),
    ) {
        let upstream = Upstream::start().unwrap();
        let settings = settings(&upstream.url("/"));
        let server = serve(upstream, move |upstream| serve_events(upstream, connections));
        let numbers = Runtime::new().unwrap().block_on(async {
            let mut client = Client::new(settings);
            let mut numbers = Vec::new();
            let deadline = Instant::now() + LONG;
            for times in looks.into_iter().cycle() {
                assert!(Instant::now() < deadline, "{numbers:?}");
                let waited = look(&mut client, times).await;
                let there = tries.then(|| client.try_next()).flatten();
                for occasion in [waited, there].into_iter().flatten() {
                    match occasion {
                        Occasion::Message(message) => numbers.push(message.data.parse::<usize>().unwrap()),
                        Occasion::Opened(_) | Occasion::Lost { .. } => {}
                        other => panic!("{other:?}"),
                    }
                }
                if numbers.len() >= EVENTS {
                    break;
                }
                yield_now().await;
            }
            numbers
        });
        prop_assert_eq!(numbers, (1..=EVENTS).collect::<Vec<_>>());
        server.join().unwrap();
    }
}

#[tokio::test]
async fn what_is_here_is_taken_without_waiting() {
    let upstream = Upstream::start().unwrap();
    let mut client = Client::new(settings(&upstream.url("/")));
    assert!(client.try_next().is_none(), "it has not begun");
    let (go, wait) = std::sync::mpsc::channel();
    let server = serve(upstream, move |upstream| {
        let mut exchange = open(upstream);
        wait.recv().unwrap();
        exchange.send("data: 1\n\ndata: 2\n\ndata: 3\n\ndata: 4").unwrap();
        wait.recv().unwrap();
        exchange.end().unwrap();
    });
    opened(&next(&mut client).await);
    assert!(client.try_next().is_none(), "nothing has come");
    go.send(()).unwrap();
    assert_eq!(told(next(&mut client).await).data, "1");
    assert_eq!(told(client.try_next().unwrap()).data, "2");
    assert_eq!(told(client.try_next().unwrap()).data, "3");
    assert!(client.try_next().is_none(), "it is not whole");
    go.send(()).unwrap();
    assert_eq!(lost(next(&mut client).await).0, Error::Ended);
    assert!(client.try_next().is_none(), "there is no stream");
    done(server).await;
}

/// That a stream has ended may be seen first where nobody waits for it; it is told to whoever waits next.
#[tokio::test]
async fn an_end_that_is_seen_by_the_way_is_told_later() {
    let upstream = Upstream::start().unwrap();
    let mut client = Client::new(settings(&upstream.url("/")));
    let server = serve(upstream, |upstream| {
        let mut exchange = open(upstream);
        exchange.send("data: 1\n\n").unwrap();
        exchange.end().unwrap();
    });
    opened(&next(&mut client).await);
    done(server).await;
    let deadline = Instant::now() + LONG;
    let message = loop {
        assert!(Instant::now() < deadline, "no event");
        if let Some(occasion) = client.try_next() {
            break told(occasion);
        }
        yield_now().await;
    };
    assert_eq!(message.data, "1");
    for _ in 0..100 {
        assert!(client.try_next().is_none());
        yield_now().await;
    }
    assert_eq!(lost(next(&mut client).await).0, Error::Ended);
}

/// A stream is left at once, also while it connects, and comes back behind what was told.
#[tokio::test]
async fn a_restart_comes_back_at_once() {
    let upstream = Upstream::start().unwrap();
    let mut client = Client::new(settings(&upstream.url("/")));
    let (asked, is_asked) = tokio::sync::oneshot::channel();
    let server = serve(upstream, |upstream| {
        let mut first = open(upstream);
        first.send("id: 1\ndata: 1\n\n").unwrap();
        let second = upstream.accept(LONG).unwrap();
        asked.send(()).unwrap();
        first.wait_for_close(LONG).unwrap();
        let third = open(upstream);
        second.wait_for_close(LONG).unwrap();
        third.header("last-event-id").map(str::to_owned)
    });
    opened(&next(&mut client).await);
    assert_eq!(told(next(&mut client).await).data, "1");
    client.restart();
    assert!(look(&mut client, 0).await.is_none());
    is_asked.await.unwrap();
    client.restart();
    assert_eq!(opened(&next(&mut client).await), Some("1"));
    assert_eq!(done(server).await.as_deref(), Some("1"));
}
