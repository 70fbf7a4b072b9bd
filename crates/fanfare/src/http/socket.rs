//! A TCP connection that gives up on a peer that takes nothing.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// A socket whose writes must get on. Once a write has waited for `send_timeout`, or the kernel says that the peer has
/// acknowledged nothing for so long, the socket fails with [`io::ErrorKind::TimedOut`], and says so to whoever watches.
#[derive(Debug)]
pub(super) struct Socket {
    stream: TcpStream,
    send_timeout: Duration,
    /// Runs while a write waits.
    deadline: Option<Pin<Box<Sleep>>>,
    stalled: Arc<AtomicBool>,
}

impl Socket {
    pub(super) fn new(
        stream: TcpStream,
        send_timeout: Duration,
        stalled: Arc<AtomicBool>,
    ) -> io::Result<Self> {
        // A frame goes out when it is there; waiting for more is what the fan-out does, not the kernel.
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        // The kernel gives up on a peer that acknowledges nothing for so long, also where nothing waits here.
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(send_timeout))?;
        socket.set_keepalive(true)?;
        Ok(Self { stream, send_timeout, deadline: None, stalled })
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
        if written.is_pending() {
            return self.waited(cx).map(Err);
        }
        self.deadline = None;
        self.watched(written)
    }

    /// The kernel begins to count when the peer takes no more, which is before the buffer here is full.
    fn watched<T>(&self, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
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
        let read = Pin::new(&mut self.stream).poll_read(cx, buffer);
        self.watched(read)
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
