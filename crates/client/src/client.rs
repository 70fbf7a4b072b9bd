//! A stream across connections.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Sleep, sleep};

use crate::connection::Connection;
use crate::decoder::{Decoded, Decoder, Message, is_sendable};
use crate::error::Error;
use crate::reconnect::Reconnect;
use crate::request::{self, Answer};
use crate::settings::Settings;

/// A stream that is read until this is dropped, or the server has nothing more.
pub struct Client {
    settings: Arc<Settings>,
    /// Kept between connections where no files belong to it.
    http: Option<reqwest::Client>,
    reconnect: Reconnect,
    /// What resumes behind all that was told.
    position: Option<Arc<str>>,
    state: State,
}

/// What a client tells.
#[derive(Debug)]
pub enum Occasion {
    /// The server has answered with a stream. It resumes behind this, if there is anything to resume from.
    Opened(Option<Arc<str>>),
    /// An event.
    Message(Message),
    /// Where to resume has moved without an event.
    Moved(Option<Arc<str>>),
    /// An event was larger than the settings allow, and is left out.
    TooLarge,
    /// There is no stream just now. It comes back by itself.
    Lost {
        /// Why.
        error: Error,
        /// When it tries again.
        retry_in: Duration,
    },
    /// Nothing comes any more, however often it is asked.
    Ended(Ended),
}

/// Why a client does not come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The server said so (204; WHATWG HTML 9.2.3).
    NoContent,
    /// It was tried as often as the settings allow; this was the last failure.
    GivenUp(Error),
}

type Connecting = JoinSet<Result<(reqwest::Client, Answer), Error>>;

enum State {
    Waiting(Pin<Box<Sleep>>),
    /// In a task of its own, so that it goes on where nobody waits for it; it ends with the set.
    Connecting(Connecting),
    Live(Box<Connection>),
    Ended(Ended),
}

impl Client {
    /// A client that connects as soon as it is asked for what it tells. Needs tokio's runtime, with time and I/O.
    pub fn new(settings: Settings) -> Self {
        Self {
            reconnect: Reconnect::new(settings.reconnect_delay, settings.max_retries),
            position: settings.last_event_id.clone().filter(|id| !id.is_empty() && is_sendable(id)),
            settings: Arc::new(settings),
            http: None,
            state: State::Waiting(Box::pin(sleep(Duration::ZERO))),
        }
    }

    /// What resumes behind all that was told.
    pub fn position(&self) -> Option<&Arc<str>> {
        self.position.as_ref()
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
                    Some(Ok(Ok((http, Answer::Stream(response))))) => return self.open(http, response),
                    Some(Ok(Ok((_, Answer::Nothing)))) => return self.end(Ended::NoContent),
                    Some(Ok(Err(error))) => return self.lost(error, Duration::ZERO),
                    Some(Err(error)) => {
                        return self.lost(Error::Unreachable(error.to_string()), Duration::ZERO);
                    }
                    None => self.state = State::Connecting(self.connect()),
                },
                State::Live(connection) => match connection.next().await {
                    Ok(decoded) => {
                        if let Some(occasion) = self.tell(decoded) {
                            return occasion;
                        }
                    }
                    Err(error) => {
                        let lived = connection.lived();
                        return self.lost(error, lived);
                    }
                },
                State::Ended(ended) => return Occasion::Ended(ended.clone()),
            }
        }
    }

    /// The next occasion of the stream that is open, if it is here already.
    pub fn try_next(&mut self) -> Option<Occasion> {
        loop {
            let State::Live(connection) = &mut self.state else { return None };
            let decoded = connection.try_next()?;
            if let Some(occasion) = self.tell(decoded) {
                return Some(occasion);
            }
        }
    }

    /// Leaves the stream and comes back at once, behind all that was told.
    pub fn restart(&mut self) {
        if !matches!(self.state, State::Ended(_)) {
            self.state = State::Connecting(self.connect());
        }
    }

    fn connect(&self) -> Connecting {
        let settings = Arc::clone(&self.settings);
        let http = self.http.clone();
        let position = self.position.clone();
        let connecting = async move {
            let http = match http {
                Some(http) => http,
                None => request::http(&settings).await?,
            };
            let answer = request::ask(&http, &settings, position.as_deref()).await?;
            Ok((http, answer))
        };
        [connecting].into_iter().collect()
    }

    fn open(&mut self, http: reqwest::Client, response: reqwest::Response) -> Occasion {
        if self.settings.tls.is_none() {
            self.http = Some(http);
        }
        if self.position.is_none() {
            // Nothing was seen yet, so nothing is skipped by that; and what comes from here on is not missed where the
            // connection is lost before the first event.
            self.position = request::position(&response).filter(|id| is_sendable(id)).map(Arc::from);
        }
        let decoder = Decoder::new(self.settings.max_event, self.position.clone());
        let connection = Connection::new(response, decoder, self.settings.read_timeout);
        self.state = State::Live(Box::new(connection));
        Occasion::Opened(self.position.clone())
    }

    fn tell(&mut self, decoded: Decoded) -> Option<Occasion> {
        match decoded {
            Decoded::Retry(delay) => {
                self.reconnect.asked(delay);
                None
            }
            Decoded::Message(message) => {
                // What comes again with each connection is no progress, nor is what no id tells apart from that.
                if message.position.is_none() || self.position != message.position {
                    self.reconnect.progressed();
                }
                self.position.clone_from(&message.position);
                Some(Occasion::Message(message))
            }
            Decoded::Moved(position) => {
                self.position.clone_from(&position);
                Some(Occasion::Moved(position))
            }
            // It comes again with the next connection, until there is something behind it.
            Decoded::TooLarge => Some(Occasion::TooLarge),
        }
    }

    fn lost(&mut self, error: Error, lived: Duration) -> Occasion {
        let Some(retry_in) = self.reconnect.wait(lived, error.retry_after(), rand::random()) else {
            return self.end(Ended::GivenUp(error));
        };
        self.state = State::Waiting(Box::pin(sleep(retry_in)));
        Occasion::Lost { error, retry_in }
    }

    fn end(&mut self, ended: Ended) -> Occasion {
        self.state = State::Ended(ended.clone());
        Occasion::Ended(ended)
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("settings", &self.settings)
            .field("position", &self.position)
            .finish_non_exhaustive()
    }
}
