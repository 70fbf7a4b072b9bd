//! What is served at which path: built once from a configuration, then immutable and looked up per request. Routes
//! are data, not calls that build a router.

mod endpoints;
mod sources;
mod transformers;
mod transports;

use std::collections::{BTreeMap, HashMap};

use fanfare_config::{Config, Diagnostics, Extractor, SinkKind};
#[cfg(feature = "sink_sse")]
use fanfare_event::Profile;
use fanfare_event::SinkName;
use fanfare_source::{OperationPattern, Route, Routes};

use crate::http::Transport;
use crate::viewer::Page;

pub(crate) use endpoints::{Endpoint, Endpoints};
use transformers::check_transformers;

/// The name of a listener; `None` is the default one.
pub(crate) type ListenerName = Option<String>;

/// Where streams are listed and ended, at the listener of the operator.
pub(crate) const ADMIN_PATH: &str = "/admin/connections";

/// What is served at each listener, and where events go.
#[derive(Debug)]
pub(crate) struct Topology {
    listeners: BTreeMap<ListenerName, Endpoints>,
    /// What listeners speak below HTTP, where it is not TCP.
    transports: Vec<(ListenerName, Transport)>,
    /// What is served at the listener of the operator, if there is one.
    admin: Option<Endpoints>,
    /// Which source feeds which sink, and whom of its clients.
    pub(crate) routes: Routes,
    #[cfg(feature = "sink_sse")]
    pub(crate) profiles: HashMap<SinkName, Profile>,
    /// Whether there is a sink whose clients are who their tokens say.
    #[cfg(feature = "sink_sse")]
    pub(crate) has_tokens: bool,
    #[cfg(feature = "sink_http_pull")]
    batch_ids: std::sync::Arc<crate::sinks::http_pull::BatchIds>,
    /// Keys that are fetched while the server runs.
    #[cfg(feature = "identity_jwt")]
    pub(crate) published: Vec<std::sync::Arc<crate::sinks::sse::Published>>,
    /// Sources that nobody calls.
    pub(crate) runners: Vec<crate::sources::Runner>,
}

impl Topology {
    /// Builds what a configuration asks for. What is wrong with it goes to the diagnostics: programs that do not
    /// compile, and what this build was made without.
    pub(crate) fn build(config: &Config, root_url: &str, diagnostics: &mut Diagnostics) -> Self {
        let mut topology = Self {
            listeners: BTreeMap::new(),
            transports: transports::build(config, diagnostics),
            admin: None,
            routes: routes(config),
            #[cfg(feature = "sink_sse")]
            profiles: HashMap::new(),
            #[cfg(feature = "sink_sse")]
            has_tokens: false,
            #[cfg(feature = "sink_http_pull")]
            batch_ids: std::sync::Arc::default(),
            #[cfg(feature = "identity_jwt")]
            published: Vec::new(),
            runners: Vec::new(),
        };
        check_transformers(config, diagnostics);
        for source in &config.sources {
            topology.add_source(config, source, root_url, diagnostics);
        }
        for sink in &config.sinks {
            match &sink.kind {
                SinkKind::Sse(sse) => topology.add_stream(&sink.name, sse, diagnostics),
                SinkKind::HttpPull(pull) => topology.add_pull(&sink.name, pull, diagnostics),
            }
        }
        if let Some(admin) = &config.admin {
            topology.add_admin(admin, diagnostics);
        }
        topology
    }

    /// What is served at the listener of the operator.
    pub(crate) fn take_admin(&mut self) -> Endpoints {
        self.admin.take().unwrap_or_default()
    }

    /// Serves pages at their paths.
    pub(crate) fn add_pages(&mut self, pages: &'static [Page]) {
        for page in pages {
            self.add(None, page.path.to_owned(), Endpoint::Page(page));
        }
    }

    /// The names of the listeners at which something is served; the default one where nothing is served at all.
    pub(crate) fn listeners(&self) -> Vec<ListenerName> {
        if self.listeners.is_empty() { vec![None] } else { self.listeners.keys().cloned().collect() }
    }

    /// What a listener speaks below HTTP.
    pub(crate) fn transport(&self, listener: Option<&str>) -> Transport {
        let mut others = self.transports.iter();
        others
            .find(|(name, _)| name.as_deref() == listener)
            .map_or(Transport::Tcp, |(_, other)| other.clone())
    }

    /// What is served at a listener.
    pub(crate) fn take_endpoints(&mut self, listener: Option<&str>) -> Endpoints {
        self.listeners.remove(&listener.map(str::to_owned)).unwrap_or_default()
    }

    fn add(&mut self, listener: ListenerName, path: String, endpoint: Endpoint) {
        self.listeners.entry(listener).or_default().fixed.insert(path, endpoint);
    }

    #[cfg(feature = "sink_sse")]
    fn add_stream(&mut self, name: &SinkName, sse: &fanfare_config::SseSink, diagnostics: &mut Diagnostics) {
        use crate::sinks::sse::StreamEndpoint;

        let rules = crate::rules::build(&sse.headers, diagnostics);
        self.profiles.insert(name.clone(), sse.profile);
        let Some(identity) = self.identity(name, sse, diagnostics) else { return };
        self.has_tokens |= identity.has_tokens();
        let endpoint = Endpoint::Stream(Box::new(StreamEndpoint::new(name, sse, rules, identity)));
        self.add(sse.listener.clone(), sse.path.clone(), endpoint);
    }

