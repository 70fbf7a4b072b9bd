//! What a native configuration means: defaults, spellings, references, overrides.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use fanfare_config::{
    Config, DeliveryPath, Durability, Env, ExchangeKind, Extractor, LogKind, OnLag, Retention, Rule, Secrets,
    SinkKind, Sqlite, SseSink, TransformerKind, Ttl, Webhook, builtin, load, parse,
};
use fanfare_event::{NamePattern, NamePatterns, Profile};
use serde_json::json;

fn config_with(text: &str, variables: &[(&str, &str)]) -> Config {
    let loaded = parse(Path::new("test.toml"), text, &variables.iter().copied().collect());
    assert_eq!(loaded.diagnostics.render(false), "", "{text}");
    loaded.config
}

fn config(text: &str) -> Config {
    config_with(text, &[])
}

fn webhook(config: &Config) -> &Webhook {
    let Some(Extractor::Webhook(webhook)) = &config.sources[0].extractor else { panic!("no webhook") };
    webhook
}

fn sse(config: &Config) -> &SseSink {
    let SinkKind::Sse(sse) = &config.sinks[0].kind else { panic!("no stream") };
    sse
}

const WEBHOOK: &str = "[sources.a.extractor]\ntype = \"webhook\"\nid = \"a\"\n";
const SSE: &str = "[sinks.a]\ntype = \"sse\"\nid = \"a\"\n";

#[test]
fn an_empty_file_has_all_defaults() {
    let config = config("");
    assert_eq!(config, Config::default());
    assert_eq!((config.http.host.as_str(), config.http.port), ("0.0.0.0", 8080));
    assert_eq!(config.http.root_url(8081), "http://localhost:8081");
    assert_eq!(config.http.header_timeout, Duration::from_secs(10));
    assert_eq!(config.http.body_timeout, Duration::from_secs(30));
    assert_eq!(config.http.send_timeout, Duration::from_mins(1));
    assert_eq!(config.http.max_body, 4 << 20);
    assert_eq!((config.http.delivery, config.http.delivery_threads), (DeliveryPath::Reactor, None));
    let retention = Retention {
        max_age: Some(Duration::from_hours(7 * 24)),
        max_events: Some(1_000_000),
        max_bytes: Some(1 << 30),
    };
    let sqlite = Sqlite {
        path: "fanfare-data/events.db".into(),
        written: "fanfare-data/events.db".to_owned(),
        durability: Durability::Full,
        retention,
    };
    assert_eq!(config.log.kind, LogKind::Sqlite(sqlite));
    assert_eq!((config.log.window.events, config.log.window.bytes), (10_000, 64 << 20));
}

#[test]
fn the_log_is_kept_where_and_as_long_as_configured() {
    let sqlite = |name: &str, lines: &str| {
        let loaded = parse(Path::new(name), &format!("[log]\n{lines}"), &Env::default());
        assert_eq!(loaded.diagnostics.render(false), "", "{lines}");
        let LogKind::Sqlite(sqlite) = loaded.config.log.kind else { panic!("not in a file") };
        sqlite
    };
    let path = |name: &str, path: &str| sqlite(name, &format!("path = \"{path}\"")).path;
    assert_eq!(path("/etc/fanfare/a.toml", "data/a.db"), Path::new("/etc/fanfare/data/a.db"));
    assert_eq!(path("/etc/fanfare/a.toml", "/var/a.db"), Path::new("/var/a.db"));
    assert_eq!(path("a.toml", "./a.db"), Path::new("./a.db"));
    assert_eq!(sqlite("/etc/a.toml", "").path, Path::new("/etc/fanfare-data/events.db"));
    assert_eq!(sqlite("a.toml", "durability = \"relaxed\"").durability, Durability::Relaxed);
    let check = |lines: &str, max_age: Option<u64>, max_events, max_bytes| {
        let expected = Retention { max_age: max_age.map(Duration::from_secs), max_events, max_bytes };
        assert_eq!(sqlite("a.toml", &format!("[log.retention]\n{lines}")).retention, expected, "{lines}");
    };
    check("max_age = \"1h 30m\"\nmax_events = 5\nmax_bytes = \"2MiB\"", Some(5400), Some(5), Some(2 << 20));
    check("max_age = \"none\"\nmax_events = \"none\"\nmax_bytes = \"none\"", None, None, None);
    check("max_age = 60", Some(60), Some(1_000_000), Some(1 << 30));
    assert_eq!(config("log.type = \"memory\"").log.kind, LogKind::Memory);
}

