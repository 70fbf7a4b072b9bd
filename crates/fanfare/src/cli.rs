//! The command line.

use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};

const EXIT_CODES: &str = "\
Exit codes:
    0  all was done, or the server was asked to stop and did
    1  it failed while it ran, its log cannot be opened, or what was sent or asked for was refused
    2  the command line is wrong, or a file that it names
    3  the configuration is wrong
    4  the address cannot be listened on
  130  it was told twice to stop";

/// Of the commands that others wait for in a script.
#[cfg(feature = "terminal")]
const TERMINAL_EXIT_CODES: &str = "\
Exit codes:
    0  all was sent, or as much was printed as was asked for, or as anybody reads
    1  an event, or the request for a stream, was refused; or an event could not be sent
    2  the command line is wrong, or a file that it names; nothing was sent";

/// Behind the options of a command, which would else stand in between them.
const LAST: usize = 900;

/// What was compiled in, below the version.
const LONG_VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\nfeatures: ", env!("FANFARE_FEATURES"));

/// Takes events from anywhere and streams them to any number of browsers and services as Server-Sent Events.
#[derive(Debug, Parser)]
#[command(name = "fanfare", version, long_version = LONG_VERSION, after_help = EXIT_CODES, propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// How much is logged to standard error. `RUST_LOG`, where it is set, says more exactly, and holds.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Verbosity {
    /// Log more; twice for everything.
    #[arg(short, long, global = true, display_order = LAST, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Log less: warnings and errors; twice for errors only.
    #[arg(short, long, global = true, display_order = LAST, action = ArgAction::Count, conflicts_with = "verbose")]
    pub(crate) quiet: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Take events and stream them, until told to stop.
    ///
    /// Without a configuration: a webhook at /webhook/events, a stream at /sse/events and a page that shows it at /,
    /// on 127.0.0.1:8080.
    #[command(visible_aliases = ["connect", "start"])]
    Serve(ServeArguments),
    /// Check a configuration and say everything that is wrong with it.
    Check(CheckArguments),
    /// Send events to a webhook: JSON, or a CDEvent made of --type and --subject.
    ///
    /// One after the other, in their order; the first that is refused ends it. Each has an `Idempotency-Key` of its own, so that
    /// it is stored once however often it is tried. Prints what the server answers, a line an event, as JSON in a pipe; with -q
    /// only what goes wrong.
    #[cfg(feature = "terminal")]
    #[command(after_help = TERMINAL_EXIT_CODES)]
    Send(Box<crate::commands::send::SendArguments>),
    /// Print events of streams as they come.
    ///
    /// In words on a terminal, as JSON lines in a pipe: {"id":…,"event":…,"data":…}, and "url" where there are several streams.
    /// Comes back where a connection is lost, behind the last event, until it is told to stop, and says so unless there is -q.
    #[cfg(feature = "terminal")]
    #[command(after_help = TERMINAL_EXIT_CODES)]
    Tail(Box<crate::commands::tail::TailArguments>),
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

#[derive(Args, Debug)]
pub(crate) struct ServeArguments {
    /// The configuration: TOML, or, where its name ends in .yaml or .yml, Inboxclaw's, or, where it ends in .mycel or .hcl,
    /// or is a folder, Mycel's. Any key can be overridden from the environment: `FANFARE__HTTP__PORT=9090`.
    #[arg(short, long, value_name = "FILE|FOLDER")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct CheckArguments {
    /// The configuration: TOML, or, where its name ends in .yaml or .yml, Inboxclaw's, or, where it ends in .mycel or .hcl,
    /// or is a folder, Mycel's.
    #[arg(value_name = "FILE|FOLDER")]
    pub(crate) file: PathBuf,
    /// Print the whole configuration, defaults and overrides included, as TOML. Secrets are masked.
    #[arg(long)]
    pub(crate) print: bool,
    /// Do not mask secrets, so that what is printed runs.
    #[arg(long, requires = "print")]
    pub(crate) with_secrets: bool,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
