//! `fanfare-bench`: the command line. The floor server is in [`floor`], the benchmark in [`fanout`].
//!
//! Linux only, loopback only: what it measures is what a server's process costs, not a network.

mod fanout;
mod floor;
mod poller;
mod process;
mod publisher;
mod report;
mod subscriber;
mod target;
mod wire;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures what it costs to fan events out to many clients.
#[derive(Debug, Parser)]
#[command(name = "fanfare-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the benchmark and prints a table; fails where a client missed an event.
    Fanout(fanout::Args),
    /// Serves as little as can be called a fan-out server: what no real server can undercut.
    // The test kit starts a server with `serve`.
    #[command(alias = "serve")]
    Floor(floor::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Fanout(args) => fanout::run(&args),
        Command::Floor(args) => floor::run(&args).map(|never| match never {}),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            // Nothing is left to be done where even standard error is gone.
            let _ = writeln!(io::stderr(), "fanfare-bench: {error}");
            ExitCode::FAILURE
        }
    }
}
