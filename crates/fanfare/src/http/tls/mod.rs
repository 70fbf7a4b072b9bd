//! TLS under HTTP: the handshake, which HTTP it leads to, and keeping to the newest certificate. What is in the files is
//! read in `files`, when they have changed is known in `changes`, and what clients show is in `client`.

mod changes;
mod client;
mod files;
mod http1;
mod name;
mod refusal;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;
use tracing::{debug, info, warn};

use super::body::Body;
use super::connection::{Deadlines, Peer, in_time, log_end};
use super::http2::serve_http2;
use super::socket::Socket;
use crate::turns::Turns;
use changes::Changes;
use client::{Shown, refusal};
use files::{Ending, Identity, Loaded, Stamps};
pub(crate) use files::{TlsError, TlsFile, TlsFiles};
use http1::serve_http1;
use refusal::refuse_plain;

/// Protocols of ALPN (RFC 7301), the best first.
const HTTP2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// How often the files are looked at. A look reads no file that has not changed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Bytes that one connection keeps encrypted, or to be encrypted, while its client takes nothing: one record's (RFC 8446,
/// 5.1), because what comes behind it waits in a cursor.
const MAX_BUFFERED: usize = 16 * 1024;

/// TLS at one listener.
#[derive(Debug)]
pub(crate) struct Tls {
    /// The listener, as log lines call it.
    listener: String,
    files: TlsFiles,
    current: RwLock<Current>,
    /// What the files were like when they were first read.
    first: Stamps,
}

/// What is said of a client that does not begin, or does not go on.
const LATE: &str = "no TLS handshake in time";

/// What new connections are served with.
#[derive(Clone, Debug)]
struct Current {
    config: Arc<ServerConfig>,
    identity: Identity,
}

impl Tls {
    /// Reads the files.
    pub(crate) fn load(listener: &str, files: TlsFiles) -> Result<Self, TlsError> {
        let Loaded { config, identity, stamps } = files.load()?;
        let current = RwLock::new(Current { config: Arc::new(config), identity });
        Ok(Self { listener: listener.to_owned(), files, current, first: stamps })
    }

    /// The certificate's end, if that is near.
    pub(crate) fn ending(&self, now: Timestamp) -> Option<Ending> {
        self.current().identity.ending(now)
    }

    /// Looks at the files for ever. New connections are served with what is new; a set that cannot be used changes nothing.
    pub(crate) async fn keep_fresh(self: Arc<Self>) {
        let mut changes = Changes::new(self.first.clone());
        // What is wrong at the start has been said where the configuration was.
        let mut warned = self.ending(Timestamp::now());
        let Identity { subject, expires, .. } = self.current().identity;
        info!(
            listener = self.listener,
            subject,
            expires = expires.map(tracing::field::display),
            "certificate"
        );
        let mut looks = tokio::time::interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            // Not on the threads that serve: the files may be on a disk that does not answer.
            let tls = Arc::clone(&self);
            let looked = tokio::task::spawn_blocking(move || {
                let has_changed = changes.have_settled(tls.files.stamps());
                (changes, has_changed.then(|| tls.read_anew()))
            });
            let Ok((kept, read)) = looked.await else { return };
            changes = kept;
            let ending = self.ending(Timestamp::now());
            if let Some(ending) = ending.filter(|_| ending != warned || read == Some(true)) {
                warn!(listener = self.listener, "{ending}");
            }
            warned = ending;
        }
    }

    /// Reads the files, and says whether they can be used.
    fn read_anew(&self) -> bool {
        match self.files.load() {
            Ok(Loaded { config, identity, .. }) => {
                let current = Current { config: Arc::new(config), identity: identity.clone() };
                *self.current.write().unwrap_or_else(PoisonError::into_inner) = current;
                // Who reads this can rely on it.
                let Identity { subject, expires, .. } = identity;
                let expires = expires.map(tracing::field::display);
                info!(listener = self.listener, subject, expires, "certificate read anew");
                true
            }
            Err(error) => {
                let advice = error.advice();
                warn!(listener = self.listener, %error, advice, "the new certificate cannot be used; the former one stays");
                false
            }
        }
    }

    fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves one connection to its end. When `stop` becomes true, it ends after the requests that are under way.
    pub(crate) async fn serve<S, F>(
        self: Arc<Self>,
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
        let begins = refuse_plain(stream, &peer);
        let Some(Some(stream)) = in_time(begins, LATE, &peer, deadlines, &mut stop).await else {
            return;
        };
        // Who waits here has done what it can.
        turns.take().await;
        // On the heap, because it is long over while the connection lives.
        let handshake = Box::pin(self.open(stream, &peer, deadlines));
        let opened = in_time(handshake, LATE, &peer, deadlines, &mut stop).await;
        let Some(Some((stream, shown))) = opened else { return };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
        let service = move |peer, mut request: Request<Incoming>| {
            if let Some(shown) = &shown {
                shown.replace(request.headers_mut());
            }
            service(peer, request)
        };
        let ended = if is_http2 {
            Box::pin(serve_http2(stream, &peer, deadlines, stop, service)).await
        } else {
            Box::pin(serve_http1(stream, &peer, deadlines, stop, service)).await
        };
        log_end(&peer, ended);
    }

    /// Shakes hands. `None` after saying why that failed. Where clients are asked for certificates, what this one showed.
    async fn open(
        &self,
        stream: TcpStream,
        peer: &Peer,
        deadlines: Deadlines,
    ) -> Option<(TlsStream<Socket>, Option<Shown>)> {
        let socket = Socket::new(stream, deadlines.send, peer.stalled());
        let acceptor = TlsAcceptor::from(self.current().config);
        let limit = |connection: &mut rustls::ServerConnection| {
            connection.set_buffer_limit(Some(MAX_BUFFERED));
        };
        match acceptor.accept_with(socket, limit).await {
            Ok(stream) => {
                let certificates = stream.get_ref().1.peer_certificates();
                let leaf = certificates.and_then(|chain| chain.first());
                let shown = self.files.client_ca.as_ref().map(|_| Shown::new(leaf, peer));
                Some((stream, shown))
            }
            Err(error) => {
                log_failure(&error, peer);
                None
            }
        }
    }
}

/// A client whose certificate is refused is refused as by a header rule; the others are not even clients.
fn log_failure(error: &io::Error, peer: &Peer) {
    let reason = error.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    if let Some(rustls::Error::InvalidCertificate(reason)) = reason {
        info!(peer = %peer.address, reason = &*refusal(reason), "client certificate refused");
    } else {
        debug!(peer = %peer.address, %error, "TLS handshake failed");
    }
}
