//! What the bytes of a connection go over.

use std::io::{self, Read, Write};
use std::net::TcpStream;

#[cfg(feature = "tls")]
use rustls::{ClientConnection, ServerConnection, StreamOwned};

/// TCP, or TLS over it.
#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    /// This end is the server.
    #[cfg(feature = "tls")]
    Served(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// The socket below.
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Tcp(stream) => stream,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref(),
            #[cfg(feature = "tls")]
            Self::Served(stream) => stream.get_ref(),
        }
    }

    /// Shakes hands.
    #[cfg(feature = "tls")]
    pub(crate) fn with_tls(self, client: &crate::tls::TlsClient) -> io::Result<Self> {
        let Self::Tcp(mut tcp) = self else { return Err(io::Error::other("TLS has been spoken already")) };
        let mut connection = client.connection(tcp.peer_addr()?.ip())?;
        while connection.is_handshaking() {
            connection.complete_io(&mut tcp)?;
        }
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, tcp))))
    }

    /// Shakes hands as the server, over TCP.
    #[cfg(feature = "tls")]
    pub(crate) fn serve_tls(self, server: &crate::tls::TlsServer) -> io::Result<Self> {
        let Self::Tcp(mut tcp) = self else { return Err(io::Error::other("TLS has been spoken already")) };
        let mut connection = server.connection()?;
        while connection.is_handshaking() {
            connection.complete_io(&mut tcp)?;
        }
        Ok(Self::Served(Box::new(StreamOwned::new(connection, tcp))))
    }

    /// The certificate that the other end showed, in DER.
    #[cfg(feature = "tls")]
    pub(crate) fn certificate(&self) -> Option<Vec<u8>> {
        let certificates = match self {
            Self::Tcp(_) => None,
            Self::Tls(stream) => stream.conn.peer_certificates(),
            Self::Served(stream) => stream.conn.peer_certificates(),
        };
        certificates?.first().map(|certificate| certificate.to_vec())
    }

    /// Whether the handshake took up a former one.
    #[cfg(feature = "tls")]
    pub(crate) fn is_resumed(&self) -> bool {
        let Self::Tls(stream) = self else { return false };
        stream.conn.handshake_kind() == Some(rustls::HandshakeKind::Resumed)
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.read(buffer),
            #[cfg(feature = "tls")]
            Self::Served(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.write(bytes),
            #[cfg(feature = "tls")]
            Self::Served(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.flush(),
            #[cfg(feature = "tls")]
            Self::Served(stream) => stream.flush(),
        }
    }
}
