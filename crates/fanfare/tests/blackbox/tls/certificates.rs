//! Certificates that are renewed while the server runs, and files that cannot be used.

use std::fs;
use std::os::unix::fs::symlink;

use fanfare_testkit::http::Connection;
use fanfare_testkit::tls::{Authority, Certified, certificate};

use super::kit::{SECURE, Secure};
use crate::kit::{LONG, cdevent, eventually, file, next_ids, publish, run};

/// Waits until new connections are shown this certificate.
fn shows(secure: &Secure, certified: &Certified) {
    let expected = certificate(&certified.certificate).unwrap().to_vec();
    eventually("connection with the new certificate", || {
        (secure.connect().certificate().as_ref() == Some(&expected)).then_some(())
    });
}

#[test]
fn new_connections_get_the_new_certificate_and_old_ones_go_on() {
    let secure = Secure::start("");
    secure
        .server
        .wait_for_log("certificate listener=\"secure\" subject=\"CN=server\" expires=", LONG)
        .unwrap();
    let mut old = secure.subscribe(&[]);
    let renewed = secure.authority.server("renewed").unwrap();
    secure.replace(&renewed);
    shows(&secure, &renewed);
    secure
        .server
        .wait_for_log("certificate read anew listener=\"secure\" subject=\"CN=renewed\"", LONG)
        .unwrap();
    publish(&secure.server, &cdevent("e-1"));
    assert_eq!(next_ids(&mut old, 1), ["e-1"]);
}

#[test]
fn a_certificate_without_its_key_changes_nothing() {
    let secure = Secure::start("");
    let before = secure.connect().certificate();
    let (one, other) = (secure.authority.server("one").unwrap(), secure.authority.server("other").unwrap());
    secure.replace(&Certified { key: other.key, ..one.clone() });
    let line = secure.server.wait_for_log("the former one stays", LONG).unwrap();
    assert!(line.contains("the private key is not that of the certificate"), "{line}");
    assert_eq!(secure.connect().certificate(), before);
    secure.replace(&one);
    shows(&secure, &one);
    let warned = secure.server.log().iter().filter(|line| line.contains("the former one stays")).count();
    assert_eq!(warned, 1, "{:#?}", secure.server.log());
}

/// As Kubernetes renews what it mounts: the files are links into a folder that is itself a link, which is replaced.
#[test]
fn a_link_that_leads_elsewhere_is_a_new_certificate() {
    let config = SECURE
        .replace("\"server.pem\"", "\"now/server.pem\"")
        .replace("\"server.key\"", "\"now/server.key\"");
    let mut secure = Secure::start("");
    let dir = secure.server.dir().to_owned();
    let fill = |name: &str, certified: &Certified| {
        fs::create_dir(dir.join(name)).unwrap();
        fs::write(dir.join(name).join("server.pem"), &certified.certificate).unwrap();
        fs::write(dir.join(name).join("server.key"), &certified.key).unwrap();
    };
    let (first, second) =
        (secure.authority.server("first").unwrap(), secure.authority.server("second").unwrap());
    fill("1", &first);
    fill("2", &second);
    symlink("1", dir.join("now")).unwrap();
    fs::write(dir.join("fanfare.toml"), config).unwrap();
    secure.server.restart().unwrap();
    shows(&secure, &first);
    symlink("2", dir.join("next")).unwrap();
    fs::rename(dir.join("next"), dir.join("now")).unwrap();
    shows(&secure, &second);
}

#[test]
fn an_end_that_is_near_is_warned_of() {
    let secure = Secure::start("");
    let log = secure.server.log().join("\n");
    assert!(!log.contains("the certificate expire"), "{log}");
    secure.replace(&secure.authority.expired_server().unwrap());
    secure.server.wait_for_log("the certificate expired at 2020-01-01T00:00:00Z", LONG).unwrap();
}

