//! What a configuration of Inboxclaw means: its document's examples, defaults, spellings, variables, overrides.

#![expect(clippy::indexing_slicing, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use fanfare_config::{
    Config, DeliveryPath, Durability, Env, Extractor, HttpPullSink, LogKind, OnLag, Retention, Rule, Secrets,
    SinkKind, Sqlite, SseSink, Ttl, load, parse,
};
use fanfare_event::{NamePattern, Profile};

fn config_with(text: &str, variables: &[(&str, &str)]) -> Config {
    let loaded = parse(Path::new("test.yaml"), text, &variables.iter().copied().collect());
    assert_eq!(loaded.diagnostics.render(false), "", "{text}");
    loaded.config
}

fn config(text: &str) -> Config {
    config_with(text, &[])
}

fn sse(config: &Config) -> &SseSink {
    let SinkKind::Sse(sse) = &config.sinks[0].kind else { panic!("no stream") };
    sse
}

fn http_pull(config: &Config) -> &HttpPullSink {
    let SinkKind::HttpPull(pull) = &config.sinks[0].kind else { panic!("no batches") };
    pull
}

fn sqlite(config: &Config) -> &Sqlite {
    let LogKind::Sqlite(sqlite) = &config.log.kind else { panic!("not in a file") };
    sqlite
}

const SINK: &str = "sink:\n  sse: {}\n";

#[test]
fn the_documents_minimal_file() {
    let loaded = load(Path::new("tests/seeds/002-01-minimal.yaml"), &Env::default());
    assert_eq!(loaded.diagnostics.render(false), "");
    let config = loaded.config;
    assert_eq!((config.http.host.as_str(), config.http.port), ("0.0.0.0", 8000));
    assert_eq!(config.sources, []);
    assert_eq!(config.sinks[0].name.as_str(), "events_stream");
    let sse = sse(&config);
    assert_eq!((sse.path.as_str(), sse.profile), ("/events_stream/", Profile::Envelope));
    assert!(sse.matches.matches("anything"));
    assert_eq!((sse.keep_alive, sse.buffer, sse.on_lag), (Duration::from_secs(30), 1000, OnLag::CatchUp));
    assert_eq!((sse.replay, sse.headers.len()), (true, 0));
    assert_eq!(sse.cors.as_ref().unwrap().allowed_origins, ["*"]);
    let retention =
        Retention { max_age: Some(Duration::from_hours(30 * 24)), max_events: None, max_bytes: None };
    let expected = Sqlite {
        path: "tests/seeds/./data/data.db".into(),
        written: "./data/data.db".to_owned(),
        durability: Durability::Full,
        retention,
    };
    assert_eq!(*sqlite(&config), expected);
}

#[test]
fn the_documents_full_file() {
    let loaded = load(Path::new("tests/seeds/002-02-full.yaml"), &Env::default());
    assert_eq!(loaded.diagnostics.render(false), "");
    let sse = sse(&loaded.config);
    assert_eq!((sse.path.as_str(), sse.keep_alive), ("/alerts/live", Duration::from_secs(15)));
    assert!(sse.matches.matches("alert.fire"));
    assert!(!sse.matches.matches("alert"));
}

#[test]
fn the_endings_of_a_name_say_the_dialect() {
    for (name, port) in
        [("a.yaml", 8000), ("a.yml", 8000), ("a.YAML", 8000), ("a.toml", 8080), ("yaml", 8080)]
    {
        let config = parse(Path::new(name), "", &Env::default()).config;
        assert_eq!(config.http.port, port, "{name}");
    }
    // YAML in another file is answered with how it would be read as such.
    for (name, hint) in [("config", true), ("a.conf", true), ("a.TOML", false)] {
        let said = parse(Path::new(name), "sink:\n  sse: {}\n", &Env::default()).diagnostics.render(false);
        assert!(said.contains("this is not TOML"), "{name}: {said}");
        assert_eq!(said.contains("`.yaml` or `.yml`"), hint, "{name}: {said}");
    }
}

#[test]
fn the_listener() {
    let check = |server: &str, host: &str, port: u16| {
        let config = config(&format!("server: {server}\n{SINK}"));
        assert_eq!((config.http.host.as_str(), config.http.port), (host, port), "{server}");
    };
    check("{ host: 127.0.0.1, port: 9000 }", "127.0.0.1", 9000);
    check("{ port: \"9000\" }", "0.0.0.0", 9000);
    check("{ port: 9000.0 }", "0.0.0.0", 9000);
    check("", "0.0.0.0", 8000);
}

