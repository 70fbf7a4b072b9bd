//! The log in a file: restarts, trouble, damage, and what it refuses to open. What every log keeps to is in
//! `contract.rs`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod damage;
mod kit;
mod names;
mod properties;
mod refusals;
mod restarts;
mod trouble;
