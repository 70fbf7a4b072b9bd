//! Clients that do not speak TLS where TLS is spoken: those of HTTP are told so, in clear text.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tracing::debug;

use crate::http::Peer;

/// What every record of a handshake begins with (RFC 8446, 5.1), and no request of HTTP.
const HANDSHAKE: u8 = 22;

/// Bytes of a request that are read before it is refused, so that the answer is not lost to a reset.
const TAKEN: usize = 16 * 1024;

/// The answer to a request of HTTP.
const ANSWER: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: application/problem+json\r\ncache-control: no-store\r\n\
                      connection: close\r\ncontent-length: 105\r\n\r\n\
                      {\"type\":\"about:blank\",\"title\":\"Bad Request\",\"status\":400,\
                      \"detail\":\"this port speaks https, and not http\"}";

/// The connection, if it begins with a handshake. Otherwise `None`, after one line of the log.
pub(super) async fn refuse_plain(mut stream: TcpStream, peer: &Peer) -> Option<TcpStream> {
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) if first[0] == HANDSHAKE => return Some(stream),
        Ok(1) if first[0].is_ascii_uppercase() => {
            debug!(peer = %peer.address, "closed: HTTP without TLS");
            let _ = stream.try_read(&mut [0; TAKEN]);
            let _ = stream.write_all(ANSWER.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        Ok(1) => debug!(peer = %peer.address, "closed: what came first is no TLS"),
        Ok(_) => debug!(peer = %peer.address, "closed before a TLS handshake"),
        Err(error) => debug!(peer = %peer.address, %error, "closed before a TLS handshake"),
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_is_as_long_as_it_says() {
        let (head, body) = ANSWER.split_once("\r\n\r\n").unwrap_or_default();
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{}", body.len());
    }
}
