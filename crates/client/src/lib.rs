//! A client of Server-Sent Events that never ends: it connects, follows the standard's rules of parsing (WHATWG HTML 9.2),
//! comes back where the connection is lost, and resumes behind the last id that it saw.
//!
//! This is the only crate that names the decoder, and no type of it or of the HTTP library is in a signature here. What an
//! event means, and where its id is kept across restarts, is decided elsewhere.

mod client;
mod connection;
mod decoder;
mod error;
mod reconnect;
mod request;
mod settings;

pub use client::{Client, Ended, Occasion};
pub use decoder::{Decoded, Decoder, Message, is_sendable};
pub use error::Error;
pub use settings::{Certificates, Header, InvalidUrl, Settings, Url, is_local};