#[test]
fn files_that_cannot_be_used_are_refused_with_their_place() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("authority").unwrap();
    let (own, other) = (authority.server("own").unwrap(), authority.server("other").unwrap());
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let both = format!("{}{}", own.certificate, own.key);
    for (name, text) in [
        ("own.pem", own.certificate.as_str()),
        ("own.key", &own.key),
        ("both.pem", &both),
        ("other.key", &other.key),
        ("encrypted.key", encrypted),
        ("broken.pem", broken),
        ("expired.pem", &authority.expired_server().unwrap().certificate),
        ("text", "no PEM"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let check = |certificate: &str, key: &str, client_ca: &str, problem: &str, place: &str| {
        let path = |name: &str| folder.path().join(name).display().to_string();
        let text = format!(
            "[http.tls]\ncertificate = '{}'\nkey = '{}'\nclient_ca = '{}'\n",
            path(certificate),
            path(key),
            path(client_ca)
        );
        let config = file(&text);
        let output = run(&["check", config.path().to_str().unwrap()], &[]);
        let place = format!("{}:{place}", config.path().display());
        let expected = if problem.is_empty() { Some(0) } else { Some(3) };
        assert_eq!(output.code, expected, "{text}{}", output.stderr);
        assert!(output.stderr.contains(problem), "{problem}:\n{}", output.stderr);
        assert!(problem.is_empty() || output.stderr.contains(&place), "{place}:\n{}", output.stderr);
        assert!(problem.is_empty() || output.stderr.contains("help: "), "{}", output.stderr);
    };
    check("own.pem", "own.key", "own.pem", "", "");
    check("both.pem", "both.pem", "both.pem", "", "");
    check(
        "none",
        "own.key",
        "own.pem",
        "the file of `certificate` cannot be used: there is no such file",
        "2:15",
    );
    check(
        ".",
        "own.key",
        "own.pem",
        "the file of `certificate` cannot be used: it is no regular file",
        "2:15",
    );
    check("text", "own.key", "own.pem", "the file of `certificate` has no certificate", "2:15");
    check("broken.pem", "own.key", "own.pem", "`certificate` has a certificate that cannot be read", "2:15");
    check("own.pem", "text", "own.pem", "the file of `key` has no private key", "3:7");
    check("own.pem", "encrypted.key", "own.pem", "the private key is encrypted", "3:7");
    check("own.pem", "other.key", "own.pem", "the private key is not that of the certificate", "3:7");
    check("own.pem", "own.key", "text", "the file of `client_ca` has no certificate", "4:13");
    check("own.pem", "own.key", "broken.pem", "`client_ca` has a certificate that cannot be read", "4:13");
}

#[test]
fn what_has_expired_is_served_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let expired = Authority::new("authority").unwrap().expired_server().unwrap();
    for (name, text) in [("server.pem", &expired.certificate), ("server.key", &expired.key)] {
        fs::write(folder.path().join(name), text).unwrap();
    }
    let config = folder.path().join("fanfare.toml");
    fs::write(&config, SECURE).unwrap();
    let output = run(&["check", config.to_str().unwrap()], &[]);
    assert_eq!(output.code, Some(0), "{}", output.stderr);
    assert!(
        output.stderr.contains("warning: the certificate expired at 2020-01-01T00:00:00Z"),
        "{}",
        output.stderr
    );
    let printed = run(&["check", "--print", config.to_str().unwrap()], &[]).stdout;
    let tls = "[listeners.secure.tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\n";
    assert!(printed.contains(tls), "{printed}");
}

#[test]
fn any_connection_is_refused_that_believes_another_authority() {
    let secure = Secure::start("");
    let other = Authority::new("other").unwrap().pem();
    let stranger = fanfare_testkit::tls::TlsClient::new(&other, None, &[]).unwrap();
    assert!(Connection::open_tls(secure.addr(), &stranger).is_err());
    secure.server.wait_for_log("TLS handshake failed", LONG).unwrap();
}
