//! Where a redirect may lead, and what goes there.

use fanfare_client::{Client, Error, Header};
use fanfare_testkit::upstream::Upstream;

use crate::kit::{LONG, done, lost, next, open, opened, serve, settings};

fn header(name: &str, value: &str) -> Header {
    Header { name: name.to_owned(), value: value.as_bytes().to_vec() }
}

/// Answers the next request with a redirect.
fn redirect(upstream: &Upstream, status: u16, location: &str) {
    upstream.accept(LONG).unwrap().answer(status, &[("location", location)], "").unwrap();
}

#[tokio::test]
async fn headers_go_along_on_the_same_origin() {
    let upstream = Upstream::start().unwrap();
    let mut settings = settings(&upstream.url("/here?token=t"));
    settings.headers = vec![header("authorization", "Bearer s"), header("x-a", "b")];
    settings.last_event_id = Some("7".into());
    let mut client = Client::new(settings);
    let server = serve(upstream, |upstream| {
        redirect(upstream, 307, "/there");
        open(upstream)
    });
    opened(&next(&mut client).await);
    let exchange = done(server).await;
    assert_eq!(exchange.target, "/there");
    for (name, value) in
        [("authorization", "Bearer s"), ("x-a", "b"), ("last-event-id", "7"), ("accept", "text/event-stream")]
    {
        assert_eq!(exchange.header(name), Some(value), "{name}");
    }
    assert_eq!(exchange.header("referer"), None);
}

#[tokio::test]
async fn headers_go_to_no_other_origin() {
    let (from, to) = (Upstream::start().unwrap(), Upstream::start().unwrap());
    let mut settings = settings(&from.url("/"));
    settings.headers = vec![header("x-secret", "s")];
    let mut client = Client::new(settings);
    let location = to.url("/");
    let server = serve(from, move |from| {
        redirect(from, 302, &location);
        open(from)
    });
    let (error, _) = lost(next(&mut client).await);
    assert!(matches!(&error, Error::Redirect(why) if why.contains("another origin")), "{error}");
    // Asked again where it was asked first, so nobody was asked there.
    opened(&next(&mut client).await);
    drop(done(server).await);
    let nobody = to.accept(std::time::Duration::from_millis(20)).unwrap_err();
    assert_eq!(nobody.kind(), std::io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn what_has_no_headers_may_go_to_another_origin_without_what_the_url_has() {
    let (from, to) = (Upstream::start().unwrap(), Upstream::start().unwrap());
    let url = from.url("/here?token=t").replace("http://", "http://me:pass@");
    let mut client = Client::new(settings(&url));
    let location = to.url("/there");
    let first = serve(from, move |from| {
        let exchange = from.accept(LONG).unwrap();
        let authorization = exchange.header("authorization").map(str::to_owned);
        exchange.answer(302, &[("location", &location)], "").unwrap();
        authorization
    });
    let second = serve(to, open);
    opened(&next(&mut client).await);
    assert_eq!(done(first).await.as_deref(), Some("Basic bWU6cGFzcw=="));
    let exchange = done(second).await;
    assert_eq!(exchange.target, "/there");
    assert_eq!((exchange.header("authorization"), exchange.header("referer")), (None, None));
}

#[tokio::test]
async fn a_circle_ends() {
    let upstream = Upstream::start().unwrap();
    let mut client = Client::new(settings(&upstream.url("/?token=secret")));
    let server = serve(upstream, |upstream| {
        for _ in 0..=10 {
            redirect(upstream, 301, "/");
        }
    });
    let (error, _) = lost(next(&mut client).await);
    assert_eq!(error.to_string(), "a redirect was not followed: there are too many");
    done(server).await;
}
