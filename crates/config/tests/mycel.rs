//! What a configuration of Mycel's means: its document's flows, its companion example, spellings, folders, overrides.

#![expect(clippy::indexing_slicing, reason = "a test may panic")]
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use fanfare_config::{
    Amqp, Config, Env, ExchangeKind, Extractor, Identity, Loaded, Rest, Secrets, SinkKind, SseSink, load,
    parse,
};
use fanfare_event::{AudienceRule, Profile, TargetKind};

const DOCUMENT: &str = "tests/seeds/004-01-document.mycel";
const EXAMPLE: &str = "tests/mycel/example";

/// A stream, and a flow to it from `from`, which is a connector that the text has.
fn with_flow(text: &str, from: &str, operation: &str) -> String {
    format!(
        "{text}\nconnector \"sse\" {{\n  type = \"sse\"\n}}\nflow \"f\" {{\n  from {{\n    connector = \"{from}\"\n    \
         operation = \"{operation}\"\n  }}\n  to {{\n    connector = \"sse\"\n    operation = \"broadcast\"\n  }}\n}}\n"
    )
}

fn read(text: &str, variables: &[(&str, &str)]) -> Loaded {
    parse(Path::new("test.mycel"), text, &variables.iter().copied().collect())
}

fn config_with(text: &str, variables: &[(&str, &str)]) -> Config {
    let loaded = read(text, variables);
    assert_eq!(loaded.diagnostics.render(false), "", "{text}");
    loaded.config
}

fn sse(config: &Config, index: usize) -> &SseSink {
    let SinkKind::Sse(sse) = &config.sinks[index].kind else { panic!("no stream") };
    sse
}

fn amqp(config: &Config) -> &Amqp {
    let Some(Extractor::Amqp(amqp)) = &config.sources[0].extractor else { panic!("not from RabbitMQ") };
    amqp
}

fn rest(config: &Config) -> &Rest {
    let Some(Extractor::Rest(rest)) = &config.sources[0].extractor else { panic!("not from REST") };
    rest
}

/// From where, what of it, and whom.
fn routes(config: &Config) -> Vec<(String, String, String)> {
    let audience = |rule: &AudienceRule| match rule {
        AudienceRule::Everyone => "everyone".to_owned(),
        AudienceRule::Target(target) => format!("{} {}", target.kind().name(), target.name()),
        AudienceRule::Path(kind, path) => format!("{} at {path}", kind.name()),
    };
    let routes = config.routes.as_ref().unwrap();
    routes
        .iter()
        .map(|route| {
            let operation = route.operation.clone().unwrap_or_default();
            (route.from.as_str().to_owned(), operation, audience(&route.audience))
        })
        .collect()
}

fn owned(routes: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    routes
        .iter()
        .map(|(from, operation, to)| ((*from).to_owned(), (*operation).to_owned(), (*to).to_owned()))
        .collect()
}

#[test]
fn the_documents_flows() {
    let loaded = load(Path::new(DOCUMENT), &Env::default());
    assert!(!loaded.diagnostics.has_errors(), "{}", loaded.diagnostics.render(false));
    let config = loaded.config;
    assert_eq!((config.http.host.as_str(), config.http.port), ("0.0.0.0", 3002));
    assert_eq!(config.listeners, []);
    let stream = sse(&config, 0);
    assert_eq!(
        (stream.path.as_str(), stream.profile, &stream.identity),
        ("/events", Profile::Message, &Identity::Query)
    );
    assert_eq!(stream.keep_alive, Duration::from_secs(30));
    assert_eq!(stream.cors.as_ref().unwrap().allowed_origins, ["https://app.example.com"]);
    let rabbit = amqp(&config);
    assert_eq!(rabbit.url.to_string(), "localhost:5672/");
    assert_eq!(
        (rabbit.queue.name.as_str(), rabbit.queue.declare, rabbit.profile),
        ("live", false, Profile::Message)
    );
    assert_eq!(
        routes(&config),
        owned(&[
            ("rabbit", "feed.item", "everyone"),
            ("rabbit", "room.event", "room at .body.room"),
            ("rabbit", "notification.personal", "user at .body.user_id"),
        ])
    );
}

