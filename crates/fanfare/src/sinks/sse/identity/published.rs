//! The keys that an issuer publishes (RFC 7517): fetched in the background, kept, and fetched anew where a token names one
//! that is not known. When to fetch is decided in `fanfare-auth`.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fanfare_auth::jwt::{IgnoredKey, Key, KeySet, KeySetFault, Keys, MAX_KEY_SET, Refresh};
use fanfare_event::SinkName;
use reqwest::redirect::{Attempt, Policy};
use reqwest::{Client, StatusCode, Url};
use tokio::sync::{Notify, watch};
use tracing::{debug, info, warn};

/// How long a fetch may take, from the look-up of the name to the last byte. Who waits for it waits no longer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Redirects that are followed, all of them on the host that was configured.
const MAX_REDIRECTS: usize = 3;

/// The keys of one sink.
#[derive(Debug)]
pub(crate) struct Published {
    sink: SinkName,
    url: Url,
    /// Those of the configuration, which hold beside what is fetched.
    fixed: Vec<Key>,
    latest: watch::Sender<Latest>,
    /// Locked too while the latest changes, so that who asks knows of every fetch whether it has ended.
    refresh: Mutex<Refresh>,
    asked: Notify,
    /// What the times of `refresh` are since.
    origin: Instant,
}

/// The keys that hold now.
#[derive(Clone, Debug)]
pub(super) struct Latest {
    pub(super) keys: Arc<Keys>,
    /// Whether those of the issuer are among them: it could be reached at least once.
    pub(super) is_complete: bool,
    /// Fetches that have ended.
    fetches: u64,
}

