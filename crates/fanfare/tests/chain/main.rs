//! Between instances nothing is lost and nothing comes twice: three real binaries in a row, each following the one before
//! it, while any of them is killed (SIGKILL) and the network between them fails in every way that the testkit has.
//!
//! `FANFARE_CHAIN_KILLS` says how often something is killed, `FANFARE_CHAIN_SEED` with which seed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod chain;
mod follower;
mod gaps;
mod losses;
mod publisher;
mod run;
mod silence;

use std::time::Duration;

/// For what must happen; far more than it takes, waits between tries to connect included.
const LONG: Duration = Duration::from_mins(2);
