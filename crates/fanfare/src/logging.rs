//! Where log lines go: to standard error, as text with fields.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::cli::Verbosity;

/// Starts logging. Called once, first.
pub(crate) fn start(verbosity: Verbosity) {
    let directives = std::env::var("RUST_LOG").ok().filter(|directives| !directives.is_empty());
    let filter = match directives {
        Some(directives) => EnvFilter::builder().parse_lossy(translate(&directives)),
        None => EnvFilter::new(default_directives(verbosity)),
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // It would say so on standard error too, and panic where that fails again: a full disk under the log, or nobody who
        // reads it, would end whatever had something to say.
        .log_internal_errors(false)
        .with_ansi(io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
}

fn default_directives(verbosity: Verbosity) -> &'static str {
    match (verbosity.verbose, verbosity.quiet) {
        (0, 0) => "info",
        (1, _) => "info,fanfare=debug",
        (_, 0) => "trace",
        (_, 1) => "warn",
        _ => "error",
    }
}

/// Users of cdviz-collector know the targets of its log lines; ours have the same names behind the first part.
fn translate(directives: &str) -> String {
    directives
        .split(',')
        .map(|directive| match directive.trim().strip_prefix("cdviz_collector") {
            Some(rest) => format!("fanfare{rest}"),
            None => directive.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeds_target_is_ours() {
        assert_eq!(translate("cdviz_collector::sinks::sse=debug"), "fanfare::sinks::sse=debug");
        assert_eq!(translate("warn, cdviz_collector=debug,hyper=info"), "warn,fanfare=debug,hyper=info");
    }
}
