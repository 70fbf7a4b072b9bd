//! Decompression, within a bound.

use std::borrow::Cow;
use std::io::Read as _;

use fanfare_auth::RequestHeaders;
use flate2::read::MultiGzDecoder;

use super::Refusal;

/// The body as it was before `Content-Encoding` (RFC 9110, 8.4). A body that inflates past `limit` bytes is refused
/// as soon as it does.
pub(crate) fn inflate<'a>(
    head: &(impl RequestHeaders + ?Sized),
    body: &'a [u8],
    limit: usize,
) -> Result<Cow<'a, [u8]>, Refusal> {
    let mut compressed = false;
    for value in head.values("content-encoding") {
        for coding in value.split(|byte| *byte == b',') {
            match coding.trim_ascii().to_ascii_lowercase().as_slice() {
                b"" | b"identity" => {}
                // Twice compressed is not sent by anybody who means well.
                b"gzip" | b"x-gzip" if !compressed => compressed = true,
                _ => return Err(Refusal::ContentEncoding),
            }
        }
    }
    if !compressed {
        return if body.len() > limit { Err(Refusal::TooLarge { limit }) } else { Ok(Cow::Borrowed(body)) };
    }
    let mut inflated = Vec::new();
    let bound = (limit as u64).saturating_add(1);
    MultiGzDecoder::new(body).take(bound).read_to_end(&mut inflated).map_err(|_| Refusal::Compression)?;
    if inflated.len() > limit {
        return Err(Refusal::TooLarge { limit });
    }
    Ok(Cow::Owned(inflated))
}
