//! HTTP/1.1 behind TLS: the library writes all of it, streams too.

use std::convert::Infallible;
use std::pin::pin;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use crate::http::body::Body;
use crate::http::connection::{Deadlines, Peer, droppable, http1, stopped};

/// Serves what has turned out to be HTTP/1.1.
pub(super) async fn serve_http1<IO, S, F>(
    io: IO,
    peer: &Peer,
    deadlines: Deadlines,
    stop: watch::Receiver<bool>,
    service: S,
) -> hyper::Result<()>
where
    IO: AsyncRead + AsyncWrite + Unpin + 'static,
    S: Fn(Peer, Request<Incoming>) -> F,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let service = service_fn(|request| infallible(service(peer.clone(), request)));
    let connection = http1(deadlines).serve_connection(TokioIo::new(io), service);
    droppable(drive(connection, stop)).await.unwrap_or(Ok(()))
}

/// Every request is answered, if only with a refusal.
async fn infallible<F: Future>(answer: F) -> Result<F::Output, Infallible> {
    Ok(answer.await)
}

/// Drives a connection to its end, and from `stop` on to an early one.
async fn drive<C: GracefulConnection>(
    connection: C,
    mut stop: watch::Receiver<bool>,
) -> Result<(), C::Error> {
    let mut connection = pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return ended,
        () = stopped(&mut stop) => {}
    }
    connection.as_mut().graceful_shutdown();
    connection.await
}