#[test]
fn what_is_printed_names_the_file_as_it_was_written() {
    let loaded = parse(Path::new("/etc/fanfare.toml"), "log.path = \"a.db\"", &Env::default());
    let printed = loaded.config.to_toml(Secrets::Shown);
    assert!(printed.contains("\npath = \"a.db\"\n"), "{printed}");
    assert_eq!(parse(Path::new("/etc/printed.toml"), &printed, &Env::default()).config, loaded.config);
}

#[test]
fn sources_that_make_events() {
    let interval = |line: &str| {
        let config = config(&format!("[sources.a.extractor]\ntype = \"mock\"\n{line}"));
        let Some(Extractor::Mock(mock)) = &config.sources[0].extractor else { panic!("no mock") };
        mock.interval
    };
    assert_eq!(interval(""), Duration::from_secs(10));
    assert_eq!(interval("interval = \"250ms\""), Duration::from_millis(250));
}

#[test]
fn batches_are_given_out_at_two_paths() {
    let pull = |lines: &str| {
        let config = config(&format!("[sinks.a]\ntype = \"http_pull\"\n{lines}"));
        let SinkKind::HttpPull(pull) = &config.sinks[0].kind else { panic!("no batches") };
        pull.clone()
    };
    let check = |lines: &str, extract: &str, mark_processed: &str| {
        let pull = pull(lines);
        let paths = (pull.extract_path.as_str(), pull.mark_processed_path.as_str());
        assert_eq!(paths, (extract, mark_processed), "{lines}");
    };
    check("id = \"b\"", "/pull/b/extract", "/pull/b/mark-processed");
    check("path = { extract = \"/x\", mark_processed = \"/y/\" }", "/x", "/y/");
    check("id = \"b\"\npath.extract = \"/x\"", "/x", "/pull/b/mark-processed");

    let defaults = pull("id = \"b\"");
    assert_eq!(defaults.matches, NamePatterns::any());
    assert_eq!(defaults.ttl, Some(Ttl { default: Duration::from_hours(1), by_type: Vec::new() }));
    assert_eq!((defaults.headers.len(), defaults.cors), (0, None));
    assert_eq!(pull("id = \"b\"\nttl_enabled = false\ndefault_ttl = \"2h\"").ttl, None);
    let by_type = [("a.b", 24 * 60), ("a.*", 15), ("*", 1)];
    let by_type = by_type
        .map(|(pattern, minutes)| (NamePattern::parse(pattern).unwrap(), Duration::from_mins(minutes)));
    let pull =
        pull("id = \"b\"\ndefault_ttl = 5\nevent_ttl = { \"a.b\" = \"24h\", \"a.*\" = \"15m\", \"*\" = 60 }");
    assert_eq!(pull.ttl, Some(Ttl { default: Duration::from_secs(5), by_type: by_type.into() }));
}

#[test]
fn envelopes_come_in_and_go_out() {
    let config =
        config(&format!("{WEBHOOK}profile = \"envelope\"\npath = \"/b/\"\n{SSE}profile = \"envelope\"\n"));
    assert_eq!((webhook(&config).profile, webhook(&config).path.as_str()), (Profile::Envelope, "/b/"));
    assert_eq!(webhook(&config).id.as_deref(), Some("a"));
    assert_eq!(sse(&config).profile, Profile::Envelope);
}

#[test]
fn a_sink_has_the_documented_defaults() {
    let config = config(SSE);
    let sse = sse(&config);
    assert_eq!((sse.path.as_str(), sse.profile), ("/sse/a", Profile::Cdevent));
    assert_eq!(sse.matches, NamePatterns::any());
    assert_eq!((sse.keep_alive, sse.retry), (Duration::from_secs(30), Duration::from_secs(3)));
    assert_eq!((sse.buffer, sse.on_lag), (1000, OnLag::CatchUp));
    assert_eq!((sse.replay, sse.max_connections), (true, 100_000));
    assert_eq!((sse.headers.len(), sse.cors.is_none()), (0, true));
}

#[test]
fn the_root_url_is_what_others_can_reach() {
    let check = |http: &str, expected: &str| assert_eq!(config(http).http.root_url(80), expected, "{http}");
    check("http.host = \"::\"", "http://localhost:80");
    check("http.host = \"::1\"", "http://[::1]:80");
    check("http.host = \"127.0.0.1\"", "http://127.0.0.1:80");
    check("http.host = \"events.internal\"", "http://events.internal:80");
    check("http.root_url = \"https://a.example.com/b/\"", "https://a.example.com/b");
}

#[test]
fn units() {
    let config = config(&format!("{SSE}keep_alive = \"1h 30m\"\nretry = 5\n[http]\nmax_body = 100\n"));
    assert_eq!(
        (sse(&config).keep_alive, sse(&config).retry),
        (Duration::from_mins(90), Duration::from_secs(5))
    );
    assert_eq!(config.http.max_body, 100);
}

