//! What holds for every input: nothing panics, no secret is shown, and what is printed is read back.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod breaking;
mod configs;
mod upstreams;

use std::fs;
use std::path::Path;

use fanfare_config::{Env, Loaded, Secrets, parse};
use proptest::prelude::*;

use breaking::{broken, variables};
use configs::configs;

/// Parses, and does all that can be done with what comes of it. All that can be seen of it, as one text.
fn all_that_is_shown(name: &str, text: &str, env: &Env) -> (Loaded, String) {
    let loaded = parse(Path::new(name), text, env);
    let shown = [
        loaded.diagnostics.render(false),
        loaded.diagnostics.render(true),
        loaded.config.to_toml(Secrets::Masked),
        format!("{loaded:?}"),
        format!("{env:?}"),
    ];
    (loaded, shown.concat())
}

const NATIVE: &str = "test.toml";
const INBOXCLAW: &str = "test.yaml";
const MYCEL: &str = "test.mycel";

/// Configurations of a dialect to break: those of the seeds, and those of the golden files.
fn files(name: &str) -> Vec<String> {
    let ending = Path::new(name).extension();
    let folders = ["tests/seeds", "tests/diagnostics"];
    let paths = folders.into_iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let paths = paths.map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension() == ending).filter_map(|path| fs::read_to_string(path).ok()).collect()
}

/// What secrets look like.
const SECRETS: &str = "[a-z0-9][A-Za-z0-9+/=_-]{10,20}[A-Za-z0-9]|[a-z0-9][A-Za-z0-9]{4,8} [A-Za-z0-9]{4,8}";

/// A place for a secret is `SECRET`.
const WITH_SECRETS: [&str; 14] = [
    "[sinks.a]\ntype = \"sse\"\nid = \"a\"\nidentity = \"jwt\"\n[sinks.a.jwt]\njwks_url = \"https://a/b?key=SECRET\"\n",
    "[sinks.a]\ntype = \"sse\"\nid = \"a\"\nidentity = \"jwt\"\n[sinks.a.jwt]\njwks_url = \"https://u:SECRET@a/b\"\n\
     [[sinks.a.jwt.keys]]\nalgorithm = \"HS256\"\nsecret = \"SECRET\"\n[[sinks.a.jwt.keys]]\nsecret_env = \"SECRET\"\n",
    "[sinks.a]\ntype = \"sse\"\nid = \"a\"\njwt = { keys = [ { algorithm = \"RS256\", public_key = \"\"\"SECRET\n\
     -----BEGIN PRIVATE KEY-----\nSECRET\"\"\" }, { secret = \"SECRET-and-more-than-thirty-two-bytes\" } ] }\n",
    "[sources.a.extractor]\ntype = \"rest\"\noperations = [\"POST /a/:b\", \"PUT /a\"] # SECRET\n\
     headers = { X-A = { type = \"equals\", value = \"SECRET\" } }\n[sinks.b]\ntype = \"sse\"\nid = \"b\"\n\
     [[routes]]\nfrom = \"a\"\nto = \"b\"\noperation = \"POST /a/:b\"\n",
    "[sinks.a]\ntype = \"sse\"\nid = \"a\"\n[sinks.a.headers]\n\
     \"Authorization\" = { type = \"equals\", value = \"SECRET\", prefix = \"Bearer \" }\n\
     X-B = { type = \"signature\", token = 'SECRET', token_encoding = \"hex\", signature_prefix = \"sha256=\" }\n",
    "[sources.a.extractor]\ntype = \"webhook\"\nid = \"a\"\n[[sources.a.extractor.headers]]\n\
     header = \"X-A\"\nrule = { type = \"equals\", value = \"\"\"SECRET\"\"\", case_sensitive = false } # was SECRET\n",
    "[sources.a.extractor.headers.X-A]\ntype = \"secret\"\nvalue = \"SECRET\"\nsuffix = \"x\"\n\
     [sources.a.extractor.headers.X-B]\ntype = \"signature\"\ntoken_env = \"SECRET\"\nsignature_on = \"body\"\n",
    "[sinks.database]\nenabled = false\ntype = \"db\"\nurl = \"postgresql://postgres:SECRET@localhost/cdviz\"\n\
     [state.parameters]\nroot = \"./x\"\npassword = \"SECRET\"\n",
    "[sinks.a]\ntype = \"sse\"\nid = \"a\"\nheaders = [\n  { header = \"X-A\", rule = { type = \"equals\", value = \"SECRET\" } },\n\
     { header = \"X-B\", rule = { type = \"static\", value = \"SECRET\" } },\n]\n",
    "# token = \"SECRET\"\n[sources.a.extractor]\ntype = \"webhook\"\nid = \"a\"\n\
     [sources.a.extractor.signature]\nheader = \"x-hub-signature-256\"\ntoken = \"SECRET\"\n",
    "[sources.a.extractor]\ntype = \"amqp\"\nurl = \"amqp://user:SECRET@host:5672/v\"\nqueue = { name = \"q\" }\n",
    "[sources.a.extractor]\ntype = \"amqp\"\nurl_env = \"SECRET\"\nqueue.name = \"q\" # was SECRET\n",
    "[sources.a.extractor]\ntype = \"sse\"\nurl = \"https://user:SECRET@host/sse/a\"\nheaders = [\n\
     { header = \"Authorization\", rule = { type = \"static\", value = \"SECRET\", prefix = \"Bearer \" } },\n\
     { header = \"X-B\", rule = { type = \"signature\", token = \"SECRET\" } },\n]\n",
    "[sources.a.extractor]\ntype = \"sse\"\nurl_env = \"SECRET\"\n[sources.a.extractor.headers]\n\
     X-A = { type = \"secret\", value = \"SECRET\", prefix = \"Bearer \" }\nX-B = { type = \"secret\", value = \"TOKEN\" }\n\
     X-C = { type = \"equals\", value = \"SECRET\" } # SECRET\n",
];