/// Why keys were not fetched.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error("{}", with_causes(.0))]
    Request(#[from] reqwest::Error),
    #[error("the answer has the status {0}")]
    Status(StatusCode),
    #[error("the answer is no set of keys: {0}")]
    NoSet(#[from] KeySetFault),
}

impl Published {
    pub(super) fn new(sink: SinkName, url: Url, fixed: Vec<Key>) -> Self {
        let latest =
            Latest { keys: Arc::new(Keys::new(fixed.iter().cloned())), is_complete: false, fetches: 0 };
        Self {
            sink,
            url,
            fixed,
            latest: watch::Sender::new(latest),
            refresh: Mutex::new(Refresh::new(Duration::ZERO)),
            asked: Notify::new(),
            origin: Instant::now(),
        }
    }

    /// The keys that hold now.
    pub(super) fn latest(&self) -> Latest {
        self.latest.borrow().clone()
    }

    /// Newer keys than these, once they are there: from a fetch that is under way or can begin now. The same where there
    /// is none, because one has ended lately.
    pub(super) async fn newer_than(&self, seen: &Latest) -> Latest {
        let mut latest = self.latest.subscribe();
        {
            let mut refresh = self.lock();
            let has_changed = latest.borrow().fetches > seen.fetches;
            if has_changed || !refresh.ask(self.now()) {
                return latest.borrow().clone();
            }
        }
        self.asked.notify_one();
        // It ends in time by itself; this is for a runtime that is too busy to end it.
        let ended = latest.wait_for(|latest| latest.fetches > seen.fetches);
        let _ = tokio::time::timeout(TIMEOUT + Duration::from_secs(1), ended).await;
        self.latest()
    }

    /// Fetches the keys whenever that is due, until it is dropped.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        let mut client = None;
        let mut said = Said::default();
        loop {
            if let Err(due) = self.begin() {
                let wait = due.saturating_sub(self.now());
                let _ = tokio::time::timeout(wait, self.asked.notified()).await;
                continue;
            }
            let fetched = match &client {
                Some(client) => self.fetch(client).await,
                None => match connect(&self.url) {
                    Ok(new) => self.fetch(client.insert(new)).await,
                    Err(error) => Err(error),
                },
            };
            self.say(&fetched, &mut said);
            self.end(fetched.ok());
        }
    }

    fn begin(&self) -> Result<(), Duration> {
        self.lock().begin(self.now())
    }

    /// A fetch has ended; where it has failed, the keys stay what they are.
    fn end(&self, fetched: Option<KeySet>) {
        let mut refresh = self.lock();
        refresh.end(self.now(), fetched.is_some());
        self.latest.send_modify(|latest| {
            latest.fetches += 1;
            if let Some(set) = fetched {
                latest.keys = Arc::new(Keys::new(self.fixed.iter().cloned().chain(set.keys)));
                latest.is_complete = true;
            }
        });
    }

    async fn fetch(&self, client: &Client) -> Result<KeySet, FetchError> {
        let mut response = client.get(self.url.clone()).send().await?;
        if !response.status().is_success() {
            return Err(FetchError::Status(response.status()));
        }
        let mut document = Vec::new();
        while let Some(part) = response.chunk().await? {
            document.extend_from_slice(&part);
            if document.len() > MAX_KEY_SET {
                return Err(KeySetFault::TooLarge.into());
            }
        }
        Ok(KeySet::parse(&document)?)
    }

    /// Says what has come of a fetch, and nothing twice.
    fn say(&self, fetched: &Result<KeySet, FetchError>, said: &mut Said) {
        let (sink, url) = (&self.sink, shown(&self.url));
        match fetched {
            Ok(set) => {
                let is_news = !self.latest().is_complete || std::mem::take(&mut said.has_failed);
                if is_news {
                    info!(%sink, url, keys = set.keys.len(), "the keys of tokens were fetched");
                } else {
                    debug!(%sink, url, keys = set.keys.len(), "the keys of tokens were fetched");
                }
                if set.ignored != said.ignored {
                    for key in &set.ignored {
                        warn!(%sink, url, %key, "a published key is not used");
                    }
                    said.ignored.clone_from(&set.ignored);
                }
                if set.keys.is_empty() && !said.is_empty {
                    warn!(%sink, url, "the issuer publishes no key that can be used: its tokens are refused");
                }
                said.is_empty = set.keys.is_empty();
            }
            Err(error) if said.has_failed => {
                debug!(%sink, url, %error, "the keys of tokens could not be fetched");
            }
            Err(error) => {
                let kept = if self.latest().is_complete {
                    "those that were fetched before hold"
                } else {
                    "streams are put off for tokens that need them"
                };
                warn!(%sink, url, %error, "the keys of tokens could not be fetched; {kept}, and it is tried again");
                said.has_failed = true;
            }
        }
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }

    fn lock(&self) -> MutexGuard<'_, Refresh> {
        self.refresh.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What was said of fetches.
#[derive(Default)]
struct Said {
    has_failed: bool,
    ignored: Vec<IgnoredKey>,
    is_empty: bool,
}

fn connect(url: &Url) -> Result<Client, FetchError> {
    let origin = url.origin();
    let follow = move |attempt: Attempt<'_>| {
        if attempt.url().origin() != origin {
            attempt.error("it redirects to another host")
        } else if attempt.previous().len() > MAX_REDIRECTS {
            attempt.error("it redirects too often")
        } else {
            attempt.follow()
        }
    };
    let client = Client::builder()
        .timeout(TIMEOUT)
        .redirect(Policy::custom(follow))
        .user_agent(concat!("fanfare/", env!("CARGO_PKG_VERSION")));
    // Only this machine is asked over `http`. A proxy would ask another, and could answer what it likes.
    let client = if url.scheme() == "http" { client.no_proxy() } else { client };
    Ok(client.build()?)
}

/// A URL without its query, which may hold what is not for a log.
fn shown(url: &Url) -> String {
    format!("{}{}", url.origin().ascii_serialization(), url.path())
}

/// An error and what caused it, without the URL, which may hold what is not for a log.
fn with_causes(error: &reqwest::Error) -> String {
    let mut text = match (error.is_timeout(), error.is_redirect(), error.is_connect()) {
        (true, ..) => "it took too long".to_owned(),
        (_, true, _) => "a redirect was not followed".to_owned(),
        (.., true) => "it could not be reached".to_owned(),
        _ => "the exchange failed".to_owned(),
    };
    let mut cause = error.source();
    while let Some(error) = cause {
        let _ = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
