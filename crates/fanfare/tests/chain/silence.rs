//! Who says nothing is noticed, and who takes nothing loses nothing.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use fanfare_testkit::fault_proxy::{Fault, Harm, Place};
use fanfare_testkit::http::post;
use fanfare_testkit::sse::Client;
use serde_json::{Value, json};

use crate::LONG;
use crate::chain::{Chain, OUT, position};

/// Bytes of an event of which a hundred fill every socket and every window on their way.
const LARGE: usize = 64 * 1024;

const EVENTS: usize = 100;

/// Longer than instances wait for a sign of life.
const TOO_LONG: Duration = Duration::from_millis(1500);

#[test]
fn a_half_open_connection_is_given_up() {
    let chain = Chain::start_with_proxies();
    let mut shown = Shown::behind_all(&chain);
    let mut numbers = 0..;
    for (index, place) in [Place::InEvent(10), Place::InChunkSize, Place::InChunk(0)].into_iter().enumerate()
    {
        for proxy in &chain.proxies {
            let requests = proxy.requests().len();
            proxy.order([Fault::Stream { events: 0, harm: Harm::HalfOpen(place) }]);
            let number = numbers.next().unwrap();
            publish(chain.first(), number..number + 1, 0);
            proxy.wait_for_requests(requests + 1, LONG).unwrap();
            assert_eq!(proxy.struck().len(), index + 1);
            shown.expect(number..number + 1);
        }
    }
}

#[test]
fn a_connection_that_is_silent_with_nothing_to_say_is_given_up() {
    let chain = Chain::start_with_proxies();
    let mut shown = Shown::behind_all(&chain);
    // What stops is a keep-alive.
    let [proxy, ..] = &*chain.proxies else { unreachable!("there are two") };
    proxy.order([Fault::Stream { events: 0, harm: Harm::HalfOpen(Place::InChunk(0)) }]);
    proxy.wait_for_requests(2, LONG).unwrap();
    publish(chain.first(), 0..1, 0);
    shown.expect(0..1);
}

#[test]
fn a_stream_that_stops_for_too_long_is_taken_up_where_it_was() {
    let chain = Chain::start_with_proxies();
    let mut shown = Shown::behind_all(&chain);
    for proxy in &chain.proxies {
        proxy.order([Fault::Stream { events: 5, harm: Harm::Delay(Place::InEvent(10), TOO_LONG) }]);
    }
    publish(chain.first(), 0..20, 0);
    shown.expect(0..20);
    for proxy in &chain.proxies {
        assert_eq!(proxy.struck().len(), 1);
        proxy.wait_for_requests(2, LONG).unwrap();
    }
}

#[test]
fn an_instance_that_does_nothing_for_a_while_loses_nothing() {
    for frozen in [1, 2, 0] {
        let mut chain = Chain::start();
        let mut shown = Shown::behind_all(&chain);
        publish(chain.first(), 0..10, 0);
        if frozen == 0 {
            // Those behind it take it for dead meanwhile.
            chain.instance(0).freeze().unwrap();
            chain.instance(1).wait_for_log("nothing came", LONG).unwrap();
            chain.instance(0).thaw().unwrap();
            publish(chain.first(), 10..EVENTS, 0);
        } else {
            chain.instance(frozen).freeze().unwrap();
            publish(chain.first(), 10..EVENTS, LARGE);
            chain.instance(frozen).thaw().unwrap();
        }
        shown.expect(0..EVENTS);
    }
}

/// What the last instance shows.
struct Shown(Client);

impl Shown {
    fn behind_all(chain: &Chain) -> Self {
        let position = position(chain.last(), OUT);
        Self(Client::open(chain.last(), OUT, &[("last-event-id", &position)]).unwrap())
    }

    /// These come next, each once.
    #[track_caller]
    fn expect(&mut self, numbers: Range<usize>) {
        for number in numbers {
            let event = loop {
                let event = self.0.next_event(LONG).unwrap();
                if !event.data.contains("\"warm-up\"") {
                    break event;
                }
            };
            let data: Value = serde_json::from_str(&event.data).unwrap();
            assert_eq!(data["number"], number, "{:.300}", event.data);
        }
    }
}

#[track_caller]
fn publish(addr: SocketAddr, numbers: Range<usize>, padding: usize) {
    let padding = "x".repeat(padding);
    for number in numbers {
        let body = json!({"type": "numbered", "number": number, "padding": padding}).to_string();
        let answer = post(addr, "/webhook/in", &[("content-type", "application/json")], body).unwrap();
        assert_eq!(answer.status(), 201, "{}", answer.text());
    }
}
