//! Keys that an issuer publishes: it changes them, it is away, it answers nonsense, and strangers make up names of keys.

use std::time::{Duration, Instant};

use fanfare_testkit::{Server, http};
use jsonwebtoken::Algorithm;
use serde_json::json;

use super::issuer::{Issuer, answer};
use super::tokens::{Pair, header, is_open, key, now, published, sign, token};
use crate::kit::{self, LONG, STREAM};

/// Until the server asks again after a failure, and a little more.
const NEXT_TRY: Duration = Duration::from_secs(30);

fn config(url: &str) -> String {
    format!(
        "[sinks.events]\ntype = \"sse\"\nid = \"events\"\nidentity = \"jwt\"\n[sinks.events.jwt]\njwks_url = \"{url}\"\n"
    )
}

const FETCHED: &str = "the keys of tokens were fetched";

fn status(server: &Server, token: &str) -> u16 {
    let head = kit::head_of(server.addr(), "GET", STREAM, &[("authorization", &format!("Bearer {token}"))]);
    assert_eq!(head.status == 200, is_open(&head), "not put off: {head:?}");
    head.status
}

/// A token of the key that is to come.
fn token_of_next(kid: &str) -> String {
    let claims = json!({"sub": "7", "exp": now() + 60});
    sign(&header(Algorithm::ES256, Some(kid)), &claims, &key(Algorithm::ES256, Pair::Other))
}

#[test]
fn a_new_key_holds_from_its_first_token_on() {
    let first = published(Algorithm::RS256, Pair::Known, "k1");
    let second = published(Algorithm::ES256, Pair::Other, "k2");
    let issuer = Issuer::start(std::slice::from_ref(&first));
    let server = kit::serve(&config(&issuer.url()));
    let old = token(Algorithm::RS256, Some("k1"), &json!({}));
    assert_eq!(status(&server, &old), 200);
    issuer.publish(&[first, second.clone()]);
    assert_eq!(status(&server, &token_of_next("k2")), 200);
    assert_eq!(status(&server, &old), 200);
    assert_eq!(issuer.asked(), 2);
}

/// What is on this machine is not asked for elsewhere: to a proxy `http` shows everything, and it can answer anything.
#[test]
fn keys_of_this_machine_do_not_come_from_a_proxy() {
    let issuer = Issuer::start(&[published(Algorithm::RS256, Pair::Known, "k1")]);
    let proxy = Issuer::start(&[published(Algorithm::RS256, Pair::Other, "k1")]);
    let server = kit::fanfare()
        .config(config(&issuer.url()))
        .env("HTTP_PROXY", proxy.url())
        .env("http_proxy", proxy.url())
        .env("ALL_PROXY", proxy.url())
        .env("NO_PROXY", "")
        .start()
        .unwrap();
    assert_eq!(status(&server, &token(Algorithm::RS256, Some("k1"), &json!({}))), 200);
    assert_eq!((issuer.asked(), proxy.asked()), (1, 0));
}

#[test]
fn strangers_cannot_make_the_server_ask_again_and_again() {
    let issuer = Issuer::start(&[published(Algorithm::RS256, Pair::Known, "k1")]);
    let server = kit::serve(&config(&issuer.url()));
    let good = token(Algorithm::RS256, Some("k1"), &json!({}));
    assert_eq!(status(&server, &good), 200);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (server, good) = (&server, &good);
            scope.spawn(move || {
                for n in 0..25 {
                    assert_eq!(status(server, &token_of_next(&format!("made-up-{thread}-{n}"))), 401);
                }
                assert_eq!(status(server, good), 200);
            });
        }
    });
    let most = 2 + begun.elapsed().as_secs() / 10;
    assert!(issuer.asked() as u64 <= most, "asked {} times", issuer.asked());
}

#[test]
fn the_server_starts_without_the_issuer_and_puts_streams_off() {
    let place = Issuer::reserve();
    let addr = place.local_addr().unwrap();
    drop(place);
    let secret =
        format!("[[sinks.events.jwt.keys]]\nalgorithm = \"HS256\"\nsecret = \"{}\"\n", super::tokens::SECRET);
    let server = kit::serve(&format!("{}{secret}", config(&format!("http://{addr}/keys"))));
    let needs_issuer = token(Algorithm::RS256, Some("k1"), &json!({}));
    let bearer = format!("Bearer {needs_issuer}");
    let response = http::get(server.addr(), STREAM, &[("authorization", &bearer)]).unwrap();
    // Retrying can help, so a browser must not take it for final.
    assert_eq!((response.status(), response.header("last-event-id")), (200, None));
    assert!(response.text().starts_with("retry:"), "{}", response.text());
    assert_eq!(status(&server, &token(Algorithm::HS256, None, &json!({}))), 200, "its own key holds");
    assert_eq!(status(&server, "not.a.token"), 401, "no key would help");
    server.wait_for_log("could not be fetched", LONG).unwrap();
    server.wait_for_log("stream put off", LONG).unwrap();
    let place = std::net::TcpListener::bind(addr).unwrap();
    let issuer = Issuer::start_on(place, &[published(Algorithm::RS256, Pair::Known, "k1")]);
    server.wait_for_log(FETCHED, NEXT_TRY).unwrap();
    assert_eq!(status(&server, &needs_issuer), 200);
    assert_eq!(issuer.asked(), 1);
}

#[test]
fn an_issuer_that_fails_leaves_the_keys_that_there_are() {
    let issuer = Issuer::start(&[published(Algorithm::RS256, Pair::Known, "k1")]);
    let server = kit::serve(&config(&issuer.url()));
    let good = token(Algorithm::RS256, Some("k1"), &json!({}));
    assert_eq!(status(&server, &good), 200);
    issuer.answer(answer("500 Internal Server Error", "", ""));
    assert_eq!(status(&server, &token_of_next("k2")), 401);
    server.wait_for_log("the answer has the status 500", LONG).unwrap();
    assert_eq!(status(&server, &good), 200);
}

#[test]
fn an_answer_that_is_no_set_of_keys_is_told() {
    let check = |answer: String, told: &str| {
        let issuer = Issuer::start(&[]);
        issuer.answer(answer);
        let server = kit::serve(&config(&issuer.url()));
        server.wait_for_log(told, LONG).unwrap();
    };
    let good = json!({"keys": [published(Algorithm::RS256, Pair::Known, "k1")]}).to_string();
    check(answer("404 Not Found", "", &good), "the answer has the status 404");
    check(answer("200 OK", "", "<html>"), "it is not JSON");
    check(answer("200 OK", "", "{}"), "array `keys`");
    check(answer("200 OK", "", &format!("{good}{}", " ".repeat(256 * 1024))), "larger than 256 KiB");
    check(answer("200 OK", "", &json!({"keys": vec![0; 101]}).to_string()), "more than 100 keys");
    check(
        answer("200 OK", "", &json!({"keys": [{"kty": "oct", "k": "AAAA"}]}).to_string()),
        "keys[0] is a secret",
    );
    check(answer("200 OK", "", "{\"keys\":[]}"), "publishes no key that can be used");
    let elsewhere = Issuer::start(&[published(Algorithm::RS256, Pair::Known, "k1")]);
    check(
        answer("302 Found", &format!("location: {}\r\n", elsewhere.url()), ""),
        "it redirects to another host",
    );
    assert_eq!(elsewhere.asked(), 0);
    check(answer("302 Found", "location: /keys\r\n", ""), "it redirects too often");
}