/// The same in Inboxclaw's dialect.
const YAML_WITH_SECRETS: [&str; 5] = [
    "sources:\n  fio:\n    token: SECRET # was SECRET\n    poll_interval: 5m\nsink:\n  events:\n    type: sse\n",
    "sources: {ha: {type: home_assistant, url: \"http://u:SECRET@ha\", access_token: 'SECRET'}}\nsink: {sse: {}}\n",
    "sink:\n  hook:\n    type: webhook\n    url: https://a.example.com/SECRET\n    headers:\n      \
     Authorization: \"Bearer SECRET\"\n    payload: &p\n      - SECRET\n      - |\n        SECRET\n  again: *p\n",
    "# SECRET\nsink:\n  run:\n    type: command\n    command: [curl, \"SECRET\"]\n    match: a.*\n",
    "server:\n  host: $TOKEN\n  port: ${TOKEN}\ndatabase: {db_path: \"$TOKEN/\", days: $TOKEN}\nsink:\n  a:\n    \
     type: $TOKEN\n    match: [$TOKEN, \"$TOKEN*\"]\n    path: ?$TOKEN\n    heartbeat_timeout: $TOKEN\n",
];

/// The same in Mycel's.
const HCL_WITH_SECRETS: [&str; 6] = [
    "connector \"q\" {\n  type = \"mq\"\n  url = \"amqp://guest:SECRET@localhost\" # was SECRET\n  queue = \"a\"\n}\n\
     connector \"s\" {\n  type = \"sse\"\n}\nflow \"f\" {\n  from {\n    connector = \"q\"\n  }\n  to {\n    \
     connector = \"s\"\n    operation = \"broadcast\"\n  }\n}\n",
    "connector \"q\" {\n  type = \"mq\"\n  username = \"a\"\n  password = env(\"NONE\", \"SECRET\")\n  vhost = \"x\"\n  \
     consumer {\n    queue = \"q\"\n    args = { \"x\" = \"SECRET\" }\n  }\n}\n",
    "connector \"api\" {\n  type = \"rest\"\n  auth {\n    type = \"jwt\"\n    secret = <<-EOT\n      SECRET\n    EOT\n    \
     keys = [\"SECRET\"]\n  }\n}\n",
    "/* SECRET */\n// SECRET\nconnector \"s\" {\n  type = \"slack\"\n  token = SECRET\n  webhook_url = \"https://a/${SECRET}\"\n}\n",
    "connector \"q\" {\n  type = \"mq\"\n  url = coalesce(\"SECRET\", \"SECRET\")\n  \
     tls {\n    key = \"k.pem\"\n    passphrase = true ? \"SECRET\" : \"SECRET\"\n  }\n}\n",
    "connector \"q\" {\n  type = env(\"TOKEN\")\n}\nconnector \"s\" {\n  type = \"sse\"\n  host = env(\"TOKEN\")\n  \
     port = env(\"TOKEN\")\n  path = \"/${env(\"TOKEN\")}\"\n  heartbeat_interval = env(\"TOKEN\")\n}\nconnector \"r\" {\n  \
     type = \"mq\"\n  driver = env(\"TOKEN\")\n  url = env(\"TOKEN\")\n}\nflow \"f\" {\n  from {\n    connector = \
     env(\"TOKEN\")\n    operation = env(\"TOKEN\")\n  }\n  to {\n    connector = \"s\"\n    operation = \
     env(\"TOKEN\")\n    target = env(\"TOKEN\")\n  }\n}\n",
];

