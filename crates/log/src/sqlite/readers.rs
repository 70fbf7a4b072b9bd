//! The threads that read the file, each with a connection of its own. Reading blocks, so it never happens on a thread
//! of the caller's; what is read is in `read`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{Builder, JoinHandle};

use fanfare_event::{EventId, Seq, SinkName, SourceName};
use rusqlite::{Connection, OptionalExtension as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::open::connect_to_read;
use super::queue::{Queue, Taken};
use super::read::{self, Known, Reading};
use super::reindex::REASON;
use super::shared::Shared;
use super::trouble::describe;
use crate::{LogError, Page, Records, SourcePosition};

/// Threads. Two keep one slow read from holding up the others; more would only take the processor from live delivery.
const THREADS: usize = 2;

/// Reads that wait for a thread; who comes later waits before it puts one in. A waiting read is a few hundred bytes.
const WAITING: usize = 1024;

/// What can be read, and where the answer goes.
enum Request {
    Page { from: Seq, max: usize, answer: oneshot::Sender<Result<Page, LogError>> },
    Find { id: EventId, answer: oneshot::Sender<Result<Option<Seq>, LogError>> },
    Position { source: SourceName, answer: oneshot::Sender<Result<Option<SourcePosition>, LogError>> },
    Records { sink: SinkName, answer: oneshot::Sender<Result<Records, LogError>> },
}

/// The way to the threads. Clones share them.
#[derive(Clone)]
pub(super) struct Reader {
    queue: Arc<Queue<(Request, OwnedSemaphorePermit)>>,
    waiting: Arc<Semaphore>,
}

/// The threads. Ends them when dropped.
pub(super) struct Readers {
    pub(super) reader: Reader,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(super) fn start(path: &Path, shared: &Arc<Shared>) -> std::io::Result<Self> {
        let reader = Reader { queue: Arc::new(Queue::new()), waiting: Arc::new(Semaphore::new(WAITING)) };
        let mut readers = Self { reader: reader.clone(), threads: Vec::new() };
        for _ in 0..THREADS {
            let thread = Thread {
                queue: Arc::clone(&reader.queue),
                shared: Arc::clone(shared),
                path: path.to_owned(),
            };
            readers.threads.push(Builder::new().name("log-reader".to_owned()).spawn(move || thread.run())?);
        }
        Ok(readers)
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.reader.queue.close();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing to hand over.
            let _ = thread.join();
        }
    }
}

impl Reader {
    pub(super) async fn page(&self, from: Seq, max: usize) -> Result<Page, LogError> {
        self.ask(|answer| Request::Page { from, max, answer }).await
    }

    pub(super) async fn find(&self, id: EventId) -> Result<Option<Seq>, LogError> {
        self.ask(|answer| Request::Find { id, answer }).await
    }

    pub(super) async fn position(&self, source: SourceName) -> Result<Option<SourcePosition>, LogError> {
        self.ask(|answer| Request::Position { source, answer }).await
    }

    pub(super) async fn records(&self, sink: SinkName) -> Result<Records, LogError> {
        self.ask(|answer| Request::Records { sink, answer }).await
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, LogError>>) -> Request,
    ) -> Result<T, LogError> {
        let closed = || LogError("it is closed".to_owned());
        let permit = Arc::clone(&self.waiting).acquire_owned().await.map_err(|_| closed())?;
        let (answer, answered) = oneshot::channel();
        self.queue.push((request(answer), permit)).map_err(|_| closed())?;
        answered.await.map_err(|_| closed())?
    }
}

/// A thread that reads.
struct Thread {
    queue: Arc<Queue<(Request, OwnedSemaphorePermit)>>,
    shared: Arc<Shared>,
    path: PathBuf,
}

impl Thread {
    fn run(self) {
        let mut connection = None;
        while let Taken::Items(requests) = self.queue.take(None, 1, |_| 1) {
            for (request, permit) in requests {
                self.answer(&mut connection, request);
                drop(permit);
            }
        }
    }

    fn answer(&self, connection: &mut Option<Connection>, request: Request) {
        // Who asked may be gone; nobody needs the answer then.
        match request {
            Request::Page { from, max, answer } if !answer.is_closed() => {
                let _ = answer.send(self.with(connection, |connection| self.page(connection, from, max)));
            }
            Request::Find { id, answer } if !answer.is_closed() => {
                let _ = answer.send(self.find(connection, &id));
            }
            Request::Position { source, answer } => {
                let _ = answer.send(self.with(connection, |connection| position(connection, &source)));
            }
            Request::Records { sink, answer } => {
                let _ = answer.send(self.with(connection, |connection| records(connection, &sink)));
            }
            Request::Page { .. } | Request::Find { .. } => {}
        }
    }

    /// Reads with the thread's connection. One that failed is not used again.
    fn with<T>(
        &self,
        slot: &mut Option<Connection>,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, LogError> {
        let result = match slot.take() {
            Some(connection) => Ok(connection),
            None => connect_to_read(&self.path),
        }
        .and_then(|connection| {
            let value = read(&connection)?;
            *slot = Some(connection);
            Ok(value)
        });
        result.map_err(|error| LogError(describe(&error, &self.path)))
    }

    fn page(&self, connection: &Connection, from: Seq, max: usize) -> rusqlite::Result<Page> {
        let known = {
            let state = self.shared.newest.lock();
            Known { next: state.next, oldest: state.oldest, last: state.last }
        };
        // One snapshot for the whole page.
        let snapshot = connection.unchecked_transaction()?;
        let Reading { page, damage } = read::page(&snapshot, self.shared.seal, known, from, max)?;
        drop(snapshot);
        if let Some((from, to)) = damage
            // Retention raises the oldest before it removes anything: what is missing behind it is lost.
            && from >= self.shared.newest.lock().oldest
        {
            self.shared.report_damage(from, to);
        }
        Ok(page)
    }

    /// What was looked up while the table of keys was made anew says nothing.
    fn find(&self, slot: &mut Option<Connection>, id: &EventId) -> Result<Option<Seq>, LogError> {
        let Shared { newest, pending, seal, .. } = &*self.shared;
        let table = pending.whole_table();
        let oldest = newest.lock().oldest;
        let found =
            table.map(|_| self.with(slot, |connection| read::find(connection, *seal, pending, oldest, id)));
        let is_same = pending.whole_table() == table;
        found.filter(|_| is_same).unwrap_or_else(|| Err(LogError(REASON.to_owned())))
    }
}

fn position(connection: &Connection, source: &SourceName) -> rusqlite::Result<Option<SourcePosition>> {
    connection
        .prepare_cached("SELECT position FROM positions WHERE source = ?1")?
        .query_row([source.as_str()], |row| Ok(SourcePosition(row.get::<_, String>(0)?.into())))
        .optional()
}

fn records(connection: &Connection, sink: &SinkName) -> rusqlite::Result<Records> {
    connection
        .prepare_cached("SELECT key, value FROM records WHERE sink = ?1")?
        .query_map([sink.as_str()], |row| {
            Ok((row.get::<_, String>(0)?.into(), row.get::<_, Vec<u8>>(1)?.into()))
        })?
        .collect()
}
