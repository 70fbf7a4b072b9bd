//! Where a stream is cut: into pieces, which changes nothing, or off, which leaves whole events.

use fanfare_client::{Client, Ended, Error, Message, Occasion};
use fanfare_testkit::upstream::{Exchange, Upstream};

use crate::kit::{LONG, done, ended, lost, next, open, opened, serve, settings, told};

/// All line ends, a mark at the beginning, characters of one to four bytes, an event without an id and one that has it not
/// at its beginning.
const STREAM: &str = "\u{feff}: ½\r\nid: é1\r\nevent: gruß\r\ndata: a😀\r\ndata\r\n\r\ndata: €\n\ndata: 2\rid: €2\r\rdata: x\n\n";

/// Its events: type, data, and the id in force.
const EVENTS: [(&str, &str, &str); 4] =
    [("gruß", "a😀\n", "é1"), ("message", "€", "é1"), ("message", "2", "€2"), ("message", "x", "€2")];

#[track_caller]
fn check(message: &Message, (kind, data, id): (&str, &str, &str)) {
    let Message { kind: told_kind, data: told_data, last_event_id, position } = message;
    assert_eq!((told_kind.as_str(), told_data.as_str()), (kind, data));
    assert_eq!((last_event_id.as_deref(), position.as_deref()), (Some(id), Some(id)));
}

#[tokio::test]
async fn pieces_change_nothing_wherever_they_end() {
    let bytes = STREAM.as_bytes();
    let upstream = Upstream::start().unwrap();
    let mut client = Client::new(settings(&upstream.url("/")));
    let server = serve(upstream, move |upstream| {
        for cut in 0..=bytes.len() {
            let mut exchange = open(upstream);
            let (first, second) = bytes.split_at(cut);
            // An empty chunk would be the last one.
            for piece in [first, second].into_iter().filter(|piece| !piece.is_empty()) {
                exchange.send(piece).unwrap();
            }
            exchange.end().unwrap();
        }
        let mut exchange = open(upstream);
        for byte in bytes {
            exchange.send([*byte]).unwrap();
        }
        exchange.end().unwrap();
    });
    for _ in 0..=bytes.len() + 1 {
        opened(&next(&mut client).await);
        for event in EVENTS {
            check(&told(next(&mut client).await), event);
        }
        assert_eq!(lost(next(&mut client).await).0, Error::Ended);
    }
    done(server).await;
}

/// How many events of the stream are whole in its first bytes, and behind which id it is resumed.
fn whole(cut: usize) -> (usize, Option<&'static str>) {
    let ends = ["data\r\n\r", "€\n\n", "€2\r\r", "x\n\n"].map(|end| STREAM.find(end).unwrap() + end.len());
    let whole = ends.iter().filter(|end| **end <= cut).count();
    (whole, whole.checked_sub(1).map(|last| EVENTS[last].2))
}

/// It is cut off after each byte: an event is told whole or not at all, and an id counts with its event.
#[tokio::test]
async fn an_event_that_is_cut_off_was_never_there() {
    for end in [Exchange::cut as fn(Exchange), |exchange| exchange.end().unwrap()] {
        for cut in 1..STREAM.len() {
            let upstream = Upstream::start().unwrap();
            let mut client = Client::new(settings(&upstream.url("/")));
            let server = serve(upstream, move |upstream| {
                let mut exchange = open(upstream);
                exchange.send(&STREAM.as_bytes()[..cut]).unwrap();
                end(exchange);
                let exchange = upstream.accept(LONG).unwrap();
                let id = exchange.header("last-event-id").map(str::to_owned);
                exchange.answer(204, &[], "").unwrap();
                id
            });
            let (count, id) = whole(cut);
            opened(&next(&mut client).await);
            for event in &EVENTS[..count] {
                check(&told(next(&mut client).await), *event);
            }
            let (error, _) = lost(next(&mut client).await);
            assert!(matches!(error, Error::Ended | Error::Broken(_)), "{error:?}");
            assert_eq!(client.position().map(AsRef::as_ref), id, "{cut}");
            assert_eq!(ended(next(&mut client).await), Ended::NoContent);
            let requested = done(server).await;
            assert_eq!(requested.as_deref(), id, "{cut}");
        }
    }
}

#[tokio::test]
async fn a_reset_in_the_middle_of_an_event_leaves_those_before() {
    let upstream = Upstream::start().unwrap();
    let mut client = Client::new(settings(&upstream.url("/")));
    let (go, wait) = std::sync::mpsc::channel();
    let server = serve(upstream, move |upstream| {
        let mut exchange = open(upstream);
        exchange.send("id: 1\ndata: a\n\nid: 2\ndata: b\n").unwrap();
        wait.recv().unwrap();
        exchange.reset().unwrap();
        open(upstream).header("last-event-id").map(str::to_owned)
    });
    opened(&next(&mut client).await);
    assert_eq!(told(next(&mut client).await).data, "a");
    go.send(()).unwrap();
    assert!(matches!(lost(next(&mut client).await).0, Error::Broken(_)));
    assert_eq!(opened(&next(&mut client).await), Some("1"));
    assert_eq!(done(server).await.as_deref(), Some("1"));
}

#[tokio::test]
async fn a_stream_without_its_last_chunk_is_one_that_the_server_closed() {
    let upstream = Upstream::start().unwrap();
    let mut client = Client::new(settings(&upstream.url("/")));
    let server = serve(upstream, |upstream| {
        let mut exchange = open(upstream);
        exchange.send("id: 1\ndata: a\n\n").unwrap();
        exchange.cut();
    });
    opened(&next(&mut client).await);
    assert_eq!(told(next(&mut client).await).data, "a");
    let (error, _) = lost(next(&mut client).await);
    assert_eq!(error.to_string(), "the connection was lost: the server closed it");
    done(server).await;
}

#[tokio::test]
async fn an_event_that_is_too_large_is_left_out_and_those_around_it_are_not() {
    let upstream = Upstream::start().unwrap();
    let mut settings = settings(&upstream.url("/"));
    settings.max_event = 1000;
    let mut client = Client::new(settings);
    let server = serve(upstream, |upstream| {
        let mut exchange = open(upstream);
        exchange
            .send(format!("id: 1\ndata: {}\n\nid: 2\ndata: {}", "a".repeat(1000), "b".repeat(999)))
            .unwrap();
        for _ in 0..100 {
            exchange.send("b".repeat(1000)).unwrap();
        }
        exchange.send("\n\nid: 3\ndata: c\n\n").unwrap();
        exchange
    });
    opened(&next(&mut client).await);
    assert_eq!(told(next(&mut client).await).data.len(), 1000);
    assert!(matches!(next(&mut client).await, Occasion::TooLarge));
    assert_eq!(client.position().map(AsRef::as_ref), Some("1"));
    let after = told(next(&mut client).await);
    assert_eq!((after.data.as_str(), after.position.as_deref()), ("c", Some("3")));
    drop(done(server).await);
}
