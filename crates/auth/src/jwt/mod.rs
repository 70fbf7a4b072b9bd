//! JSON Web Tokens (RFC 7519) in compact form (RFC 7515): where a request may carry one, whether it holds, and what it
//! grants; sets of keys (RFC 7517), and when to fetch one anew.
//!
//! Pure: keys and `now` are handed in. Fetching a set, and how a refusal looks over HTTP, live in the binary.

mod carriers;
mod claims;
mod fault;
mod key;
mod key_set;
mod refresh;
mod token;

pub use carriers::Carriers;
pub use claims::{Checks, Grant};
pub use fault::TokenFault;
pub use key::{Algorithm, Key, KeyFault, Keys};
pub use key_set::{IgnoredKey, KeySet, KeySetFault};
pub use refresh::{MIN_PAUSE, Refresh};
pub use token::verify;

/// Bytes of a token. Proxies commonly allow 8 KiB for a header line, and every byte is hashed for everyone who asks. A
/// longer one is refused.
pub const MAX_TOKEN: usize = 8 * 1024;

/// Bytes of a set of keys. One of the largest public issuers is below 16 KiB. A larger one is refused.
pub const MAX_KEY_SET: usize = 256 * 1024;

/// Keys of a set. Issuers publish a handful; a set with more is refused.
pub const MAX_KEYS: usize = 100;

/// Keys that a token without a `kid` is held against, because each costs a signature's check. It is not held against
/// more.
pub const MAX_TRIED: usize = 8;

/// Seconds by which the issuer's clock may be ahead when it says from when on a token holds (`nbf`). The end of a token is
/// exact.
pub const LEEWAY: i64 = 30;

/// Room patterns of one token; as many as one client may be in rooms. A token with more is refused.
pub const MAX_GRANTED_ROOMS: usize = 1000;

#[cfg(test)]
mod tests;
