//! What is served at one listener, and finding it by a request's path.

use std::collections::HashMap;

use crate::http::cors::Cors;
use crate::viewer::Page;

/// What is served at a listener, by path.
#[derive(Debug, Default)]
pub(crate) struct Endpoints {
    pub(super) fixed: HashMap<String, Endpoint>,
    /// Behind those above: a path that is one of theirs is never an operation's.
    #[cfg(feature = "source_rest")]
    pub(super) operations: matchit::Router<crate::sources::rest::OperationsEndpoint>,
}

/// What answers at a path.
#[derive(Debug)]
pub(crate) enum Endpoint {
    #[cfg(feature = "source_webhook")]
    Webhook(Box<crate::sources::webhook::WebhookEndpoint>),
    #[cfg(feature = "sink_sse")]
    Stream(Box<crate::sinks::sse::StreamEndpoint>),
    #[cfg(feature = "sink_http_pull")]
    Pull(Box<crate::sinks::http_pull::PullEndpoint>),
    #[cfg(feature = "sink_sse")]
    Admin(Box<crate::admin::AdminEndpoint>),
    Page(&'static Page),
}

impl Endpoint {
    /// Which pages of other origins may read it.
    pub(crate) fn cors(&self) -> Option<&Cors> {
        match self {
            #[cfg(feature = "source_webhook")]
            Self::Webhook(_) => None,
            #[cfg(feature = "sink_sse")]
            Self::Stream(stream) => stream.cors(),
            #[cfg(feature = "sink_http_pull")]
            Self::Pull(pull) => pull.cors(),
            #[cfg(feature = "sink_sse")]
            Self::Admin(_) => None,
            Self::Page(_) => None,
        }
    }
}

impl Endpoints {
    pub(crate) fn at(&self, path: &str) -> Option<&Endpoint> {
        self.fixed.get(path)
    }

    /// The operations at a path, and what it has for their parameters, percent-encoded as it came. Of two that a path could
    /// mean it means the one with a fixed segment where the other has a parameter, at the first such place.
    #[cfg(feature = "source_rest")]
    pub(crate) fn operations(
        &self,
        path: &str,
    ) -> Option<(&crate::sources::rest::OperationsEndpoint, Vec<String>)> {
        let found = self.operations.at(path).ok()?;
        Some((found.value, found.params.iter().map(|(_, value)| value.to_owned()).collect()))
    }

    /// A path that differs from this one by a final slash only and at which something is served, and which pages of other
    /// origins may use that. Somebody who left the slash out, or wrote one, means it.
    pub(crate) fn beside(&self, path: &str) -> Option<(String, Option<&Cors>)> {
        let beside = match path.strip_suffix('/') {
            Some(without) => without.to_owned(),
            None => format!("{path}/"),
        };
        if let Some(endpoint) = self.fixed.get(&beside) {
            return Some((beside, endpoint.cors()));
        }
        // Browsers take `\` for `/`, so that to send one on to `/\host/` would lead to another host.
        #[cfg(feature = "source_rest")]
        if let (Ok(found), false) = (self.operations.at(&beside), beside.contains('\\')) {
            let cors = found.value.cors();
            return Some((beside, cors));
        }
        None
    }
}
