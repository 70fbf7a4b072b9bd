//! Requests on their way to a thread. What bounds them is held by who sends them; see [`Queue::push`].

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A queue that threads take from and tasks put into.
#[derive(Debug)]
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    ready: Condvar,
}

#[derive(Debug)]
struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

/// What a thread got.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken<T> {
    /// These, the first that was put in first. At least one.
    Items(Vec<T>),
    /// Nothing came in time.
    Nothing,
    /// Nothing will come any more.
    Closed,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { items: VecDeque::new(), closed: false }), ready: Condvar::new() }
    }

    /// Puts one in, or gives it back if the queue is closed. Never waits: who sends holds a permit of a semaphore for
    /// as long as its request lives, and that bounds the queue.
    pub(super) fn push(&self, item: T) -> Result<(), T> {
        let mut state = self.lock();
        if state.closed {
            return Err(item);
        }
        state.items.push_back(item);
        drop(state);
        self.ready.notify_one();
        Ok(())
    }

    /// What is there stays; nothing more comes in.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
    }

    /// Waits until `deadline` (`None`: for as long as it takes) and takes what is there, up to `budget`, by what each
    /// `costs`; one in any case.
    pub(super) fn take(
        &self,
        deadline: Option<Instant>,
        budget: usize,
        costs: impl Fn(&T) -> usize,
    ) -> Taken<T> {
        let mut state = self.lock();
        while state.items.is_empty() {
            if state.closed {
                return Taken::Closed;
            }
            state = match deadline {
                None => self.ready.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Taken::Nothing;
                    }
                    self.ready.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
        let mut taken = Vec::new();
        let mut cost = 0;
        while let Some(item) = state.items.front() {
            cost += costs(item);
            if cost > budget && !taken.is_empty() {
                break;
            }
            taken.extend(state.items.pop_front());
        }
        Taken::Items(taken)
    }

    /// The state is whole between any two statements, so a poisoned lock is as good.
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_up_to_a_budget_and_says_when_it_is_over() {
        let queue = Queue::new();
        for n in [3, 3, 9, 1] {
            queue.push(n).unwrap();
        }
        let take = |budget| queue.take(Some(Instant::now()), budget, |n| *n);
        assert_eq!(take(7), Taken::Items(vec![3, 3]));
        assert_eq!(take(7), Taken::Items(vec![9]), "one goes whatever it costs");
        queue.close();
        assert_eq!(queue.push(5), Err(5));
        assert_eq!(take(7), Taken::Items(vec![1]));
        assert_eq!(take(7), Taken::Closed);
        assert_eq!(Queue::<u8>::new().take(Some(Instant::now()), 1, |_| 1), Taken::Nothing);
    }
}
