//! How other threads reach a connection's thread: what they leave there, and one wake for all of it. What it is that they
//! leave lives in `mail`.

use std::mem;
use std::sync::PoisonError;

#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard, atomic::AtomicBool, atomic::Ordering};
#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard, atomic::AtomicBool, atomic::Ordering};

/// What was left for a thread, until it takes it. `M` collects it.
///
/// Who leaves something does that first and then sets `notified`; the receiver clears that first and then takes. So
/// whatever is left behind a take finds it cleared, or cleared and set again by somebody who wakes.
pub(crate) struct Inbox<M> {
    /// `None` once nobody takes anything any more.
    mail: Mutex<Option<M>>,
    /// Something was left, and the receiver was woken for it or is about to be.
    notified: AtomicBool,
}

impl<M: Default> Inbox<M> {
    pub(crate) fn new() -> Self {
        Self { mail: Mutex::new(Some(M::default())), notified: AtomicBool::new(false) }
    }

    /// Lets `put` leave something. Returns whether the receiver has to be woken for it. Where nobody receives any more, `put`
    /// is dropped with what it has.
    #[must_use = "what was left is not seen before the receiver is woken"]
    pub(crate) fn leave(&self, put: impl FnOnce(&mut M)) -> bool {
        let mut mail = self.lock();
        let Some(mail) = mail.as_mut() else { return false };
        put(mail);
        !self.notified.swap(true, Ordering::AcqRel)
    }

    /// Whether something was left since the last take. Costs nothing to ask.
    pub(crate) fn has_mail(&self) -> bool {
        self.notified.load(Ordering::Relaxed)
    }

    /// Takes what was left, for the empty `taken`.
    pub(crate) fn take(&self, taken: &mut M) {
        // As a swap, so that all changes are in one order, whoever makes them.
        self.notified.swap(false, Ordering::AcqRel);
        if let Some(mail) = self.lock().as_mut() {
            mem::swap(mail, taken);
        }
    }

    /// Nobody takes anything from here on. What was left is dropped.
    pub(crate) fn close(&self) {
        let left = self.lock().take();
        // Not under the lock: it may have something to say here when it goes.
        drop(left);
    }

    /// No code that holds the lock leaves the mail half changed when it panics.
    fn lock(&self) -> MutexGuard<'_, Option<M>> {
        self.mail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(all(test, loom))]
mod loom_tests;
#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn many_that_are_left_together_wake_once() {
        let inbox = Inbox::<Vec<u8>>::new();
        assert!(inbox.leave(|mail| mail.push(1)));
        assert!(!inbox.leave(|mail| mail.push(2)));
        assert!(inbox.has_mail());
        let mut taken = Vec::new();
        inbox.take(&mut taken);
        assert_eq!(taken, [1, 2]);
        assert!(!inbox.has_mail());
        assert!(inbox.leave(|mail| mail.push(3)));
    }

    #[test]
    fn what_is_left_in_a_closed_one_is_dropped() {
        let inbox = Inbox::<Vec<std::sync::Arc<()>>>::new();
        let item = std::sync::Arc::new(());
        for _ in 0..2 {
            let item = item.clone();
            let _ = inbox.leave(|mail| mail.push(item));
        }
        inbox.close();
        let late = item.clone();
        assert!(!inbox.leave(|mail| mail.push(late)));
        assert_eq!(std::sync::Arc::strong_count(&item), 1);
    }
}
