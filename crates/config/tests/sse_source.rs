//! What a source of type `sse` means: defaults, the URL, the headers that are sent.

#![expect(clippy::indexing_slicing, reason = "a test may panic")]

use std::path::Path;
use std::time::Duration;

use fanfare_config::{
    Config, Env, Extractor, OutgoingValue, Secrets, Severity, SignatureOn, SseSource, parse,
};
use fanfare_event::Profile;

fn config_with(text: &str, variables: &[(&str, &str)]) -> Config {
    let loaded = parse(Path::new("test.toml"), text, &variables.iter().copied().collect());
    assert_eq!(loaded.diagnostics.render(false), "", "{text}");
    loaded.config
}

fn config(text: &str) -> Config {
    config_with(text, &[])
}

fn sse_source(config: &Config) -> &SseSource {
    let Some(Extractor::Sse(sse)) = &config.sources[0].extractor else { panic!("no stream to listen to") };
    sse
}

const LISTENS: &str =
    "[sources.a.extractor]\ntype = \"sse\"\nurl = \"https://hub.example.com/sse/events?token=s3cr3t\"\n";

#[test]
fn a_source_that_listens_has_defaults() {
    let config = config(LISTENS);
    let sse = sse_source(&config);
    assert_eq!(sse.url.to_string(), "https://hub.example.com/sse/events");
    assert_eq!(sse.url.text.expose(), "https://hub.example.com/sse/events?token=s3cr3t");
    assert_eq!((sse.profile, sse.events.is_none(), sse.max_retries), (Profile::Cdevent, true, None));
    assert_eq!(
        (sse.reconnect_delay, sse.read_timeout, sse.max_event),
        (Duration::from_secs(1), Duration::from_secs(90), 16 << 20)
    );
    assert_eq!(sse.user_agent, concat!("fanfare/", env!("CARGO_PKG_VERSION")));
    assert_eq!((sse.headers.len(), sse.metadata.len(), &sse.tls), (0, 0, &None));
}

#[test]
fn what_of_a_streams_url_may_be_a_secret_is_shown_nowhere() {
    let config = config(LISTENS);
    let printed = config.to_toml(Secrets::Masked);
    assert!(printed.contains("url = \"https://hub.example.com/sse/events?***\"\n"), "{printed}");
    assert!(!format!("{printed}{config:?}").contains("s3cr3t"));
    let url = "url = \"https://hub.example.com/sse/events?token=s3cr3t\"";
    let text = LISTENS.replace(url, "url_env = \"HUB\"");
    let config = config_with(&text, &[("HUB", "https://me:s3cr3t@hub.example.com/sse")]);
    assert_eq!(sse_source(&config).url.to_string(), "https://hub.example.com/sse");
    for secrets in [Secrets::Masked, Secrets::Shown] {
        let printed = config.to_toml(secrets);
        assert!(printed.contains("url_env = \"HUB\"\n") && !printed.contains("s3cr3t"), "{printed}");
    }
}

#[test]
fn headers_are_sent_in_both_spellings() {
    let check = |value: &str| {
        let environment = [("TOKEN", "t0ken")];
        let more = "X-B = { type = \"static\", value = \"b\" }\n";
        let map = format!("{LISTENS}[sources.a.extractor.headers]\nX-A = {value}\n{more}");
        let array = [("X-A", value), ("X-B", "{ type = \"static\", value = \"b\" }")].map(|(name, value)| {
            format!("[[sources.a.extractor.headers]]\nheader = \"{name}\"\nrule = {value}\n")
        });
        let array = format!("{LISTENS}{}", array.concat());
        let [map, array] =
            [map, array].map(|text| sse_source(&config_with(&text, &environment)).headers.clone());
        assert_eq!(map, array, "{value}");
        map[0].value.clone()
    };
    let OutgoingValue::Static { value, prefix, suffix } =
        check("{ type = \"static\", value = \"v\", prefix = \"p \", suffix = \"s\" }")
    else {
        panic!("not static")
    };
    assert_eq!((value.expose(), &*prefix, &*suffix), ("v", "p ", "s"));
    let OutgoingValue::Secret { variable, value, prefix, .. } =
        check("{ type = \"secret\", value = \"TOKEN\", prefix = \"Bearer \" }")
    else {
        panic!("not secret")
    };
    assert_eq!((&*variable, value.expose(), &*prefix), ("TOKEN", "t0ken", "Bearer "));
    let OutgoingValue::Signature { token, token_env, signature_on, .. } = check(
        "{ type = \"signature\", token_env = \"TOKEN\", signature_on = { headers_then_body = { headers = [\"x-b\"], separator = \".\" } } }",
    ) else {
        panic!("not signature")
    };
    assert_eq!((token.expose(), token_env.as_deref()), ("t0ken", Some("TOKEN")));
    let signed = SignatureOn::HeadersThenBody { headers: vec!["x-b".to_owned()], separator: ".".to_owned() };
    assert_eq!(signature_on, signed);
}

/// What cdviz-collector's own example has, with its comment signs taken off.
#[test]
fn a_source_of_cdviz_collector_that_listens_is_understood() {
    let text = "[sources.cdevents_sse]\nenabled = true\n[sources.cdevents_sse.extractor]\ntype = \"sse\"\nenabled = true\n\
                url = \"http://localhost:8080/sse/001\"\nmax_retries = 10\nuser_agent = \"test-agent/1.0\"\n\
                metadata = { context = { source = \"a\" } }\n\
                [sources.cdevents_sse.extractor.headers]\n\
                \"Authorization\" = { type = \"static\", value = \"Bearer your-token-here\" }\n\
                \"X-API-Key\" = { type = \"secret\", value = \"YOUR_API_KEY\" }\n\
                \"X-Signature-256\" = { type = \"signature\", token = \"webhook-secret\", signature_prefix = \"sha256=\" }\n";
    let env = Env::from_iter([("YOUR_API_KEY", "k")]);
    let loaded = parse(Path::new("test.toml"), text, &env);
    let rendered = loaded.diagnostics.render(false);
    assert!(!loaded.diagnostics.has_errors(), "{rendered}");
    assert!(rendered.contains("a signature over the body alone"), "{rendered}");
    assert_eq!(loaded.diagnostics.count(Severity::Warning), 1, "{rendered}");
    let sse = sse_source(&loaded.config);
    assert_eq!(
        (sse.max_retries, sse.user_agent.as_str(), sse.headers.len()),
        (Some(10), "test-agent/1.0", 3)
    );

    let off = text.replace("type = \"sse\"\nenabled = true", "type = \"sse\"\nenabled = false");
    let loaded = parse(Path::new("test.toml"), &off, &env);
    assert!(!loaded.diagnostics.has_errors());
    assert!(loaded.diagnostics.render(false).contains("receives nothing: its extractor is switched off"));
    assert_eq!(loaded.config.sources[0].extractor, None);
}
