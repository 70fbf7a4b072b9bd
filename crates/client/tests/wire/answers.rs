//! What is no stream: nobody there, refusals, other content; what is told of it, and when it is asked again.

use std::time::Duration;

use fanfare_client::{Client, Ended, Error, Occasion};
use fanfare_testkit::upstream::Upstream;

use crate::kit::{LONG, done, ended, is_about, lost, next, open, opened, serve, settings, told};

/// A port on which nobody listens any more, and the URL of it.
fn nobody() -> (std::net::SocketAddr, String) {
    let upstream = Upstream::start().unwrap();
    (upstream.addr(), upstream.url("/"))
}

#[tokio::test]
async fn who_is_not_there_is_asked_again_and_less_often() {
    let (_, url) = nobody();
    let mut settings = settings(&url);
    settings.max_retries = Some(3);
    let mut client = Client::new(settings);
    for milliseconds in [0, 200, 400] {
        let (error, retry_in) = lost(next(&mut client).await);
        assert!(matches!(error, Error::Unreachable(_)) && !error.is_lasting(), "{error:?}");
        assert!(is_about(retry_in, Duration::from_millis(milliseconds)), "{retry_in:?}");
    }
    for _ in 0..2 {
        let ended = ended(next(&mut client).await);
        assert!(matches!(&ended, Ended::GivenUp(Error::Unreachable(_))), "{ended:?}");
        client.restart();
    }
}

#[tokio::test]
async fn who_comes_back_is_found() {
    let (addr, url) = nobody();
    let mut client = Client::new(settings(&url));
    lost(next(&mut client).await);
    let server = serve(Upstream::start_at(addr).unwrap(), open);
    // What failed meanwhile is told as well.
    let exchange = loop {
        match next(&mut client).await {
            Occasion::Lost { .. } => {}
            other => break opened(&other).map(str::to_owned),
        }
    };
    assert_eq!(exchange, None);
    drop(done(server).await);
}

#[tokio::test]
async fn a_refusal_says_why_and_when_to_come_back() {
    let check = async |status: u16,
                       headers: &'static [(&str, &str)],
                       body: &'static str,
                       expected: Error,
                       seconds: u64| {
        let upstream = Upstream::start().unwrap();
        let mut client = Client::new(settings(&upstream.url("/")));
        let server = serve(upstream, move |upstream| {
            upstream.accept(LONG).unwrap().answer(status, headers, body).unwrap();
        });
        let (error, retry_in) = lost(next(&mut client).await);
        assert_eq!(error, expected);
        assert!(is_about(retry_in, Duration::from_secs(seconds)), "{retry_in:?}");
        done(server).await;
    };
    let refused = |status, detail: Option<&str>, retry_after| Error::Refused {
        status,
        detail: detail.map(str::to_owned),
        retry_after,
    };
    let seconds = |count| Some(Duration::from_secs(count));
    check(503, &[("retry-after", "7")], "", refused(503, None, seconds(7)), 7).await;
    check(429, &[("retry-after", " 2 ")], "", refused(429, None, seconds(2)), 2).await;
    check(503, &[("retry-after", "99999999999")], "", refused(503, None, seconds(99_999_999_999)), 300).await;
    // A date would need the two clocks to agree.
    let date: &[_] = &[("retry-after", "Fri, 31 Dec 2100 23:59:59 GMT")];
    check(503, date, "", refused(503, None, None), 0).await;
    let problem = r#"{"type":"about:blank","title":"Forbidden","detail":"not\nyou"}"#;
    check(403, &[], problem, refused(403, Some("not you"), None), 0).await;
    check(401, &[], r#"{"title":"Who?"}"#, refused(401, Some("Who?"), None), 0).await;
    check(500, &[], "<html>", refused(500, None, None), 0).await;
}

#[tokio::test]
async fn other_content_is_no_stream() {
    let check = async |headers: &'static [(&str, &str)], expected: Error| {
        let upstream = Upstream::start().unwrap();
        let mut client = Client::new(settings(&upstream.url("/")));
        let server = serve(upstream, move |upstream| {
            upstream.accept(LONG).unwrap().answer(200, headers, "data: a\n\n").unwrap();
            open(upstream).send("data: b\n\n").unwrap();
        });
        let (error, _) = lost(next(&mut client).await);
        assert_eq!(error, expected);
        assert!(error.is_lasting());
        opened(&next(&mut client).await);
        assert_eq!(told(next(&mut client).await).data, "b");
        done(server).await;
    };
    check(&[], Error::ContentType("missing".to_owned())).await;
    check(&[("content-type", "text/html; a")], Error::ContentType("text/html; a".to_owned())).await;
    let stream = ("content-type", "text/event-stream");
    for coding in ["gzip", "br", "identity, gzip"] {
        let headers: &'static [_] = Box::leak(Box::new([stream, ("content-encoding", coding)]));
        check(headers, Error::Encoded(coding.to_owned())).await;
    }
}

