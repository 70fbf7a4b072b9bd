//! What the process says when it ends.

use std::process::ExitCode;

/// How the process ended, for scripts and supervisors. `--help` lists the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All was done, or the server was asked to stop and did.
    Done,
    /// It failed while it ran, or was refused: starting it again may help.
    Failed,
    /// The command line is wrong, in what clap, which ends with the same number, does not see.
    #[cfg(feature = "terminal")]
    CommandLine,
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
            #[cfg(feature = "terminal")]
            Exit::CommandLine => 2,
            Exit::Configuration => 3,
            Exit::Address => 4,
        })
    }
}