#[test]
fn the_companion_example() {
    let loaded = load(Path::new(EXAMPLE), &Env::default());
    let said = loaded.diagnostics.render(false);
    assert!(said.starts_with("warning: anyone may join any room of `events` and be any user\n"), "{said}");
    assert_eq!(said.matches("warning").count(), 1, "{said}");
    let config = loaded.config;
    assert_eq!(config.http.port, 8080);
    assert_eq!((config.listeners[0].name.as_str(), config.listeners[0].port), ("events", 3002));
    let api = rest(&config);
    let operations: Vec<_> = api.operations.iter().map(ToString::to_string).collect();
    assert_eq!(operations, ["POST /notify", "POST /notify/:room", "POST /notify/user/:user_id"]);
    assert_eq!((api.listener.as_deref(), sse(&config, 0).listener.as_deref()), (None, Some("events")));
    assert_eq!(sse(&config, 0).cors.as_ref().unwrap().allowed_origins, ["*"]);
    assert_eq!(
        routes(&config),
        owned(&[
            ("api", "POST /notify", "everyone"),
            ("api", "POST /notify/:room", "room at .body.room"),
            ("api", "POST /notify/user/:user_id", "user at .body.user_id"),
        ])
    );
}

#[test]
fn what_is_printed_means_the_same() {
    for path in [DOCUMENT, EXAMPLE] {
        let loaded = load(Path::new(path), &Env::default());
        let printed = loaded.config.to_toml(Secrets::Shown);
        // Where the log lies depends on where the file does.
        let again = parse(&Path::new(DOCUMENT).with_file_name("printed.toml"), &printed, &Env::default());
        assert_eq!(again.diagnostics.render(false), "", "{printed}");
        assert_eq!(again.config.routes, loaded.config.routes);
        assert_eq!(again.config.sources, loaded.config.sources);
        assert_eq!(again.config.sinks, loaded.config.sinks);
    }
}

#[test]
fn the_warning_ends_where_a_token_decides() {
    let text = fs::read_to_string(format!("{EXAMPLE}/connectors.mycel")).unwrap()
        + &fs::read_to_string(format!("{EXAMPLE}/flows.mycel")).unwrap();
    let said = |variables: &[(&str, &str)]| read(&text, variables).diagnostics.render(false);
    assert!(said(&[]).contains("anyone may join"));
    assert!(!said(&[("FANFARE__SINKS__EVENTS__IDENTITY", "none")]).contains("anyone may join"));
    let tokens = "{ keys = [{ algorithm = \"HS256\", secret_env = \"JWT_SECRET\" }] }";
    let by_token = [
        ("FANFARE__SINKS__EVENTS__IDENTITY", "jwt"),
        ("FANFARE__SINKS__EVENTS__JWT", tokens),
        ("JWT_SECRET", "0123456789abcdef0123456789abcdef"),
    ];
    assert_eq!(said(&by_token), "");
    // Nobody can claim anything where everything goes to everyone.
    let broadcast = with_flow("connector \"api\" {\n  type = \"rest\"\n}", "api", "POST /a");
    assert_eq!(read(&broadcast, &[]).diagnostics.render(false), "");
}

#[test]
fn overrides_speak_native_keys() {
    let env: Env = [
        ("FANFARE__HTTP__PORT", "0"),
        ("FANFARE__LISTENERS__EVENTS__PORT", "0"),
        ("FANFARE__LISTENERS__EVENTS__TLS__CERTIFICATE", "a.pem"),
        ("FANFARE__LISTENERS__EVENTS__TLS__KEY", "a.key"),
        ("FANFARE__LOG__TYPE", "memory"),
        ("FANFARE__SINKS__EVENTS__BUFFER", "7"),
    ]
    .into_iter()
    .collect();
    let loaded = load(Path::new(EXAMPLE), &env);
    assert!(!loaded.diagnostics.has_errors(), "{}", loaded.diagnostics.render(false));
    let config = loaded.config;
    assert_eq!((config.http.port, config.listeners[0].port, sse(&config, 0).buffer), (0, 0, 7));
    assert_eq!((config.http.tls.is_some(), config.listeners[0].tls.is_some()), (false, true));
}

