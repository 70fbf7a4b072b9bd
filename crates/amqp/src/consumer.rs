//! A consumer across connections.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};

use crate::backoff::Backoff;
use crate::message::Message;
use crate::session::{Error, Session};
use crate::settings::Settings;

/// A queue that is consumed until this is dropped. Messages that are not settled then are delivered again to whoever
/// consumes next.
pub struct Consumer {
    settings: Arc<Settings>,
    backoff: Backoff,
    state: State,
}

/// What a consumer tells.
#[derive(Debug)]
pub enum Occasion {
    /// It is connected, everything is declared, and messages may come. Receipts of before mean nothing any more.
    Consuming,
    /// A message.
    Message(Box<Message>),
    /// Nothing is consumed just now. It tries again by itself.
    Lost {
        /// Why.
        error: Error,
        /// When it tries again.
        retry_in: Duration,
    },
}

enum State {
    Waiting(Pin<Box<Sleep>>),
    /// In a task of its own, so that it goes on where nobody waits for it; it ends with the set.
    Connecting(JoinSet<Result<Session, Error>>),
    Live(Box<Session>),
}

impl Consumer {
    /// A consumer that connects as soon as it is asked for what it tells.
    pub fn new(settings: Settings) -> Self {
        let backoff = Backoff::new(settings.reconnect_delay);
        Self { settings: Arc::new(settings), backoff, state: State::Waiting(Box::pin(sleep(Duration::ZERO))) }
    }

    /// The next occasion. Nothing is lost where this is dropped before it is done.
    pub async fn next(&mut self) -> Occasion {
        loop {
            match &mut self.state {
                State::Waiting(wait) => {
                    wait.await;
                    self.state = State::Connecting(self.connect());
                }
                State::Connecting(connecting) => match connecting.join_next().await {
                    Some(Ok(Ok(session))) => {
                        self.backoff.reset();
                        self.state = State::Live(Box::new(session));
                        return Occasion::Consuming;
                    }
                    Some(Ok(Err(error))) => return self.lost(error),
                    Some(Err(error)) => return self.lost(Error::Connect(error.to_string())),
                    None => self.state = State::Connecting(self.connect()),
                },
                State::Live(session) => match session.next().await {
                    Ok(message) => return Occasion::Message(Box::new(message)),
                    Err(error) => return self.lost(error),
                },
            }
        }
    }

    /// The next message, if it is here already.
    pub fn try_message(&mut self) -> Option<Box<Message>> {
        let State::Live(session) = &mut self.state else { return None };
        match session.try_next()? {
            Ok(message) => Some(Box::new(message)),
            Err(error) => {
                // Told when the caller waits for what comes next.
                self.state = State::Connecting(failed(error));
                None
            }
        }
    }

    /// Waits until the broker has taken everything that was settled before; whether it has.
    pub async fn flush(&self) -> bool {
        match &self.state {
            State::Live(session) => session.flush().await.is_ok(),
            State::Waiting(_) | State::Connecting(_) => false,
        }
    }

    fn connect(&self) -> JoinSet<Result<Session, Error>> {
        let settings = Arc::clone(&self.settings);
        [async move { Session::open(&settings).await }].into_iter().collect()
    }

    fn lost(&mut self, error: Error) -> Occasion {
        let retry_in = self.backoff.wait(rand::random());
        self.state = State::Waiting(Box::pin(sleep(retry_in)));
        Occasion::Lost { error, retry_in }
    }
}

/// A try that has failed already.
fn failed(error: Error) -> JoinSet<Result<Session, Error>> {
    [async move { Err(error) }].into_iter().collect()
}

impl fmt::Debug for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Consumer").field("settings", &self.settings).finish_non_exhaustive()
    }
}
