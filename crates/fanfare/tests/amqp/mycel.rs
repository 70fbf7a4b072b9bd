//! The three flows of Mycel's document, as it has them, from a real broker.

use fanfare_testkit::Server;
use fanfare_testkit::rabbitmq::{Broker, Message, Queue};
use fanfare_testkit::sse::Client;
use serde_json::{Value, json};

use crate::kit::{LONG, next_data};

const DOCUMENT: &str = include_str!("../../../config/tests/seeds/004-01-document.mycel");

#[test]
fn the_documents_three_flows() {
    let broker = Broker::start().unwrap();
    let mut client = broker.client().unwrap();
    client.declare_queue(&Queue { name: "live", ..Queue::default() }).unwrap();
    client.declare_exchange("site", "topic").unwrap();
    client.bind("live", "site", "#").unwrap();
    let server = Server::builder(env!("CARGO_BIN_EXE_fanfare"))
        .file("document.mycel", DOCUMENT)
        .arg("--config")
        .arg("document.mycel")
        .env("AMQP_URL", broker.url())
        .env("RUST_LOG", "info")
        .start()
        .unwrap();
    server.wait_for_log("consuming", LONG).unwrap();
    let queries = ["", "?room=orders", "?rooms=orders,inventory", "?user_id=42", "?user_id=7&room=inventory"];
    let mut streams =
        queries.map(|query| Client::open(server.addr(), &format!("/events{query}"), &[]).unwrap());

    let (item, last) = (json!({"title": "news"}), json!({"last": true}));
    let order = json!({"room": "orders", "n": 1});
    let stock = json!({"room": "inventory", "n": 2});
    let personal = json!({"user_id": "42", "text": "shipped"});
    for (key, body) in [
        ("feed.item", &item),
        ("room.event", &order),
        ("room.event", &stock),
        ("room.event", &json!({"n": "in no room"})),
        ("notification.personal", &personal),
        ("nothing.of.it", &json!({"n": "no flow"})),
        ("feed.item", &last),
    ] {
        client.publish_confirmed("site", key, &Message::new(body.to_string())).unwrap();
    }
    let expected: [&[&Value]; 5] = [
        &[&item, &last],
        &[&item, &order, &last],
        &[&item, &order, &stock, &last],
        &[&item, &personal, &last],
        &[&item, &stock, &last],
    ];
    for ((stream, query), expected) in streams.iter_mut().zip(queries).zip(expected) {
        for expected in expected {
            assert_eq!(next_data(stream), **expected, "{query}");
        }
    }
}
