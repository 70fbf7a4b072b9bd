//! `fanfare-bench`: the command line. The benchmarks are in [`fanout`], [`targets`], [`growth`], [`rooms`],
//! [`matching`], [`publish`] and [`replay`], the soak in [`soak`], the floor server in [`floor`].
//!
//! Linux only, loopback only: what it measures is what a server's process costs, not a network.

mod crowd;
mod disk;
mod fanout;
mod floor;
mod growth;
mod lines;
mod load;
mod matching;
mod nchan;
mod poller;
mod process;
mod publish;
mod publisher;
mod replay;
mod report;
mod rooms;
mod rounds;
mod scenario;
mod senders;
mod soak;
mod sockets;
mod sources;
mod subscriber;
mod target;
mod targets;
mod wire;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Measures what events cost: to take them, to fan them out, and to send them again.
#[derive(Debug, Parser)]
#[command(name = "fanfare-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Many clients on one stream: prints a table; fails where a client missed an event.
    Fanout(fanout::Args),
    /// Everything that delivery has a target for, in one table; takes half an hour.
    Targets(targets::Args),
    /// How memory and CPU grow with the clients, beside the floor.
    Growth(growth::Args),
    /// One event for a room, or for a user, of many: its CPU time, beside that of a server with only those whom it is for;
    /// fails where somebody missed it, or got what was not theirs.
    Rooms(rooms::Args),
    /// What it costs to find who sees an event, without a server.
    Matching(matching::Args),
    /// Acknowledged publications a second, beside the disk's own rate; fails where one is not there afterwards.
    Publish(publish::Args),
    /// Many clients that come back at once while publishing goes on; fails where one of them missed an event.
    Replay(replay::Args),
    /// Clients that behave beside clients that do not, for a long time; fails where one that behaves missed an event, or
    /// where the server does not get back what the others took.
    Soak(soak::Args),
    /// Clients that connect at once, for other benchmarks.
    #[command(hide = true)]
    Crowd(crowd::Args),
    /// Serves as little as can be called a fan-out server: what no real server can undercut.
    // The test kit starts a server with `serve`.
    #[command(alias = "serve")]
    Floor(floor::Args),
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Fanout(args) => fanout::run(&args),
        Command::Targets(args) => targets::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Growth(args) => growth::run(&args),
        Command::Rooms(args) => rooms::run(&args),
        Command::Matching(args) => matching::run(&args),
        Command::Publish(args) => publish::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Crowd(args) => crowd::run(&args),
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
