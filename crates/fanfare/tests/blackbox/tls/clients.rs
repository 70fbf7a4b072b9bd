//! Certificates of clients: what header rules see of them, and what nobody can pretend. The secure examples of
//! cdviz-collector's documents are run as they are written.

use std::fs;

use fanfare_testkit::http::Connection;
use fanfare_testkit::sse::Client;
use fanfare_testkit::tls::{Authority, Certified};

use super::kit::{SECURE, Secure, get};
use crate::kit::{LONG, cdevent, next_ids, problem, publish};

const SUBJECT: &str = "X-Client-Certificate-Subject";
const CERTIFICATE: &str = "X-Client-Certificate";

/// The listener `secure` asks for certificates, and what is at `[http]` is put there.
fn asking(config: &str) -> String {
    let (_, listener) = SECURE.split_once("[listeners").unwrap();
    let (listener, _) = listener.split_once("[sinks").unwrap();
    let listener = listener.replace("key = \"server.key\"", "key = \"server.key\", client_ca = \"ca.pem\"");
    let config = config.replace("type = \"sse\"", "type = \"sse\"\nlistener = \"secure\"");
    format!("{config}\n[sources.ci.extractor]\ntype = \"webhook\"\nid = \"ci\"\n[listeners{listener}")
}

/// A block of a document, see `crates/config/tests/seeds`.
fn seed(name: &str) -> String {
    fs::read_to_string(format!("{}/../config/tests/seeds/{name}.toml", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

impl Secure {
    fn connect_as(&self, own: Option<&Certified>) -> Connection {
        Connection::open_tls(self.addr(), &self.client(own)).unwrap()
    }

    fn status(&self, own: Option<&Certified>, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
        let answer = get(self.connect_as(own), path, headers);
        let header = problem(&answer)["header"].as_str().unwrap_or_default().to_owned();
        (answer.status(), header)
    }
}

#[test]
fn the_secure_stream_of_the_documents_needs_a_certificate() {
    for document in ["001-16-secure-stream", "003-16-secure-stream"] {
        let secure = Secure::with(&asking(&seed(document)), &[]);
        let own = secure.authority.client("Acme", "any").unwrap();
        let headers = [
            ("Authorization", "Bearer 0123456789012345678901234567890123456789"),
            ("User-Agent", "MySecureClient/2"),
        ];
        let forged = [&headers[..], &[(CERTIFICATE, "forged")]].concat();
        for headers in [&headers[..], &forged] {
            let refused = secure.status(None, "/sse/secure", headers);
            assert_eq!(refused, (401, CERTIFICATE.to_owned()), "{document}");
        }
        let mut stream = Client::open_on(secure.connect_as(Some(&own)), "/sse/secure", &forged).unwrap();
        publish(&secure.server, &cdevent("e-1"));
        assert_eq!(next_ids(&mut stream, 1), ["e-1"]);
    }
}

#[test]
fn the_internal_bridge_of_the_documents_knows_its_collectors() {
    for document in ["001-12-internal-bridge", "003-12-internal-bridge"] {
        // Its program is refused for what it publishes, and is no part of this.
        let block = seed(document);
        let (sink, _) = block.split_once("# Filter sensitive data").unwrap();
        let secure = Secure::with(&asking(sink), &[("INTERNAL_BRIDGE_TOKEN", "bridge")]);
        let headers = [("Authorization", "bridge"), ("X-Internal-Network", "vpn-1")];
        let forged = [&headers[..], &[(SUBJECT, "CN=internal-collector-7")]].concat();
        let of = |name: &str| secure.authority.client("Acme", name).unwrap();
        assert_eq!(secure.status(None, "/sse/public", &forged), (401, SUBJECT.to_owned()), "{document}");
        for other in ["other", "not-CN=internal-collector"] {
            let refused = secure.status(Some(&of(other)), "/sse/public", &forged);
            assert_eq!(refused, (403, SUBJECT.to_owned()), "{document}");
        }
        let collector = secure.connect_as(Some(&of("internal-collector-7")));
        let mut stream = Client::open_on(collector, "/sse/public", &headers).unwrap();
        publish(&secure.server, &cdevent("e-1"));
        assert_eq!(next_ids(&mut stream, 1), ["e-1"]);
    }
}

/// A source that keeps the two headers, and a stream that shows them.
const KEEPING: &str = r#"
[sources.kept.extractor]
type = "webhook"
id = "kept"
listener = "secure"
profile = "envelope"
headers = { X-Client-Certificate-Subject = { type = "equals", value = "CN=gr\\C3\\B6\\C3\\9Fe\\, a,O=\\#1" } }
"#;

#[test]
fn every_subject_is_one_line_of_ascii() {
    let secure = Secure::with(&asking(KEEPING), &[]);
    let own = secure.authority.client("#1", "größe, a").unwrap();
    let body = br#"{"event_id": "1", "event_type": "t", "data": {}}"#;
    let publish = |own: &Certified| {
        let answer =
            secure.connect_as(Some(own)).exchange("POST", "/webhook/kept", &[], body, LONG).unwrap().0;
        (answer.status(), answer.text())
    };
    assert_eq!(publish(&own).0, 201, "{:?}", publish(&own));
    assert_eq!(publish(&secure.authority.client("#1", "a\r\nx: y").unwrap()).0, 403);
}

#[test]
fn a_certificate_that_cannot_be_taken_ends_the_handshake() {
    let secure = Secure::with(&asking(&seed("003-16-secure-stream")), &[]);
    let of = |name: &str| Authority::new(name).unwrap().client("Acme", "internal-collector").unwrap();
    for (own, reason) in [
        (of("other"), "no authority of `client_ca` has signed it"),
        (of("authority"), "its signature is not one of the authority that it names"),
        (secure.authority.expired_server().unwrap(), "it has expired"),
    ] {
        // The client of TLS 1.3 has done its part before the server looks.
        let refused =
            Connection::open_tls(secure.addr(), &secure.client(Some(&own))).and_then(|mut connection| {
                connection.send_request("GET", "/nothing", &[], b"")?;
                connection.read_head(LONG)
            });
        assert!(refused.is_err(), "{refused:?}");
        let line = secure.server.wait_for_log(reason, LONG).unwrap();
        assert!(line.contains("client certificate refused"), "{line}");
    }
    assert_eq!(get(secure.connect_as(None), "/nothing", &[]).status(), 404, "who shows none gets in");
}

#[test]
fn who_resumes_is_who_he_was_until_his_authority_is_gone() {
    let rule = "[sinks.events]\ntype = \"sse\"\nid = \"events\"\n[sinks.events.headers]\n\
                \"X-Client-Certificate-Subject\" = { type = \"matches\", pattern = \"^CN=a,\" }\n";
    let secure = Secure::with(&asking(rule), &[]);
    let client = secure.client(Some(&secure.authority.client("Acme", "a").unwrap()));
    let head = || {
        let mut connection = Connection::open_tls(secure.addr(), &client)?;
        connection.send_request("HEAD", "/sse/events", &[], b"")?;
        let head = connection.read_head(LONG)?;
        Ok::<_, std::io::Error>((connection.is_resumed(), head.status))
    };
    assert_eq!(head().unwrap(), (false, 200));
    assert_eq!(head().unwrap(), (true, 200));

    let other = Authority::new("other").unwrap();
    fs::write(secure.server.dir().join("ca.pem"), other.pem()).unwrap();
    secure.server.wait_for_log("certificate read anew", LONG).unwrap();
    assert!(head().is_err(), "the server believes another authority now");
    secure.server.wait_for_log("client certificate refused", LONG).unwrap();
}

#[test]
fn a_proxy_s_word_is_taken_where_nobody_is_asked() {
    let rule = "[sinks.events.headers]\n\"X-Client-Certificate-Subject\" = { type = \"matches\", pattern = \"^CN=a\" }\n";
    let secure = Secure::start(rule);
    assert_eq!(get(secure.connect(), "/sse/events", &[]).status(), 401);
    let mut stream = secure.subscribe(&[(SUBJECT, "CN=a")]);
    publish(&secure.server, &cdevent("e-1"));
    assert_eq!(next_ids(&mut stream, 1), ["e-1"]);
}
