//! The launcher of RabbitMQ, and the client that tests speak to it with.

use fanfare_testkit::rabbitmq::{Broker, Message, Queue};

#[test]
fn what_a_broker_has_confirmed_survives_a_kill() {
    let mut broker = Broker::start().unwrap();
    let mut client = broker.client().unwrap();
    client.declare_queue(&Queue { name: "q", ..Queue::default() }).unwrap();
    client.declare_exchange("e", "topic").unwrap();
    client.bind("q", "e", "a.*").unwrap();
    let message = Message::new("x".repeat(300_000)).id("1").content_type("text/plain").header("x-a", "b");
    client.publish_confirmed("e", "a.b", &message).unwrap();
    assert_eq!(client.ready_messages("q").unwrap(), 1);

    broker.restart().unwrap();
    assert!(client.ready_messages("q").is_err(), "the connection ended with the broker");
    let mut client = broker.client().unwrap();
    let got = client.get("q").unwrap().unwrap();
    assert_eq!((got.exchange.as_str(), got.routing_key.as_str()), ("e", "a.b"));
    assert_eq!(got.body, message.body);
    assert_eq!(client.get("q").unwrap(), None);
}
