//! Configurations made up at random, with the environment that they need.

use std::time::Duration;

use fanfare_config::{
    Admin, Amqp, AmqpExchange, AmqpQueue, AmqpUrl, ClientTls, Config, ConfigFile, Cors, DeliveryPath,
    Durability, Encoding, Env, ExchangeKind, Extractor, HeaderRule, Http, HttpPullSink, Identity, Jwt,
    JwtKey, JwtKeyKind, Listener, Log, LogKind, Mock, OnLag, Operation, Program, PublicKeyAlgorithm, Rest,
    Retention, Route, Rule, Secret, SignatureOn, Sink, SinkKind, Source, Span, Sqlite, SseSink, Tls, TlsFile,
    Transformer, TransformerKind, Ttl, Webhook, Window, parse,
};
use fanfare_event::{
    AudienceRule, NamePattern, NamePatterns, Object, Profile, SinkName, SourceName, TargetKind,
};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::Value;

use crate::upstreams::{self, sse_source};

/// The variable that holds every secret here, and what it holds.
pub(crate) const VARIABLE: (&str, &str) = ("A_TOKEN", "t\u{f6}ken \"'\\");

/// The variable that holds a broker's URL.
const URL: (&str, &str) = ("A_URL", "amqps://user:pass@host/live");

/// The variable that holds a secret for tokens.
const LONG_SECRET: (&str, &str) = ("A_LONG_SECRET", "at least thirty-two bytes of a secret");
const BASE64_SECRET: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

pub(crate) fn environment() -> Env {
    Env::from_iter([VARIABLE, URL, upstreams::URL, LONG_SECRET])
}

pub(crate) fn configs() -> impl Strategy<Value = (Config, Env)> {
    let transformers = btree_map(name(), kind(), 0..5);
    let sources = btree_map(name(), (vec(any::<Index>(), 0..4), option::of(extractor())), 0..4);
    let kinds = prop_oneof![sse().prop_map(SinkKind::Sse), http_pull().prop_map(SinkKind::HttpPull)];
    let sinks = btree_map(name(), kinds, 0..4);
    let config = (http(), log(), transformers, sources, sinks, listeners(), routes(), admin()).prop_map(
        |(http, log, transformers, sources, sinks, (listeners, choices), routes, admin)| {
            let transformers: Vec<_> = transformers
                .into_iter()
                .map(|(name, kind)| Transformer { name, span: nowhere(), type_span: nowhere(), kind })
                .collect();
            let sources = (0..).zip(sources).map(|(number, (name, (chain, extractor)))| Source {
                name: SourceName::new(&name),
                span: nowhere(),
                transformers: chain
                    .iter()
                    .filter(|_| !transformers.is_empty())
                    .map(|index| index.index(transformers.len()))
                    .collect(),
                extractor: extractor.map(|mut extractor| {
                    let place = |path: &mut String| path.insert_str(0, &format!("/in{number}"));
                    match &mut extractor {
                        Extractor::Webhook(webhook) => place(&mut webhook.path),
                        Extractor::Rest(rest) => {
                            rest.operations.iter_mut().for_each(|operation| place(&mut operation.path));
                        }
                        Extractor::Mock(_) | Extractor::Amqp(_) | Extractor::Sse(_) => {}
                    }
                    extractor
                }),
            });
            let sinks = (0..).zip(sinks).map(|(number, (name, mut kind))| {
                let place = |path: &mut String| path.insert_str(0, &format!("/out{number}"));
                match &mut kind {
                    SinkKind::Sse(sse) => place(&mut sse.path),
                    SinkKind::HttpPull(pull) => {
                        place(&mut pull.extract_path);
                        place(&mut pull.mark_processed_path);
                    }
                }
                Sink { name: SinkName::new(&name), span: nowhere(), kind }
            });
            let (mut sources, mut sinks): (Vec<_>, Vec<_>) = (sources.collect(), sinks.collect());
            let names: Vec<_> = listeners.iter().map(|listener| listener.name.clone()).collect();
            for (listener, choice) in places(&mut sources, &mut sinks).zip(choices) {
                *listener = choice.filter(|_| !names.is_empty()).map(|index| index.get(&names).clone());
            }
            let is_possible = !sources.is_empty() && !sinks.is_empty();
            let routes = routes.filter(|routes| is_possible || routes.is_empty());
            let routes = routes.map(|routes| {
                let route = |(from, to, operation, matches, audience): MadeUpRoute| {
                    let (from, to) = (from.get(&sources), to.get(&sinks));
                    let operation = operation.and_then(|index| match &from.extractor {
                        Some(Extractor::Rest(rest)) => Some(index.get(&rest.operations).to_string()),
                        Some(Extractor::Amqp(_)) => Some(index.get(&["#", "order.*", ""]).to_string()),
                        _ => None,
                    });
                    let is_stream = matches!(to.kind, SinkKind::Sse(_));
                    Route {
                        span: nowhere(),
                        from: from.name.clone(),
                        operation,
                        operation_span: nowhere(),
                        matches,
                        to: to.name.clone(),
                        audience: if is_stream { audience } else { AudienceRule::Everyone },
                    }
                };
                routes.into_iter().map(route).collect()
            });
            let is_free =
                |admin: &Admin| !listeners.iter().any(|listener: &Listener| listener.port == admin.port);
            let admin = admin.filter(is_free);
            Config { http, listeners, log, sources, sinks, transformers, routes, admin }
        },
    );
    config.prop_map(|config| (config, environment()))
}