/// Places for a secret in the environment.
const SECRET_VARIABLES: [(&str, &str); 6] = [
    ("TOKEN", "SECRET"),
    ("FANFARE__SINKS__A__HEADERS__AUTHORIZATION__VALUE", "SECRET"),
    ("FANFARE__SINKS__A__HEADERS", "{ X-C = { type = \"equals\", value = \"SECRET\" } }"),
    ("FANFARE__SOURCES__A__EXTRACTOR__HEADERS__X_C", "{ type = \"signature\", token = 'SECRET' "),
    ("FANFARE__SOURCES__A__EXTRACTOR__URL", "amqp://user:SECRET@host"),
    ("FANFARE__SOURCES__A__EXTRACTOR__HEADERS__X_D", "{ type = \"static\", value = \"SECRET\" }"),
];

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*|[\\x00-\\x7f\u{e9}\u{1f600}]*", env in variables()) {
        all_that_is_shown(NATIVE, &text, &env);
        all_that_is_shown(INBOXCLAW, &text, &env);
        all_that_is_shown(MYCEL, &text, &env);
    }

    #[test]
    fn no_broken_file_makes_it_panic(
        text in proptest::sample::select(files(NATIVE)).prop_flat_map(|text| broken(text, 0..6)),
        env in variables(),
    ) {
        all_that_is_shown(NATIVE, &text, &env);
    }

    #[test]
    fn what_a_broken_file_of_another_dialect_still_means_can_be_printed(
        (name, text) in proptest::sample::select(vec![INBOXCLAW, MYCEL]).prop_flat_map(|name| {
            let text = proptest::sample::select(files(name)).prop_flat_map(|text| broken(text, 0..6));
            (Just(name), text)
        }),
        env in variables(),
    ) {
        let (loaded, _) = all_that_is_shown(name, &text, &env);
        if !loaded.diagnostics.has_errors() {
            let printed = loaded.config.to_toml(Secrets::Shown);
            let again = parse(Path::new(NATIVE), &printed, &Env::default());
            let rendered = again.diagnostics.render(false);
            prop_assert!(!again.diagnostics.has_errors(), "{}\n{}\n{}", text, printed, rendered);
            prop_assert_eq!(again.config, loaded.config, "{}\n{}", text, printed);
        }
    }

    #[test]
    fn no_secret_of_mycels_file_is_shown(
        secret in SECRETS,
        text in proptest::sample::select(&HCL_WITH_SECRETS).prop_flat_map(|text| broken(text.to_owned(), 0..4)),
    ) {
        let text = text.replace("SECRET", &secret);
        let env = Env::from_iter([("TOKEN", &secret)]);
        let (loaded, _) = all_that_is_shown(MYCEL, &text, &env);
        let shown = [loaded.diagnostics.render(false), loaded.diagnostics.render(true)].concat();
        prop_assert!(!shown.contains(&secret), "{}\n{}", text, shown);
    }

    #[test]
    fn no_secret_of_inboxclaws_file_is_shown(
        secret in SECRETS,
        text in proptest::sample::select(&YAML_WITH_SECRETS).prop_flat_map(|text| broken(text.to_owned(), 0..4)),
    ) {
        let text = text.replace("SECRET", &secret);
        let env = Env::from_iter([("TOKEN", &secret)]);
        let (loaded, _) = all_that_is_shown(INBOXCLAW, &text, &env);
        let shown = [loaded.diagnostics.render(false), loaded.diagnostics.render(true)].concat();
        prop_assert!(!shown.contains(&secret), "{}\n{}", text, shown);
    }

    #[test]
    fn no_secret_is_shown(
        secret in SECRETS,
        text in proptest::sample::select(&WITH_SECRETS).prop_flat_map(|text| broken(text.to_owned(), 0..4)),
        variables in proptest::sample::subsequence(&SECRET_VARIABLES, 0..=6),
    ) {
        let text = text.replace("SECRET", &secret);
        let variables = variables.iter().map(|(name, value)| (*name, value.replace("SECRET", &secret)));
        let (_, shown) = all_that_is_shown(NATIVE, &text, &variables.collect());
        prop_assert!(!shown.contains(&secret), "{}\n{}", text, shown);
    }

    #[test]
    fn what_is_printed_is_read_back((config, env) in configs()) {
        let printed = config.to_toml(Secrets::Shown);
        let loaded = parse(Path::new("printed.toml"), &printed, &env);
        let rendered = loaded.diagnostics.render(false);
        prop_assert!(!loaded.diagnostics.has_errors(), "{}\n{}", printed, rendered);
        prop_assert_eq!(&loaded.config, &config, "{}", printed);
        prop_assert_eq!(loaded.config.to_toml(Secrets::Shown), printed);
    }
}
