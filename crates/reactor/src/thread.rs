//! The threads themselves: how they start, are woken and end. What they do lives in `worker`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mio::Waker;

use crate::inbox::Inbox;
use crate::mail::{Command, Mail};
use crate::worker::Worker;
use crate::{Owner, Thread, Window};

/// What others have of a thread. The thread ends with it.
pub(crate) struct Desk<O: Owner> {
    inbox: Arc<Inbox<Mail<O>>>,
    waker: Waker,
    /// How many connections it has, with those to come.
    pub(crate) count: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl<O: Owner> Desk<O> {
    pub(crate) fn open(
        name: Thread,
        send_timeout: Duration,
        window: Arc<dyn Window>,
        failed: Arc<dyn Fn() + Send + Sync>,
    ) -> io::Result<Self> {
        let (inbox, count) = (Arc::new(Inbox::new()), Arc::new(AtomicUsize::new(0)));
        let (worker, waker) =
            Worker::new(name, window, Arc::clone(&inbox), Arc::clone(&count), send_timeout)?;
        let ends = Ends { inbox: Arc::clone(&inbox), failed: Some(failed) };
        let builder = thread::Builder::new().name(format!("stream-{}", name.index()));
        let thread = builder.spawn(move || ends.behind(worker))?;
        Ok(Self { inbox, waker, count, thread: Some(thread) })
    }

    /// Leaves something in its inbox.
    pub(crate) fn leave(&self, put: impl FnOnce(&mut Mail<O>)) {
        if self.inbox.leave(put) {
            // It fails where the thread is awake anyway.
            let _ = self.waker.wake();
        }
    }
}

impl<O: Owner> Drop for Desk<O> {
    fn drop(&mut self) {
        self.leave(|mail| mail.commands.push(Command::Stop));
        if let Some(thread) = self.thread.take()
            // The last handle may have been an owner's.
            && thread.thread().id() != thread::current().id()
        {
            // Where it panicked that was told already.
            let _ = thread.join();
        }
    }
}

/// Told when the thread ends, however it does.
struct Ends<O: Owner> {
    inbox: Arc<Inbox<Mail<O>>>,
    /// Called unless the thread was told to end.
    failed: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl<O: Owner> Ends<O> {
    /// Runs a worker. It, and its connections with it, is gone before this is dropped, also where it panics.
    fn behind(mut self, worker: Worker<O>) {
        if worker.run().is_ok() {
            self.failed = None;
        }
    }
}

impl<O: Owner> Drop for Ends<O> {
    fn drop(&mut self) {
        self.inbox.close();
        if let Some(failed) = self.failed.take() {
            failed();
        }
    }
}