fn admin() -> impl Strategy<Value = Option<Admin>> {
    let host = proptest::sample::select(&["127.0.0.1", "::1", "localhost", "0.0.0.0", "example.com"][..]);
    let admin = (host, any::<u16>(), rules()).prop_map(|(host, port, headers)| {
        let host = if headers.is_empty() { "127.0.0.1" } else { host };
        Admin { span: nowhere(), host: host.to_owned(), port, headers }
    });
    option::of(admin)
}

/// Listeners, and for each endpoint perhaps one of them.
fn listeners() -> impl Strategy<Value = (Vec<Listener>, Vec<Option<Index>>)> {
    let host =
        prop_oneof![Just("0.0.0.0".to_owned()), Just("::1".to_owned()), Just("example.com".to_owned())];
    let listeners =
        btree_map(name(), (host, prop_oneof![Just(0), any::<u16>()], tls()), 0..3).prop_map(|listeners| {
            let mut taken = std::collections::BTreeSet::new();
            let listener = |(name, (host, port, tls))| Listener { name, span: nowhere(), host, port, tls };
            let free = |listener: &Listener| {
                listener.port == 0 || taken.insert((listener.host.clone(), listener.port))
            };
            listeners.into_iter().map(listener).filter(free).collect()
        });
    (listeners, vec(option::of(any::<Index>()), 8))
}

/// Where endpoints say which listener they have.
fn places<'c>(
    sources: &'c mut [Source],
    sinks: &'c mut [Sink],
) -> impl Iterator<Item = &'c mut Option<String>> {
    let of_sources = sources.iter_mut().filter_map(|source| match &mut source.extractor {
        Some(Extractor::Webhook(webhook)) => Some(&mut webhook.listener),
        Some(Extractor::Rest(rest)) => Some(&mut rest.listener),
        Some(Extractor::Mock(_) | Extractor::Amqp(_) | Extractor::Sse(_)) | None => None,
    });
    let of_sinks = sinks.iter_mut().map(|sink| match &mut sink.kind {
        SinkKind::Sse(sse) => &mut sse.listener,
        SinkKind::HttpPull(pull) => &mut pull.listener,
    });
    of_sources.chain(of_sinks)
}

type MadeUpRoute = (Index, Index, Option<Index>, NamePatterns, AudienceRule);

fn routes() -> impl Strategy<Value = Option<Vec<MadeUpRoute>>> {
    let kind = proptest::sample::select(&[TargetKind::Room, TargetKind::User][..]);
    let text = prop_oneof![
        Just(".body.room".to_owned()),
        Just(".metadata.\"a \\\" b\".c".to_owned()),
        Just(".subject".to_owned()),
        "[a-z\"'\\\\]{1,8}",
    ];
    let rule = (kind, text).prop_map(|(kind, text)| AudienceRule::parse(kind, &text).unwrap());
    let audience = prop_oneof![Just(AudienceRule::Everyone), rule];
    let operation = option::of(any::<Index>());
    option::of(vec((any::<Index>(), any::<Index>(), operation, matches(), audience), 0..4))
}

/// Spans are all equal, and come from reading something.
pub(crate) fn nowhere() -> Span {
    let read = parse("".as_ref(), "[sinks.a]\ntype = \"sse\"\nid = \"a\"\n", &Env::default());
    read.config.sinks.first().map(|sink| sink.span).unwrap()
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z][a-z0-9_-]{0,8}", "[^\\p{Cc}]{1,8}"]
}

