//! A broker over TLS that wants to see a certificate, with a certificate authority of the test's own.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;

use fanfare_testkit::Server;
use fanfare_testkit::rabbitmq::{Broker, Message, Queue};

use crate::kit::{LONG, config, follow, next_data};

#[test]
fn both_sides_show_their_certificates() {
    let broker = Broker::with_config(|folder, port| {
        make_certificates(folder)?;
        let file = |name: &str| folder.join(name).display().to_string();
        Ok(format!(
            "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.cacertfile = {}\nssl_options.certfile = {}\n\
             ssl_options.keyfile = {}\nssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n",
            file("ca.pem"),
            file("own.pem"),
            file("own.key"),
        ))
    });
    let broker = broker.unwrap();
    let mut client = broker.client().unwrap();
    client.declare_queue(&Queue { name: "q", ..Queue::default() }).unwrap();
    client.publish_confirmed("", "q", &Message::new("secret")).unwrap();

    let url = format!("amqps://guest:guest@127.0.0.1:{}/", broker.own_port());
    let start = |tls: &str| {
        let extractor = format!("queue = {{ name = \"q\" }}\nprofile = \"message\"\n{tls}");
        let mut server = Server::builder(env!("CARGO_BIN_EXE_fanfare")).config(config(&url, &extractor, ""));
        for name in ["ca.pem", "own.pem", "own.key"] {
            server = server.file(name, fs::read_to_string(broker.dir().join(name)).unwrap());
        }
        server.env("RUST_LOG", "info").start().unwrap()
    };
    let stranger = start("");
    let line = stranger.wait_for_log("not consuming", LONG).unwrap();
    assert!(line.contains("certificate"), "{line}");
    let anonymous = start("tls = { ca_file = \"ca.pem\" }");
    anonymous.wait_for_log("not consuming", LONG).unwrap();

    let server =
        start("tls = { ca_file = \"ca.pem\", certificate_file = \"own.pem\", key_file = \"own.key\" }");
    let mut stream = follow(server.addr(), "");
    assert_eq!(next_data(&mut stream), "secret");
}

/// An authority `ca`, and a certificate `own` of it for this machine.
fn make_certificates(folder: &Path) -> io::Result<()> {
    fs::write(folder.join("extensions"), "subjectAltName = IP:127.0.0.1\n")?;
    let new_key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    for command in [
        format!("req -x509 {new_key} -days 2 -subj /CN=ca -keyout ca.key -out ca.pem"),
        format!("req {new_key} -subj /CN=own -keyout own.key -out own.csr"),
        "x509 -req -in own.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out own.pem".to_owned(),
    ] {
        let made = Command::new("openssl").args(command.split(' ')).current_dir(folder).output();
        let made = made.map_err(|error| {
            io::Error::new(error.kind(), format!("this test needs openssl: apt-get install openssl ({error})"))
        })?;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    Ok(())
}
