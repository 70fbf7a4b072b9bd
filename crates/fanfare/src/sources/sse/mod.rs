//! `sse` as a running source: what a stream brings goes through the transformers and into the log, in one record with where
//! the stream resumes.

mod report;
mod work;

use std::collections::VecDeque;

use fanfare_auth::OutgoingHeaders;
use fanfare_client::{Certificates, Client, Header, InvalidUrl, Occasion, Settings, Url};
use fanfare_event::SourceName;
use fanfare_source::Intake;
use fanfare_source::sse::{Position, Sse};
use fanfare_transform::Chain;
use secrecy::{ExposeSecret as _, SecretString};
use tracing::warn;

use super::Publisher;
use super::patience::stored_position;
use report::Report;
use work::{Item, Worker};

/// Events that are appended together. More would keep the first ones waiting for the last.
const MAX_BATCH: usize = 256;

/// Bytes of data behind which no more events are added to a batch, so that a batch of large ones stays a few times as
/// large as the largest of them.
const MAX_BATCH_BYTES: usize = 4 << 20;

/// A stream that is listened to.
#[derive(Debug)]
pub(crate) struct SseSource {
    sse: Sse,
    settings: Settings,
}

impl SseSource {
    /// The source whose transformers are built. `headers` are sent with each request.
    pub(crate) fn new(
        source: &SourceName,
        config: &fanfare_config::SseSource,
        headers: &OutgoingHeaders,
        root_url: &str,
        chain: Chain,
    ) -> Result<Self, InvalidUrl> {
        let intake = Intake::new(source.clone(), root_url, config.metadata.clone(), chain);
        let sse = Sse::new(intake, config.profile, config.events.clone(), config.url.to_string());
        Ok(Self { sse, settings: settings(config, headers)? })
    }

    /// Listens until it is dropped, or there is nothing more to listen to.
    pub(crate) async fn run(self, publisher: &Publisher) {
        let Self { sse, mut settings } = self;
        let source = sse.intake().name().clone();
        let mut report = Report::new(&source, &settings.url);
        let position = restore(&source, publisher).await;
        settings.last_event_id.clone_from(&position.id);
        let mut worker = Worker::new(sse, settings.max_event, position, publisher);
        let mut client = Client::new(settings);
        loop {
            match client.next().await {
                Occasion::Opened(position) => {
                    report.opened(position.as_deref());
                    // Where there was none yet, the server may have named where its stream begins.
                    worker.work([Item::Moved(position)].into()).await;
                }
                Occasion::Lost { error, retry_in } => report.lost(&error, retry_in),
                Occasion::Ended(ended) => return report.ended(&ended),
                first => {
                    let mut next = Some(first);
                    while let Some(first) = next {
                        let items = batch(first, &mut client, &mut worker);
                        worker.work(items).await;
                        next = client.try_next();
                    }
                }
            }
        }
    }
}

/// What the stream brought, and what is behind it and here already.
fn batch(first: Occasion, client: &mut Client, worker: &mut Worker<'_>) -> VecDeque<Item> {
    let mut items = VecDeque::new();
    let mut bytes = 0;
    let mut next = Some(first);
    while let Some(occasion) = next {
        bytes += worker.read(occasion, &mut items);
        let is_full = items.len() >= MAX_BATCH || bytes >= MAX_BATCH_BYTES;
        next = if is_full { None } else { client.try_next() };
    }
    items
}

/// How far the source has come.
async fn restore(source: &SourceName, publisher: &Publisher) -> Position {
    let Some(stored) = stored_position(source, publisher).await else { return Position::default() };
    Position::restore(&stored.0).unwrap_or_else(|problem| {
        // Of a source of another type that had this name.
        warn!(%source, %problem, "it begins anew, with what comes next");
        Position::default()
    })
}

fn settings(config: &fanfare_config::SseSource, headers: &OutgoingHeaders) -> Result<Settings, InvalidUrl> {
    let path = |file: &Option<fanfare_config::ConfigFile>| file.as_ref().map(|file| file.path.clone());
    // The request has no body, so signatures are the same each time.
    let headers = headers.values(b"").into_iter();
    let header = |(name, value): (String, SecretString)| Header { name, value: value.expose_secret().into() };
    Ok(Settings {
        headers: headers.map(header).collect(),
        user_agent: config.user_agent.clone(),
        max_event: config.max_event,
        reconnect_delay: config.reconnect_delay,
        read_timeout: config.read_timeout,
        max_retries: config.max_retries,
        tls: config.tls.as_ref().map(|tls| Certificates {
            ca: path(&tls.ca),
            identity: path(&tls.certificate).zip(path(&tls.key)),
        }),
        ..Settings::new(Url::parse(config.url.text.expose())?)
    })
}