/// Anything at all, and what is hard to quote.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![".*", "(?s).{0,20}", "[\"'\\\\\n\r\t ]{0,8}", "[a-z]{1,8}"]
}

pub(crate) fn millis(range: std::ops::RangeInclusive<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_millis)
}

fn http() -> impl Strategy<Value = Http> {
    let host = proptest::sample::select(&["0.0.0.0", "::1", "events.example.com"][..]);
    let root_url = option::of(Just("https://a.example.com/b".to_owned()));
    let deadline = || millis(10..=3_600_000);
    let deadlines = (deadline(), deadline(), deadline());
    let delivery = proptest::sample::select(&[DeliveryPath::Reactor, DeliveryPath::Portable][..]);
    let delivery = (delivery, option::of(1..=256_usize));
    (host, any::<u16>(), root_url, deadlines, 1..1_usize << 30, delivery, tls()).prop_map(
        |(
            host,
            port,
            root_url,
            (header_timeout, body_timeout, send_timeout),
            max_body,
            (delivery, delivery_threads),
            tls,
        )| Http {
            host: host.to_owned(),
            port,
            root_url,
            header_timeout,
            body_timeout,
            send_timeout,
            max_body,
            delivery,
            delivery_threads,
            tls,
        },
    )
}

fn tls() -> impl Strategy<Value = Option<Tls>> {
    let file = || {
        "(\\.\\./|/)?[a-z \"'\\\\]{1,8}\\.pem".prop_map(|written| TlsFile {
            file: ConfigFile { path: written.clone().into(), written },
            span: nowhere(),
        })
    };
    option::of((file(), file(), option::of(file())).prop_map(|(certificate, key, client_ca)| Tls {
        certificate,
        key,
        client_ca,
        span: nowhere(),
    }))
}

fn log() -> impl Strategy<Value = Log> {
    let durability = proptest::sample::select(&[Durability::Full, Durability::Relaxed][..]);
    let path =
        prop_oneof!["(\\.\\./|/)?[a-z \"'\\\\]{1,8}(/[a-z]{1,3}){0,2}\\.db", Just("\u{f6}".to_owned())];
    let retention = (
        option::of(millis(1000..=1_000_000_000)),
        option::of(1..1_000_000_000_u64),
        option::of(1 << 20..1_u64 << 50),
    );
    let retention =
        retention.prop_map(|(max_age, max_events, max_bytes)| Retention { max_age, max_events, max_bytes });
    let sqlite = (path, durability, retention).prop_map(|(written, durability, retention)| {
        let path = written.clone().into();
        LogKind::Sqlite(Sqlite { path, written, durability, retention })
    });
    let kind = prop_oneof![Just(LogKind::Memory), sqlite];
    (kind, 1..1_000_000_usize, 1024..1_usize << 36)
        .prop_map(|(kind, events, bytes)| Log { kind, window: Window { events, bytes } })
}

fn kind() -> impl Strategy<Value = TransformerKind> {
    let program = text().prop_map(|text| Program { text, span: nowhere(), exact: false });
    prop_oneof![
        program.prop_map(|program| TransformerKind::Vrl { program }),
        Just(TransformerKind::Passthrough),
        Just(TransformerKind::DiscardAll),
        text().prop_map(|target| TransformerKind::Log { target }),
        (0..10_000_000_usize, "(/[a-z~]{0,4}){0,3}").prop_map(|(capacity, key_path)| {
            TransformerKind::Deduplicate { capacity, key_path: key_path.replace('~', "~0") }
        }),
    ]
}

fn extractor() -> impl Strategy<Value = Extractor> {
    let mock = millis(1..=86_400_000).prop_map(|interval| Extractor::Mock(Mock { interval }));
    let amqp = amqp().prop_map(|amqp| Extractor::Amqp(Box::new(amqp)));
    let (webhook, rest) = (webhook().prop_map(Extractor::Webhook), rest().prop_map(Extractor::Rest));
    let sse = sse_source().prop_map(|sse| Extractor::Sse(Box::new(sse)));
    prop_oneof![3 => webhook, 2 => rest, 2 => amqp, 2 => sse, 1 => mock]
}

