//! That no source listens to a stream that it feeds itself. Only what the file shows plainly is found: this machine's own
//! address, or the listener's, and a source that feeds the sink directly.

use std::net::IpAddr;

use super::authority::host_and_port;
use crate::checker::{Checker, quoted};
use crate::{Config, Extractor, Sink, SinkKind, Source};

/// Warns of sources whose events come back to them.
pub(super) fn warn_of(config: &Config, checker: &mut Checker<'_>) {
    for source in &config.sources {
        let Some(Extractor::Sse(sse)) = &source.extractor else { continue };
        let own = config
            .sinks
            .iter()
            .find(|sink| is_fed(config, source, sink) && is_at(config, sink, &sse.url.shown));
        if let Some(sink) = own {
            let (source, sink) = (quoted(source.name.as_str()), quoted(sink.name.as_str()));
            checker
                .warning(
                    sse.type_span,
                    format!("the source {source} listens to the sink {sink}, which it feeds itself"),
                )
                .help(
                    "its events come back to it: twice where they have ids of their own, else without an end",
                )
                .help("let `[[routes]]` feed the sink from other sources only");
        }
    }
}

fn is_fed(config: &Config, source: &Source, sink: &Sink) -> bool {
    let routes = config.routes.as_deref();
    routes.is_none_or(|routes| routes.iter().any(|route| route.from == source.name && route.to == sink.name))
}

/// Whether this is the URL of the sink's stream, seen from this machine.
fn is_at(config: &Config, sink: &Sink, url: &str) -> bool {
    let SinkKind::Sse(sse) = &sink.kind else { return false };
    let (host, port) = match &sse.listener {
        None => (&config.http.host, config.http.port),
        Some(name) => match config.listeners.iter().find(|listener| listener.name == *name) {
            Some(listener) => (&listener.host, listener.port),
            None => return false,
        },
    };
    let Some((scheme, rest)) = url.split_once("://") else { return false };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let Ok((named, asked)) = host_and_port(authority) else { return false };
    let asked = asked.unwrap_or(if scheme == "https" { 443 } else { 80 });
    path == sse.path && asked == port && (is_loopback(named) || named.eq_ignore_ascii_case(host))
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
