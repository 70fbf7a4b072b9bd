//! A connection: TCP, TLS where it is asked for, and AMQP's handshake, all within a deadline.

use std::io;
use std::path::Path;
use std::time::Duration;

use async_rs::{Runtime, Tokio};
use lapin::tcp::{AsyncTcpStream, RustlsConnector, RustlsConnectorConfig};
use lapin::types::LongString;
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{Connection, ConnectionProperties};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::life::Life;
use crate::runtime::{self, Guarded};
use crate::session::Error;
use crate::settings::{Certificates, Settings};

/// For TCP, TLS and AMQP's handshake together, and for all declarations. A broker that is slower is asked again later.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A connection whose socket has this life.
pub(crate) async fn connect(settings: &Settings, life: &Life) -> Result<Connection, Error> {
    let tls = match &settings.tls {
        Some(certificates) => Some(connector(certificates).await?),
        None => None,
    };
    let name = LongString::from(settings.connection_name.as_str());
    let properties = ConnectionProperties::default().with_connection_name(name);
    let life = life.share();
    let sockets: Runtime<Tokio> = Runtime::tokio_current();
    let connecting = Connection::connector(
        uri(settings),
        runtime::current(),
        async move |uri: AMQPUri, _| {
            let AMQPAuthority { host, port, .. } = uri.authority;
            let connected = async {
                let addresses = sockets.to_socket_addrs((host.clone(), port));
                let stream = AsyncTcpStream::connect(&sockets, addresses).await?;
                let stream = match &tls {
                    Some(connector) => stream.into_rustls(connector, &host).await?,
                    None => stream,
                };
                io::Result::Ok(AsyncTcpStream::Plain(Guarded::new(stream, life.share())))
            };
            // Here too, because the thread that waits for this outlives the one who asked for it.
            let connected = tokio::time::timeout(DEADLINE, connected).await;
            Ok(connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))?)
        },
        properties,
    );
    match tokio::time::timeout(DEADLINE, connecting).await {
        Ok(connected) => connected.map_err(|error| Error::connect(&error)),
        Err(_) => Err(Error::Connect(format!("no answer within {} s", DEADLINE.as_secs()))),
    }
}

fn uri(settings: &Settings) -> AMQPUri {
    let heartbeat = settings.heartbeat.as_secs().max(1);
    AMQPUri {
        scheme: if settings.tls.is_some() { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo {
                username: settings.username.clone(),
                password: settings.password.expose().to_owned(),
            },
            host: settings.host.clone(),
            port: settings.port,
        },
        vhost: settings.vhost.clone(),
        query: AMQPQueryString {
            heartbeat: Some(u16::try_from(heartbeat).unwrap_or(u16::MAX)),
            ..AMQPQueryString::default()
        },
    }
}

async fn connector(certificates: &Certificates) -> Result<RustlsConnector, Error> {
    let config = match &certificates.ca {
        Some(file) => {
            RustlsConnectorConfig::default().with_parsable_certificates(read_certificates(file).await?)
        }
        None => RustlsConnectorConfig::new_with_platform_verifier(),
    };
    let Some((certificate, key)) = &certificates.identity else {
        return config.connector_with_no_client_auth().map_err(|error| Error::Connect(error.to_string()));
    };
    let chain = read_certificates(certificate).await?;
    let der = PrivateKeyDer::from_pem_slice(&read(key).await?)
        .map_err(|error| Error::file(key, format!("it has no private key in PEM: {error}")))?;
    config.connector_with_single_cert(chain, der).map_err(|error| Error::file(key, error))
}

async fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let pem = read(path).await?;
    let certificates = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    match certificates {
        Ok(certificates) if certificates.is_empty() => Err(Error::file(path, "it has no certificate in PEM")),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(Error::file(path, error)),
    }
}

async fn read(path: &Path) -> Result<Vec<u8>, Error> {
    tokio::fs::read(path).await.map_err(|error| Error::file(path, error))
}