#[test]
fn the_database() {
    let check = |database: &str, days: Option<u64>| {
        let config = config(&format!("database: {database}\n{SINK}"));
        let max_age = days.map(|days| Duration::from_hours(24 * days));
        assert_eq!(
            sqlite(&config).retention,
            Retention { max_age, max_events: None, max_bytes: None },
            "{database}"
        );
    };
    check("{ retention_days: 7 }", Some(7));
    check("{ days: 7 }", Some(7));
    check("{ days: \"7\" }", Some(7));
    check("{ retention_days: 0 }", None);
    check("{ retention_days: -1 }", None);
    check("~", Some(30));
    let path = |path: &str| {
        let text = format!("database: {{ db_path: {path} }}\n{SINK}");
        let loaded = parse(Path::new("/etc/inboxclaw/config.yaml"), &text, &Env::default());
        sqlite(&loaded.config).path.clone()
    };
    assert_eq!(path("./data/x.db"), Path::new("/etc/inboxclaw/data/x.db"));
    assert_eq!(path("/var/x.db"), Path::new("/var/x.db"));
}

#[test]
fn sources() {
    let text = "sources:\n  mock:\n  fast: { type: mock, interval: 0.5 }\n  hook:\n    type: webhook\n  webhook: {}\n";
    let config = config(&format!("{text}{SINK}"));
    let intervals: Vec<_> = config
        .sources
        .iter()
        .map(|source| match &source.extractor {
            Some(Extractor::Mock(mock)) => (source.name.as_str(), mock.interval.as_millis().to_string()),
            Some(Extractor::Webhook(webhook)) => {
                assert_eq!((webhook.profile, webhook.id.as_deref()), (Profile::Envelope, None));
                (source.name.as_str(), webhook.path.clone())
            }
            Some(Extractor::Rest(_) | Extractor::Amqp(_) | Extractor::Sse(_)) => panic!("not Inboxclaw's"),
            None => panic!("receives nothing"),
        })
        .collect();
    let expected = [("mock", "10000"), ("fast", "500"), ("hook", "/hook/"), ("webhook", "/webhook/")];
    assert_eq!(intervals, expected.map(|(name, value)| (name, value.to_owned())));
}

#[test]
fn the_paths_of_streams() {
    let check = |path: &str, expected: &str| {
        let config = config(&format!("sink: {{ a: {{ type: sse, path: {path} }} }}"));
        assert_eq!(sse(&config).path, expected, "{path}");
    };
    check("\"\"", "/a/");
    check("/", "/a/");
    check("/live", "/a/live");
    check("live", "/a/live");
    check("//live/", "/a/live/");
    check("x/y", "/a/x/y");
}

#[test]
fn batches() {
    let defaults = config("sink:\n  http_pull: {}\n");
    let pull = http_pull(&defaults);
    let paths = (pull.extract_path.as_str(), pull.mark_processed_path.as_str());
    assert_eq!(paths, ("/http_pull/extract", "/http_pull/mark-processed"));
    assert_eq!(pull.ttl, Some(Ttl { default: Duration::from_hours(1), by_type: Vec::new() }));
    assert_eq!(pull.cors.as_ref().unwrap().allowed_origins, ["*"]);

    let full = config(
        "sink:\n  data_warehouse:\n    type: http_pull\n    path:\n      extract: \"/fetch\"\n      mark_processed: acknowledge\n    \
         match:\n      - \"sales.order.*\"\n      - \"inventory.update\"\n    ttl_enabled: true\n    default_ttl: \"2h\"\n    \
         event_ttl:\n      \"sales.order.created\": \"24h\"\n      \"inventory.*\": \"15m\"\n      \"*\": 1\n",
    );
    let pull = http_pull(&full);
    let paths = (pull.extract_path.as_str(), pull.mark_processed_path.as_str());
    assert_eq!(paths, ("/data_warehouse/fetch", "/data_warehouse/acknowledge"));
    assert_eq!(pull.matches.iter().count(), 2);
    let by_type = [("sales.order.created", 86_400), ("inventory.*", 900), ("*", 1)]
        .map(|(pattern, seconds)| (NamePattern::parse(pattern).unwrap(), Duration::from_secs(seconds)));
    assert_eq!(pull.ttl, Some(Ttl { default: Duration::from_hours(2), by_type: by_type.into() }));

    for off in ["false", "no", "\"off\"", "0"] {
        let config = config(&format!("sink: {{ http_pull: {{ ttl_enabled: {off} }} }}"));
        assert_eq!(http_pull(&config).ttl, None, "{off}");
    }
}

#[test]
fn anchors_comments_and_schemas_are_fine() {
    let config = config(
        "# a comment\n$schema: ./config.schema.json\nsink:\n  a: &a\n    type: sse # another\n    match: [&all \"*\"]\n  \
         b:\n    type: sse\n    match: *all\n  c: *a\n",
    );
    assert_eq!(config.sinks.len(), 3);
}

