//! One stream: its bytes as they come, and the silence between them.

use std::time::Duration;

use futures_util::FutureExt as _;
use reqwest::Response;
use tokio::time::{Instant, timeout_at};

use crate::decoder::{Decoded, Decoder};
use crate::error::Error;

/// A stream that is open.
#[derive(Debug)]
pub(crate) struct Connection {
    response: Response,
    decoder: Decoder,
    read_timeout: Duration,
    opened: Instant,
    /// Since when its reader has waited for bytes. What the reader does meanwhile is not the server's silence.
    waiting: Option<Instant>,
    /// Why nothing comes any more, where that was noticed by the way.
    failed: Option<Error>,
}

impl Connection {
    pub(crate) fn new(response: Response, decoder: Decoder, read_timeout: Duration) -> Self {
        Self { response, decoder, read_timeout, opened: Instant::now(), waiting: None, failed: None }
    }

    /// The next thing that stands in the stream. Nothing is lost where this is dropped before it is done.
    pub(crate) async fn next(&mut self) -> Result<Decoded, Error> {
        loop {
            if let Some(decoded) = self.try_next() {
                return Ok(decoded);
            }
            if let Some(error) = self.failed.take() {
                return Err(error);
            }
            let since = *self.waiting.get_or_insert_with(Instant::now);
            let part = timeout_at(since + self.read_timeout, self.response.chunk()).await;
            let part = part.map_err(|_| Error::Silent(self.read_timeout))?;
            self.took(part);
        }
    }

    /// The next thing, if it is here already.
    pub(crate) fn try_next(&mut self) -> Option<Decoded> {
        loop {
            if let Some(decoded) = self.decoder.decode() {
                self.waiting = None;
                return Some(decoded);
            }
            if self.failed.is_some() {
                return None;
            }
            let part = self.response.chunk().now_or_never()?;
            self.took(part);
        }
    }

    fn took(&mut self, part: reqwest::Result<Option<bytes::Bytes>>) {
        self.waiting = None;
        match part {
            Ok(Some(bytes)) => self.decoder.feed(bytes),
            Ok(None) => self.failed = Some(Error::Ended),
            Err(error) => self.failed = Some(Error::broken(&error)),
        }
    }

    /// How long it has been open.
    pub(crate) fn lived(&self) -> Duration {
        self.opened.elapsed()
    }
}