#[test]
fn defaults() {
    let config = config_with(&with_flow("connector \"api\" {\n  type = \"rest\"\n}", "api", "POST /a"), &[]);
    assert_eq!((config.http.host.as_str(), config.http.port), ("0.0.0.0", 3000));
    assert_eq!(config.listeners[0].port, 3002);
    let stream = sse(&config, 0);
    assert_eq!((stream.path.as_str(), stream.keep_alive), ("/events", Duration::from_secs(30)));
    assert_eq!((&stream.cors, &rest(&config).cors), (&None, &None));

    let rabbit = "connector \"q\" {\n  type = \"mq\"\n  queue = \"live\"\n}";
    let config = config_with(&with_flow(rabbit, "q", "*"), &[]);
    assert_eq!(config.http.port, 3002);
    let rabbit = amqp(&config);
    assert_eq!(rabbit.url.to_string(), "localhost:5672/");
    assert_eq!((rabbit.url.username.expose(), rabbit.url.password.expose()), ("guest", "guest"));
    assert_eq!((rabbit.prefetch, rabbit.concurrency, &rabbit.exchange), (100, 1, &None));
    assert_eq!(routes(&config), owned(&[("q", "", "everyone")]));
}

#[test]
fn rabbitmq_in_full() {
    let text = r#"
connector "rabbit" {
  type     = "mq"
  driver   = "rabbitmq"
  host     = env("HOST")
  port     = env("PORT", "5673")
  username = "app"
  password = "${env("PASSWORD")}!"
  vhost    = "/prod"

  heartbeat       = "20s"
  reconnect_delay = "1m"

  queue {
    name              = "live"
    durable           = false
    auto_delete       = "yes"
    create_if_missing = true
    args = {
      "x-dead-letter-exchange" = "dlx"
      x-max-length             = 1000
    }
  }

  exchange {
    name        = "events"
    type        = "topic"
    routing_key = "feed.#"
  }

  consumer {
    tag      = "push"
    prefetch = 5
    workers  = 2
  }
}
"#;
    let text = with_flow(&text.replace("1m\"", "10s\""), "rabbit", "feed.*");
    let config = config_with(&text, &[("HOST", "mq.example.com"), ("PASSWORD", "p@ss"), ("PORT", "")]);
    let rabbit = amqp(&config);
    assert_eq!(rabbit.url.to_string(), "mq.example.com:5673/prod");
    assert_eq!((rabbit.url.username.expose(), rabbit.url.password.expose()), ("app", "p@ss!"));
    assert_eq!(
        (rabbit.heartbeat, rabbit.reconnect_delay),
        (Duration::from_secs(20), Duration::from_secs(10))
    );
    let queue = &rabbit.queue;
    assert_eq!(
        (queue.name.as_str(), queue.durable, queue.auto_delete, queue.declare),
        ("live", false, true, true)
    );
    assert_eq!(
        serde_json::Value::from(queue.arguments.clone()).to_string(),
        r#"{"x-dead-letter-exchange":"dlx","x-max-length":1000}"#
    );
    let exchange = rabbit.exchange.as_ref().unwrap();
    assert_eq!(
        (exchange.name.as_str(), exchange.kind, exchange.declare),
        ("events", ExchangeKind::Topic, false)
    );
    assert_eq!(exchange.bindings, ["feed.#"]);
    assert_eq!((rabbit.consumer_tag.as_deref(), rabbit.prefetch, rabbit.concurrency), (Some("push"), 5, 2));
    assert_eq!(routes(&config), owned(&[("rabbit", "feed.*", "everyone")]));
}

#[test]
fn short_spellings_of_queue_and_exchange() {
    let check = |keys: &str, queue: (&str, bool), exchange: Option<(&str, ExchangeKind, &str)>| {
        let text = format!("connector \"q\" {{\n  type = \"mq\"\n{keys}\n}}");
        let config = config_with(&with_flow(&text, "q", "#"), &[]);
        let rabbit = amqp(&config);
        assert_eq!((rabbit.queue.name.as_str(), rabbit.queue.declare), queue, "{keys}");
        let found = rabbit.exchange.as_ref().map(|it| (it.name.as_str(), it.kind, it.bindings[0].as_str()));
        assert_eq!(found, exchange, "{keys}");
    };
    check("queue = \"a\"", ("a", false), None);
    check("queue {\n name = \"a\"\n }", ("a", false), None);
    check("consumer {\n queue = \"a\"\n }", ("a", false), None);
    check("consumer {\n queue = \"a\"\n create_if_missing = true\n }", ("a", true), None);
    check("queue = \"a\"\n exchange = \"e\"", ("a", false), Some(("e", ExchangeKind::Direct, "a")));
    check(
        "queue = \"a\"\n exchange {\n name = \"e\"\n type = \"fanout\"\n routing_key = \"\"\n }",
        ("a", false),
        Some(("e", ExchangeKind::Fanout, "a")),
    );
}

