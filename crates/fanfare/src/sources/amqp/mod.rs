//! `amqp` as a running source: what a consumer brings goes through the transformers and into the log, and is settled by what
//! became of it.

mod work;

use std::num::NonZeroU16;
use std::sync::Arc;

use fanfare_amqp::{
    Certificates, Consumer, Exchange, ExchangeKind, Message, Occasion, Password, Queue, Settings,
};
use fanfare_event::SourceName;
use fanfare_source::Intake;
use fanfare_source::amqp::{Amqp, Unconfirmed};
use fanfare_transform::Chain;
use tracing::{info, warn};

use super::Publisher;
use super::patience::stored_position;
use work::Worker;

/// Messages that are appended together. More would keep the first ones waiting for the last.
const MAX_BATCH: usize = 256;

/// Bytes of bodies behind which no more messages are added to a batch, so that a batch of large messages stays a few times
/// as large as the largest of them.
const MAX_BATCH_BYTES: usize = 4 << 20;

/// A queue that is consumed.
#[derive(Debug)]
pub(crate) struct AmqpSource {
    amqp: Amqp,
    settings: Settings,
    concurrency: usize,
    /// What the log shows of the URL.
    broker: String,
}

impl AmqpSource {
    /// The source whose transformers are built.
    pub(crate) fn new(
        source: &SourceName,
        config: &fanfare_config::Amqp,
        http: &fanfare_config::Http,
        root_url: &str,
        chain: Chain,
    ) -> Self {
        let intake = Intake::new(source.clone(), root_url, config.metadata.clone(), chain);
        Self {
            amqp: Amqp::new(intake, config.profile, config.headers_to_keep.clone(), http.max_body),
            settings: settings(source, config),
            concurrency: usize::from(config.concurrency),
            broker: config.url.to_string(),
        }
    }

    /// Consumes until it is dropped.
    pub(crate) async fn run(self, publisher: &Publisher) {
        let Self { amqp, settings, concurrency, broker } = self;
        let source = amqp.intake().name().clone();
        let queue = settings.queue.name.clone();
        let unconfirmed = restore(&source, settings.prefetch.get(), publisher).await;
        let mut worker = Worker::new(Arc::new(amqp), concurrency, unconfirmed, publisher);
        let mut consumer = Consumer::new(settings);
        loop {
            match consumer.next().await {
                Occasion::Consuming => {
                    info!(%source, %broker, queue, "consuming");
                    worker.reconnected();
                }
                Occasion::Message(first) => {
                    let mut next = Some(first);
                    while let Some(first) = next {
                        worker.work(batch(*first, &mut consumer), &consumer).await;
                        next = consumer.try_message();
                    }
                    worker.rest().await;
                }
                Occasion::Lost { error, retry_in } => {
                    let retry_in = format!("{:.1} s", retry_in.as_secs_f32());
                    let advice = error.advice().map(|advice| format!("; {advice}")).unwrap_or_default();
                    warn!(%source, %broker, queue, reason = %error, retry_in, "not consuming{advice}");
                }
            }
        }
    }
}

/// A message, and those behind it that are here already.
fn batch(first: Message, consumer: &mut Consumer) -> Vec<Message> {
    let mut bytes = first.body.len();
    let mut messages = vec![first];
    while messages.len() < MAX_BATCH && bytes < MAX_BATCH_BYTES {
        let Some(message) = consumer.try_message() else { break };
        bytes += message.body.len();
        messages.push(*message);
    }
    messages
}

/// What the log knows of messages that may be delivered again.
async fn restore(source: &SourceName, prefetch: u16, publisher: &Publisher) -> Unconfirmed {
    let position = stored_position(source, publisher).await;
    let Some(position) = position else { return Unconfirmed::new(prefetch) };
    Unconfirmed::restore(&position.0, prefetch).unwrap_or_else(|problem| {
        // Of a source of another type that had this name.
        warn!(%source, %problem, "it begins anew");
        Unconfirmed::new(prefetch)
    })
}

fn settings(source: &SourceName, config: &fanfare_config::Amqp) -> Settings {
    let url = &config.url;
    let path = |file: &Option<fanfare_config::ConfigFile>| file.as_ref().map(|file| file.path.clone());
    let tls = url.is_tls.then(|| {
        config.tls.as_ref().map_or_else(Certificates::default, |tls| Certificates {
            ca: path(&tls.ca),
            identity: path(&tls.certificate).zip(path(&tls.key)),
        })
    });
    let queue = &config.queue;
    Settings {
        host: url.host.clone(),
        port: url.port,
        vhost: url.vhost.clone(),
        username: url.username.expose().to_owned(),
        password: Password::from(url.password.expose().to_owned()),
        tls,
        queue: Queue {
            name: queue.name.clone(),
            declare: queue.declare,
            durable: queue.durable,
            auto_delete: queue.auto_delete,
            exclusive: queue.exclusive,
            arguments: queue.arguments.clone(),
        },
        exchange: config.exchange.as_ref().map(exchange),
        prefetch: NonZeroU16::new(config.prefetch).unwrap_or(NonZeroU16::MIN),
        consumer_tag: config.consumer_tag.clone().unwrap_or_default(),
        heartbeat: config.heartbeat,
        reconnect_delay: config.reconnect_delay,
        connection_name: format!("fanfare: {source}"),
    }
}

fn exchange(config: &fanfare_config::AmqpExchange) -> Exchange {
    Exchange {
        name: config.name.clone(),
        kind: match config.kind {
            fanfare_config::ExchangeKind::Direct => ExchangeKind::Direct,
            fanfare_config::ExchangeKind::Fanout => ExchangeKind::Fanout,
            fanfare_config::ExchangeKind::Topic => ExchangeKind::Topic,
            fanfare_config::ExchangeKind::Headers => ExchangeKind::Headers,
        },
        declare: config.declare,
        durable: config.durable,
        auto_delete: config.auto_delete,
        bindings: config.bindings.clone(),
    }
}