fn rest() -> impl Strategy<Value = Rest> {
    let method = proptest::sample::select(&["POST", "PUT", "DELETE", "M-SEARCH"][..]);
    let segment = prop_oneof!["[a-z@!$&'()+,;=:~][a-z@:]{0,3}", Just(":".to_owned())];
    let operation = (method, vec(segment, 1..4), any::<bool>()).prop_map(|(method, segments, has_slash)| {
        let segments = segments.iter().enumerate().map(|(number, segment)| match segment.strip_prefix(':') {
            Some(rest) => format!("/:p{number}{}", rest.replace(['@', ':'], "-")),
            None => format!("/{segment}"),
        });
        let path = segments.collect::<String>() + if has_slash { "/" } else { "" };
        Operation { method: method.to_owned(), path }
    });
    let operations = vec(operation, 1..4).prop_map(|mut operations| {
        let mut seen = std::collections::BTreeSet::new();
        operations.retain(|operation| seen.insert((operation.method.clone(), operation.shape())));
        operations
    });
    (operations, rules(), btree_set("[a-z0-9-]{1,8}", 0..3), metadata(), cors()).prop_map(
        |(operations, headers, headers_to_keep, metadata, cors)| Rest {
            operations,
            listener: None,
            headers,
            headers_to_keep: headers_to_keep.into_iter().collect(),
            metadata,
            cors,
            type_span: nowhere(),
        },
    )
}

fn amqp() -> impl Strategy<Value = Amqp> {
    let numbers = (1..=u16::MAX, 1..=1024_u16, millis(1000..=3_600_000), millis(10..=30_000));
    let names = (option::of(short_name()), btree_set("[a-z0-9-]{1,8}", 0..3));
    (broker(), profile(), numbers, names, metadata(), queue(), option::of(exchange())).prop_map(
        |((url, tls), profile, numbers, (consumer_tag, headers_to_keep), metadata, queue, exchange)| {
            let (prefetch, concurrency, heartbeat, reconnect_delay) = numbers;
            Amqp {
                url,
                profile,
                prefetch,
                concurrency,
                consumer_tag,
                heartbeat,
                reconnect_delay,
                headers_to_keep: headers_to_keep.into_iter().collect(),
                metadata,
                queue,
                exchange,
                tls,
                type_span: nowhere(),
            }
        },
    )
}

/// A broker, and files for a connection to it, which must be there.
fn broker() -> impl Strategy<Value = (AmqpUrl, Option<ClientTls>)> {
    let urls = [
        "amqp://localhost",
        "amqps://localhost/%2f",
        "amqp://user:p%40%22ss@host/live",
        "amqps://u@[::1]:5/",
        "$A_URL",
    ];
    (proptest::sample::select(urls.to_vec()), client_tls()).prop_map(|(url, tls)| {
        let key =
            url.strip_prefix('$').map_or(format!("url = '{url}'"), |name| format!("url_env = '{name}'"));
        let text = format!("[sources.a.extractor]\ntype = 'amqp'\n{key}\nqueue = {{ name = 'q' }}\n");
        let config = parse("".as_ref(), &text, &environment()).config;
        let Some(Extractor::Amqp(amqp)) = &config.sources[0].extractor else { panic!("{text}") };
        (amqp.url.clone(), tls.filter(|_| amqp.url.is_tls))
    })
}

pub(crate) fn client_tls() -> impl Strategy<Value = Option<ClientTls>> {
    let file = || ConfigFile { path: "Cargo.toml".into(), written: "Cargo.toml".to_owned() };
    option::of((any::<bool>(), any::<bool>()).prop_map(move |(ca, own)| ClientTls {
        ca: ca.then(file),
        certificate: own.then(file),
        key: own.then(file),
    }))
}

fn queue() -> impl Strategy<Value = AmqpQueue> {
    (short_name(), any::<[bool; 4]>(), metadata()).prop_map(
        |(name, [declare, durable, auto_delete, exclusive], arguments)| AmqpQueue {
            name,
            declare,
            durable,
            auto_delete,
            exclusive,
            arguments,
        },
    )
}

fn exchange() -> impl Strategy<Value = AmqpExchange> {
    let kinds = [ExchangeKind::Direct, ExchangeKind::Fanout, ExchangeKind::Topic, ExchangeKind::Headers];
    let bindings = vec(prop_oneof![short_name(), Just(String::new())], 1..3);
    (short_name(), proptest::sample::select(kinds.to_vec()), any::<[bool; 3]>(), bindings).prop_map(
        |(name, kind, [declare, durable, auto_delete], bindings)| AmqpExchange {
            name,
            kind,
            declare,
            durable,
            auto_delete,
            bindings,
        },
    )
}

