//! A source of type `amqp` as native TOML.

use super::Printer;
use crate::native::source::{METADATA, TYPE, Type, amqp};
use crate::shapes::quote;
use crate::{Amqp, AmqpUrl, Secrets};

impl Printer {
    /// `title` is the header of the source, without its closing bracket.
    pub(super) fn amqp(&mut self, title: &str, source: &Amqp) {
        self.header(&format!("{title}.extractor]"));
        self.set(&TYPE, &Some(Type::Amqp));
        self.url(&source.url);
        self.set(&amqp::PROFILE, &source.profile);
        self.set(&amqp::PREFETCH, &source.prefetch);
        self.set(&amqp::CONCURRENCY, &source.concurrency);
        self.set(&amqp::CONSUMER_TAG, &source.consumer_tag);
        self.set(&amqp::HEARTBEAT, &source.heartbeat);
        self.set(&amqp::RECONNECT_DELAY, &source.reconnect_delay);
        self.set(&amqp::HEADERS_TO_KEEP, &source.headers_to_keep);
        self.set(&METADATA, &source.metadata);
        let queue = &source.queue;
        self.header(&format!("{title}.extractor.queue]"));
        self.set(&amqp::QUEUE_NAME, &Some(queue.name.clone()));
        self.set(&amqp::DECLARE, &queue.declare);
        self.set(&amqp::DURABLE, &queue.durable);
        self.set(&amqp::AUTO_DELETE, &queue.auto_delete);
        self.set(&amqp::EXCLUSIVE, &queue.exclusive);
        self.set(&amqp::ARGUMENTS, &queue.arguments);
        if let Some(exchange) = &source.exchange {
            self.header(&format!("{title}.extractor.exchange]"));
            self.set(&amqp::QUEUE_NAME, &Some(exchange.name.clone()));
            self.set(&amqp::EXCHANGE_TYPE, &exchange.kind);
            self.set(&amqp::DECLARE, &exchange.declare);
            self.set(&amqp::DURABLE, &exchange.durable);
            self.set(&amqp::AUTO_DELETE, &exchange.auto_delete);
            self.set(&amqp::BINDINGS, &Some(exchange.bindings.clone()));
        }
        self.client_tls(title, source.tls.as_ref());
    }

    /// Where secrets are masked, who logs in is one: a password behind a forgotten colon would be part of the name.
    fn url(&mut self, url: &AmqpUrl) {
        if let Some(variable) = &url.variable {
            return self.line(amqp::URL_ENV.name, &quote(variable));
        }
        let text = match self.secrets {
            Secrets::Masked if url.has_user => {
                format!("{}://***@{url}", if url.is_tls { "amqps" } else { "amqp" })
            }
            _ => url.text.expose().to_owned(),
        };
        self.line(amqp::URL.name, &quote(&text));
    }
}