#[test]
fn match_takes_a_pattern_or_several() {
    let shows = |line: &str, kind: &str| {
        let config = config(&format!("{SSE}match = {line}\n"));
        sse(&config).matches.matches(kind)
    };
    assert!(shows("\"a.*\"", "a.b"));
    assert!(shows("[\"a.*\", \"c\"]", "c"));
    assert!(!shows("[\"a.*\", \"c\"]", "a"));
}

#[test]
fn webhooks() {
    let config = config(&format!(
        "{WEBHOOK}headers_to_keep = [\"X-B\", \"x-a\", \"x-b\"]\n\
         metadata = {{ context = {{ source = \"s\" }}, n = 1, f = 1.5, d = 1979-05-27, l = [true] }}\n"
    ));
    let webhook = webhook(&config);
    assert_eq!((webhook.id.as_deref(), webhook.path.as_str()), (Some("a"), "/webhook/a"));
    assert_eq!(webhook.profile, Profile::Cdevent);
    assert_eq!(webhook.headers_to_keep, ["x-a", "x-b"]);
    let metadata = json!({"context": {"source": "s"}, "n": 1, "f": 1.5, "d": "1979-05-27", "l": [true]});
    assert_eq!(serde_json::Value::Object(webhook.metadata.clone()), metadata);
}

#[test]
fn every_rule_in_both_spellings() {
    let check = |rule: &str| {
        let environment = [("TOKEN", "t0ken")];
        let map = format!("{WEBHOOK}[sources.a.extractor.headers]\nX-A = {rule}\n");
        let table = format!("{WEBHOOK}[sources.a.extractor.headers.X-A]\n{}", rule_as_lines(rule));
        let array = format!("{WEBHOOK}[[sources.a.extractor.headers]]\nheader = \"X-A\"\nrule = {rule}\n");
        let [map, table, array] = [map, table, array].map(|text| {
            let config = config_with(&text, &environment);
            webhook(&config).headers.clone()
        });
        assert_eq!(map, array, "{rule}");
        assert_eq!(map, table, "{rule}");
        map[0].rule.clone()
    };
    assert_eq!(check("{ type = \"exists\" }"), Rule::Exists);
    let Rule::Equals { value, case_sensitive, prefix, suffix } =
        check("{ type = \"equals\", value = \"v\", case_sensitive = false, prefix = \"p\" }")
    else {
        panic!("not equals")
    };
    assert_eq!((value.expose(), case_sensitive, &*prefix, &*suffix), ("v", false, "p", ""));
    assert_eq!(
        check("{ type = \"matches\", pattern = '^\\w+$' }"),
        Rule::Matches { pattern: "^\\w+$".to_owned() }
    );
    let Rule::Secret { variable, value, .. } = check("{ type = \"secret\", value = \"TOKEN\" }") else {
        panic!("not secret")
    };
    assert_eq!((&*variable, value.expose()), ("TOKEN", "t0ken"));
    let Rule::Signature { token, token_env, .. } = check("{ type = \"signature\", token_env = \"TOKEN\" }")
    else {
        panic!("not signature")
    };
    assert_eq!((token.expose(), token_env.as_deref()), ("t0ken", Some("TOKEN")));
    check(
        "{ type = \"signature\", token = \"00ff\", token_encoding = \"hex\", signature_encoding = \"base64\" }",
    );
    check("{ type = \"signature\", token = \"AP8=\", token_encoding = \"base64\", signature_on = \"body\" }");
    check(
        "{ type = \"signature\", token = \"t\", signature_on = { headers_then_body = { headers = [\"date\"], separator = \".\" } } }",
    );
}

/// An inline table without nested ones, as lines; others as a dotted key.
fn rule_as_lines(rule: &str) -> String {
    let inner = rule.trim_start_matches("{ ").trim_end_matches(" }");
    match inner.split_once(", signature_on = {") {
        Some((flat, _)) => format!(
            "{}\nsignature_on.headers_then_body.headers = [\"date\"]\nsignature_on.headers_then_body.separator = \".\"\n",
            flat.replace(", ", "\n")
        ),
        None => inner.replace(", ", "\n"),
    }
}