#[tokio::test]
async fn what_the_server_says_of_coming_back_is_done() {
    let check = async |stream: &'static str, milliseconds: u64| {
        let upstream = Upstream::start().unwrap();
        let mut settings = settings(&upstream.url("/"));
        settings.reconnect_delay = Duration::from_millis(7);
        let mut client = Client::new(settings);
        let server = serve(upstream, move |upstream| {
            let mut exchange = open(upstream);
            exchange.send(stream).unwrap();
            exchange.end().unwrap();
        });
        opened(&next(&mut client).await);
        assert_eq!(told(next(&mut client).await).data, "x");
        let (_, retry_in) = lost(next(&mut client).await);
        assert!(is_about(retry_in, Duration::from_millis(milliseconds)), "{stream:?}: {retry_in:?}");
        done(server).await;
    };
    // web-platform-tests, eventsource/format-field-retry, -bogus, -empty; there with a clock.
    check("retry:02000\ndata:x\n\n", 2000).await;
    check("retry:2000\nretry:1000x\ndata:x\n\n", 2000).await;
    check("retry\ndata:x\n\n", 7).await;
    for bogus in ["retry: -1", "retry: 1.5", "retry: 5s", "retry:  5", "retry: ", "Retry: 5", "retry : 5"] {
        check(Box::leak(format!("{bogus}\ndata: x\n\n").into_boxed_str()), 7).await;
    }
    // In the middle of a block that never ends, and in one that has no data.
    check("data: x\n\nretry: 300\n", 300).await;
    check("retry: 300\n\ndata: x\n\n", 300).await;
    check("retry: 86400000\ndata: x\n\n", 300_000).await;
    // Who ends each stream behind its first event must not keep us busy.
    check("retry: 0\ndata: x\n\n", 100).await;
}

#[tokio::test]
async fn it_begins_where_the_server_says_that_it_begins() {
    let upstream = Upstream::start().unwrap();
    let mut client = Client::new(settings(&upstream.url("/")));
    let server = serve(upstream, |upstream| {
        let first = upstream.accept(LONG).unwrap();
        assert_eq!((first.header("prefer"), first.header("last-event-id")), (Some("prime"), None));
        first.answer(200, &[("content-type", "text/event-stream"), ("last-event-id", "7")], "").unwrap();
        let mut second = open(upstream);
        assert_eq!(second.header("last-event-id"), Some("7"));
        second.send("id: 8\n\n").unwrap();
        second.end().unwrap();
        let third = upstream.accept(LONG).unwrap();
        assert_eq!(third.header("last-event-id"), Some("8"));
        third.answer(204, &[], "").unwrap();
    });
    assert_eq!(opened(&next(&mut client).await), Some("7"));
    assert_eq!(lost(next(&mut client).await).0, Error::Ended);
    assert_eq!(opened(&next(&mut client).await), Some("7"));
    assert!(matches!(next(&mut client).await, Occasion::Moved(Some(id)) if &*id == "8"));
    assert_eq!(lost(next(&mut client).await).0, Error::Ended);
    for _ in 0..2 {
        assert_eq!(ended(next(&mut client).await), Ended::NoContent);
    }
    done(server).await;
}