#[test]
fn variables_are_expanded_value_by_value() {
    let text = "server: { host: '$HOST', port: $PORT }\nsink:\n  a:\n    type: ${TYPE}\n    match: [\"$KIND.*\"]\n    \
                heartbeat_timeout: ${BEAT}s\n";
    let environment = [("HOST", "::1"), ("PORT", "9000"), ("TYPE", "sse"), ("KIND", "a"), ("BEAT", "5")];
    let config = config_with(text, &environment);
    assert_eq!((config.http.host.as_str(), config.http.port), ("::1", 9000));
    assert_eq!(sse(&config).keep_alive, Duration::from_secs(5));
    assert!(sse(&config).matches.matches("a.b"));
    // A value cannot bring along a structure.
    let injected = [("X", "sse\n    match: nothing")];
    let loaded = parse(Path::new("a.yaml"), "sink:\n  a:\n    type: $X\n", &injected.into_iter().collect());
    assert!(loaded.diagnostics.render(false).contains("unknown sink type that this names"));
}

#[test]
fn a_file_beside_the_configuration_has_variables_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yaml");
    fs::write(&path, "server: { host: $HOST, port: $PORT }\nsink: { sse: {} }\n").unwrap();
    let dotenv = folder.path().join(".env");
    fs::write(&dotenv, "export PORT=9000 # ours\nHOST='::1'\nFANFARE__SINKS__SSE__BUFFER=7\n").unwrap();
    let http = |variables: &[(&str, &str)]| {
        let loaded = load(&path, &variables.iter().copied().collect());
        assert_eq!(loaded.diagnostics.render(false), "");
        assert_eq!(sse(&loaded.config).buffer, 7);
        (loaded.config.http.host, loaded.config.http.port)
    };
    assert_eq!(http(&[]), ("::1".to_owned(), 9000));
    assert_eq!(http(&[("PORT", "9001")]), ("::1".to_owned(), 9001));

    fs::write(&dotenv, "PORT=1\nHOST=localhost\nPASSWORD=\"s3cr3t\n").unwrap();
    let rendered = load(&path, &Env::default()).diagnostics.render(false);
    let rendered = rendered.replace(&folder.path().display().to_string(), "");
    assert_eq!(
        rendered,
        "error: this is no `NAME=value`\n --> /.env:3:1\n  |\n3 | ****************\n  | ^^^^^^^^^^^^^^^^ its quote does not end\n"
    );

    fs::remove_file(&dotenv).unwrap();
    fs::create_dir(&dotenv).unwrap();
    let set = [("PORT", "1"), ("HOST", "::1")].into_iter().collect();
    assert_eq!(load(&path, &set).diagnostics.render(false), "", "a virtual environment of Python");
}

#[test]
fn native_keys_of_the_environment_override_the_file() {
    let text =
        "server: { port: 1 }\nsources: { hook: { type: webhook } }\nsink:\n  a: { type: sse, match: x }\n";
    let check = |variables: &[(&str, &str)], expected: fn(&Config) -> bool| {
        assert!(expected(&config_with(text, variables)), "{variables:?}");
    };
    check(&[("FANFARE__HTTP__PORT", "9090")], |it| it.http.port == 9090 && it.http.host == "0.0.0.0");
    check(&[("FANFARE__SINKS__A__MATCH", "y")], |it| sse(it).matches.matches("y"));
    check(&[("FANFARE__SINKS__A__ON_LAG", "notice")], |it| sse(it).on_lag == OnLag::Notice);
    check(&[("FANFARE__LOG__TYPE", "memory")], |it| it.log.kind == LogKind::Memory);
    check(&[("FANFARE__LOG__RETENTION__MAX_BYTES", "2MiB")], |it| {
        sqlite(it).retention.max_bytes == Some(2 << 20)
    });
    check(&[("FANFARE__HTTP__DELIVERY", "portable")], |it| it.http.delivery == DeliveryPath::Portable);
    check(&[("FANFARE__HTTP__TLS__CERTIFICATE", "a.pem"), ("FANFARE__HTTP__TLS__KEY", "a.key")], |it| {
        it.http.tls.as_ref().is_some_and(|tls| tls.key.file.written == "a.key")
    });
    check(
        &[("FANFARE__SOURCES__HOOK__EXTRACTOR__HEADERS", "{ X-A = { type = \"exists\" } }")],
        |it| matches!(&it.sources[0].extractor, Some(Extractor::Webhook(webhook)) if webhook.headers[0].rule == Rule::Exists),
    );
}

#[test]
fn what_is_printed_is_native_and_means_the_same() {
    let text = "server: { port: 9000 }\ndatabase: { db_path: x.db, days: 0 }\nsources: { mock: {}, hook: { type: webhook } }\n\
                sink:\n  a: { type: sse, path: /live/, match: [a, \"b.*\"] }\n  \
                b: { type: http_pull, event_ttl: { \"a.*\": 1w, b: 1:30 } }\n";
    let loaded = parse(Path::new("/etc/config.yaml"), text, &Env::default());
    assert_eq!(loaded.diagnostics.render(false), "");
    let printed = loaded.config.to_toml(Secrets::Shown);
    let again = parse(Path::new("/etc/fanfare.toml"), &printed, &Env::default());
    assert_eq!(again.diagnostics.render(false), "", "{printed}");
    assert_eq!(again.config, loaded.config, "{printed}");
}
