//! A configuration as native TOML.

mod amqp;
mod jwt;
mod sse_source;

use std::fmt::Write as _;

use fanfare_event::AudienceRule;
use toml_writer::{ToTomlKey as _, ToTomlValue as _, TomlKeyBuilder, TomlStringBuilder};

use crate::keys::{Key, Presence};
use crate::native::sink::{http_pull, sse};
use crate::native::{
    self, admin, http, listener, log, route, rule, signature, sink, source, tls, transformer,
};
use crate::shapes::quote;
use crate::{
    Admin, Config, Cors, Extractor, HeaderRule, HttpPullSink, Identity, Listener, LogKind, Rest, Route, Rule,
    Secret, Secrets, SignatureOn, SinkKind, SseSink, Tls, Transformer, TransformerKind, Webhook,
};

impl Config {
    /// The configuration as native TOML, with all keys. With [`Secrets::Shown`] it reads back as an equal one, given
    /// the same environment; a `null` in metadata, which TOML does not have, is left out.
    #[must_use]
    pub fn to_toml(&self, secrets: Secrets) -> String {
        let mut out = Printer { out: String::new(), secrets };
        out.http(self);
        self.listeners.iter().for_each(|listener| out.listener(listener));
        out.log(self);
        self.transformers.iter().for_each(|transformer| out.transformer(transformer));
        self.sources.iter().for_each(|source| out.source(self, source));
        self.sinks.iter().for_each(|sink| match &sink.kind {
            SinkKind::Sse(sse) => out.sse(sink.name.as_str(), sse),
            SinkKind::HttpPull(pull) => out.http_pull(sink.name.as_str(), pull),
        });
        if let Some(admin) = &self.admin {
            out.admin(admin);
        }
        match self.routes.as_deref() {
            None => {}
            // Before the tables, where a key of the whole file belongs.
            Some([]) => out.out.insert_str(0, "routes = []\n\n"),
            Some(routes) => routes.iter().for_each(|route| out.route(route)),
        }
        out.out
    }
}

struct Printer {
    out: String,
    secrets: Secrets,
}

impl Printer {
    fn header(&mut self, title: &str) {
        let gap = if self.out.is_empty() { "" } else { "\n" };
        let _ = writeln!(self.out, "{gap}{title}");
    }

    fn set<P: Presence>(&mut self, key: &Key<P>, value: &P::Value) {
        if let Some(value) = key.presence.write(value) {
            self.line(key.name, &value);
        }
    }