fn short_name() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{1,20}"
}

fn webhook() -> impl Strategy<Value = Webhook> {
    let place = (option::of(name_of_url()), path());
    (place, profile(), rules(), btree_set("[a-z0-9-]{1,8}", 0..3), metadata()).prop_map(
        |((id, path), profile, headers, headers_to_keep, metadata)| Webhook {
            id,
            path,
            listener: None,
            profile,
            headers,
            headers_to_keep: headers_to_keep.into_iter().collect(),
            metadata,
            type_span: nowhere(),
        },
    )
}

pub(crate) fn profile() -> impl Strategy<Value = Profile> {
    proptest::sample::select(&Profile::ALL[..])
}

pub(crate) fn metadata() -> impl Strategy<Value = Object> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_filter("JSON has finite numbers only", |f| f.is_finite()).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((text(), inner), 0..4).prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    });
    vec((text(), value), 0..3).prop_map(|members| members.into_iter().collect())
}

fn name_of_url() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9_~-]{1,8}", "[a-z]{1,3}/[a-z@:!$&'()*+,;=]{1,3}"]
}

/// With and without a final slash.
fn path() -> impl Strategy<Value = String> {
    (name_of_url(), any::<bool>())
        .prop_map(|(name, has_slash)| format!("/{name}{}", if has_slash { "/" } else { "" }))
}

fn pattern() -> impl Strategy<Value = NamePattern> {
    let text = prop_oneof!["[a-z]{1,4}(\\.[a-z]{1,4}){0,2}", Just("*".to_owned()), Just("a.b.*".to_owned())];
    text.prop_map(|text| NamePattern::parse(&text).unwrap())
}

pub(crate) fn matches() -> impl Strategy<Value = NamePatterns> {
    vec(pattern(), 1..4).prop_map(NamePatterns::new)
}

fn cors() -> impl Strategy<Value = Option<Cors>> {
    let origins =
        vec(proptest::sample::select(&["*", "https://app.example.com", "http://localhost:3000"][..]), 1..3);
    option::of(
        origins
            .prop_map(|origins| Cors { allowed_origins: origins.into_iter().map(str::to_owned).collect() }),
    )
}

fn http_pull() -> impl Strategy<Value = HttpPullSink> {
    let lifetime = || millis(1..=86_400_000);
    let by_type = proptest::collection::hash_map(pattern(), lifetime(), 0..4);
    let ttl = (lifetime(), by_type)
        .prop_map(|(default, by_type)| Ttl { default, by_type: by_type.into_iter().collect() });
    let place = (option::of(name_of_url()), path(), path());
    (place, matches(), option::of(ttl), rules(), cors()).prop_map(
        |((id, extract_path, mark_processed_path), matches, ttl, headers, cors)| HttpPullSink {
            id,
            listener: None,
            extract_path: format!("/get{extract_path}"),
            mark_processed_path: format!("/post{mark_processed_path}"),
            matches,
            ttl,
            headers,
            cors,
            type_span: nowhere(),
        },
    )
}

fn sse() -> impl Strategy<Value = SseSink> {
    let on_lag = proptest::sample::select(&[OnLag::CatchUp, OnLag::Notice, OnLag::Disconnect][..]);
    let place = (option::of(name_of_url()), path(), profile());
    let numbers =
        (millis(10..=86_400_000), 1..100_000_000_usize, millis(1..=3_600_000), 1..100_000_000_usize);
    let identity = (identity(), 1..=1000_usize);
    (place, matches(), numbers, identity, on_lag, any::<bool>(), rules(), cors()).prop_map(
        |(
            (id, path, profile),
            matches,
            (keep_alive, buffer, retry, max_connections),
            (identity, max_rooms),
            on_lag,
            replay,
            headers,
            cors,
        )| SseSink {
            id,
            path,
            listener: None,
            matches,
            profile,
            keep_alive,
            buffer,
            on_lag,
            replay,
            retry,
            max_connections,
            identity,
            max_rooms,
            headers,
            cors,
            type_span: nowhere(),
        },
    )
}