#[test]
fn transformers_are_found_by_name_in_order() {
    let config = config(&format!(
        "{WEBHOOK}[sources.a]\ntransformer_refs = [\"mine\", \"log\", \"mine\"]\n\
         [[sources.a.transformers]]\ntype = \"discard_all\"\n\
         [transformers.mine]\ntype = \"deduplicate\"\n\
         [transformers.discard_all]\ntype = \"passthrough\"\n\
         [transformers.log]\ntarget = \"events\"\n\
         [pipeline]\ntransformer_refs = [\"deduplicate_on_context_id\", \"discard_all\"]\n"
    ));
    let chain = config.sources[0].transformers.iter().map(|index| &config.transformers[*index]);
    let chain: Vec<_> =
        chain.map(|transformer| (transformer.name.as_str(), transformer.kind.clone())).collect();
    let deduplicate = TransformerKind::Deduplicate { capacity: 10, key_path: "/context/id".to_owned() };
    let expected = [
        ("a.1", TransformerKind::DiscardAll),
        ("mine", deduplicate.clone()),
        ("log", TransformerKind::Log { target: "events".to_owned() }),
        ("mine", deduplicate.clone()),
        ("deduplicate_on_context_id", deduplicate),
        ("discard_all", TransformerKind::Passthrough),
    ];
    assert_eq!(chain, expected);
}

/// Where a program is, as a diagnostic shows it that points to the word `here` in it.
fn place_of_here(path: &Path) -> String {
    let mut loaded = load(path, &Env::default());
    let TransformerKind::Vrl { program } = &loaded.config.transformers[0].kind else { panic!("no program") };
    assert!(program.exact, "{}", program.text);
    let at = program.text.find("here").unwrap();
    loaded.diagnostics.error(program.span.part(at, at + 4), "wrong").label("this");
    loaded.diagnostics.render(false)
}

#[test]
fn a_diagnostic_can_point_into_a_program() {
    let folder = tempfile::tempdir().unwrap();
    let check = |file: &str, text: &str, expected: &str| {
        let path = folder.path().join(file);
        fs::write(&path, text).unwrap();
        let rendered = place_of_here(&folder.path().join("config.toml"));
        let rendered = rendered.replace(&folder.path().display().to_string(), "");
        assert!(rendered.contains(expected), "{rendered}");
    };
    let with = |program: &str| format!("[transformers.a]\ntype = \"vrl\"\n{program}\n");
    check("config.toml", &with("script = 'x = here'"), "/config.toml:3:15\n  |\n3 | script = 'x = here'\n");
    check("config.toml", &with("template = '''\nx\ny = here'''"), "/config.toml:5:5\n  |\n5 | y = here'''\n");
    check("config.toml", &with("template = \"\"\"\r\nhere\"\"\""), "/config.toml:4:1\n");
    check("p.vrl", "x\n  here\n", "");
    check("config.toml", &with("template_file = \"p.vrl\""), "/p.vrl:2:3\n  |\n2 |   here\n");
}

#[test]
fn a_program_with_escapes_is_not_exact() {
    let config = config("[transformers.a]\ntype = \"vrl\"\ntemplate = \"x\\n\\\"y\\\"\"\n");
    let TransformerKind::Vrl { program } = &config.transformers[0].kind else { panic!("no program") };
    assert_eq!((program.text.as_str(), program.exact), ("x\n\"y\"", false));
}

#[test]
fn the_environment_overrides_the_file() {
    let check = |variables: &[(&str, &str)], expected: fn(&Config) -> bool| {
        let text = format!(
            "[http]\nport = 1\nhost = \"127.0.0.1\"\n{WEBHOOK}{SSE}[sinks.a.headers]\nX-A = {{ type = \"exists\" }}\n"
        );
        assert!(expected(&config_with(&text, variables)), "{variables:?}");
    };
    check(&[("FANFARE__HTTP__PORT", "9090")], |it| it.http.port == 9090 && it.http.host == "127.0.0.1");
    check(&[("FANFARE__http__Port", "9090")], |it| it.http.port == 9090);
    check(&[("FANFARE__HTTP", "{ port = 2 }")], |it| it.http.port == 2 && it.http.host == "127.0.0.1");
    check(&[("FANFARE__LOG__WINDOW__EVENTS", "5")], |it| it.log.window.events == 5);
    check(&[("FANFARE__SINKS__A__ID", "123")], |it| sse(it).path == "/sse/123");
    check(&[("FANFARE__SINKS__A__ID", "1.50")], |it| sse(it).path == "/sse/1.50");
    check(&[("FANFARE__SINKS__A__ID", "\"b\"")], |it| sse(it).path == "/sse/b");
    check(&[("FANFARE__SINKS__A__KEEP_ALIVE", "5s")], |it| sse(it).keep_alive == Duration::from_secs(5));
    check(&[("FANFARE__SINKS__A__ENABLED", "false")], |it| it.sinks.is_empty());
    check(&[("FANFARE__SINKS__A__MATCH", "[\"a\", \"b\"]")], |it| sse(it).matches.iter().count() == 2);
    check(&[("FANFARE__SINKS__A__MATCH", "a.*")], |it| sse(it).matches.iter().count() == 1);
    check(
        &[
            ("FANFARE__SINKS__A__HEADERS__X_A__TYPE", "equals"),
            ("FANFARE__SINKS__A__HEADERS__X_A__VALUE", "1"),
        ],
        |it| matches!(&sse(it).headers[..], [rule] if matches!(&rule.rule, Rule::Equals { value, .. } if value.expose() == "1")),
    );
    check(&[("FANFARE__SINKS__B__TYPE", "sse"), ("FANFARE__SINKS__B__PATH", "/b")], |it| it.sinks.len() == 2);
    check(&[("FANFARE_HTTP__PORT", "2"), ("XFANFARE__HTTP__PORT", "2")], |it| it.http.port == 1);
}

