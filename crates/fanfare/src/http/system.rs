//! What the system lets one process have, raised where that is allowed, and reported where it is too little.

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tracing::warn;

#[cfg(target_os = "linux")]
use super::listener::BACKLOG;

/// Files that are open beside streams: the log's, listeners, and connections of publishers.
const BESIDE_STREAMS: u64 = 256;

/// What the kernel caps a listener's backlog at.
#[cfg(target_os = "linux")]
const SOMAXCONN: &str = "/proc/sys/net/core/somaxconn";

/// Raises the process's limit of open files as far as it may itself: each stream takes one. Says where that is not enough for
/// as many `streams` as sinks let in.
pub(crate) fn raise_descriptor_limit(streams: usize) {
    let raised = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(soft, hard)| {
        if soft < hard {
            setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        }
        Ok(hard)
    });
    let needed = (streams as u64).saturating_add(BESIDE_STREAMS);
    match raised {
        Ok(limit) if streams > 0 && limit < needed => warn!(
            limit,
            needed,
            "fewer files may be open than `max_connections` lets streams in; raise the hard limit (LimitNOFILE= of systemd, \
             ulimit -Hn), or lower `max_connections`, which tells clients when to come back"
        ),
        Ok(_) => {}
        Err(error) => warn!(%error, "the limit of open files cannot be raised"),
    }
}

/// Says where fewer connections may wait to be accepted than are asked for.
pub(crate) fn report_backlog() {
    #[cfg(target_os = "linux")]
    if let Ok(text) = std::fs::read_to_string(SOMAXCONN)
        && let Some(somaxconn) = too_few(&text)
    {
        warn!(
            somaxconn,
            wanted = BACKLOG,
            "few connections may wait to be accepted, and clients that come back at once after a restart wait for seconds; \
             raise net.core.somaxconn, and start again"
        );
    }
}

/// How many connections may wait, where those are fewer than a listener asks for. The kernel's own text says it.
#[cfg(target_os = "linux")]
fn too_few(somaxconn: &str) -> Option<u32> {
    somaxconn.trim().parse().ok().filter(|somaxconn| *somaxconn < BACKLOG)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn fewer_places_than_asked_for_are_too_few() {
        for (text, expected) in
            [("128\n", Some(128)), ("4095\n", Some(4095)), ("4096\n", None), ("65535\n", None), ("", None)]
        {
            assert_eq!(too_few(text), expected, "{text:?}");
        }
    }
}
