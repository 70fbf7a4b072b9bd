//! What a client showed of itself in the handshake, as fields of its requests; or why it was not taken.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::{CertificateError, OtherError};
use tracing::warn;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::name;
use crate::http::Peer;

/// The certificate in PEM, percent-encoded, as nginx's `$ssl_client_escaped_cert` is.
const CERTIFICATE: HeaderName = HeaderName::from_static("x-client-certificate");

/// Whom it names (RFC 4514).
const SUBJECT: HeaderName = HeaderName::from_static("x-client-certificate-subject");

/// All but what RFC 3986, 2.3, calls unreserved.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Characters of a line of PEM (RFC 7468, 2).
const PEM_LINE: usize = 64;

/// The fields of one client, which may have shown nothing.
#[derive(Debug, Default)]
pub(super) struct Shown {
    certificate: Option<HeaderValue>,
    subject: Option<HeaderValue>,
}

impl Shown {
    /// `certificate` has been verified, if there is one.
    pub(super) fn new(certificate: Option<&CertificateDer<'_>>, peer: &Peer) -> Self {
        let Some(certificate) = certificate else { return Self::default() };
        let subject = Certificate::from_der(certificate)
            .ok()
            .and_then(|read| HeaderValue::from_str(&name::ascii(&read.tbs_certificate.subject)).ok());
        if subject.is_none() {
            warn!(peer = %peer.address, "the subject of a client's certificate cannot be read; its requests have none");
        }
        // What is percent-encoded is ASCII.
        let certificate = HeaderValue::from_str(&escaped_pem(certificate)).ok();
        Self { certificate, subject }
    }

    /// Puts the fields into a request, in the place of those that the client sent under their names itself.
    pub(super) fn replace(&self, headers: &mut HeaderMap) {
        for (name, value) in [(CERTIFICATE, &self.certificate), (SUBJECT, &self.subject)] {
            headers.remove(&name);
            headers.extend(value.clone().map(|value| (name, value)));
        }
    }
}

/// Why a client's certificate was not taken, for who has to get it another one. What is not known here is said as the
/// library does.
pub(super) fn refusal(error: &CertificateError) -> Cow<'static, str> {
    Cow::Borrowed(match error {
        CertificateError::UnknownIssuer => {
            "no authority of `client_ca` has signed it, or one between was not shown"
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet",
        CertificateError::BadSignature => "its signature is not one of the authority that it names",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "it is not for clients: its `extendedKeyUsage` is without `clientAuth`"
        }
        CertificateError::Other(OtherError(error)) => return Cow::Owned(error.to_string()),
        other => return Cow::Owned(other.to_string()),
    })
}

fn escaped_pem(certificate: &[u8]) -> String {
    let base64 = BASE64_STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII.
        let (line, behind) = rest.split_at(rest.len().min(PEM_LINE));
        pem.push_str(line);
        pem.push('\n');
        rest = behind;
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    utf8_percent_encode(&pem, ESCAPED).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn headers(fields: &[(HeaderName, &'static str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn what_a_client_sends_itself_is_dropped() {
        let forged = || {
            let mut forged = headers(&[
                (CERTIFICATE, "forged"),
                (SUBJECT, "CN=admin"),
                (HeaderName::from_static("x"), "y"),
            ]);
            forged.append(SUBJECT, HeaderValue::from_static("CN=again"));
            forged
        };
        let mut request = forged();
        Shown::default().replace(&mut request);
        assert_eq!(request, headers(&[(HeaderName::from_static("x"), "y")]));

        let shown = Shown {
            certificate: Some(HeaderValue::from_static("pem")),
            subject: Some(HeaderValue::from_static("CN=a")),
        };
        let mut request = forged();
        shown.replace(&mut request);
        let expected = [(CERTIFICATE, "pem"), (SUBJECT, "CN=a"), (HeaderName::from_static("x"), "y")];
        assert_eq!(request, headers(&expected));
    }

    proptest! {
        #[test]
        fn what_is_no_certificate_names_nobody(bytes: Vec<u8>) {
            let peer = Peer::new(([127, 0, 0, 1], 1).into());
            let shown = Shown::new(Some(&CertificateDer::from(bytes)), &peer);
            prop_assert!(shown.certificate.is_some() && shown.subject.is_none());
        }
    }

    #[test]
    fn a_certificate_is_escaped_as_nginx_does() {
        let begin = "-----BEGIN%20CERTIFICATE-----%0A";
        let end = "%0A-----END%20CERTIFICATE-----%0A";
        assert_eq!(escaped_pem(&[0xfb, 0xff]), format!("{begin}%2B%2F8%3D{end}"));
        let (line, rest) = ("A".repeat(PEM_LINE), "AAAA");
        assert_eq!(escaped_pem(&[0; 51]), format!("{begin}{line}%0A{rest}{end}"));
        assert_eq!(escaped_pem(&[0; 48]), format!("{begin}{line}{end}"));
    }
}
