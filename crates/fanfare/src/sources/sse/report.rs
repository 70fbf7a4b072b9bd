//! What is said of the connection: when it is there, when it is lost and why, and what to do where it does not come back by
//! itself. Nothing is said twice, and little of a server that ends each stream at once.

use std::time::{Duration, Instant};

use fanfare_client::{Ended, Error, Url};
use fanfare_event::SourceName;
use tracing::{debug, error, info, warn};

/// For so long the same reason is not said again, however often a stream came about between. A server that flaps must not
/// fill the disk.
const QUIET: Duration = Duration::from_secs(10);

/// What was said of a source's connection.
#[derive(Debug)]
pub(super) struct Report<'a> {
    source: &'a SourceName,
    url: String,
    /// Whether there was one before.
    was_open: bool,
    /// Why there is none.
    lost: Option<Reason>,
    /// The reason that was said last, and when.
    said: Option<(Reason, Instant)>,
    /// Whether the log's last word is that there is none.
    is_said_lost: bool,
}

/// What tells one cause of a loss from another.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Reason {
    /// What a server says to a refusal may have a number in it that is never the same.
    Status(u16),
    Other(String),
}

impl<'a> Report<'a> {
    pub(super) fn new(source: &'a SourceName, url: &Url) -> Self {
        Self { source, url: url.to_string(), was_open: false, lost: None, said: None, is_said_lost: false }
    }

    /// The stream is there, and goes on behind this.
    pub(super) fn opened(&mut self, position: Option<&str>) {
        let is_news = self.notes_opened();
        let Self { source, url, was_open, .. } = self;
        let listening = if std::mem::replace(was_open, true) { "listening again" } else { "listening" };
        match position {
            _ if !is_news => debug!(%source, %url, behind = position, "{listening}"),
            Some(behind) => info!(%source, %url, behind, "{listening}"),
            None => info!(%source, %url, "{listening}, with what comes next"),
        }
    }

    /// There is no stream just now.
    pub(super) fn lost(&mut self, error: &Error, retry_in: Duration) {
        let is_news = self.notes_lost(error, Instant::now());
        let Self { source, url, .. } = self;
        let retry_in = format!("{:.1} s", retry_in.as_secs_f32());
        if is_news {
            warn!(%source, %url, reason = %error, retry_in, "not listening{}", advice(error));
        } else {
            debug!(%source, %url, reason = %error, retry_in, "not listening");
        }
    }

    /// Whether that there is a stream is worth a line.
    fn notes_opened(&mut self) -> bool {
        self.lost = None;
        std::mem::take(&mut self.is_said_lost) || !self.was_open
    }

    /// Whether that there is none is worth a line.
    fn notes_lost(&mut self, error: &Error, now: Instant) -> bool {
        let reason = match error {
            Error::Refused { status, .. } => Reason::Status(*status),
            other => Reason::Other(other.to_string()),
        };
        let is_old = self.lost.as_ref() == Some(&reason)
            || matches!(&self.said, Some((said, at)) if *said == reason && now.duration_since(*at) < QUIET);
        self.lost = Some(reason.clone());
        if is_old {
            return false;
        }
        self.said = Some((reason, now));
        self.is_said_lost = true;
        true
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_not_said_again() {
        let (source, url) = (SourceName::new("hub"), Url::parse("http://localhost/").unwrap());
        let mut report = Report::new(&source, &url);
        let start = Instant::now();
        let lost = |report: &mut Report<'_>, seconds, error: &Error| {
            report.notes_lost(error, start + Duration::from_secs(seconds))
        };
        let opened = |report: &mut Report<'_>| {
            let is_news = report.notes_opened();
            report.was_open = true;
            is_news
        };
        let refused =
            |detail: &str| Error::Refused { status: 503, detail: Some(detail.to_owned()), retry_after: None };
        assert!(lost(&mut report, 0, &refused("1")));
        assert!(!lost(&mut report, 1, &refused("2")), "however long it lasts");
        assert!(!lost(&mut report, 99, &refused("3")));
        assert!(lost(&mut report, 100, &Error::Ended));
        assert!(opened(&mut report));
        assert!(!lost(&mut report, 101, &Error::Ended), "it flaps");
        assert!(!opened(&mut report));
        assert!(lost(&mut report, 102, &Error::Silent(QUIET)), "for another reason");
        assert!(opened(&mut report));
        assert!(lost(&mut report, 200, &Error::Silent(QUIET)), "long after");
        assert!(opened(&mut report));
    }
}
