//! Server-Sent Events as a client sees them: a [`Parser`] of the bytes, and a [`Client`] that holds a stream open.

mod client;
mod parser;

pub use client::{Client, Message};
pub use parser::{Event, Item, Parser, Silent};
