//! What the process says when it ends.

use std::process::ExitCode;

/// How the process ended, for scripts and supervisors. `--help` lists the numbers; clap itself ends with 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All was done, or the server was asked to stop and did.
    Done,
    /// It failed while it ran: starting it again may help.
    Failed,
    /// The configuration is wrong: starting it again cannot help.
    Configuration,
    /// The address cannot be listened on.
    Address,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Failed => 1,
            Exit::Configuration => 3,
            Exit::Address => 4,
        })
    }
}
