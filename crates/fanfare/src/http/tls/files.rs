//! The files of a listener: what is in them, what is wrong with them, and whether they have changed.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::{HTTP1, HTTP2, name};

/// Bytes of a file. All authorities that browsers believe are a quarter of it.
const MAX_FILE: u64 = 1 << 20;

/// How long before its end a certificate is warned of. Those of Let's Encrypt are renewed thirty days before.
const EXPIRES_SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Where the files of a listener are.
#[derive(Clone, Debug)]
pub(crate) struct TlsFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
    pub(crate) client_ca: Option<PathBuf>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TlsFile {
    Certificate,
    Key,
    ClientCa,
}

/// What came of reading them.
pub(super) struct Loaded {
    pub(super) config: ServerConfig,
    pub(super) identity: Identity,
    pub(super) stamps: Stamps,
}

/// Whom the server's certificate names, and until when. Empty and `None` where only the TLS library can read it.
#[derive(Clone, Debug, Default)]
pub(super) struct Identity {
    pub(super) subject: String,
    pub(super) expires: Option<Timestamp>,
}

/// That a certificate ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Within [`EXPIRES_SOON`].
    Soon(Timestamp),
    /// It has.
    Over(Timestamp),
}

/// What is known of the files without reading them. Paths are followed, so that a link that leads elsewhere is a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stamps([Option<Stamp>; 3]);

/// Device and inode, bytes, and when the content and the file itself were last changed. `None`: there is no such file.
type Stamp = (u64, u64, u64, (i64, i64), (i64, i64));

/// Why the files cannot be used. The operator must do something about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("the file of {0} cannot be used: {1}")]
    Unreadable(TlsFile, ReadError),
    #[error("the file of {0} is not PEM")]
    NotPem(TlsFile),
    #[error("the file of {0} has no certificate")]
    NoCertificate(TlsFile),
    #[error("the file of {0} has a certificate that cannot be read")]
    BadCertificate(TlsFile),
    #[error("the file of `key` has no private key")]
    NoKey,
    #[error("the private key is encrypted")]
    EncryptedKey,
    #[error("the private key cannot be used")]
    BadKey,
    #[error("the private key is not that of the certificate")]
    Mismatch,
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

/// Why a file cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("there is no such file")]
    Missing,
    #[error("this process may not read it")]
    Forbidden,
    #[error("it is no regular file")]
    NotRegular,
    #[error("it is larger than 1 MiB")]
    TooLarge,
    #[error("{0}")]
    Io(io::Error),
}

impl TlsFiles {
    /// Reads them all.
    pub(super) fn load(&self) -> Result<Loaded, TlsError> {
        // Before they are read: what changes meanwhile is seen at the next look.
        let stamps = self.stamps();
        let chain = certificates(TlsFile::Certificate, &self.certificate)?;
        let key = private_key(&read(TlsFile::Key, &self.key)?)?;
        let identity = chain.first().map(Identity::new).unwrap_or_default();
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider));
        let builder = builder.with_safe_default_protocol_versions().map_err(TlsError::Setup)?;
        let builder = match &self.client_ca {
            Some(path) => builder.with_client_cert_verifier(verifier(path, provider)?),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(unusable)?;
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        // Clients that come back are spared a handshake in full, and nothing is kept for them here. With other files there
        // are other keys, so what a former authority let in is not taken on.
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
        Ok(Loaded { config, identity, stamps })
    }

    /// What is known of them without reading them.
    pub(super) fn stamps(&self) -> Stamps {
        let stamp = |path: &Path| std::fs::metadata(path).ok().map(|metadata| stamp(&metadata));
        Stamps([stamp(&self.certificate), stamp(&self.key), self.client_ca.as_deref().and_then(stamp)])
    }
}

fn stamp(metadata: &Metadata) -> Stamp {
    use std::os::unix::fs::MetadataExt as _;

    let changed = (metadata.ctime(), metadata.ctime_nsec());
    (metadata.dev(), metadata.ino(), metadata.size(), (metadata.mtime(), metadata.mtime_nsec()), changed)
}

#[cfg(test)]
impl Stamps {
    pub(super) fn of_test(number: u64) -> Self {
        Self([Some((0, 0, number, (0, 0), (0, 0))), None, None])
    }
}

impl Identity {
    fn new(certificate: &CertificateDer<'_>) -> Self {
        let Ok(certificate) = Certificate::from_der(certificate) else { return Self::default() };
        let fields = &certificate.tbs_certificate;
        let seconds = fields.validity.not_after.to_unix_duration().as_secs();
        let expires = i64::try_from(seconds).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
        Self { subject: name::ascii(&fields.subject), expires }
    }

