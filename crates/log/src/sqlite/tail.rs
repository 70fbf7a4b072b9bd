//! The tail: events as they become visible, out of memory; a tail that has fallen behind that reads the file.

use std::sync::Arc;
use std::time::Duration;

use fanfare_event::Seq;
use futures_util::{StreamExt as _, stream};
use tokio::sync::watch;

use super::readers::Reader;
use super::shared::Shared;
use crate::reach::Reach;
use crate::{Tail, TailStream};

/// Events that it takes at a time, so that it holds the lock briefly.
const CHUNK: usize = 256;

/// How long it waits before it reads again after the file could not be read.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// Where a tail has come to.
struct Cursor {
    shared: Arc<Shared>,
    reader: Reader,
    wake: watch::Receiver<()>,
    reach: Reach,
    /// Whether the last read failed.
    stalled: bool,
}

pub(super) fn tail(shared: &Arc<Shared>, reader: &Reader, after: Option<Seq>) -> TailStream {
    let cursor = Cursor {
        shared: Arc::clone(shared),
        reader: reader.clone(),
        wake: shared.newest.subscribe(),
        reach: Reach::behind(after),
        stalled: false,
    };
    stream::unfold(cursor, |mut cursor| async move {
        let items = cursor.take().await;
        Some((stream::iter(items), cursor))
    })
    .flatten()
    .boxed()
}

impl Cursor {
    /// Waits for something to tell.
    async fn take(&mut self) -> Vec<Tail> {
        loop {
            if std::mem::take(&mut self.stalled) {
                tokio::time::sleep(READ_AGAIN).await;
            }
            // Marks what is there as seen before reading, so that what comes in between wakes the wait below.
            self.wake.borrow_and_update();
            let from = self.reach.next();
            let page = match self.shared.newest.page(from, CHUNK) {
                Some(page) => page,
                None => match self.reader.page(from, CHUNK).await {
                    Ok(page) => page,
                    Err(error) => {
                        self.stalled = true;
                        return vec![Tail::Stalled(error)];
                    }
                },
            };
            let items = self.reach.take(page);
            if !items.is_empty() {
                return items;
            }
            if self.reach.next() <= from {
                // The sender lives in `shared`, which this cursor holds: the channel cannot close.
                let _ = self.wake.changed().await;
            }
        }
    }
}
