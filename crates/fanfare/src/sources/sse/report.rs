//! What is said of the connection: when it is there, when it is lost and why, and what to do where it does not come back by
//! itself. Nothing is said twice.

use std::time::Duration;

use fanfare_client::{Ended, Error, Url};
use fanfare_event::SourceName;
use tracing::{debug, error, info, warn};

/// What was said of a source's connection.
#[derive(Debug)]
pub(super) struct Report<'a> {
    source: &'a SourceName,
    url: String,
    /// Whether there was one before.
    was_open: bool,
    /// Why there is none, as it was said last.
    lost: Option<String>,
}

impl<'a> Report<'a> {
    pub(super) fn new(source: &'a SourceName, url: &Url) -> Self {
        Self { source, url: url.to_string(), was_open: false, lost: None }
    }

    /// The stream is there, and goes on behind this.
    pub(super) fn opened(&mut self, position: Option<&str>) {
        let Self { source, url, was_open, lost } = self;
        *lost = None;
        let listening = if std::mem::replace(was_open, true) { "listening again" } else { "listening" };
        if let Some(behind) = position {
            info!(%source, %url, behind, "{listening}");
        } else {
            info!(%source, %url, "{listening}, with what comes next");
        }
    }

    /// There is no stream just now.
    pub(super) fn lost(&mut self, error: &Error, retry_in: Duration) {
        let Self { source, url, lost, .. } = self;
        let retry_in = format!("{:.1} s", retry_in.as_secs_f32());
        // What a server says to a refusal may have a number in it that is never the same.
        let sameness = match error {
            Error::Refused { status, .. } => status.to_string(),
            other => other.to_string(),
        };
        if lost.as_ref() == Some(&sameness) {
            debug!(%source, %url, reason = %error, retry_in, "not listening");
        } else {
            warn!(%source, %url, reason = %error, retry_in, "not listening{}", advice(error));
            *lost = Some(sameness);
        }
    }

    /// There will be none.
    pub(super) fn ended(&self, ended: &Ended) {
        let Self { source, url, .. } = self;
        match ended {
            Ended::NoContent => {
                warn!(%source, %url, "the server says that nothing will come any more (204): the source stops until the next start");
            }
            Ended::GivenUp(reason) => error!(
                %source, %url, %reason,
                "the source gives up after `max_retries` failures, until the next start{}", advice(reason)
            ),
        }
    }
}

/// What somebody has to do, where waiting can hardly help.
fn advice(error: &Error) -> &'static str {
    match error {
        Error::Unreachable(reason) if reason.contains("UnknownIssuer") => {
            "; if the certificate is right, name its authority in `tls.ca_file`"
        }
        Error::Refused { status: 401 | 403, .. } => "; check `headers`, and what the server asks for",
        Error::Redirect(_) => "; check whether `url` should be where that leads",
        other if other.is_lasting() => "; check `url`, and what is served there",
        _ => "",
    }
}