    /// Its end, if that is near.
    pub(super) fn ending(&self, now: Timestamp) -> Option<Ending> {
        let expires = self.expires?;
        let left = expires.duration_since(now);
        if left <= SignedDuration::ZERO {
            Some(Ending::Over(expires))
        } else {
            (left <= EXPIRES_SOON).then_some(Ending::Soon(expires))
        }
    }
}

/// Asks clients for certificates of these authorities, and lets in those that show none.
fn verifier(
    path: &Path,
    provider: Arc<rustls::crypto::CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(TlsFile::ClientCa, path)? {
        roots.add(certificate).map_err(|_| TlsError::BadCertificate(TlsFile::ClientCa))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    builder.allow_unauthenticated().build().map_err(|_| TlsError::BadCertificate(TlsFile::ClientCa))
}

fn unusable(error: rustls::Error) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(_) => TlsError::Mismatch,
        rustls::Error::InvalidCertificate(_) => TlsError::BadCertificate(TlsFile::Certificate),
        rustls::Error::General(_) => TlsError::BadKey,
        other => TlsError::Setup(other),
    }
}

/// The certificates of a file, at least one.
fn certificates(file: TlsFile, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(file, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match found {
        Ok(found) if found.is_empty() => Err(TlsError::NoCertificate(file)),
        Ok(found) => Ok(found),
        Err(_) => Err(TlsError::NotPem(file)),
    }
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, TlsError> {
    const ENCRYPTED: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];
    if ENCRYPTED.iter().any(|mark| pem.windows(mark.len()).any(|part| part == *mark)) {
        return Err(TlsError::EncryptedKey);
    }
    PrivateKeyDer::from_pem_slice(pem).map_err(|error| match error {
        pem::Error::NoItemsFound => TlsError::NoKey,
        _ => TlsError::NotPem(TlsFile::Key),
    })
}

fn read(file: TlsFile, path: &Path) -> Result<Vec<u8>, TlsError> {
    read_regular(path).map_err(|error| TlsError::Unreadable(file, error))
}

/// A pipe might never end, or never begin.
fn read_regular(path: &Path) -> Result<Vec<u8>, ReadError> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(ReadError::NotRegular);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE { Err(ReadError::TooLarge) } else { Ok(bytes) }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::Io(error),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Soon(time) => write!(f, "the certificate expires at {time}"),
            Self::Over(time) => write!(f, "the certificate expired at {time}: clients refuse it"),
        }
    }
}

impl fmt::Display for TlsFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate => "`certificate`",
            Self::Key => "`key`",
            Self::ClientCa => "`client_ca`",
        })
    }
}

impl TlsError {
    /// The file that it is about.
    pub(crate) fn file(&self) -> TlsFile {
        match self {
            Self::Unreadable(file, _)
            | Self::NotPem(file)
            | Self::NoCertificate(file)
            | Self::BadCertificate(file) => *file,
            Self::NoKey | Self::EncryptedKey | Self::BadKey | Self::Mismatch => TlsFile::Key,
            Self::Setup(_) => TlsFile::Certificate,
        }
    }

    /// What to do about it.
    pub(crate) fn advice(&self) -> &'static str {
        match self {
            Self::Unreadable(_, ReadError::Missing) => {
                "a relative path starts from the folder of the configuration file"
            }
            Self::Unreadable(_, ReadError::Forbidden) => "let the user that this runs as read it",
            Self::Unreadable(..) => "name a PEM file",
            Self::NotPem(_) | Self::NoCertificate(_) | Self::BadCertificate(_) => {
                "it is blocks that begin with `-----BEGIN CERTIFICATE-----`, the server's own first; `openssl x509 -in \
                 FILE -noout -text` shows what is in one"
            }
            Self::NoKey => {
                "it is a block that begins with `-----BEGIN PRIVATE KEY-----`, with `RSA` or `EC` before `PRIVATE` in \
                 older files"
            }
            Self::EncryptedKey => "`openssl pkey -in FILE -out DECRYPTED` writes it as it can be read",
            Self::BadKey => "keys are RSA of 2048 bits and more, ECDSA on P-256, P-384 or P-521, or Ed25519",
            Self::Mismatch => {
                "name the key that the certificate was made for; in the certificate's file the server's own is the first"
            }
            Self::Setup(_) => "this is an error of ours: please report it",
        }
    }
}
