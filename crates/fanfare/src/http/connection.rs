//! One connection: which HTTP it speaks, its deadlines, and its end. What is of HTTP/2 alone is in `http2`, of TLS in
//! `tls`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{AbortHandle, Abortable};
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tracing::debug;

use super::body::Body;
use super::http2::serve_http2;
use super::socket::Socket;
use super::takeover;
use crate::turns::Turns;

/// Bytes of a request's head, and of what is read ahead. A longer head is answered 431; as hyper looks between reads,
/// one of up to twice as many may get through.
pub(super) const MAX_HEAD: u32 = 32 * 1024;

/// Header fields of a request. More are answered 431.
const MAX_HEADERS: usize = 100;

/// What an HTTP/2 client begins with (RFC 9113, 3.4), as far as no request of HTTP/1.1 begins so.
const HTTP2_PREFACE: &[u8; 3] = b"PRI";

/// How long connections may take at each thing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// To send a request's head, and to begin with it.
    pub(crate) header: Duration,
    /// To take what is written.
    pub(crate) send: Duration,
}

tokio::task_local! {
    /// Drops the task that answers a request, see [`this_task`].
    static TASK: AbortHandle;
}

/// What drops the task that answers the request at hand, and the body of the answer with it, whatever it waits for. A body
/// is not asked for more while its client takes nothing, so it cannot end itself. Of HTTP/1.1 that is the connection, of
/// HTTP/2 one stream of it.
#[cfg(feature = "sink_sse")]
pub(crate) fn this_task() -> Option<AbortHandle> {
    TASK.try_with(Clone::clone).ok()
}

/// Lets a task be dropped from inside of it and from outside.
pub(super) fn droppable<F: Future>(task: F) -> Abortable<impl Future<Output = F::Output>> {
    let (handle, registration) = AbortHandle::new_pair();
    Abortable::new(TASK.scope(handle, task), registration)
}

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Whether the connection, or this stream of it, ended because the peer took nothing for too long.
    stalled: Arc<AtomicBool>,
    /// Its connection is a socket and nothing else, and speaks HTTP/1.
    is_plain: bool,
}

impl Peer {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self { address, stalled: Arc::default(), is_plain: false }
    }

    /// The same as the client of one stream of an HTTP/2 connection.
    pub(super) fn of_stream(&self, stalled: Arc<AtomicBool>) -> Self {
        Self { address: self.address, stalled, is_plain: false }
    }

    /// The same on a connection whose socket may be taken over.
    pub(super) fn plain(&self) -> Self {
        Self { is_plain: true, ..self.clone() }
    }

    /// What is set where the connection ends because the peer takes nothing.
    pub(super) fn stalled(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stalled)
    }

    /// Whether the connection, or this stream of it, ended because the peer took nothing for too long.
    pub(crate) fn has_stalled(&self) -> bool {
        self.stalled.load(Ordering::Relaxed)
    }

    /// Whether the answer to this request may be a body that takes the socket over.
    #[cfg(feature = "sink_sse")]
    pub(crate) fn may_be_taken_over(&self, request: &Request<Incoming>) -> bool {
        self.is_plain
            && request.version() == Version::HTTP_11
            && http_body::Body::is_end_stream(request.body())
    }
}

/// Serves one connection to its end. It waits for its turn once something has come, so that many that come at once hold up
/// nobody. When `stop` becomes true, it ends after the requests that are under way.
pub(crate) async fn serve<S, F>(
    stream: TcpStream,
    address: SocketAddr,
    deadlines: Deadlines,
    turns: &Turns,
    mut stop: watch::Receiver<bool>,
    service: S,
) where
    S: Fn(Peer, Request<Incoming>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let peer = Peer::new(address);
    let mut socket = Socket::new(stream, deadlines.send, peer.stalled());
    let begins = socket.begins_with(HTTP2_PREFACE);
    let Some(is_http2) = in_time(begins, "nothing came", &peer, deadlines, &mut stop).await else { return };
    turns.take().await;
    let ended = if is_http2 {
        // On the heap, so that connections of HTTP/1.1 do not keep room for it.
        Box::pin(serve_http2(socket, &peer, deadlines, stop, service)).await
    } else {
        let serving = takeover::serve_http1(socket, &peer, deadlines, stop, service);
        droppable(serving).await.unwrap_or(Ok(()))
    };
    log_end(&peer, ended);
}

/// What a peer has to do before anything is done for it. `None`, after saying what is missing, where that takes too long; and
/// where the server stops, because nobody waits for an answer yet.
pub(super) async fn in_time<T>(
    doing: impl Future<Output = T>,
    missing: &str,
    peer: &Peer,
    deadlines: Deadlines,
    stop: &mut watch::Receiver<bool>,
) -> Option<T> {
    tokio::select! {
        done = doing => Some(done),
        () = tokio::time::sleep(deadlines.header) => {
            debug!(peer = %peer.address, "closed: {missing}");
            None
        }
        () = stopped(stop) => None,
    }
}

pub(super) fn log_end(peer: &Peer, ended: hyper::Result<()>) {
    if let Err(error) = ended {
        debug!(peer = %peer.address, stalled = peer.has_stalled(), %error, "connection ended");
    }
}

/// How HTTP/1.1 is served.
pub(super) fn http1(deadlines: Deadlines) -> hyper::server::conn::http1::Builder {
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(deadlines.header)
        .max_buf_size(MAX_HEAD as usize)
        .max_headers(MAX_HEADERS);
    builder
}

pub(super) async fn stopped(stop: &mut watch::Receiver<bool>) {
    // Where its sender is gone, the server is too.
    let _ = stop.wait_for(|stop| *stop).await;
}
