//! That no two endpoints of one listener, of sources and of sinks, have one URL.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::checker::{Checker, quoted};
use crate::{Extractor, Sink, SinkKind, Source, Span};

/// An endpoint, and what messages call it.
struct Endpoint<'c> {
    listener: Option<&'c str>,
    path: &'c str,
    /// What tells it from others: the path without the names of parameters and without a final slash.
    shape: Cow<'c, str>,
    owner: String,
    span: Span,
}

impl<'c> Endpoint<'c> {
    /// One whose path has no parameters.
    fn fixed(listener: Option<&'c str>, path: &'c str, owner: String, span: Span) -> Self {
        let shape = path.strip_suffix('/').unwrap_or(path).into();
        Self { listener, path, shape, owner, span }
    }
}

/// Reports URLs that are taken already. Which methods they answer makes no difference: one URL is one thing. Two
/// paths that differ by a final slash are one URL, since where only one of them is served, the other redirects to it.
pub(crate) fn report_shared(sources: &[Source], sinks: &[Sink], checker: &mut Checker<'_>) {
    let mut first: BTreeMap<(Option<&str>, Cow<'_, str>), Endpoint<'_>> = BTreeMap::new();
    for endpoint in of_sources(sources).chain(of_sinks(sinks)) {
        // What could not be read has been reported.
        if endpoint.path.is_empty() {
            continue;
        }
        let place = (endpoint.listener, endpoint.shape.clone());
        if let Some(before) = first.get(&place) {
            let is_shown = |path: &str| !checker.concealed.iter().any(|part| path.contains(part));
            let message = if is_shown(endpoint.path) {
                format!("two endpoints have the URL `{}`", endpoint.path)
            } else {
                "two endpoints have one URL".to_owned()
            };
            let problem = checker.error(endpoint.span, message);
            problem.label(endpoint.owner);
            problem.also(before.span, format!("{} has it already", before.owner));
            if before.path.trim_end_matches('/') == endpoint.path.trim_end_matches('/')
                && before.path != endpoint.path
            {
                problem.help(
                    "with and without a slash at its end a URL is one: where one is served, the other redirects to it",
                );
            }
        } else {
            first.insert(place, endpoint);
        }
    }
}

/// Operations of one source that share a path are one endpoint.
fn of_sources(sources: &[Source]) -> impl Iterator<Item = Endpoint<'_>> {
    sources.iter().flat_map(|source| {
        let name = quoted(source.name.as_str());
        let span = source.span;
        match &source.extractor {
            Some(Extractor::Webhook(webhook)) => {
                let owner = format!("the webhook of source {name}");
                vec![Endpoint::fixed(webhook.listener.as_deref(), &webhook.path, owner, span)]
            }
            Some(Extractor::Rest(rest)) => {
                let mut shapes = BTreeSet::new();
                let operations = rest.operations.iter().map(|operation| (operation, operation.shape()));
                let firsts = operations.filter(|(_, shape)| shapes.insert(shape.clone()));
                let endpoints = firsts.map(|(operation, shape)| Endpoint {
                    listener: rest.listener.as_deref(),
                    path: &operation.path,
                    shape: shape.into(),
                    owner: format!("an operation of source {name}"),
                    span,
                });
                endpoints.collect()
            }
            Some(Extractor::Mock(_) | Extractor::Amqp(_) | Extractor::Sse(_)) | None => Vec::new(),
        }
    })
}

fn of_sinks(sinks: &[Sink]) -> impl Iterator<Item = Endpoint<'_>> {
    sinks.iter().flat_map(|sink| {
        let name = quoted(sink.name.as_str());
        let listener = match &sink.kind {
            SinkKind::Sse(sse) => sse.listener.as_deref(),
            SinkKind::HttpPull(pull) => pull.listener.as_deref(),
        };
        let endpoint = |path, owner| Endpoint::fixed(listener, path, owner, sink.span);
        match &sink.kind {
            SinkKind::Sse(sse) => vec![endpoint(&sse.path, format!("the stream of sink {name}"))],
            SinkKind::HttpPull(pull) => vec![
                endpoint(&pull.extract_path, format!("`extract` of sink {name}")),
                endpoint(&pull.mark_processed_path, format!("`mark_processed` of sink {name}")),
            ],
        }
    })
}
