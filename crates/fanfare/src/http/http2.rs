//! Connections of HTTP/2: their limits, and streams whose clients take nothing. HTTP/1.1 is in `connection`.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{oneshot, watch};
use tokio::time::{Sleep, Timeout, sleep, timeout};
use tracing::debug;

use super::body::{Body, Ended};
use super::connection::{Deadlines, MAX_HEAD, Peer, droppable, stopped};

/// Streams that one connection may have open at once. A browser opens all that a page asks for on one connection.
const MAX_STREAMS: u32 = 256;

/// Bytes of a frame, in either direction. The least that the protocol has (RFC 9113, 6.5.2): while one is on its way all
/// others wait.
const MAX_FRAME: u32 = 16 * 1024;

/// Bytes of one stream that wait for its client, before more is asked of its body, and the most that a body gives at once:
/// so at most three times as much waits for one stream, and what its client takes is noticed at each such portion.
const PORTION: usize = 16 * 1024;

/// Bytes of a request's body that may be under way, before they are read.
const STREAM_WINDOW: u32 = 256 * 1024;

/// The same of all requests of a connection together. More than one's, so that a body that is not read for a moment does not
/// keep the others from coming.
const CONNECTION_WINDOW: u32 = 1024 * 1024;

/// How long what a body gave before it failed may take to be written. A reset drops what is not.
const FLUSH_WITHIN: Duration = Duration::from_secs(1);

/// Serves what has turned out to be HTTP/2.
pub(super) async fn serve_http2<IO, S, F>(
    io: IO,
    peer: &Peer,
    deadlines: Deadlines,
    mut stop: watch::Receiver<bool>,
    service: S,
) -> hyper::Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Fn(Peer, Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let counts = Arc::new(Counts::default());
    let streams = Streams { send_timeout: deadlines.send, counts: Arc::clone(&counts) };
    let mut builder = hyper::server::conn::http2::Builder::new(streams);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEAD)
        .max_frame_size(MAX_FRAME)
        .max_send_buf_size(PORTION)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        // Not sooner: a client that has something to take and takes nothing is to end as that, and not for a ping.
        .keep_alive_interval(deadlines.send)
        .keep_alive_timeout(deadlines.send);
    let service = Arc::new(service);
    let answer = service_fn(|request| answer(Arc::clone(&service), peer.clone(), request));
    let mut connection = pin!(builder.serve_connection(TokioIo::new(io), answer));
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            return connection.await;
        }
        () = counts.rest(deadlines.header) => debug!(peer = %peer.address, "closing: no stream is open"),
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        ended = connection.as_mut() => ended,
        // It does not answer. One that has begun a stream before it heard of the end keeps that.
        () = counts.rest(deadlines.header) => Ok(()),
    }
}

/// How many streams of a connection have begun, and how many of those have ended; both wrap around.
#[derive(Debug, Default)]
struct Counts {
    begun: AtomicU32,
    ended: AtomicU32,
}

impl Counts {
    fn now(&self) -> (u32, u32) {
        (self.begun.load(Ordering::Relaxed), self.ended.load(Ordering::Relaxed))
    }

    /// Is done once none was open for so long, or up to twice as long.
    async fn rest(&self, time: Duration) {
        loop {
            let before = self.now();
            sleep(time).await;
            let (begun, ended) = self.now();
            if begun == ended && before == (begun, ended) {
                return;
            }
        }
    }
}

/// A stream that has begun, and ends with this.
struct Counted(Arc<Counts>);

impl Counted {
    fn begin(counts: &Arc<Counts>) -> Self {
        counts.begun.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(counts))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::Relaxed);
    }
}

/// Answers a request in the task of its stream.
async fn answer<S, F>(
    service: Arc<S>,
    peer: Peer,
    request: Request<Incoming>,
) -> Result<Response<Portions>, Infallible>
where
    S: Fn(Peer, Request<Incoming>) -> F,
    F: Future<Output = Response<Body>>,
{
    // Tasks without it are none of `Streams`.
    let taking = TAKING.try_with(Arc::clone).unwrap_or_default();
    let response = service(peer.of_stream(Arc::clone(&taking.has_stalled)), request).await;
    Ok(response.map(|body| Portions { body, rest: Bytes::new(), taking, connection: peer, last: None }))
}

tokio::task_local! {
    /// What the client of the stream at hand takes.
    static TAKING: Arc<Taking>;
}

/// Runs the streams of connections, each as a task.
#[derive(Clone, Debug)]
struct Streams {
    send_timeout: Duration,
    counts: Arc<Counts>,
}

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let taking = Arc::new(Taking::default());
        let watched = watched(stream, Arc::clone(&taking), self.send_timeout);
        let counted = Counted::begin(&self.counts);
        tokio::spawn(droppable(TAKING.scope(taking, async move {
            watched.await;
            drop(counted);
        })));
    }
}

