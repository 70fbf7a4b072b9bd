//! What becomes of a message.

use fanfare_testkit::rabbitmq::{Broker, Client, Message, Queue};
use serde_json::{Value, json};

use crate::kit::{LONG, config, consuming, follow, next, next_data, start};

#[test]
fn headers_that_are_nested_too_deeply_end_nothing() {
    let broker = Broker::start().unwrap();
    let mut client = broker.client().unwrap();
    declare(&mut client, "deep");
    let server = consuming(config(&broker.url(), &queue("deep"), ""));
    let mut stream = follow(server.addr(), "");
    let mut message = Message::new("deep").id("deep");
    message.properties.raw_headers = Some(nested_arrays(20_000));
    client.publish_confirmed("", "deep", &message).unwrap();
    client.publish_confirmed("", "deep", &Message::new("flat").id("flat")).unwrap();
    assert_eq!(next_data(&mut stream), "flat");
    assert_eq!(client.get_when_there("deep-dead", LONG).unwrap().body, b"deep");
    server.wait_for_log("nested too deeply", LONG).unwrap();
}

/// The members of a table with one array, which has an array, and so on.
fn nested_arrays(depth: u32) -> Vec<u8> {
    let mut table = b"\x01a".to_vec();
    for level in 0..depth {
        table.push(b'A');
        table.extend((5 * (depth - level - 1)).to_be_bytes());
    }
    table
}

/// A queue, and one that gets what is rejected from it.
fn declare(client: &mut Client, name: &str) {
    let dead = format!("{name}-dead");
    client.declare_queue(&Queue { name: &dead, ..Queue::default() }).unwrap();
    let queue = Queue { name, dead_letter_exchange: Some(""), dead_letter_routing_key: Some(&dead) };
    client.declare_queue(&queue).unwrap();
}

fn queue(name: &str) -> String {
    format!("queue = {{ name = \"{name}\" }}\nprofile = \"message\"")
}

#[test]
fn what_becomes_of_messages() {
    let mut broker = Broker::start().unwrap();
    let mut client = broker.client().unwrap();
    equal_messages_are_two_events(&broker, &mut client);
    bad_messages_go_to_the_dead_letters(&broker, &mut client);
    rooms_come_from_messages(&broker, &mut client);
    cloudevents_come_in_headers(&broker, &mut client);
    topology_is_declared(&broker, &mut client);
    a_queue_may_be_made_later(&mut broker, client);
}

fn equal_messages_are_two_events(broker: &Broker, client: &mut Client) {
    declare(client, "equal");
    let mut server = consuming(config(&broker.url(), &queue("equal"), ""));
    let mut stream = follow(server.addr(), "");
    for message in [Message::new("same"), Message::new("same"), Message::new("named").id("1")] {
        client.publish_confirmed("", "equal", &message).unwrap();
    }
    client.publish_confirmed("", "equal", &Message::new("named again").id("1")).unwrap();
    client.publish_confirmed("", "equal", &Message::new("last")).unwrap();
    let seen = [(); 4].map(|()| next_data(&mut stream));
    assert_eq!(seen, ["same", "same", "named", "last"].map(Value::from));

    // Everything was acknowledged: nothing is delivered again.
    server.restart().unwrap();
    server.wait_for_log("consuming", LONG).unwrap();
    client.publish_confirmed("", "equal", &Message::new("last")).unwrap();
    let mut again = follow(server.addr(), "");
    let seen = [(); 5].map(|()| next_data(&mut again));
    assert_eq!(seen, ["same", "same", "named", "last", "last"].map(Value::from));
}

fn bad_messages_go_to_the_dead_letters(broker: &Broker, client: &mut Client) {
    declare(client, "strict");
    let server = consuming(config(&broker.url(), "queue = { name = \"strict\" }", "[http]\nmax_body = 1000"));
    let mut stream = follow(server.addr(), "");
    let secret = "s3cr3t";
    let good = |id: &str| Message::new(json!({"type": "t", "id": id}).to_string());
    let bad = [format!("{{{secret}"), format!("{{\"a\":\"{secret}\"}}"), secret.repeat(1000)];
    client.publish_confirmed("", "strict", &good("1")).unwrap();
    for body in &bad {
        client.publish_confirmed("", "strict", &Message::new(body.as_str())).unwrap();
    }
    client.publish_confirmed("", "strict", &good("2")).unwrap();
    assert_eq!([(); 2].map(|()| next_data(&mut stream)["id"].clone()), ["1", "2"]);
    for body in &bad {
        let dead = client.get_when_there("strict-dead", LONG).unwrap();
        assert_eq!(String::from_utf8(dead.body).unwrap(), *body);
    }
    let line = server.wait_for_log("refused", LONG).unwrap();
    assert!(line.contains("dead-letter exchange") && line.contains("rabbit"), "{line}");
    let log = server.log().join("\n");
    assert!(!log.contains(secret) && !log.contains("guest:guest"), "{log}");
}