#[test]
fn tls_to_the_broker() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ca.pem"), "").unwrap();
    let check = |keys: &str, is_tls: bool, ca: bool| {
        let text = format!("connector \"q\" {{\n  type = \"mq\"\n  queue = \"a\"\n{keys}\n}}");
        let name = folder.path().join("test.mycel");
        let loaded = parse(&name, &with_flow(&text, "q", ""), &Env::default());
        assert_eq!(loaded.diagnostics.render(false), "", "{keys}");
        let rabbit = amqp(&loaded.config);
        let found = rabbit.tls.as_ref().is_some_and(|tls| tls.ca.is_some());
        assert_eq!((rabbit.url.is_tls, found), (is_tls, ca), "{keys}");
    };
    check("tls {\n ca_cert = \"ca.pem\"\n }", true, true);
    check("tls {\n ca_file = \"ca.pem\"\n insecure_skip_verify = false\n }", true, true);
    check("tls {\n enabled = false\n ca_cert = \"ca.pem\"\n }", false, false);
    check("url = \"amqps://h\"\n tls {\n ca_cert = \"ca.pem\"\n }", true, true);
    check("url = \"amqps://h\"", true, false);
}

#[test]
fn connectors_at_one_address_share_it() {
    let text = "connector \"a\" {\n type = \"rest\"\n port = 80\n}\nconnector \"b\" {\n type = \"sse\"\n port = 80\n}\n\
                connector \"c\" {\n type = \"sse\"\n path = \"/c\"\n}\nconnector \"d\" {\n type = \"sse\"\n path = \"/d\"\n}\n\
                connector \"e\" {\n type = \"sse\"\n host = \"127.0.0.1\"\n port = 3003\n}\n";
    let flows: String = ["b", "c", "d", "e"]
        .map(|to| {
            format!(
                "flow \"{to}\" {{\n from {{\n connector = \"a\"\n operation = \"POST /x\"\n }}\n to {{\n connector = \"{to}\"\n \
                 operation = \"broadcast\"\n }}\n}}\n"
            )
        })
        .concat();
    let config = config_with(&format!("{text}{flows}"), &[]);
    assert_eq!(config.http.port, 80);
    let listeners: Vec<_> =
        config.listeners.iter().map(|it| (it.name.as_str(), it.host.as_str(), it.port)).collect();
    assert_eq!(listeners, [("c", "0.0.0.0", 3002), ("e", "127.0.0.1", 3003)]);
    let picked: Vec<_> = (0..4).map(|index| sse(&config, index).listener.as_deref()).collect();
    assert_eq!(picked, [None, Some("c"), Some("c"), Some("e")]);
    // One operation, four routes.
    assert_eq!((rest(&config).operations.len(), routes(&config).len()), (1, 4));
}

#[test]
fn a_flow_may_go_to_several() {
    let text = "connector \"a\" {\n type = \"rest\"\n}\nconnector \"b\" {\n type = \"sse\"\n}\nflow \"f\" {\n from {\n \
                connector = \"a\"\n operation = \"POST   /x/:r\"\n }\n to {\n connector = \"b\"\n operation = \"send_to_room\"\n \
                target = \"lobby\"\n }\n to {\n connector = \"b\"\n operation = \"send_to_user\"\n target = \"input.who.id\"\n }\n}\n";
    let config = read(text, &[]).config;
    assert_eq!(
        routes(&config),
        owned(&[("a", "POST /x/:r", "room lobby"), ("a", "POST /x/:r", "user at .body.who.id")])
    );
    let AudienceRule::Target(target) = &config.routes.as_ref().unwrap()[0].audience else { panic!("a name") };
    assert_eq!(target.kind(), TargetKind::Room);
}

#[test]
fn origins_in_both_spellings() {
    for cors in [
        "origins = [\"https://a.example.com\", \"https://b.example.com\"]",
        "allowed_origins = [\"https://a.example.com\", \"https://b.example.com\"]",
        "origins = \"https://a.example.com, https://b.example.com\"",
    ] {
        let api = format!("connector \"api\" {{\n type = \"rest\"\n cors {{\n {cors}\n }}\n}}");
        let config = config_with(&with_flow(&api, "api", "POST /a"), &[]);
        let origins = &rest(&config).cors.as_ref().unwrap().allowed_origins;
        assert_eq!(origins, &["https://a.example.com", "https://b.example.com"], "{cors}");
    }
    let none = "connector \"api\" {\n type = \"rest\"\n cors {\n origins = []\n }\n}";
    assert_eq!(rest(&config_with(&with_flow(none, "api", "POST /a"), &[])).cors, None);
}