/// Runs a stream to its end, or until its client has taken nothing for so long. Then the stream is dropped, which resets
/// it, and its connection goes on.
async fn watched(stream: impl Future<Output = ()>, taking: Arc<Taking>, send_timeout: Duration) {
    let mut stream = pin!(stream);
    let mut waiting = None;
    std::future::poll_fn(|cx| {
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        taking.poll_stalled(&mut waiting, send_timeout, cx)
    })
    .await;
}

/// How far a stream has got. hyper asks its body for a portion once there is room for the one before, so a body that has
/// given one and is not asked again has a client that takes nothing. Where it has nothing to give, it has been asked.
#[derive(Debug, Default)]
struct Taking {
    /// How often the body was asked for a portion; wraps around.
    asked: AtomicU32,
    /// Whether it gave one when it was last asked.
    is_given: AtomicBool,
    /// Whether it ended because its client took nothing.
    has_stalled: Arc<AtomicBool>,
}

/// For what to be taken, and until when.
struct Waiting {
    portion: u32,
    deadline: Pin<Box<Sleep>>,
}

impl Taking {
    fn ask(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        self.is_given.store(false, Ordering::Relaxed);
    }

    fn give(&self) {
        self.is_given.store(true, Ordering::Relaxed);
    }

    /// Is ready once the same portion has waited for `send_timeout`. Costs nothing while portions are taken at once.
    fn poll_stalled(
        &self,
        waiting: &mut Option<Waiting>,
        send_timeout: Duration,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        if !self.is_given.load(Ordering::Relaxed) {
            *waiting = None;
            return Poll::Pending;
        }
        let portion = self.asked.load(Ordering::Relaxed);
        if waiting.as_ref().is_none_or(|waiting| waiting.portion != portion) {
            *waiting = Some(Waiting { portion, deadline: Box::pin(sleep(send_timeout)) });
        }
        if let Some(waiting) = waiting {
            ready!(waiting.deadline.as_mut().poll(cx));
        }
        self.has_stalled.store(true, Ordering::Relaxed);
        Poll::Ready(())
    }
}

/// A body in portions of at most [`PORTION`] bytes, which says how far it has got.
#[derive(Debug)]
struct Portions {
    body: Body,
    /// Of the body's latest piece, what has not been given.
    rest: Bytes,
    taking: Arc<Taking>,
    connection: Peer,
    /// Where the body has failed, what is waited for before that is told.
    last: Option<Pin<Box<Timeout<oneshot::Receiver<()>>>>>,
}

/// An empty portion, which goes behind all others, and is dropped once it and they are written.
struct Mark {
    _written: oneshot::Sender<()>,
}

impl AsRef<[u8]> for Mark {
    fn as_ref(&self) -> &[u8] {
        &[]
    }
}

impl Drop for Portions {
    fn drop(&mut self) {
        // Of all its streams, before they say how they ended.
        if self.connection.has_stalled() {
            self.taking.has_stalled.store(true, Ordering::Relaxed);
        }
    }
}

impl Portions {
    /// The next portion of what is left.
    fn cut(&mut self) -> Frame<Bytes> {
        Frame::data(self.rest.split_to(self.rest.len().min(PORTION)))
    }

    /// What goes out before a failure.
    fn mark(&mut self) -> Frame<Bytes> {
        let (written, is_written) = oneshot::channel();
        self.last = Some(Box::pin(timeout(FLUSH_WITHIN, is_written)));
        Frame::data(Bytes::from_owner(Mark { _written: written }))
    }
}

impl http_body::Body for Portions {
    type Data = Bytes;
    type Error = Ended;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Ended>>> {
        self.taking.ask();
        if let Some(last) = &mut self.last {
            // Written, or late: the stream ends either way.
            let _ = ready!(last.as_mut().poll(cx));
            return Poll::Ready(Some(Err(Ended)));
        }
        if self.rest.is_empty() {
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => frame,
                Some(Err(Ended)) => return Poll::Ready(Some(Ok(self.mark()))),
                None => return Poll::Ready(None),
            };
            match frame.into_data() {
                Ok(data) => self.rest = data,
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
        self.taking.give();
        Poll::Ready(Some(Ok(self.cut())))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut with_rest = SizeHint::new();
        // The upper bound first: a lower one must not be above it.
        if let Some(upper) = hint.upper() {
            with_rest.set_upper(upper + rest);
        }
        with_rest.set_lower(hint.lower() + rest);
        with_rest
    }
}
