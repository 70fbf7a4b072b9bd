//! Every TOML block of cdviz-collector's documentation of its SSE sink, in `seeds/` as it stands there, loads once its
//! variables are set. Their names are `DOCUMENT-BLOCK-NAME.toml`.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use fanfare_config::{
    Config, Env, Extractor, Rule, Severity, SinkKind, SseSink, TransformerKind, load, parse,
};

fn seeds() -> Vec<PathBuf> {
    let files = fs::read_dir("tests/seeds").unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|it| it == "toml")).collect();
    files.sort();
    files
}

/// The variables that the documents name, and those given.
fn environment(more: &[(&str, &str)]) -> Env {
    let named = [
        "CENTRAL_AGGREGATOR_TOKEN",
        "COMPLIANCE_AUDIT_TOKEN",
        "CORPORATE_COLLECTOR_TOKEN",
        "DR_CLOUD_TOKEN",
        "INTERNAL_BRIDGE_TOKEN",
        "PRIMARY_CLOUD_TOKEN",
        "SSE_API_KEY_ENV_VAR",
        "STAGING_MIRROR_TOKEN",
        "TEAM_COLLECTOR_TOKEN",
    ];
    named.into_iter().map(|name| (name, "secret")).chain(more.iter().copied()).collect()
}

fn load_seed(name: &str, more: &[(&str, &str)]) -> Config {
    let loaded = load(&Path::new("tests/seeds").join(name), &environment(more));
    assert!(!loaded.diagnostics.has_errors(), "{}", loaded.diagnostics.render(false));
    loaded.config
}

fn sse(config: &Config) -> &SseSink {
    let SinkKind::Sse(sse) = &config.sinks.first().unwrap().kind else { panic!("no stream") };
    sse
}

#[test]
fn every_block_loads_as_it_is_written() {
    let files = seeds();
    assert_eq!(files.len(), 39, "3 blocks of document 000, and 18 each of documents 001 and 003");
    for path in files {
        let loaded = load(&path, &environment(&[]));
        let rendered = loaded.diagnostics.render(false);
        assert!(!loaded.diagnostics.has_errors(), "{rendered}");
        let known = rendered.matches("receives nothing: it has no `extractor`").count()
            + rendered.matches("a signature over the body alone").count();
        assert_eq!(loaded.diagnostics.count(Severity::Warning), known, "{rendered}");
        sse(&loaded.config);
    }
}

#[test]
fn both_spellings_of_header_rules_mean_the_same() {
    for block in ["02-secure", "03-api", "04-validated", "05-webhook", "06-enterprise"] {
        let of = |document: &str| {
            let config = load_seed(&format!("{document}-{block}-events.toml"), &[]);
            let sse = sse(&config);
            let mut rules = sse.headers.clone();
            rules.sort_by(|a, b| a.header.cmp(&b.header));
            assert!(!rules.is_empty());
            rules
        };
        assert_eq!(of("001"), of("003"), "{block}");
    }
}

#[test]
fn the_environment_gives_a_source_its_webhook() {
    let config = load_seed(
        "003-18-build-dashboard.toml",
        &[
            ("FANFARE__SOURCES__FILTERED_BUILDS__EXTRACTOR__TYPE", "webhook"),
            ("FANFARE__SOURCES__FILTERED_BUILDS__EXTRACTOR__ID", "ci"),
        ],
    );
    let source = config.sources.first().unwrap();
    let Some(Extractor::Webhook(webhook)) = &source.extractor else { panic!("no webhook") };
    assert_eq!((source.name.as_str(), webhook.path.as_str()), ("filtered_builds", "/webhook/ci"));
    let transformer = &config.transformers[source.transformers[0]];
    let TransformerKind::Vrl { program } = &transformer.kind else { panic!("no program") };
    assert!(program.text.starts_with("  if !starts_with(.type,"), "{}", program.text);
    assert!(program.exact);
}

#[test]
fn a_secret_is_what_its_variable_holds() {
    let config = load_seed("003-13-team-distribution.toml", &[("TEAM_COLLECTOR_TOKEN", "s3cr3t")]);
    let sse = sse(&config);
    let Some(Rule::Secret { variable, value, .. }) = sse.headers.first().map(|rule| &rule.rule) else {
        panic!("no secret")
    };
    assert_eq!((variable.as_str(), value.expose()), ("TEAM_COLLECTOR_TOKEN", "s3cr3t"));
}

#[test]
fn no_rules_may_be_written_out() {
    let text = fs::read_to_string("tests/seeds/003-09-dev-stream.toml").unwrap();
    let text = text.replace("# headers = []", "headers = []");
    let loaded = parse(Path::new("dev.toml"), &text, &Env::default());
    assert_eq!(loaded.diagnostics.render(false), "");
    let sse = sse(&loaded.config);
    assert!(sse.headers.is_empty());
}