    /// Who says what the clients of a sink may ask for; `None` after saying why that cannot be.
    #[cfg(feature = "sink_sse")]
    #[cfg_attr(
        not(feature = "identity_jwt"),
        expect(clippy::unused_self, reason = "the same call with and without the feature")
    )]
    fn identity(
        &mut self,
        name: &SinkName,
        sse: &fanfare_config::SseSink,
        diagnostics: &mut Diagnostics,
    ) -> Option<crate::sinks::sse::Identity> {
        use crate::sinks::sse::Identity;

        match &sse.identity {
            fanfare_config::Identity::None => Some(Identity::None),
            fanfare_config::Identity::Query => Some(Identity::Query),
            #[cfg(feature = "identity_jwt")]
            fanfare_config::Identity::Jwt(jwt) => {
                let tokens = crate::sinks::sse::Tokens::new(name, jwt, diagnostics)?;
                self.published.extend(tokens.published().cloned());
                Some(Identity::Jwt(Box::new(tokens)))
            }
            #[cfg(not(feature = "identity_jwt"))]
            fanfare_config::Identity::Jwt(_) => {
                let _ = name;
                identity_left_out(sse, diagnostics);
                None
            }
        }
    }

    #[cfg(not(feature = "sink_sse"))]
    #[expect(clippy::unused_self, reason = "the same call with and without the feature")]
    fn add_stream(&mut self, _: &SinkName, sse: &fanfare_config::SseSink, diagnostics: &mut Diagnostics) {
        left_out(diagnostics, sse.type_span, "an `sse` sink", "sink_sse");
        identity_left_out(sse, diagnostics);
    }

    #[cfg(feature = "sink_sse")]
    fn add_admin(&mut self, admin: &fanfare_config::Admin, diagnostics: &mut Diagnostics) {
        let rules = crate::rules::build(&admin.headers, diagnostics);
        let endpoint = crate::admin::AdminEndpoint::new(admin, rules, self.has_tokens);
        let endpoints = self.admin.get_or_insert_default();
        endpoints.fixed.insert(ADMIN_PATH.to_owned(), Endpoint::Admin(Box::new(endpoint)));
    }

    #[cfg(not(feature = "sink_sse"))]
    #[expect(clippy::unused_self, reason = "the same call with and without the feature")]
    fn add_admin(&mut self, admin: &fanfare_config::Admin, diagnostics: &mut Diagnostics) {
        left_out(diagnostics, admin.span, "`[admin]`", "sink_sse");
    }

    #[cfg(feature = "sink_http_pull")]
    fn add_pull(
        &mut self,
        name: &SinkName,
        pull: &fanfare_config::HttpPullSink,
        diagnostics: &mut Diagnostics,
    ) {
        let rules = crate::rules::build(&pull.headers, diagnostics);
        let endpoints = crate::sinks::http_pull::endpoints(name, pull, &self.batch_ids, rules);
        let paths = [&pull.extract_path, &pull.mark_processed_path];
        for (path, endpoint) in paths.into_iter().zip(endpoints) {
            self.add(pull.listener.clone(), path.clone(), Endpoint::Pull(Box::new(endpoint)));
        }
    }

    #[cfg(not(feature = "sink_http_pull"))]
    #[expect(clippy::unused_self, reason = "the same call with and without the feature")]
    fn add_pull(&mut self, _: &SinkName, pull: &fanfare_config::HttpPullSink, diagnostics: &mut Diagnostics) {
        left_out(diagnostics, pull.type_span, "an `http_pull` sink", "sink_http_pull");
    }
}

fn routes(config: &Config) -> Routes {
    let Some(routes) = &config.routes else {
        return Routes::to_everyone(&config.sinks.iter().map(|sink| sink.name.clone()).collect());
    };
    let has_topics = |name: &fanfare_event::SourceName| {
        let mut sources = config.sources.iter();
        sources.any(|source| source.name == *name && matches!(source.extractor, Some(Extractor::Amqp(_))))
    };
    let pattern = |route: &fanfare_config::Route| {
        let operation = route.operation.as_deref()?;
        Some(if has_topics(&route.from) {
            OperationPattern::topic(operation)
        } else {
            OperationPattern::Exact(operation.into())
        })
    };
    let route = |route: &fanfare_config::Route| Route {
        from: route.from.clone(),
        operation: pattern(route),
        matches: route.matches.clone(),
        to: route.to.clone(),
        audience: route.audience.clone(),
    };
    Routes::Of(routes.iter().map(route).collect())
}

#[cfg(not(feature = "identity_jwt"))]
fn identity_left_out(sse: &fanfare_config::SseSink, diagnostics: &mut Diagnostics) {
    if let fanfare_config::Identity::Jwt(jwt) = &sse.identity {
        left_out(diagnostics, jwt.span, "`identity = \"jwt\"`", "identity_jwt");
    }
}

fn left_out(diagnostics: &mut Diagnostics, span: fanfare_config::Span, what: &str, feature: &str) {
    diagnostics
        .error(span, format!("{what} needs the feature `{feature}`, which this build was made without"))
        .help(format!(
            "build with `cargo build --features {feature}`; `fanfare --version` lists what is there"
        ));
}
