//! Turns: where many want something at once, who wants it waits for a turn, so that everything else goes on between two
//! of them. Streams that are behind wait for one before each page, and connections before they begin.

use std::sync::atomic::{AtomicIsize, Ordering};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};

/// Turns in the order in which they were asked for. They are given, not lent: what a client does with its turn, and
/// whether it is still there, holds nobody up.
#[derive(Debug)]
pub(crate) struct Turns {
    given: Semaphore,
    /// How many wait and were not given one yet. Below zero, so many were given that nobody took, because their clients
    /// left; who asks next gets one of them.
    asked: AtomicIsize,
    /// `asked` has grown.
    asking: Notify,
}

/// Takes back what was asked for, where that was not waited for.
struct Leaving<'a>(&'a AtomicIsize);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    pub(crate) fn new() -> Self {
        Self { given: Semaphore::const_new(0), asked: AtomicIsize::new(0), asking: Notify::const_new() }
    }

    /// Waits for a turn.
    pub(crate) async fn take(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let leaving = Leaving(&self.asked);
        self.asking.notify_one();
        // The semaphore is never closed.
        if let Ok(turn) = self.given.acquire().await {
            turn.forget();
        }
        std::mem::forget(leaving);
    }

    /// Waits until somebody waits for a turn.
    pub(crate) async fn asked(&self) {
        while self.asked.load(Ordering::Relaxed) <= 0 {
            self.asking.notified().await;
        }
    }

    /// Gives turns, for ever: so many at once, and then none for as long as this.
    pub(crate) async fn keep_giving(&self, at_once: usize, pause: Duration) {
        loop {
            self.asked().await;
            for _ in 0..at_once {
                if self.asked.load(Ordering::Relaxed) > 0 {
                    self.give();
                }
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Gives the next its turn.
    pub(crate) fn give(&self) {
        self.asked.fetch_sub(1, Ordering::Relaxed);
        self.given.add_permits(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::sync::{Arc, Mutex};

    use futures_util::FutureExt as _;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[test]
    fn turns_are_given_in_the_order_they_were_asked_for() {
        runtime().block_on(async {
            let turns = Arc::new(Turns::new());
            let order = Arc::new(Mutex::new(Vec::new()));
            let mut tasks = tokio::task::JoinSet::new();
            for number in 0..50 {
                let (turns, order) = (Arc::clone(&turns), Arc::clone(&order));
                tasks.spawn(async move {
                    for round in 0..3 {
                        turns.take().await;
                        order.lock().unwrap().push((round, number));
                    }
                });
            }
            let giving = tokio::spawn(async move { turns.keep_giving(7, Duration::from_millis(1)).await });
            while tasks.join_next().await.is_some() {}
            giving.abort();
            let order = order.lock().unwrap();
            assert_eq!(order.len(), 150);
            assert!(order.is_sorted(), "{order:?}");
        });
    }

    #[test]
    fn who_leaves_while_waiting_takes_no_turn_along() {
        let turns = Turns::new();
        let is_asked = || turns.asked().now_or_never().is_some();
        assert!(!is_asked());
        {
            // This one never looks at its turn, as a client whose socket is full.
            let mut stuck = pin!(turns.take());
            let mut leaves = Box::pin(turns.take());
            let mut patient = pin!(turns.take());
            let mut given_and_gone = Box::pin(turns.take());
            assert!(stuck.as_mut().now_or_never().is_none());
            assert!(leaves.as_mut().now_or_never().is_none());
            assert!(patient.as_mut().now_or_never().is_none());
            assert!(given_and_gone.as_mut().now_or_never().is_none());
            drop(leaves);
            for _ in 0..3 {
                assert!(is_asked());
                turns.give();
            }
            assert!(!is_asked());
            drop(given_and_gone);
            assert!(patient.as_mut().now_or_never().is_some());
            assert!(stuck.as_mut().now_or_never().is_some());
        }
        assert!(!is_asked());
        let left = turns.take().now_or_never();
        assert!(left.is_some(), "a turn that nobody took goes to who asks next");
        assert!(turns.take().now_or_never().is_none(), "and to nobody else");
    }
}