#[test]
fn variables_are_texts_where_numbers_are_asked_for() {
    let api = "connector \"api\" {\n type = env(\"TYPE\", \"rest\")\n port = env(\"PORT\")\n host = \"${env(\"IP\")}.1\"\n}";
    let config = config_with(&with_flow(api, "api", "POST /a"), &[("PORT", "9000"), ("IP", "127.0.0")]);
    assert_eq!((config.http.host.as_str(), config.http.port), ("127.0.0.1", 9000));
}

#[test]
fn a_file_beside_it_has_variables() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(".env"), "PORT=9000\nFANFARE__SINKS__SSE__BUFFER=9\n").unwrap();
    let api = "connector \"api\" {\n type = \"rest\"\n port = env(\"PORT\")\n}";
    fs::write(folder.path().join("a.hcl"), with_flow(api, "api", "POST /a")).unwrap();
    for path in [folder.path().to_owned(), folder.path().join("a.hcl")] {
        let loaded = load(&path, &Env::default());
        assert_eq!(loaded.diagnostics.render(false), "");
        assert_eq!((loaded.config.http.port, sse(&loaded.config, 0).buffer), (9000, 9));
    }
}

#[test]
fn the_log_lies_in_the_folder() {
    let loaded = load(Path::new(EXAMPLE), &Env::default());
    let fanfare_config::LogKind::Sqlite(sqlite) = &loaded.config.log.kind else { panic!("in a file") };
    assert_eq!(sqlite.path, Path::new(EXAMPLE).join("fanfare-data/events.db"));
}

#[test]
fn folders_that_are_no_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let said = load(folder.path(), &Env::default()).diagnostics.render(false);
    assert!(
        said.starts_with("error: cannot read the configuration: no file in this folder ends in"),
        "{said}"
    );
    fs::write(folder.path().join("large.mycel"), "#".repeat((1 << 20) + 1)).unwrap();
    fs::write(folder.path().join("other.mycel"), "connector \"a\" {\n type = \"kafka\"\n}\n").unwrap();
    let said = load(folder.path(), &Env::default()).diagnostics.render(false);
    assert!(said.contains("it is larger than 1 MiB\n"), "{said}");
    assert!(said.contains("large.mycel") && said.contains("unknown connector type `kafka`"), "{said}");
}

#[test]
#[cfg(unix)]
fn what_never_begins_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe.mycel");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let said = load(folder.path(), &Env::default()).diagnostics.render(false);
    assert!(said.contains("it is no regular file\n") && said.contains("pipe.mycel"), "{said}");
}

#[test]
fn what_is_in_two_files_is_shown_at_both() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.mycel", "b.mycel"] {
        fs::write(folder.path().join(name), "connector \"x\" {\n type = \"sse\"\n}\n").unwrap();
    }
    let said = load(folder.path(), &Env::default()).diagnostics.render(false);
    assert!(said.contains("there are two `connector` blocks `x`"), "{said}");
    assert!(said.contains("a.mycel:1:11") && said.contains("b.mycel:1:11"), "{said}");
}

#[test]
fn a_syntax_error_in_one_file_leaves_the_others() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.mycel"), "connector \"api\" {\n").unwrap();
    let flow = with_flow("", "api", "POST /a").replace("\"broadcast\"", "\"brodcast\"");
    fs::write(folder.path().join("b.mycel"), flow).unwrap();
    let said = load(folder.path(), &Env::default()).diagnostics.render(false);
    assert!(said.contains("this is not HCL") && said.contains("did you mean `broadcast`?"), "{said}");
    // The connector may be in what could not be read.
    assert!(!said.contains("there is no connector"), "{said}");
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [
        ("[", "]"),
        ("{a=", "}"),
        ("(", ")"),
        ("\"${", "}\""),
        ("-", ""),
        ("!", ""),
        ("f(", ")"),
        ("a[", "]"),
    ] {
        for depth in [10, 100, 10_000] {
            let nested =
                format!("connector \"a\" {{\n x = {}1{}\n}}\n", open.repeat(depth), close.repeat(depth));
            let _ = read(&nested, &[]).diagnostics.render(false);
            let _ = read(&nested[..nested.len() / 2], &[]).diagnostics.render(false);
        }
    }
    let blocks = format!("{}{}", "a {\n".repeat(10_000), "}\n".repeat(10_000));
    let said = read(&blocks, &[]).diagnostics.render(false);
    assert!(said.contains("this is nested too deeply"), "{said}");
}
