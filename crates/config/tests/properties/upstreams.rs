//! Sources made up at random that listen to streams of others.

use fanfare_config::{
    ClientTls, Extractor, OutgoingHeader, OutgoingValue, Rule, SignatureOn, SseSource, SseUrl, parse,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::configs::{
    VARIABLE, client_tls, environment, matches, metadata, millis, nowhere, profile, secret, signature,
};

/// The variable that holds a stream's URL.
pub(crate) const URL: (&str, &str) = ("A_STREAM_URL", "https://user:pass@host/live?token=t");

pub(crate) fn sse_source() -> impl Strategy<Value = SseSource> {
    let numbers =
        (option::of(any::<u32>()), millis(10..=30_000), millis(1000..=3_600_000), 1024..=256_usize << 20);
    let user_agent = "[!-~]([ -~]{0,8}[!-~])?";
    (upstream(), profile(), option::of(matches()), numbers, user_agent, outgoing(), metadata()).prop_map(
        |((url, tls), profile, events, numbers, user_agent, headers, metadata)| {
            let (max_retries, reconnect_delay, read_timeout, max_event) = numbers;
            SseSource {
                url,
                profile,
                events,
                max_retries,
                reconnect_delay,
                read_timeout,
                max_event,
                user_agent,
                headers,
                metadata,
                tls,
                type_span: nowhere(),
            }
        },
    )
}

/// A stream, and files for a connection to it, which must be there.
fn upstream() -> impl Strategy<Value = (SseUrl, Option<ClientTls>)> {
    let urls = [
        "http://localhost:8080/sse/001",
        "https://hub.example.com",
        "https://u@[::1]:5/?a=%40&b='c'",
        "$A_STREAM_URL",
    ];
    (proptest::sample::select(urls.to_vec()), client_tls()).prop_map(|(url, tls)| {
        let key =
            url.strip_prefix('$').map_or(format!("url = \"{url}\""), |name| format!("url_env = '{name}'"));
        let text = format!("[sources.a.extractor]\ntype = 'sse'\n{key}\n");
        let config = parse("".as_ref(), &text, &environment()).config;
        let Some(Extractor::Sse(sse)) = &config.sources[0].extractor else { panic!("{text}") };
        let url = sse.url.clone();
        let tls = tls.filter(|_| url.text.expose().starts_with("https"));
        (url, tls)
    })
}

/// Headers with names of their own; signatures are over those of them that are none.
fn outgoing() -> impl Strategy<Value = Vec<OutgoingHeader>> {
    let visible = || "([!-~\u{a1}-\u{2ff}]([ -~\t]{0,8}[!-~])?)?";
    let fixed = (visible(), visible(), visible()).prop_map(|(value, prefix, suffix)| OutgoingValue::Static {
        value: value.into(),
        prefix,
        suffix,
    });
    let named = (visible(), visible()).prop_map(|(prefix, suffix)| OutgoingValue::Secret {
        variable: VARIABLE.0.to_owned(),
        value: secret(),
        prefix,
        suffix,
    });
    let signed = (signature(), option::of(visible())).prop_map(|(rule, prefix)| {
        let Rule::Signature { token, token_env, token_encoding, signature_on, signature_encoding, .. } = rule
        else {
            panic!("no signature")
        };
        let signature_prefix = prefix;
        OutgoingValue::Signature {
            token,
            token_env,
            token_encoding,
            signature_prefix,
            signature_on,
            signature_encoding,
        }
    });
    let headers = vec(prop_oneof![2 => fixed, 2 => named, 1 => signed], 0..4);
    headers.prop_map(|values| {
        let name = |number: usize| format!("X-Header-{number}");
        let is_signature = |value: &OutgoingValue| matches!(value, OutgoingValue::Signature { .. });
        let others: Vec<_> = (0..)
            .zip(&values)
            .filter(|(_, value)| !is_signature(value))
            .map(|(number, _)| name(number))
            .collect();
        let headers = (0..).zip(values).map(|(number, mut value)| {
            if let OutgoingValue::Signature { signature_on, .. } = &mut value
                && let SignatureOn::HeadersThenBody { headers, .. } = signature_on
            {
                headers.clone_from(&others);
                if others.is_empty() {
                    *signature_on = SignatureOn::Body;
                }
            }
            OutgoingHeader { header: name(number), span: nowhere(), value }
        });
        headers.collect()
    })
}
