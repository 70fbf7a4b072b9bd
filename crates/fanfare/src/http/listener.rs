//! Listening, and the process's limit of connections.

use std::io;
use std::net::SocketAddr;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpSocket, TcpStream, lookup_host};
use tracing::{debug, warn};

#[cfg(feature = "tls")]
use super::Tls;

/// Connections that the kernel completes before they are accepted. After a restart all clients come back at once;
/// the kernel caps this at `net.core.somaxconn`.
const BACKLOG: u32 = 4096;

/// How long accepting rests when no connection can be had, because all file descriptors are in use say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
    ) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        for address in lookup_host((host, port)).await? {
            match Self::bind_address(address) {
                Ok((socket, address)) => {
                    return Ok(Self { name, socket, address, transport, failing: false });
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn bind_address(address: SocketAddr) -> io::Result<(tokio::net::TcpListener, SocketAddr)> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
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

/// Raises the process's limit of open files as far as it may itself: each stream takes one.
pub(crate) fn raise_descriptor_limit() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard { setrlimit(Resource::RLIMIT_NOFILE, hard, hard) } else { Ok(()) }
    });
    if let Err(error) = raised {
        warn!(%error, "the limit of open files cannot be raised");
    }
}
