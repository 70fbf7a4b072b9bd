//! Tokio as `lapin` sees it, with connections that are guarded.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_util::{AsyncRead, AsyncWrite, Stream};

use crate::guard::Guard;
use crate::life::Life;

pub(crate) type GuardedRuntime = Runtime<RuntimeParts<Tokio, GuardedReactor>>;

/// The runtime that this is called in.
pub(crate) fn current() -> GuardedRuntime {
    Runtime::new(RuntimeParts::new(Tokio::current(), GuardedReactor(Tokio::current())))
}

/// Bytes taken from the network at a time.
const CHUNK: usize = 16 * 1024;

/// A connection whose frames are held back until they can be read.
pub(crate) struct Guarded {
    stream: Box<dyn Connection>,
    life: Life,
    guard: Guard,
    chunk: Vec<u8>,
    /// What may be read, and how much of it has been.
    ready: Vec<u8>,
    read: usize,
}

/// Plain or encrypted.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Connection for S {}

impl Guarded {
    pub(crate) fn new(stream: impl Connection + 'static, life: Life) -> Self {
        Self {
            stream: Box::new(stream),
            life,
            guard: Guard::default(),
            chunk: vec![0; CHUNK],
            ready: Vec::new(),
            read: 0,
        }
    }

    /// Waits until something may be read; whether anything will.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        while self.read == self.ready.len() {
            self.ready.clear();
            self.read = 0;
            let count = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut self.chunk))?;
            if count == 0 {
                return Poll::Ready(Ok(false));
            }
            self.guard.push(self.chunk.get(..count).unwrap_or_default(), &mut self.ready)?;
        }
        Poll::Ready(Ok(true))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.life.end();
    }
}

impl AsyncRead for Guarded {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let filled = ready!(this.poll_fill(cx));
        if !matches!(filled, Ok(true)) {
            this.life.end();
            return Poll::Ready(filled.map(|_| 0));
        }
        let left = this.ready.get(this.read..).unwrap_or_default();
        let count = left.len().min(into.len());
        into.iter_mut().zip(left).for_each(|(to, from)| *to = *from);
        this.read += count;
        Poll::Ready(Ok(count))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_close(cx)
    }
}

/// Where connections come from.
#[derive(Clone, Debug)]
pub(crate) struct GuardedReactor(Tokio);

impl Reactor for GuardedReactor {
    type TcpStream = Guarded;
    type Sleep = <Tokio as Reactor>::Sleep;

    /// For sockets that somebody else has opened; nobody here has any.
    fn register<H: Read + Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        Err::<Guarded, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, duration: Duration) -> Self::Sleep {
        self.0.sleep(duration)
    }

    fn interval(&self, duration: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.0.interval(duration)
    }

    fn tcp_connect_addr(
        &self,
        addr: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let connecting = self.0.tcp_connect_addr(addr);
        async move { connecting.await.map(|stream| Guarded::new(stream, Life::default())) }
    }
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").finish_non_exhaustive()
    }
}
