//! A client, and what it tells within a bound.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use fanfare_client::{Client, Ended, Error, Message, Occasion, Settings, Url};
use fanfare_testkit::upstream::{Exchange, Upstream};
use tokio::time::timeout;

/// For what has to come.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// What a client is told that reads this URL, and comes back at once.
pub(crate) fn settings(url: &str) -> Settings {
    let mut settings = Settings::new(Url::parse(url).unwrap());
    settings.reconnect_delay = Duration::ZERO;
    settings
}

/// A server that does what a test says, beside it.
pub(crate) fn serve<T: Send + 'static>(
    upstream: Upstream,
    script: impl FnOnce(&Upstream) -> T + Send + 'static,
) -> JoinHandle<T> {
    thread::spawn(move || script(&upstream))
}

/// What came of it. The runtime goes on meanwhile: connections that were left are closed by tasks of it.
pub(crate) async fn done<T: Send + 'static>(server: JoinHandle<T>) -> T {
    tokio::task::spawn_blocking(move || server.join().unwrap()).await.unwrap()
}

/// The next request, answered with a stream.
pub(crate) fn open(upstream: &Upstream) -> Exchange {
    let mut exchange = upstream.accept(LONG).unwrap();
    exchange.stream().unwrap();
    exchange
}

/// What it tells next.
pub(crate) async fn next(client: &mut Client) -> Occasion {
    timeout(LONG, client.next()).await.unwrap()
}

/// It says that a stream is open, and behind what.
#[track_caller]
pub(crate) fn opened(occasion: &Occasion) -> Option<&str> {
    match occasion {
        Occasion::Opened(position) => position.as_deref(),
        other => panic!("{other:?}"),
    }
}

/// It tells an event.
#[track_caller]
pub(crate) fn told(occasion: Occasion) -> Message {
    match occasion {
        Occasion::Message(message) => message,
        other => panic!("{other:?}"),
    }
}

/// It says that there is no stream just now, why, and when it comes back.
#[track_caller]
pub(crate) fn lost(occasion: Occasion) -> (Error, Duration) {
    match occasion {
        Occasion::Lost { error, retry_in } => (error, retry_in),
        other => panic!("{other:?}"),
    }
}

/// It says that it does not come back.
#[track_caller]
pub(crate) fn ended(occasion: Occasion) -> Ended {
    match occasion {
        Occasion::Ended(ended) => ended,
        other => panic!("{other:?}"),
    }
}

/// Whether a wait is what the server and the settings say, with up to half as much for chance.
pub(crate) fn is_about(wait: Duration, whole: Duration) -> bool {
    (whole..=whole.mul_f64(1.5)).contains(&wait)
}
