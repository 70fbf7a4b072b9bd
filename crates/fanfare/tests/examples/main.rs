//! The folders of `examples/`: their real files with the real binary, what arrives at the far end and what must not, what
//! becomes of it when a side dies, and that their READMEs are right.
//!
//! Only addresses differ from what a reader of the READMEs starts: the ports are free ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod department;
mod environments;
mod hop;
mod kit;
mod public;
mod readmes;
mod regions;
mod standby;
