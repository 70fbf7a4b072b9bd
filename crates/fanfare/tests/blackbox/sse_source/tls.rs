//! Streams behind TLS.

use fanfare_testkit::Server;
use fanfare_testkit::tls::Authority;

use super::kit::{listening, listening_to};
use crate::kit::{LONG, STREAM, cdevent, fanfare, file, next_ids, publish, subscribe};

const SECURE: &str = r#"
[sources.ci.extractor]
type = "webhook"
id = "ci"

[listeners.secure]
host = "127.0.0.1"
port = 0
tls = { certificate = "server.pem", key = "server.key", client_ca = "ca.pem" }

[sinks.events]
type = "sse"
id = "events"
listener = "secure"
headers = { "X-Client-Certificate-Subject" = { type = "matches", pattern = "hub" } }
"#;

/// A server whose stream is for those with a certificate of its authority, and where that is.
fn secure(authority: &Authority) -> (Server, String) {
    let own = authority.server("server").unwrap();
    let server = fanfare().config(SECURE).file("server.pem", own.certificate).file("server.key", own.key);
    let server = server.file("ca.pem", authority.pem()).start().unwrap();
    let url = format!("https://{}{STREAM}", server.listener("secure").unwrap());
    (server, url)
}

#[test]
fn a_server_with_a_certificate_of_its_own_authority_is_shown_one() {
    let authority = Authority::new("authority").unwrap();
    let (first, url) = secure(&authority);
    let own = authority.client("Acme", "hub").unwrap();
    let tls = "tls = { ca_file = \"ca.pem\", certificate_file = \"own.pem\", key_file = \"own.key\" }";
    let second = fanfare().config(listening_to(&url, tls)).file("ca.pem", authority.pem());
    let mut second = listening(second.file("own.pem", own.certificate).file("own.key", own.key));
    let mut client = subscribe(&second, &[]);
    publish(&first, &cdevent("a"));
    assert_eq!(next_ids(&mut client, 1), ["a"]);
    second.kill().unwrap();
    publish(&first, &cdevent("b"));
    second.restart().unwrap();
    let mut client = subscribe(&second, &[("last-event-id", "a")]);
    assert_eq!(next_ids(&mut client, 1), ["b"]);
}

#[test]
fn without_an_authority_those_of_the_system_are_believed() {
    let authority = Authority::new("authority").unwrap();
    let (first, url) = secure(&authority);
    let own = authority.client("Acme", "hub").unwrap();
    let system = file(&authority.pem());
    let tls = "tls = { certificate_file = \"own.pem\", key_file = \"own.key\" }";
    let second =
        fanfare().config(listening_to(&url, tls)).env("SSL_CERT_FILE", system.path().to_str().unwrap());
    let second = listening(second.file("own.pem", own.certificate).file("own.key", own.key));
    let mut client = subscribe(&second, &[]);
    publish(&first, &cdevent("a"));
    assert_eq!(next_ids(&mut client, 1), ["a"]);
}

#[test]
fn a_server_that_nobody_vouches_for_is_not_believed() {
    let authority = Authority::new("authority").unwrap();
    let (_first, url) = secure(&authority);
    let check = |tls: &str, said: &str| {
        let other = Authority::new("other").unwrap();
        let server =
            fanfare().config(listening_to(&url, tls)).file("other.pem", other.pem()).start().unwrap();
        let line = server.wait_for_log("not listening", LONG).unwrap();
        assert!(line.contains("could not be reached") && line.contains(said), "{line}");
    };
    check("", "name its authority in `tls.ca_file`");
    check("tls = { ca_file = \"other.pem\" }", "name its authority in `tls.ca_file`");
}
