//! Certificates for both ends of a connection, and clients and servers that look at them.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair,
    date_time_ymd,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};

/// What an authority's certificates name as their server.
const SERVER: [&str; 2] = ["127.0.0.1", "localhost"];

/// A certificate authority of a test's own.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, both in PEM.
#[derive(Clone, Debug)]
pub struct Certified {
    /// The certificate.
    pub certificate: String,
    /// The private key (PKCS#8).
    pub key: String,
}

impl Authority {
    /// One of this name.
    pub fn new(name: &str) -> io::Result<Self> {
        let mut params = params(&[(DnType::CommonName, name)])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().map_err(io::Error::other)?;
        CertifiedIssuer::self_signed(params, key).map(Self).map_err(io::Error::other)
    }

    /// Its own certificate in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for a server on this machine.
    pub fn server(&self, common_name: &str) -> io::Result<Certified> {
        self.certify(&params(&[(DnType::CommonName, common_name)])?)
    }

    /// One that ended long ago.
    pub fn expired_server(&self) -> io::Result<Certified> {
        let mut params = params(&[(DnType::CommonName, "expired")])?;
        params.not_after = date_time_ymd(2020, 1, 1);
        self.certify(&params)
    }

    /// A certificate for a client of this subject; the parts are in the order of the certificate, which is from the general
    /// to the specific.
    pub fn client(&self, organization: &str, common_name: &str) -> io::Result<Certified> {
        self.certify(&params(&[(DnType::OrganizationName, organization), (DnType::CommonName, common_name)])?)
    }

    fn certify(&self, params: &CertificateParams) -> io::Result<Certified> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.0).map_err(io::Error::other)?;
        Ok(Certified { certificate: certificate.pem(), key: key.serialize_pem() })
    }
}

fn params(subject: &[(DnType, &str)]) -> io::Result<CertificateParams> {
    let mut params = CertificateParams::new(SERVER.map(str::to_owned)).map_err(io::Error::other)?;
    params.not_before = date_time_ymd(2019, 1, 1);
    params.distinguished_name = DistinguishedName::new();
    for (kind, value) in subject {
        params.distinguished_name.push(kind.clone(), *value);
    }
    Ok(params)
}

/// What a client believes, and what it shows.
#[derive(Clone, Debug)]
pub struct TlsClient(Arc<ClientConfig>);

impl TlsClient {
    /// A client that believes this authority (in PEM), may have a certificate, and offers these protocols (ALPN).
    pub fn new(authority: &str, own: Option<&Certified>, protocols: &[&str]) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate(authority)?).map_err(io::Error::other)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots);
        let mut config = match own {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).map_err(io::Error::other)?;
                let chain = vec![certificate(&own.certificate)?];
                builder.with_client_auth_cert(chain, key).map_err(io::Error::other)?
            }
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        Ok(Self(Arc::new(config)))
    }

    /// Its configuration, for clients of other libraries.
    pub fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }

    pub(crate) fn connection(&self, server: IpAddr) -> io::Result<ClientConnection> {
        ClientConnection::new(self.config(), ServerName::from(server)).map_err(io::Error::other)
    }
}

/// What a server shows, and whom it lets in.
#[derive(Clone, Debug)]
pub struct TlsServer(Arc<ServerConfig>);

impl TlsServer {
    /// A server with this certificate. Where there is an authority (in PEM), clients need a certificate of it.
    pub fn new(own: &Certified, clients: Option<&str>) -> io::Result<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(certificate(authority)?).map_err(io::Error::other)?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().map_err(io::Error::other)?)
            }
        };
        let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).map_err(io::Error::other)?;
        let chain = vec![certificate(&own.certificate)?];
        builder.with_single_cert(chain, key).map(|config| Self(Arc::new(config))).map_err(io::Error::other)
    }

    pub(crate) fn connection(&self) -> io::Result<ServerConnection> {
        ServerConnection::new(Arc::clone(&self.0)).map_err(io::Error::other)
    }
}

/// A certificate of PEM in DER.
pub fn certificate(pem: &str) -> io::Result<CertificateDer<'static>> {
    CertificateDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other)
}
