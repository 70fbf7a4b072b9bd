//! A TCP connection that gives up on a peer that takes nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// Bytes that are read ahead at most: the head of most requests, so that there is nothing more to read.
const READ_AHEAD: usize = 1024;

/// A socket whose writes must get on. Once a write has waited for `send_timeout`, or the kernel says that the peer has
/// acknowledged nothing for so long, the socket fails with [`io::ErrorKind::TimedOut`], and says so to whoever watches.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    /// What was read ahead and comes first.
    ahead: BytesMut,
    send_timeout: Duration,
    /// Runs while a write waits.
    deadline: Option<Pin<Box<Sleep>>>,
    stalled: Arc<AtomicBool>,
    /// Whether a write waits, for those who want to know.
    waits: Option<Arc<AtomicBool>>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, send_timeout: Duration, stalled: Arc<AtomicBool>) -> Self {
        Self { stream, ahead: BytesMut::new(), send_timeout, deadline: None, stalled, waits: None }
    }

    /// Says from now on whether the last write found no room, and was not done since.
    pub(super) fn watched(&mut self) -> Arc<AtomicBool> {
        Arc::clone(self.waits.get_or_insert_default())
    }

    /// The socket alone, where no write waits.
    pub(super) fn into_std(self) -> io::Result<std::net::TcpStream> {
        self.stream.into_std()
    }

    /// Whether the peer begins with this. Waits for as much of it as is needed to say so; whoever reads gets it all the same.
    pub(super) async fn begins_with(&mut self, expected: &[u8]) -> bool {
        self.ahead.reserve(READ_AHEAD);
        loop {
            let length = self.ahead.len().min(expected.len());
            if self.ahead[..length] != expected[..length] {
                return false;
            }
            if length == expected.len() {
                return true;
            }
            if !matches!(self.stream.read_buf(&mut self.ahead).await, Ok(1..)) {
                return false;
            }
        }
    }

    /// Bounds how long a write may wait.
    fn waited(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let send_timeout = self.send_timeout;
        let deadline =
            self.deadline.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + send_timeout)));
        ready!(deadline.as_mut().poll(cx));
        self.stalled.store(true, Ordering::Relaxed);
        Poll::Ready(io::Error::new(io::ErrorKind::TimedOut, "the peer took nothing for too long"))
    }

    fn written(&mut self, written: Poll<io::Result<usize>>, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if let Some(waits) = &self.waits {
            waits.store(written.is_pending(), Ordering::Relaxed);
        }
        if written.is_pending() {
            return self.waited(cx).map(Err);
        }
        self.deadline = None;
        self.noticed(written)
    }

    /// The kernel begins to count when the peer takes no more, which is before the buffer here is full.
    fn noticed<T>(&self, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &done
            && error.kind() == io::ErrorKind::TimedOut
        {
            self.stalled.store(true, Ordering::Relaxed);
        }
        done
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.ahead.is_empty() {
            let length = self.ahead.len().min(buffer.remaining());
            buffer.put_slice(&self.ahead.split_to(length));
            if self.ahead.is_empty() {
                // The memory goes with it.
                self.ahead = BytesMut::new();
            }
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.noticed(read)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.written(written, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, slices);
        self.written(written, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
