//! A server that says nothing, and what is life.

use std::thread;
use std::time::Duration;

use fanfare_client::{Client, Error, Occasion};
use fanfare_testkit::upstream::Upstream;

use crate::kit::{LONG, done, lost, next, open, opened, serve, settings, told};

/// Longer than a busy machine takes to answer.
const READ_TIMEOUT: Duration = Duration::from_secs(1);

fn client(upstream: &Upstream, read_timeout: Duration) -> Client {
    let mut settings = settings(&upstream.url("/"));
    settings.read_timeout = read_timeout;
    Client::new(settings)
}

/// Half open: the connection is there, and nothing comes on it.
#[tokio::test]
async fn a_silent_stream_is_left() {
    let upstream = Upstream::start().unwrap();
    let mut client = client(&upstream, READ_TIMEOUT);
    let server = serve(upstream, |upstream| open(upstream).wait_for_close(LONG).unwrap());
    opened(&next(&mut client).await);
    assert_eq!(lost(next(&mut client).await).0, Error::Silent(READ_TIMEOUT));
    done(server).await;
}

/// Neither an answer.
#[tokio::test]
async fn a_server_that_does_not_answer_is_left() {
    let upstream = Upstream::start().unwrap();
    let mut client = client(&upstream, READ_TIMEOUT);
    let server = serve(upstream, |upstream| upstream.accept(LONG).unwrap().wait_for_close(LONG).unwrap());
    assert_eq!(lost(next(&mut client).await).0, Error::Silent(READ_TIMEOUT));
    done(server).await;
}

/// Each stream is silent but for comments, and longer than the timeout, before its event: a client that takes comments for
/// silence never comes so far. One that does may be cut off by a machine that has no time for the server, and is given others.
#[tokio::test]
async fn comments_are_life() {
    const SHORT: Duration = Duration::from_millis(200);
    let upstream = Upstream::start().unwrap();
    let mut client = client(&upstream, SHORT);
    let server = serve(upstream, |upstream| {
        loop {
            let mut exchange = open(upstream);
            // The server's own pace; nothing is waited for.
            let is_open = (0..20).all(|_| {
                thread::sleep(SHORT / 10);
                exchange.send(": alive\n").is_ok()
            });
            if is_open && exchange.send("\ndata: x\n\n").is_ok() {
                return exchange;
            }
        }
    });
    let deadline = tokio::time::Instant::now() + LONG;
    let message = loop {
        assert!(tokio::time::Instant::now() < deadline, "no event");
        match next(&mut client).await {
            Occasion::Opened(_) | Occasion::Lost { .. } => {}
            other => break told(other),
        }
    };
    assert_eq!(message.data, "x");
    drop(done(server).await);
}

/// What its reader does between two events is not the server's silence.
#[tokio::test]
async fn a_slow_reader_is_no_silent_server() {
    let upstream = Upstream::start().unwrap();
    let mut client = client(&upstream, READ_TIMEOUT);
    let (go, wait) = std::sync::mpsc::channel();
    let server = serve(upstream, move |upstream| {
        let mut exchange = open(upstream);
        exchange.send("data: a\n\n").unwrap();
        wait.recv().unwrap();
        exchange.send("data: b\n\n").unwrap();
        exchange
    });
    opened(&next(&mut client).await);
    assert_eq!(told(next(&mut client).await).data, "a");
    go.send(()).unwrap();
    // The reader's own time; nothing is waited for.
    thread::sleep(READ_TIMEOUT);
    assert_eq!(told(next(&mut client).await).data, "b");
    drop(done(server).await);
}
