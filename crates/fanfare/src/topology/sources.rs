//! The sources of a configuration: those that are called are served at their paths, the others run by themselves. What this
//! build was made without is said.

use fanfare_config::{Config, Diagnostics, Extractor, Source};

use super::transformers::chain;
use super::{Endpoint, Topology};

impl Topology {
    /// Adds what a source receives its events with, unless that is nothing.
    pub(super) fn add_source(
        &mut self,
        config: &Config,
        source: &Source,
        root_url: &str,
        diagnostics: &mut Diagnostics,
    ) {
        match &source.extractor {
            Some(Extractor::Webhook(webhook)) => {
                self.add_webhook(config, source, webhook, root_url, diagnostics);
            }
            Some(Extractor::Rest(rest)) => self.add_operations(config, source, rest, root_url, diagnostics),
            Some(Extractor::Mock(mock)) => self.add_mock(config, source, mock, root_url, diagnostics),
            Some(Extractor::Amqp(amqp)) => self.add_amqp(config, source, amqp, root_url, diagnostics),
            Some(Extractor::Sse(sse)) => self.add_sse_source(config, source, sse, root_url, diagnostics),
            None => {}
        }
    }

    #[cfg(feature = "source_webhook")]
    fn add_webhook(
        &mut self,
        config: &Config,
        source: &Source,
        webhook: &fanfare_config::Webhook,
        root_url: &str,
        diagnostics: &mut Diagnostics,
    ) {
        use crate::sources::webhook::WebhookEndpoint;

        let chain = chain(config, source);
        let rules = crate::rules::build(&webhook.headers, diagnostics);
        let endpoint = WebhookEndpoint::new(&source.name, webhook, &config.http, root_url, chain, rules);
        self.add(webhook.listener.clone(), webhook.path.clone(), Endpoint::Webhook(Box::new(endpoint)));
    }

    #[cfg(not(feature = "source_webhook"))]
    #[expect(clippy::unused_self, reason = "the same call with and without the feature")]
    fn add_webhook(
        &mut self,
        _: &Config,
        _: &Source,
        webhook: &fanfare_config::Webhook,
        _: &str,
        diagnostics: &mut Diagnostics,
    ) {
        super::left_out(diagnostics, webhook.type_span, "a webhook source", "source_webhook");
    }

    #[cfg(feature = "source_rest")]
    fn add_operations(
        &mut self,
        config: &Config,
        source: &Source,
        rest: &fanfare_config::Rest,
        root_url: &str,
        diagnostics: &mut Diagnostics,
    ) {
        use crate::sources::rest::OperationsEndpoint;

        let chain = chain(config, source);
        let rules = crate::rules::build(&rest.headers, diagnostics);
        let endpoints = OperationsEndpoint::all(&source.name, rest, &config.http, root_url, chain, rules);
        let operations = &mut self.listeners.entry(rest.listener.clone()).or_default().operations;
        for (pattern, endpoint) in endpoints {
            // Two sources at one path are an error of the configuration, on which nothing starts.
            let _ = operations.insert(pattern, endpoint);
        }
    }

    #[cfg(not(feature = "source_rest"))]
    #[expect(clippy::unused_self, reason = "the same call with and without the feature")]
    fn add_operations(
        &mut self,
        _: &Config,
        _: &Source,
        rest: &fanfare_config::Rest,
        _: &str,
        diagnostics: &mut Diagnostics,
    ) {
        super::left_out(diagnostics, rest.type_span, "a `rest` source", "source_rest");
    }

    #[cfg(feature = "source_amqp")]
    fn add_amqp(
        &mut self,
        config: &Config,
        source: &Source,
        amqp: &fanfare_config::Amqp,
        root_url: &str,
        _: &mut Diagnostics,
    ) {
        use crate::sources::amqp::AmqpSource;

        let chain = chain(config, source);
        let amqp = AmqpSource::new(&source.name, amqp, &config.http, root_url, chain);
        self.runners.push(crate::sources::Runner::Amqp(Box::new(amqp)));
    }

    #[cfg(not(feature = "source_amqp"))]
    #[expect(clippy::unused_self, reason = "the same call with and without the feature")]
    fn add_amqp(
        &mut self,
        _: &Config,
        _: &Source,
        amqp: &fanfare_config::Amqp,
        _: &str,
        diagnostics: &mut Diagnostics,
    ) {
        super::left_out(diagnostics, amqp.type_span, "an `amqp` source", "source_amqp");
    }

    #[cfg(feature = "source_mock")]
    fn add_mock(
        &mut self,
        config: &Config,
        source: &Source,
        mock: &fanfare_config::Mock,
        root_url: &str,
        _: &mut Diagnostics,
    ) {
        use crate::sources::mock::MockSource;

        let mock = MockSource::new(&source.name, mock, root_url, chain(config, source));
        self.runners.push(crate::sources::Runner::Mock(mock));
    }

    #[cfg(not(feature = "source_mock"))]
    #[expect(clippy::unused_self, reason = "the same call with and without the feature")]
    fn add_mock(
        &mut self,
        _: &Config,
        source: &Source,
        _: &fanfare_config::Mock,
        _: &str,
        diagnostics: &mut Diagnostics,
    ) {
        super::left_out(diagnostics, source.span, "a mock source", "source_mock");
    }

    #[cfg(feature = "source_sse")]
    fn add_sse_source(
        &mut self,
        config: &Config,
        source: &Source,
        sse: &fanfare_config::SseSource,
        root_url: &str,
        diagnostics: &mut Diagnostics,
    ) {
        use crate::sources::sse::SseSource;

        let headers = crate::rules::outgoing(&sse.headers, diagnostics);
        match SseSource::new(&source.name, sse, &headers, root_url, chain(config, source)) {
            Ok(sse) => self.runners.push(crate::sources::Runner::Sse(Box::new(sse))),
            // Our own reader of URLs has let it through.
            Err(problem) => {
                diagnostics.error(sse.type_span, format!("the URL of this source cannot be used: {problem}"));
            }
        }
    }

    #[cfg(not(feature = "source_sse"))]
    #[expect(clippy::unused_self, reason = "the same call with and without the feature")]
    fn add_sse_source(
        &mut self,
        _: &Config,
        _: &Source,
        sse: &fanfare_config::SseSource,
        _: &str,
        diagnostics: &mut Diagnostics,
    ) {
        super::left_out(diagnostics, sse.type_span, "an `sse` source", "source_sse");
    }
}
