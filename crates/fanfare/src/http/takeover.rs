//! Connections of plain HTTP/1.1, whose sockets may leave the HTTP library with a response: its body is then written by
//! others, from the head on. Of the library, and of this task, nothing is left then.

use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::io::Write as _;
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::SystemTime;

use bytes::Bytes;
use http::response::Parts;
use http::{HeaderMap, HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::sync::watch;
use tracing::debug;

use super::body::{Body, Takeover};
use super::connection::{Deadlines, Peer, http1, stopped};
use super::socket::Socket;

/// A response that waits for the socket.
struct Waiting {
    head: Parts,
    /// The client said that this is its last request.
    is_last: bool,
    takeover: Takeover,
}

/// What an answer leaves for the task that drives its connection.
#[derive(Clone, Default)]
struct Note(Arc<Mutex<Option<Waiting>>>);

impl Note {
    fn lock(&self) -> MutexGuard<'_, Option<Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a connection to its end, or until a response takes its socket.
pub(super) async fn serve_http1<S, F>(
    mut socket: Socket,
    peer: &Peer,
    deadlines: Deadlines,
    mut stop: watch::Receiver<bool>,
    service: S,
) -> hyper::Result<()>
where
    S: Fn(Peer, Request<Incoming>) -> F,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let waits = socket.watched();
    let note = Note::default();
    let service = service_fn(|request: Request<Incoming>| {
        let is_last = is_last(request.headers());
        answer(service(peer.plain(), request), is_last, note.clone())
    });
    let mut connection = http1(deadlines).serve_connection(TokioIo::new(socket), service);
    let mut stopped = pin!(stopped(&mut stop));
    let mut is_stopping = false;
    let ended = poll_fn(|cx| {
        if !is_stopping && stopped.as_mut().poll(cx).is_ready() {
            is_stopping = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        let ended = Pin::new(&mut connection).poll(cx);
        if ended.is_ready() {
            return ended.map(Some);
        }
        // What the library has not flushed it would drop with itself. Where a write waits, this is asked again behind it.
        if note.lock().is_some() && !waits.load(Ordering::Relaxed) {
            Poll::Ready(None)
        } else {
            Poll::Pending
        }
    })
    .await;
    if let Some(ended) = ended {
        return ended;
    }
    // What came behind the request is dropped too: behind a response without an end nothing is ever answered.
    let socket = connection.into_parts().io.into_inner();
    let waiting = note.lock().take();
    if let Some(Waiting { head, is_last, takeover }) = waiting {
        match socket.into_std() {
            Ok(stream) => takeover.take(stream, on_the_wire(head, is_last || is_stopping)),
            Err(error) => debug!(peer = %peer.address, %error, "a socket could not be taken over"),
        }
    }
    Ok(())
}

/// Answers, except where the response wants the socket. That waits for the task that drives the connection, which ends this.
async fn answer(
    answer: impl Future<Output = Response<Body>>,
    is_last: bool,
    note: Note,
) -> Result<Response<Body>, Infallible> {
    let (head, body) = answer.await.into_parts();
    match body.into_takeover() {
        Ok(takeover) => {
            *note.lock() = Some(Waiting { head, is_last, takeover });
            pending().await
        }
        Err(body) => Ok(Response::from_parts(head, body)),
    }
}

/// Whether a request says that it is the last of its connection (RFC 9112, 9.6).
fn is_last(headers: &HeaderMap) -> bool {
    let options = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    options.flat_map(|value| value.split(',')).any(|option| option.trim().eq_ignore_ascii_case("close"))
}

/// The head of a response as the library would write it, of a body whose length nobody knows.
fn on_the_wire(Parts { status, mut headers, .. }: Parts, is_last: bool) -> Bytes {
    if is_last {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    let mut head = Vec::with_capacity(512);
    // Writing to memory cannot fail.
    let _ =
        write!(head, "HTTP/1.1 {} {}\r\n", status.as_str(), status.canonical_reason().unwrap_or_default());
    for (name, value) in &headers {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    let date = httpdate::HttpDate::from(SystemTime::now());
    let _ = write!(head, "transfer-encoding: chunked\r\ndate: {date}\r\n\r\n");
    head.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_request_is_known() {
        let check = |values: &[&'static str], expected: bool| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::CONNECTION, HeaderValue::from_static(value));
            }
            assert_eq!(is_last(&headers), expected, "{values:?}");
        };
        check(&[], false);
        check(&["keep-alive"], false);
        check(&["close"], true);
        check(&["Keep-Alive, Close"], true);
        check(&["te", "x ,\tclose"], true);
        check(&["closed"], false);
    }
}
