//! Listening, and what is set on the sockets of all connections.

use std::io;
use std::net::SocketAddr;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tracing::{debug, warn};

#[cfg(feature = "tls")]
use super::Tls;

/// Connections that the kernel completes before they are accepted. After a restart all clients come back at once;
/// the kernel caps this at `net.core.somaxconn`.
pub(super) const BACKLOG: u32 = 4096;

/// How long accepting rests when no connection can be had, because all file descriptors are in use say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Bytes that the kernel may keep for one client; Linux doubles the number for its own overhead, and a stream over a path of
/// 100 ms gets 2.5 MB a second with it. Left to itself it goes up to 4 MiB (`net.ipv4.tcp_wmem`): a thousand clients that
/// read nothing of 800 KB took 720 KB each, and 250 KB with this. It costs replay something over loopback: one client alone
/// got 1,040 MB a second without it and 630 with it, once each.
const SEND_BUFFER: usize = 128 * 1024;

/// Bytes of these that are not on their way yet, above which a socket takes no more: what a client does not read stays in the
/// window, which all share. With it the thousand took 30 KB each (55 KB at most). 500 clients that replay got 3.7 million
/// events a second with both bounds and 4.2 million with neither, while others saw a p99 of 23 and 32 ms.
#[cfg(target_os = "linux")]
const MAX_UNSENT: u32 = 16 * 1024;

/// What connections of a listener are like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SocketOptions {
    /// How long the kernel waits for a peer that acknowledges nothing, also where nothing waits here.
    pub(crate) send_timeout: Duration,
}

impl SocketOptions {
    /// Sets them on a socket.
    fn set<'a>(self, socket: impl Into<SockRef<'a>>) -> io::Result<()> {
        let socket = socket.into();
        // A frame goes out when it is there. Without it each waits until the one before is acknowledged: events 6 ms apart
        // took 18 ms at the median and 40 ms at p99 to a client that delays its acknowledgements, and 1.5 and 5 ms with it.
        socket.set_tcp_nodelay(true)?;
        socket.set_keepalive(true)?;
        socket.set_send_buffer_size(SEND_BUFFER)?;
        #[cfg(target_os = "linux")]
        {
            socket.set_tcp_notsent_lowat(MAX_UNSENT)?;
            socket.set_tcp_user_timeout(Some(self.send_timeout))?;
        }
        Ok(())
    }
}

/// What connections of a listener speak below HTTP.
#[derive(Clone, Debug)]
pub(crate) enum Transport {
    Tcp,
    #[cfg(feature = "tls")]
    Tls(Arc<Tls>),
}

impl Transport {
    /// Of the URLs that lead here.
    pub(crate) fn scheme(&self) -> &'static str {
        match self {
            Self::Tcp => "http",
            #[cfg(feature = "tls")]
            Self::Tls(_) => "https",
        }
    }
}

/// A listening socket.
#[derive(Debug)]
pub(crate) struct Listener {
    /// As the topology calls it.
    name: Option<String>,
    socket: tokio::net::TcpListener,
    address: SocketAddr,
    transport: Transport,
    options: SocketOptions,
    /// Whether the latest accept failed, so that one failure is one log line.
    failing: bool,
}

impl Listener {
    /// Listens on the first address of `host` that can be had. Port 0 is any free port.
    pub(crate) async fn bind(
        name: Option<String>,
        host: &str,
        port: u16,
        transport: Transport,
        options: SocketOptions,
    ) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in lookup_host((host, port)).await? {
            match Self::bind_address(address, options) {
                Ok((socket, address)) => {
                    return Ok(Self { name, socket, address, transport, options, failing: false });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn bind_address(
        address: SocketAddr,
        options: SocketOptions,
    ) -> io::Result<(tokio::net::TcpListener, SocketAddr)> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        // Linux gives them to the sockets that are accepted; others are asked again for each.
        options.set(&socket)?;
        socket.bind(address)?;
        let socket = socket.listen(BACKLOG)?;
        let address = socket.local_addr()?;
        Ok((socket, address))
    }

    /// Its name; `None` is the default one.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The address that is listened on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What its connections speak below HTTP.
    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// The URL that leads here, without a path.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.transport.scheme(), self.address)
    }

    /// The next connection.
    pub(crate) async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match self.socket.accept().await {
                Ok(accepted) => {
                    self.failing = false;
                    if cfg!(not(target_os = "linux"))
                        && let Err(error) = self.options.set(&accepted.0)
                    {
                        debug!(%error, "a connection ended before it was served");
                    }
                    return accepted;
                }
                Err(error) if is_of_one_connection(&error) => {
                    debug!(%error, "a connection ended before it was accepted");
                }
                Err(error) => {
                    if !std::mem::replace(&mut self.failing, true) {
                        warn!(%error, "no connection can be accepted; trying again (is the limit of open files too low?)");
                    }
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    )
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn accepted_sockets_are_like_the_listener() {
        let options = SocketOptions { send_timeout: Duration::from_millis(1234) };
        let mut listener = Listener::bind(None, "127.0.0.1", 0, Transport::Tcp, options).await.unwrap();
        let _client = TcpStream::connect(listener.address()).await.unwrap();
        let (accepted, _) = listener.accept().await;
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().unwrap());
        assert!(socket.keepalive().unwrap());
        assert_eq!(socket.send_buffer_size().unwrap(), 2 * SEND_BUFFER, "the kernel doubles it");
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), MAX_UNSENT);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(options.send_timeout));
    }
}
