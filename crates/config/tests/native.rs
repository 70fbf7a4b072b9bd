//! What a native configuration means: defaults, spellings, references, overrides.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use fanfare_config::{
    Config, Env, Extractor, LogKind, OnLag, Rule, Secrets, SinkKind, SseSink, TransformerKind, Webhook,
    builtin, load, parse,
};
use fanfare_event::{EventType, Profile, TypePatterns};
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
    let SinkKind::Sse(sse) = &config.sinks[0].kind;
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
    assert_eq!((config.log.kind, config.log.window.events), (LogKind::Memory, 10_000));
    assert_eq!(config.log.window.bytes, 64 << 20);
}

#[test]
fn a_sink_has_the_documented_defaults() {
    let config = config(SSE);
    let sse = sse(&config);
    assert_eq!((sse.path.as_str(), sse.profile), ("/sse/a", Profile::Cdevent));
    assert_eq!(sse.matches, TypePatterns::any());
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
        sse(&config).matches.matches(&EventType::new(kind).unwrap())
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
    assert_eq!((webhook.id.as_str(), webhook.path.as_str()), ("a", "/webhook/a"));
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
    let printed = config.to_toml(Secrets::Masked);
    assert_eq!(self::config(&printed), config);
}
