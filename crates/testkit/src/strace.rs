//! The tracer under which some tests start the server; see [`Builder::under`](crate::Builder::under).

use std::process::{Command, Stdio};

/// Checks that there is one.
///
/// # Panics
///
/// Where there is none, with the command that installs it.
pub fn need_strace() {
    let has_strace = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    assert!(
        has_strace.is_ok_and(|status| status.success()),
        "this test needs strace: apt-get install strace"
    );
}
