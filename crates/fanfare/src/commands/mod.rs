//! One file a command.

pub(crate) mod check;
pub(crate) mod completions;
#[cfg(feature = "terminal")]
mod request;
#[cfg(feature = "terminal")]
pub(crate) mod send;
pub(crate) mod serve;
#[cfg(feature = "terminal")]
pub(crate) mod tail;
#[cfg(feature = "terminal")]
mod terminal;

use std::io::{self, IsTerminal as _, Write as _};

use fanfare_config::{Diagnostics, Env, Severity};

/// The process's environment, read once and handed down. Variables that are not UTF-8 are not there.
fn environment() -> Env {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Shows everything that is wrong.
fn show(diagnostics: &Diagnostics) {
    let color = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let rendered = diagnostics.render(color);
    if !rendered.is_empty() {
        let errors = diagnostics.count(Severity::Error);
        let warnings = diagnostics.count(Severity::Warning);
        let counts = format!("{}, {}", counted(errors, "error"), counted(warnings, "warning"));
        // Nobody is left to tell if standard error is gone.
        let _ = writeln!(io::stderr(), "{}\n\n{counts}", rendered.trim_end());
    }
}

/// Says why there is nothing to serve, and what to do.
fn complain(problem: &str, help: &str) {
    // Nobody is left to tell if standard error is gone.
    let _ = writeln!(io::stderr(), "error: {problem}\n  = help: {help}");
}

/// What a command that waits for one thing at a time runs in; how it ends where there is none.
#[cfg(feature = "terminal")]
fn runtime() -> Result<tokio::runtime::Runtime, crate::exit::Exit> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
        complain(&format!("cannot start: {error}"), "see what the system says of it");
        crate::exit::Exit::Failed
    })
}

/// Writes to standard output. A reader that is gone has read enough.
fn print(text: &str) {
    let mut out = io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
