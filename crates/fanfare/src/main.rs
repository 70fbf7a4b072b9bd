//! The binary: command line, logging, exit codes. What the commands do lives in `commands`.

#![cfg_attr(
    not(all(
        feature = "sink_http_pull",
        feature = "sink_sse",
        feature = "source_amqp",
        feature = "source_mock",
        feature = "source_mock",
        feature = "source_rest",
        feature = "source_sse",
        feature = "source_webhook"
    )),
    allow(
        dead_code,
        unused_imports,
        unused_variables,
        clippy::allow_attributes,
        clippy::unused_async,
        reason = "a build without a source or without a sink leaves unused what only they call"
    )
)]

#[cfg(feature = "sink_sse")]
mod admin;
mod cli;
mod commands;
mod exit;
#[cfg(test)]
mod faulty_log;
mod http;
mod ids;
mod log;
mod logging;
mod problem;
mod rules;
mod server;
mod sinks;
mod sources;
mod topology;
mod turns;
mod viewer;

use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};

/// What a connection needs only until it is a stream, tens of kilobytes, is freed among what streams keep, some hundred bytes
/// each. This one keeps sizes apart and gives whole pages back: of 10,000 clients that come 200 at a time, about 350 bytes
/// of memory stay for each; with glibc's, 1,000. Without huge pages, of which the first ones would take 16 MB.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    logging::start(cli.verbosity);
    let exit = match cli.command {
        Command::Serve(arguments) => commands::serve::run(&arguments),
        Command::Check(arguments) => commands::check::run(&arguments),
        #[cfg(feature = "terminal")]
        Command::Send(arguments) => commands::send::run(&arguments, cli.verbosity.quiet > 0),
        #[cfg(feature = "terminal")]
        Command::Tail(arguments) => commands::tail::run(&arguments, cli.verbosity.quiet > 0),
        Command::Completions { shell } => commands::completions::run(shell),
    };
    exit.into()
}
