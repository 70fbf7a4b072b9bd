//! Distinguished names as text (RFC 4514) that a header can hold.

use std::fmt::Write as _;

use x509_cert::name::Name;

/// A name, the most specific part first, of which each byte that is not ASCII is `\` and two hexadecimal digits
/// (RFC 4514, 2.4).
pub(super) fn ascii(name: &Name) -> String {
    let text = name.to_string();
    if text.is_ascii() {
        return text;
    }
    let mut escaped = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii() {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "\\{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};
    use x509_cert::Certificate;
    use x509_cert::der::Decode as _;

    use super::*;

    /// The subject of a certificate that was made with these parts, in this order.
    fn subject(parts: &[(DnType, DnValue)]) -> Result<String, Box<dyn std::error::Error>> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), value.clone());
        }
        let der = params.self_signed(&KeyPair::generate()?)?.der().to_vec();
        Ok(ascii(&Certificate::from_der(&der)?.tbs_certificate.subject))
    }

    #[track_caller]
    fn check(parts: &[(DnType, &str)], expected: &str) {
        let parts: Vec<_> = parts.iter().map(|(kind, value)| (kind.clone(), DnValue::from(*value))).collect();
        let subject = subject(&parts).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(subject, expected);
        assert!(HeaderValue::from_str(&subject).is_ok(), "{subject:?}");
    }

    /// The value of a name's only part, without escapes (RFC 4514, 3).
    fn unescaped(value: &str) -> Vec<u8> {
        let mut rest = value.as_bytes();
        let mut bytes = Vec::new();
        while let [first, behind @ ..] = rest {
            let hex = behind.get(..2).filter(|pair| pair.iter().all(u8::is_ascii_hexdigit));
            let hex = hex.and_then(|pair| std::str::from_utf8(pair).ok());
            let byte = hex.and_then(|pair| u8::from_str_radix(pair, 16).ok());
            let (taken, left) = match (first, byte, behind) {
                (b'\\', Some(byte), _) => (byte, &behind[2..]),
                (b'\\', None, [escaped, left @ ..]) => (*escaped, left),
                _ => (*first, behind),
            };
            bytes.push(taken);
            rest = left;
        }
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// So nobody can be called what somebody else is called.
        #[test]
        fn a_name_says_exactly_who_it_is(text in "\\PC{1,16}|[ #+,;<>=\"\\\\\r\n\0a]{1,8}") {
            let subject = subject(&[(DnType::CommonName, DnValue::from(text.as_str()))]);
            let subject = subject.unwrap_or_else(|error| panic!("{error}"));
            prop_assert!(HeaderValue::from_str(&subject).is_ok(), "{}", subject);
            let value = subject.strip_prefix("CN=").unwrap_or_default();
            prop_assert_eq!(unescaped(value), text.as_bytes());
        }
    }

    #[test]
    fn a_name_is_text_that_a_header_can_hold() {
        use DnType::{CommonName, OrganizationName};
        check(&[], "");
        check(&[(CommonName, "internal-collector")], "CN=internal-collector");
        check(&[(OrganizationName, "Acme, Inc."), (CommonName, "a")], "CN=a,O=Acme\\, Inc.");
        check(&[(CommonName, "größe \u{1f980}")], "CN=gr\\C3\\B6\\C3\\9Fe \\F0\\9F\\A6\\80");
        check(&[(CommonName, " a\r\nX: y\0 ")], "CN=\\ a\\0d\\0aX: y\\00\\ ");
        check(&[(CommonName, "#a+b\"c\\d<e>;")], "CN=\\#a\\+b\\\"c\\\\d\\<e\\>\\;");
    }
}