fn identity() -> impl Strategy<Value = Identity> {
    const URLS: [&str; 2] = ["https://idp.example.com/keys?a=b", "http://127.0.0.1:9/keys"];
    let url = option::of(proptest::sample::select(&URLS).prop_map(str::to_owned));
    let not_empty = || "(?s).{1,10}";
    let claims = [not_empty(), not_empty(), not_empty()];
    let audience = vec(not_empty(), 0..3);
    let carriers = (option::of("[a-z!#$%&'*+.^_`|~-]{1,8}"), any::<bool>());
    let jwt = (url, option::of(not_empty()), audience, claims, carriers, vec(jwt_key(), 0..4)).prop_map(
        |(url, issuer, audience, [user_claim, rooms_claim, types_claim], (cookie, query_token), keys)| Jwt {
            jwks_url: url.or_else(|| keys.is_empty().then(|| URLS[0].to_owned())).map(Into::into),
            issuer,
            audience,
            user_claim,
            rooms_claim,
            types_claim,
            cookie,
            query_token,
            keys,
            span: nowhere(),
        },
    );
    prop_oneof![Just(Identity::None), Just(Identity::Query), jwt.prop_map(|jwt| Identity::Jwt(Box::new(jwt))),]
}

fn jwt_key() -> impl Strategy<Value = JwtKey> {
    const PEM: &str = include_str!("../../../auth/tests/keys/rsa.pem");
    const FILE: &str = "../auth/tests/keys/rsa.pem";
    let secret = prop_oneof![
        "(?s).{32,40}".prop_map(|secret| (secret.into(), None, None)),
        Just((LONG_SECRET.1.to_owned().into(), Some(LONG_SECRET.0.to_owned()), None)),
        Just((BASE64_SECRET.to_owned().into(), None, Some(Encoding::Base64))),
    ];
    let secret =
        secret.prop_map(|(secret, variable, encoding)| JwtKeyKind::Secret { secret, variable, encoding });
    let algorithms = [PublicKeyAlgorithm::Rs256, PublicKeyAlgorithm::Es256, PublicKeyAlgorithm::EdDsa];
    let file = || ConfigFile { path: FILE.into(), written: FILE.to_owned() };
    let public = (proptest::sample::select(algorithms.to_vec()), any::<bool>()).prop_map(
        move |(algorithm, is_file)| JwtKeyKind::Public {
            algorithm,
            pem: PEM.to_owned(),
            file: is_file.then(file),
        },
    );
    (option::of(text()), prop_oneof![secret, public]).prop_map(|(kid, kind)| JwtKey {
        kid,
        kind,
        span: nowhere(),
    })
}

fn rules() -> impl Strategy<Value = Vec<HeaderRule>> {
    let rule = ("X-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,8}", rule());
    vec(rule.prop_map(|(header, rule)| HeaderRule { header, span: nowhere(), rule }), 0..3)
}

pub(crate) fn secret() -> Secret {
    Secret::from(VARIABLE.1.to_owned())
}

fn rule() -> impl Strategy<Value = Rule> {
    let equals =
        (text(), any::<bool>(), text(), text()).prop_map(|(value, case_sensitive, prefix, suffix)| {
            Rule::Equals { value: value.into(), case_sensitive, prefix, suffix }
        });
    let named = (text(), text()).prop_map(|(prefix, suffix)| Rule::Secret {
        variable: VARIABLE.0.to_owned(),
        value: secret(),
        prefix,
        suffix,
    });
    let pattern = prop_oneof![text().prop_map(|text| regex::escape(&text)), Just("^\\w+'''$".to_owned())];
    prop_oneof![
        Just(Rule::Exists),
        equals,
        named,
        pattern.prop_map(|pattern| Rule::Matches { pattern }),
        signature()
    ]
}

pub(crate) fn signature() -> impl Strategy<Value = Rule> {
    let token = prop_oneof![
        Just((secret(), Some(VARIABLE.0.to_owned()), None)),
        Just((Secret::from("00ff".to_owned()), None, Some(Encoding::Hex))),
        Just((Secret::from("AP8=".to_owned()), None, Some(Encoding::Base64))),
        "(?s).{1,8}".prop_map(|token| (Secret::from(token), None, None)),
    ];
    let on = prop_oneof![
        Just(SignatureOn::Body),
        (vec("[a-w]{1,8}", 1..3), text())
            .prop_map(|(headers, separator)| SignatureOn::HeadersThenBody { headers, separator }),
    ];
    let encoding = proptest::sample::select(&[Encoding::Hex, Encoding::Base64][..]);
    (token, option::of(text()), on, encoding).prop_map(
        |((token, token_env, token_encoding), signature_prefix, signature_on, signature_encoding)| {
            Rule::Signature {
                token,
                token_env,
                token_encoding,
                signature_prefix,
                signature_on,
                signature_encoding,
            }
        },
    )
}
