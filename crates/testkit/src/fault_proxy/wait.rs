//! Waiting for sockets, for a moment, and always for the end of the proxy.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::Instant;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// What a wait came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake<const N: usize> {
    /// These can be read from.
    Ready([bool; N]),
    /// The moment has come.
    Due,
    /// The proxy has ended.
    Ended,
}

/// Waits until something can be read, until that moment, or for as long as the proxy lives.
pub(super) fn wait<const N: usize>(
    sockets: [BorrowedFd<'_>; N],
    ended: &UnixStream,
    until: Option<Instant>,
) -> io::Result<Wake<N>> {
    loop {
        let timeout = match until.map(|until| until.saturating_duration_since(Instant::now())) {
            None => PollTimeout::NONE,
            Some(left) if left.is_zero() => return Ok(Wake::Due),
            // Rounded up, or the last millisecond would be spent asking.
            Some(left) => PollTimeout::try_from(left.as_millis() + 1).unwrap_or(PollTimeout::MAX),
        };
        let mut asked: Vec<_> = sockets
            .iter()
            .copied()
            .chain([ended.as_fd()])
            .map(|socket| PollFd::new(socket, PollFlags::POLLIN))
            .collect();
        match poll(&mut asked, timeout) {
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let is_ready = |index: usize| asked.get(index).and_then(PollFd::any).unwrap_or(true);
        return Ok(if is_ready(N) { Wake::Ended } else { Wake::Ready(std::array::from_fn(is_ready)) });
    }
}
