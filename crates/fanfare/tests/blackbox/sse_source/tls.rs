//! Streams behind TLS.

use std::fs::{self, File};
use std::process::Command;
use std::sync::mpsc;
use std::thread;

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

#[test]
fn a_file_that_is_read_for_ever_does_not_hold_up_the_end() {
    let authority = Authority::new("authority").unwrap();
    let config = listening_to("https://127.0.0.1:1/x", "tls = { ca_file = \"ca.pem\" }");
    let mut server = fanfare().config(config).file("ca.pem", authority.pem()).start().unwrap();
    server.wait_for_log("not listening", LONG).unwrap();
    let [pipe, file] = ["pipe", "ca.pem"].map(|name| server.dir().join(name));
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    fs::rename(pipe, &file).unwrap();
    // That can be opened as soon as the server reads it, which then waits for what is never written.
    let (sender, opened) = mpsc::channel();
    thread::spawn(move || sender.send(File::options().write(true).open(file)));
    let _writer = opened.recv_timeout(LONG).unwrap().unwrap();
    server.ask_to_end().unwrap();
    assert_eq!(server.wait(LONG).unwrap().code(), Some(0));
}
