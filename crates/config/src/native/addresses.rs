//! That no two listeners have one address. Names are not looked up: what they mean is known at the start only.

use std::net::IpAddr;

use crate::checker::Checker;
use crate::{Config, Extractor, SinkKind, Span};

/// Where one listens.
#[derive(Clone, Copy)]
struct Place<'c> {
    host: &'c str,
    port: u16,
    /// `None` for `[http]` where the file does not have it.
    span: Option<Span>,
}

/// Reports listeners that could not all be listened on. `http` is where `[http]` is, if it is there.
pub(super) fn report_shared(config: &Config, http: Option<Span>, checker: &mut Checker<'_>) {
    let mut before = Vec::new();
    if is_http_used(config) {
        before.push(Place { host: &config.http.host, port: config.http.port, span: http });
    }
    for listener in &config.listeners {
        let place = Place { host: &listener.host, port: listener.port, span: Some(listener.span) };
        if let Some(other) = before.iter().find(|other| collide(other, &place)) {
            let same = other.host == place.host;
            let message = if same {
                format!("two listeners have the port {} of `{}`", place.port, place.host)
            } else {
                format!(
                    "two listeners have the port {}, on `{}` and on `{}`",
                    place.port, other.host, place.host
                )
            };
            let help = match (same, other.span) {
                (false, _) => {
                    "one of the hosts is every address of this machine: give one listener another port"
                }
                (true, Some(_)) => "put what is on both of them on one, or give one another port",
                (true, None) => "`[http]` has it by default: give one of the two another port",
            };
            let problem = checker.error(listener.span, message);
            problem.help(help);
            if let Some(span) = other.span {
                problem.also(span, "this one has it already");
            }
        }
        before.push(place);
    }
    let Some(admin) = &config.admin else { return };
    let place = Place { host: &admin.host, port: admin.port, span: Some(admin.span) };
    if let Some(other) = before.iter().find(|other| collide(other, &place)) {
        let message = format!("`[admin]` and a listener have the port {} of `{}`", admin.port, admin.host);
        let problem = checker.error(admin.span, message);
        problem.help("nothing else is served where streams are ended: give `[admin]` a port of its own");
        match other.span {
            Some(span) => problem.also(span, "this one has it already"),
            None => problem.help("`[http]` has it by default"),
        };
    }
}

/// Whether `[http]` is listened on: something is served there, or nothing anywhere.
fn is_http_used(config: &Config) -> bool {
    let sources = config.sources.iter().filter_map(|source| match &source.extractor {
        Some(Extractor::Webhook(webhook)) => Some(&webhook.listener),
        Some(Extractor::Rest(rest)) => Some(&rest.listener),
        Some(Extractor::Mock(_) | Extractor::Amqp(_) | Extractor::Sse(_)) | None => None,
    });
    let sinks = config.sinks.iter().map(|sink| match &sink.kind {
        SinkKind::Sse(sse) => &sse.listener,
        SinkKind::HttpPull(pull) => &pull.listener,
    });
    let mut endpoints = sources.chain(sinks).peekable();
    endpoints.peek().is_none() || endpoints.any(Option::is_none)
}

/// Whether the second of the two cannot be listened on. Port 0 is another one each time.
fn collide(one: &Place<'_>, other: &Place<'_>) -> bool {
    let is_same_host = || one.host.eq_ignore_ascii_case(other.host);
    let overlap = || match (one.host.parse::<IpAddr>(), other.host.parse::<IpAddr>()) {
        // Whether `::` takes IPv4 too is the machine's setting.
        (Ok(one), Ok(other)) => {
            one.is_ipv4() == other.is_ipv4()
                && (one == other || one.is_unspecified() || other.is_unspecified())
        }
        _ => false,
    };
    one.port == other.port && one.port != 0 && (is_same_host() || overlap())
}
