//! Who may listen to what: every identity, every fault of a token, everything that can be asked for.

mod ends;
mod issuer;
mod published;
mod streams;
mod table;
mod tokens;