    fn line(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.out, "{} = {value}", TomlKeyBuilder::new(name).as_default().to_toml_key());
    }

    fn secret(&self, secret: &Secret) -> String {
        match self.secrets {
            Secrets::Shown => quote(secret.expose()),
            Secrets::Masked => quote("***"),
        }
    }

    fn http(&mut self, config: &Config) {
        let http = &config.http;
        self.header(http::SECTION.title);
        self.set(&http::HOST, &http.host);
        self.set(&http::PORT, &http.port);
        self.set(&http::ROOT_URL, &http.root_url);
        self.set(&http::HEADER_TIMEOUT, &http.header_timeout);
        self.set(&http::BODY_TIMEOUT, &http.body_timeout);
        self.set(&http::SEND_TIMEOUT, &http.send_timeout);
        self.set(&http::MAX_BODY, &http.max_body);
        self.set(&http::DELIVERY, &http.delivery);
        self.set(&http::DELIVERY_THREADS, &http.delivery_threads);
        self.tls(http::SECTION.title, http.tls.as_ref());
    }

    fn listener(&mut self, listener: &Listener) {
        let title = native::title("listeners", &listener.name);
        self.header(&title);
        self.set(&http::HOST, &listener.host);
        self.set(&listener::LISTENER_PORT, &Some(listener.port));
        self.tls(&title, listener.tls.as_ref());
    }

    fn tls(&mut self, listener: &str, tls: Option<&Tls>) {
        let Some(tls) = tls else { return };
        self.header(&format!("{}.{}]", listener.trim_end_matches(']'), tls::HTTP_TLS.name));
        self.set(&tls::CERTIFICATE, &Some(tls.certificate.file.written.clone()));
        self.set(&tls::KEY, &Some(tls.key.file.written.clone()));
        self.set(&tls::CLIENT_CA, &tls.client_ca.as_ref().map(|file| file.file.written.clone()));
    }

    fn admin(&mut self, admin: &Admin) {
        self.header(admin::SECTION.title);
        self.set(&admin::HOST, &admin.host);
        self.set(&listener::LISTENER_PORT, &Some(admin.port));
        self.rules(&format!("[admin.{}", sink::HEADERS.name), &admin.headers);
    }

    fn route(&mut self, route: &Route) {
        self.header(route::SECTION.title);
        self.set(&route::FROM, &Some(route.from.to_string()));
        self.set(&route::TO, &Some(route.to.to_string()));
        self.set(&route::OPERATION, &route.operation);
        self.set(&route::MATCH, &route.matches);
        let (kind, text) = match &route.audience {
            AudienceRule::Everyone => return,
            AudienceRule::Target(target) => (target.kind(), target.name().to_owned()),
            AudienceRule::Path(kind, path) => (*kind, path.to_string()),
        };
        self.line(route::AUDIENCE.name, &format!("{{ {} = {} }}", kind.name(), quote(&text)));
    }

    fn log(&mut self, config: &Config) {
        self.header(log::SECTION.title);
        match &config.log.kind {
            LogKind::Memory => self.set(&log::TYPE, &log::Type::Memory),
            LogKind::Sqlite(sqlite) => {
                self.set(&log::TYPE, &log::Type::Sqlite);
                self.set(&log::PATH, &sqlite.written);
                self.set(&log::DURABILITY, &sqlite.durability);
                self.header(log::RETENTION_SECTION.title);
                self.set(&log::MAX_AGE, &sqlite.retention.max_age);
                self.set(&log::MAX_EVENTS, &sqlite.retention.max_events);
                let max_bytes = sqlite.retention.max_bytes;
                self.set(
                    &log::MAX_BYTES,
                    &max_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
                );
            }
        }
        self.header(log::WINDOW_SECTION.title);
        self.set(&log::EVENTS, &config.log.window.events);
        self.set(&log::BYTES, &config.log.window.bytes);
    }

    fn transformer(&mut self, transformer: &Transformer) {
        self.header(&native::title("transformers", &transformer.name));
        let kind = match &transformer.kind {
            TransformerKind::Vrl { .. } => transformer::Type::Vrl,
            TransformerKind::Passthrough => transformer::Type::Passthrough,
            TransformerKind::Log { .. } => transformer::Type::Log,
            TransformerKind::DiscardAll => transformer::Type::DiscardAll,
            TransformerKind::Deduplicate { .. } => transformer::Type::Deduplicate,
        };
        self.set(&transformer::TYPE, &Some(kind));
        match &transformer.kind {
            TransformerKind::Vrl { program } => {
                self.line(transformer::TEMPLATE.name, &quote_program(&program.text));
            }
            TransformerKind::Log { target } => self.set(&transformer::TARGET, target),
            TransformerKind::Deduplicate { capacity, key_path } => {
                self.set(&transformer::CAPACITY, capacity);
                self.set(&transformer::KEY_PATH, key_path);
            }
            TransformerKind::Passthrough | TransformerKind::DiscardAll => {}
        }
    }

    fn source(&mut self, config: &Config, source: &crate::Source) {
        let title = native::title("sources", source.name.as_str());
        self.header(&title);
        let chain = source.transformers.iter().filter_map(|index| config.transformers.get(*index));
        self.set(
            &transformer::TRANSFORMER_REFS,
            &chain.map(|transformer| transformer.name.clone()).collect(),
        );
        let title = title.trim_end_matches(']');
        match &source.extractor {
            None => {}
            Some(Extractor::Webhook(webhook)) => self.webhook(title, webhook),
            Some(Extractor::Rest(rest)) => self.rest(title, rest),
            Some(Extractor::Mock(mock)) => {
                self.header(&format!("{title}.extractor]"));
                self.set(&source::TYPE, &Some(source::Type::Mock));
                self.set(&source::mock::INTERVAL, &mock.interval);
            }
            Some(Extractor::Amqp(amqp)) => self.amqp(title, amqp),
            Some(Extractor::Sse(sse)) => self.sse_source(title, sse),
        }
    }

    fn webhook(&mut self, title: &str, webhook: &Webhook) {
        self.header(&format!("{title}.extractor]"));
        self.set(&source::TYPE, &Some(source::Type::Webhook));
        self.set(&source::webhook::ID, &webhook.id);
        self.set(&source::webhook::PATH, &Some(webhook.path.clone()));
        self.set(&listener::LISTENER, &webhook.listener);
        self.set(&source::webhook::PROFILE, &webhook.profile);
        self.set(&source::HEADERS_TO_KEEP, &webhook.headers_to_keep);
        self.set(&source::METADATA, &webhook.metadata);
        self.rules(&format!("{title}.extractor.{}", source::HEADERS.name), &webhook.headers);
    }

    fn rest(&mut self, title: &str, rest: &Rest) {
        let title = format!("{title}.extractor]");
        self.header(&title);
        self.set(&source::TYPE, &Some(source::Type::Rest));
        self.set(&source::rest::OPERATIONS, &Some(rest.operations.clone()));
        self.set(&listener::LISTENER, &rest.listener);
        self.set(&source::HEADERS_TO_KEEP, &rest.headers_to_keep);
        self.set(&source::METADATA, &rest.metadata);
        self.access(&title, rest.cors.as_ref(), &rest.headers);
    }

    fn sse(&mut self, name: &str, sink: &SseSink) {
        let title = native::title("sinks", name);
        self.header(&title);
        self.set(&sink::TYPE, &Some(sink::Type::Sse));
        self.set(&sse::ID, &sink.id);
        self.set(&sse::PATH, &Some(sink.path.clone()));
        self.set(&listener::LISTENER, &sink.listener);
        self.set(&sink::MATCH, &sink.matches);
        self.set(&sse::PROFILE, &sink.profile);
        self.set(&sse::KEEP_ALIVE, &sink.keep_alive);
        self.set(&sse::BUFFER, &sink.buffer);
        self.set(&sse::ON_LAG, &sink.on_lag);
        self.set(&sse::REPLAY, &sink.replay);
        self.set(&sse::RETRY, &sink.retry);
        self.set(&sse::MAX_CONNECTIONS, &sink.max_connections);
        let identity = match &sink.identity {
            Identity::None => sse::IdentityKind::None,
            Identity::Query => sse::IdentityKind::Query,
            Identity::Jwt(_) => sse::IdentityKind::Jwt,
        };
        self.set(&sse::IDENTITY, &identity);
        self.set(&sse::MAX_ROOMS, &sink.max_rooms);
        if let Identity::Jwt(jwt) = &sink.identity {
            self.jwt(title.trim_end_matches(']'), jwt);
        }
        self.access(&title, sink.cors.as_ref(), &sink.headers);
    }

    fn http_pull(&mut self, name: &str, pull: &HttpPullSink) {
        let title = native::title("sinks", name);
        self.header(&title);
        self.set(&sink::TYPE, &Some(sink::Type::HttpPull));
        self.set(&http_pull::ID, &pull.id);
        self.set(&listener::LISTENER, &pull.listener);
        self.set(&sink::MATCH, &pull.matches);
        self.set(&http_pull::TTL_ENABLED, &pull.ttl.is_some());
        if let Some(ttl) = &pull.ttl {
            self.set(&http_pull::DEFAULT_TTL, &ttl.default);
            self.set(&http_pull::EVENT_TTL, &ttl.by_type);
        }
        self.header(&format!("{}.path]", title.trim_end_matches(']')));
        self.set(&http_pull::EXTRACT, &Some(pull.extract_path.clone()));
        self.set(&http_pull::MARK_PROCESSED, &Some(pull.mark_processed_path.clone()));
        self.access(&title, pull.cors.as_ref(), &pull.headers);
    }

    /// Who may use a sink or a source.
    fn access(&mut self, title: &str, cors: Option<&Cors>, headers: &[HeaderRule]) {
        let title = title.trim_end_matches(']');
        if let Some(cors) = cors {
            self.header(&format!("{title}.cors]"));
            self.set(&sink::ALLOWED_ORIGINS, &Some(cors.allowed_origins.clone()));
        }
        self.rules(&format!("{title}.{}", sink::HEADERS.name), headers);
    }

    /// In the array spelling, which keeps the order and allows several rules for a header.
    fn rules(&mut self, title: &str, rules: &[HeaderRule]) {
        for HeaderRule { header, rule, .. } in rules {
            self.header(&format!("[{title}]]"));
            self.set(&rule::HEADER, &Some(header.clone()));
            let rule = self.rule(rule);
            self.line(rule::RULE.name, &rule);
        }
    }

    fn rule(&self, rule: &Rule) -> String {
        let mut fields = Inline(Vec::new());
        let kind = match rule {
            Rule::Exists => rule::Type::Exists,
            Rule::Equals { .. } => rule::Type::Equals,
            Rule::Matches { .. } => rule::Type::Matches,
            Rule::Secret { .. } => rule::Type::Secret,
            Rule::Signature { .. } => rule::Type::Signature,
        };
        fields.set(&rule::TYPE, &Some(kind));
        match rule {
            Rule::Exists => {}
            Rule::Equals { value, case_sensitive, prefix, suffix } => {
                fields.push(rule::VALUE.name, &self.secret(value));
                fields.set(&rule::CASE_SENSITIVE, case_sensitive);
                fields.set(&rule::PREFIX, prefix);
                fields.set(&rule::SUFFIX, suffix);
            }
            Rule::Matches { pattern } => fields.set(&rule::PATTERN, &Some(pattern.clone())),
            Rule::Secret { variable, prefix, suffix, .. } => {
                fields.push(rule::SECRET_VALUE.name, &quote(variable));
                fields.set(&rule::PREFIX, prefix);
                fields.set(&rule::SUFFIX, suffix);
            }
            Rule::Signature {
                token,
                token_env,
                token_encoding,
                signature_prefix,
                signature_on,
                signature_encoding,
            } => {
                match token_env {
                    Some(variable) => fields.push(signature::TOKEN_ENV.name, &quote(variable)),
                    None => fields.push(signature::TOKEN.name, &self.secret(token)),
                }
                fields.set(&signature::TOKEN_ENCODING, token_encoding);
                fields.set(&signature::SIGNATURE_PREFIX, signature_prefix);
                if let SignatureOn::HeadersThenBody { headers, separator } = signature_on {
                    let mut inner = Inline(Vec::new());
                    inner.set(&signature::HEADERS, &Some(headers.clone()));
                    inner.set(&signature::SEPARATOR, &Some(separator.clone()));
                    fields.push("signature_on", &format!("{{ headers_then_body = {} }}", inner.into_table()));
                }
                fields.set(&signature::SIGNATURE_ENCODING, signature_encoding);
            }
        }
        fields.into_table()
    }
}

/// The fields of an inline table.
struct Inline(Vec<String>);

impl Inline {
    fn set<P: Presence>(&mut self, key: &Key<P>, value: &P::Value) {
        if let Some(value) = key.presence.write(value) {
            self.push(key.name, &value);
        }
    }

    fn push(&mut self, name: &str, value: &str) {
        self.0.push(format!("{name} = {value}"));
    }

    fn into_table(self) -> String {
        format!("{{ {} }}", self.0.join(", "))
    }
}

/// A program, without escapes if that can be, so that diagnostics can point into it.
pub(crate) fn quote_program(text: &str) -> String {
    if !text.contains('\n') {
        return quote(text);
    }
    let builder = TomlStringBuilder::new(text);
    builder.as_ml_literal().unwrap_or_else(|| builder.as_ml_basic()).to_toml_value()
}