#[test]
fn an_override_replaces_what_is_wrong_in_the_file() {
    let config = config_with("[http]\nport = \"x\"\n", &[("FANFARE__HTTP__PORT", "1")]);
    assert_eq!(config.http.port, 1);
}

#[test]
fn what_is_switched_off_does_not_run() {
    let text = format!("{SSE}[sinks.b]\nenabled = false\ntype = \"sse\"\nid = \"a\"\n");
    assert_eq!(config(&text).sinks.len(), 1);
    let inline = "[[sources.b.transformers]]\ntype = \"log\"\n";
    let text = format!("{WEBHOOK}[sources.b]\nenabled = false\ntransformer_refs = [\"log\"]\n{inline}");
    let config = config(&text);
    assert_eq!((config.sources.len(), config.transformers.len()), (1, 0));
}

#[test]
fn without_a_file_events_come_in_and_go_out_on_this_machine_only() {
    let loaded = builtin(&Env::from_iter([("FANFARE__HTTP__PORT", "0")]));
    assert_eq!(loaded.diagnostics.render(false), "");
    let config = loaded.config;
    assert_eq!((config.http.host.as_str(), config.http.port), ("127.0.0.1", 0));
    assert_eq!(
        (webhook(&config).path.as_str(), sse(&config).path.as_str()),
        ("/webhook/events", "/sse/events")
    );
    let LogKind::Sqlite(sqlite) = &config.log.kind else { panic!("not in a file") };
    assert_eq!(sqlite.path, Path::new("fanfare-data/events.db"));
    let printed = config.to_toml(Secrets::Masked);
    assert_eq!(self::config(&printed), config);
}

#[test]
fn an_amqp_source_has_defaults_and_its_url_is_kept_secret() {
    let text = "[sources.a.extractor]\ntype = \"amqp\"\nurl = \"amqp://fanfare:s3cr3t@broker/live\"\nqueue = { name = \"orders\" }\n\
                exchange = { name = \"events\" }\n[sinks.a]\ntype = \"sse\"\nid = \"a\"\n\
                [[routes]]\nfrom = \"a\"\nto = \"a\"\noperation = \"order.#\"\n";
    let config = config(text);
    let Some(Extractor::Amqp(amqp)) = &config.sources[0].extractor else { panic!("no queue") };
    assert_eq!(amqp.url.to_string(), "broker:5672/live");
    assert_eq!((amqp.prefetch, amqp.concurrency, amqp.profile), (100, 1, Profile::Cdevent));
    assert_eq!((amqp.heartbeat, amqp.reconnect_delay), (Duration::from_secs(10), Duration::from_secs(1)));
    assert_eq!((amqp.queue.name.as_str(), amqp.queue.declare, amqp.queue.durable), ("orders", false, true));
    let exchange = amqp.exchange.as_ref().unwrap();
    assert_eq!((exchange.kind, exchange.bindings.as_slice()), (ExchangeKind::Topic, &["#".to_owned()][..]));
    assert_eq!(config.routes.as_ref().unwrap()[0].operation.as_deref(), Some("order.#"));
    let printed = config.to_toml(Secrets::Masked);
    assert!(printed.contains("url = \"amqp://***@broker:5672/live\""), "{printed}");
    assert!(!format!("{printed}{config:?}").contains("s3cr3t"));

    let variable = [("AMQP_URL", "amqp://fanfare:s3cr3t@broker")];
    let config = config_with(
        &text.replace("url = \"amqp://fanfare:s3cr3t@broker/live\"", "url_env = \"AMQP_URL\""),
        &variable,
    );
    assert!(config.to_toml(Secrets::Shown).contains("url_env = \"AMQP_URL\""));
}