fn rooms_come_from_messages(broker: &Broker, client: &mut Client) {
    declare(client, "rooms");
    let routes = "[[routes]]\nfrom = \"rabbit\"\nto = \"events\"\noperation = \"room.*\"\naudience = { room = \".body.room\" }\n\
                  [[routes]]\nfrom = \"rabbit\"\nto = \"events\"\noperation = \"#.all\"\n";
    client.declare_exchange("shop", "topic").unwrap();
    client.bind("rooms", "shop", "#").unwrap();
    let server = consuming(config(&broker.url(), &queue("rooms"), routes));
    let mut room = follow(server.addr(), "?room=a");
    let mut other = follow(server.addr(), "");
    let mut publish = |key: &str, body: Value| {
        client.publish_confirmed("shop", key, &Message::new(body.to_string())).unwrap();
    };
    publish("room.event", json!({"room": "a", "n": 1}));
    publish("room.event", json!({"n": "nowhere"}));
    publish("nobody.routes.it", json!({"n": "dropped"}));
    publish("feed.all", json!({"n": 2}));
    assert_eq!([(); 2].map(|()| next_data(&mut room)["n"].clone()), [1, 2]);
    assert_eq!(next_data(&mut other)["n"], 2);
    let dead = client.get_when_there("rooms-dead", LONG).unwrap();
    assert_eq!((dead.routing_key.as_str(), dead.body.as_slice()), ("rooms-dead", &br#"{"n":"nowhere"}"#[..]));
    assert_eq!(client.get("rooms-dead").unwrap(), None);
}

fn cloudevents_come_in_headers(broker: &Broker, client: &mut Client) {
    declare(client, "cloudevents");
    let server = consuming(config(&broker.url(), "queue = { name = \"cloudevents\" }", ""));
    let mut stream = follow(server.addr(), "");
    let attributes = [("specversion", "1.0"), ("id", "ce-1"), ("source", "/shop"), ("type", "order.created")];
    for (number, prefix) in ["cloudEvents:", "cloudEvents_", "ce-"].into_iter().enumerate() {
        let mut message = Message::new("{\"n\":1}").content_type("application/json");
        for (name, value) in attributes {
            let value = if name == "id" { format!("{value}{number}") } else { value.to_owned() };
            message = message.header(format!("{prefix}{name}"), value);
        }
        client.publish_confirmed("", "cloudevents", &message).unwrap();
        let expected = json!({"specversion": "1.0", "id": format!("ce-1{number}"), "source": "/shop",
            "type": "order.created", "datacontenttype": "application/json", "data": {"n": 1}});
        assert_eq!(next_data(&mut stream), expected);
    }
}

fn topology_is_declared(broker: &Broker, client: &mut Client) {
    let extractor = "profile = \"message\"\nconsumer_tag = \"fanfare\"\nconcurrency = 4\n\
        queue = { name = \"declared\", declare = true, arguments = { \"x-max-length\" = 1000 } }\n\
        exchange = { name = \"declared\", type = \"direct\", declare = true, bindings = [\"a\", \"b\"] }\n";
    let server = consuming(config(&broker.url(), extractor, ""));
    let mut stream = follow(server.addr(), "");
    for key in ["a", "c", "b"] {
        client.publish_confirmed("declared", key, &Message::new(key)).unwrap();
    }
    assert_eq!([(); 2].map(|()| next(&mut stream).data), ["\"a\"", "\"b\""]);

    // What is there is another queue than this one declares.
    let other = start(config(&broker.url(), &extractor.replace("1000", "7"), ""));
    let line = other.wait_for_log("not consuming", LONG).unwrap();
    assert!(line.contains("another `declared`") && line.contains("x-max-length"), "{line}");
}

fn a_queue_may_be_made_later(broker: &mut Broker, mut client: Client) {
    let server = start(config(&broker.url(), &queue("later"), ""));
    let line = server.wait_for_log("not consuming", LONG).unwrap();
    assert!(line.contains("no queue `later`") && line.contains("declare = true"), "{line}");
    client.declare_queue(&Queue { name: "later", ..Queue::default() }).unwrap();
    client.publish_confirmed("", "later", &Message::new("1").id("1")).unwrap();
    let mut stream = follow(server.addr(), "");
    assert_eq!(next_data(&mut stream), 1);

    // The server stays up without its broker, and takes its work up again.
    broker.kill().unwrap();
    server.wait_for_log("the connection is lost", LONG).unwrap();
    broker.restart().unwrap();
    client = broker.client().unwrap();
    client.publish_confirmed("", "later", &Message::new("2").id("2")).unwrap();
    assert_eq!(next_data(&mut stream), 2);
}
