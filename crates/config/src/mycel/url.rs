//! URLs of brokers (AMQP URI specification), put together of their parts.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::Secret;

/// All but what RFC 3986, 2.3, calls unreserved.
const RESERVED: AsciiSet = NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The URL of a broker. A vhost may begin with a slash, which is then not part of it, as in Mycel.
pub(super) fn join(
    scheme: &str,
    username: &str,
    password: &Secret,
    host: &str,
    port: i64,
    vhost: &str,
) -> Secret {
    let encoded = |part| utf8_percent_encode(part, &RESERVED);
    let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
    let vhost = vhost.strip_prefix('/').unwrap_or(vhost);
    let vhost = if vhost.is_empty() { "/" } else { vhost };
    let (username, password, vhost) = (encoded(username), encoded(password.expose()), encoded(vhost));
    format!("{scheme}://{username}:{password}@{host}:{port}/{vhost}").into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_are_joined() {
        let check = |user: &str, password: &str, host: &str, vhost: &str, expected: &str| {
            let url = join("amqp", user, &Secret::from(password.to_owned()), host, 5672, vhost);
            assert_eq!(url.expose(), expected);
        };
        check("guest", "guest", "localhost", "/", "amqp://guest:guest@localhost:5672/%2F");
        check("guest", "guest", "localhost", "", "amqp://guest:guest@localhost:5672/%2F");
        check("a", "p@ss/w:rd%", "rabbit-mq", "/prod", "amqp://a:p%40ss%2Fw%3Ard%25@rabbit-mq:5672/prod");
        check("a", "b", "::1", "a/b", "amqp://a:b@[::1]:5672/a%2Fb");
    }

    proptest! {
        #[test]
        fn no_part_reaches_into_another(user in "\\PC*", password in "\\PC*", vhost in "[^/]\\PC*") {
            let url = join("amqps", &user, &Secret::from(password.clone()), "h", 1, &vhost);
            let rest = url.expose().strip_prefix("amqps://").unwrap();
            let (info, rest) = rest.split_once('@').unwrap();
            let (read_user, read_password) = info.split_once(':').unwrap();
            let read_vhost = rest.strip_prefix("h:1/").unwrap();
            let decoded = |text| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
            prop_assert_eq!((decoded(read_user), decoded(read_password), decoded(read_vhost)), (user, password, vhost));
        }
    }
}
