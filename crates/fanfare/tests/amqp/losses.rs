//! Many messages while the broker and the server are killed: each that the broker has confirmed is shown once, in order.

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::ops::Range;
use std::thread;
use std::time::Instant;

use fanfare_testkit::Server;
use fanfare_testkit::rabbitmq::{Broker, Client, Message, Queue};
use fanfare_testkit::sse;
use serde_json::Value;

use crate::kit::{LONG, config, consuming};
use crate::run::Run;

const MESSAGES: usize = 10_000;

/// Messages whose confirmation a publisher does not wait for.
const AHEAD: usize = 500;

/// How far a publisher is before what is shown, so that it publishes until the end.
const LEAD: usize = 2000;

const QUEUE: &str = "queue = { name = \"orders\" }\nprofile = \"message\"";

#[test]
fn ten_thousand_messages_with_ids_while_both_are_killed() {
    let mut broker = broker();
    let mut server = consuming(config(&broker.url(), QUEUE, ""));
    let run = Run::default();
    let (from, start) = (position(&server), Instant::now());
    thread::scope(|scope| {
        let (run, addr) = (&run, broker.addr());
        let id = |number| Some(format!("order-{number}"));
        let publisher = scope.spawn(move || publish(run, addr, 0..MESSAGES, id));
        let addr = server.addr();
        let follower = scope.spawn(move || follow_until(run, addr, from, MESSAGES));

        run.wait_for_shown(1500);
        restart_broker(run, &mut broker);
        run.wait_for_shown(4500);
        restart_server(run, &mut server);
        run.wait_for_shown(7500);
        restart_broker(run, &mut broker);

        let sent_again = publisher.join().unwrap();
        publish_end(&broker);
        let shown = follower.join().unwrap();
        check(&shown);
        report("broker killed twice, server once", sent_again, start);
    });
}

#[test]
fn ten_thousand_messages_without_ids_while_the_server_is_killed() {
    let broker = broker();
    let mut server = consuming(config(&broker.url(), QUEUE, ""));
    let run = Run::default();
    let (from, start) = (position(&server), Instant::now());
    thread::scope(|scope| {
        let (run, addr) = (&run, broker.addr());
        let publisher = scope.spawn(move || publish(run, addr, 0..MESSAGES, |_| None));
        let addr = server.addr();
        let follower = scope.spawn(move || follow_until(run, addr, from, MESSAGES));
        for shown in [500, 2500, 4500, 6500, 8500] {
            run.wait_for_shown(shown);
            restart_server(run, &mut server);
        }
        let sent_again = publisher.join().unwrap();
        assert_eq!(sent_again, 0, "the broker was there all along");
        publish_end(&broker);
        check(&follower.join().unwrap());
        report("no ids, server killed five times", sent_again, start);
    });
}

fn broker() -> Broker {
    let broker = Broker::start().unwrap();
    broker.client().unwrap().declare_queue(&Queue { name: "orders", ..Queue::default() }).unwrap();
    broker
}

fn restart_broker(run: &Run, broker: &mut Broker) {
    run.set_broker_is_down(true);
    broker.restart().unwrap();
    run.set_broker_is_down(false);
}

fn restart_server(run: &Run, server: &mut Server) {
    run.set_server_is_down(true);
    server.restart().unwrap();
    run.set_server_is_down(false);
}

/// Publishes numbered messages until the broker has confirmed all of them. Those that it has not confirmed when the
/// connection ends are sent again as they were. Gives how many these were.
fn publish(
    run: &Run,
    addr: SocketAddr,
    numbers: Range<usize>,
    id: impl Fn(usize) -> Option<String>,
) -> usize {
    let (mut confirmed_below, mut sent_again) = (numbers.start, 0);
    loop {
        run.wait_for_broker();
        let mut sent = confirmed_below;
        match publish_from(run, addr, &mut confirmed_below, &mut sent, numbers.end, &id) {
            Ok(()) => return sent_again,
            Err(_) => sent_again += sent - confirmed_below,
        }
    }
}

fn publish_from(
    run: &Run,
    addr: SocketAddr,
    confirmed_below: &mut usize,
    sent: &mut usize,
    end: usize,
    id: &impl Fn(usize) -> Option<String>,
) -> io::Result<()> {
    let mut client = Client::connect(addr)?;
    // By the broker's number; what is confirmed leaves.
    let mut unconfirmed = BTreeMap::new();
    while *confirmed_below < end {
        while *sent < end && unconfirmed.len() < AHEAD {
            run.wait_for_shown(sent.saturating_sub(LEAD));
            let message = Message::new(format!("{{\"n\":{sent}}}"));
            let message = match id(*sent) {
                Some(id) => message.id(id),
                None => message,
            };
            unconfirmed.insert(client.publish("", "orders", &message)?, *sent);
            *sent += 1;
        }
        for tag in client.next_confirms()? {
            unconfirmed.remove(&tag);
        }
        *confirmed_below = unconfirmed.first_key_value().map_or(*sent, |(_, number)| *number);
    }
    Ok(())
}

/// Publishes the message behind which there is nothing.
fn publish_end(broker: &Broker) {
    let end = Message::new(format!("{{\"n\":{MESSAGES}}}")).id("end");
    broker.client().unwrap().publish_confirmed("", "orders", &end).unwrap();
}

fn position(server: &Server) -> String {
    let stream = sse::Client::open(server.addr(), "/sse/events", &[]).unwrap();
    stream.head().header("last-event-id").unwrap().to_owned()
}

/// The numbers of all events behind a position, up to this one. Comes back, from where it was, whenever the stream ends.
fn follow_until(run: &Run, addr: SocketAddr, mut position: String, last: usize) -> Vec<usize> {
    let mut shown = Vec::new();
    loop {
        run.wait_for_server();
        let Ok(mut stream) = sse::Client::open(addr, "/sse/events", &[("last-event-id", &position)]) else {
            continue;
        };
        loop {
            let event = match stream.next_event(LONG) {
                Ok(event) => event,
                // Or nobody would ever know that nothing comes any more.
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    panic!("{error}, behind {} events", shown.len())
                }
                Err(_) => break,
            };
            assert_eq!(event.kind, "message", "{event:?}");
            position = event.id.clone().unwrap();
            let data: Value = serde_json::from_str(&event.data).unwrap();
            let number = usize::try_from(data["n"].as_u64().unwrap()).unwrap();
            shown.push(number);
            run.shown(shown.len());
            if number == last {
                return shown;
            }
        }
    }
}

#[track_caller]
fn check(shown: &[usize]) {
    let first_wrong = shown.iter().enumerate().find(|(index, number)| index != *number);
    assert_eq!(first_wrong, None, "of {}", shown.len());
    assert_eq!(shown.len(), MESSAGES + 1);
}

fn report(what: &str, sent_again: usize, start: Instant) {
    let seconds = start.elapsed().as_secs_f64();
    let mut out = io::stdout();
    writeln!(
        out,
        "amqp: {MESSAGES} messages, {what}, {sent_again} sent again, {seconds:.1} s: lost 0, doubled 0, out of order 0"
    )
    .unwrap();
}
